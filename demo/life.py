"""What happened to the company's people between the export and the letter, and what follows for who is mailed."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.customers import contacts
from campaigns.records import cases, consent, suppressions
from campaigns.records.cases import NewCase
from campaigns.records.consent import Provenance
from campaigns.values import ContactId
from demo.company import SEED, Person

AGENT = "Sofía Lindqvist"
COMPLAINTS = (
    "The sleeve arrived bent",
    "Side B is a different record",
    "Paid twice for one parcel",
    "Still waiting after three weeks",
)


@dataclass(frozen=True, slots=True)
class Life:
    """Numbers of the people to whom something happened; drawn, but alike at every run."""

    left: frozenset[int]  #: withdrew on the preferences page
    dead: frozenset[int]  #: their address was suppressed by the former system
    angry: frozenset[int]  #: have an open complaint
    twins: tuple[tuple[int, int], ...]  #: the second now uses the first one's address
    homes: tuple[tuple[int, int], ...]  #: so too; but the first has left, for whoever reads that mailbox


def draw_life(customers: int) -> Life:
    """Draw what happens: eight in a hundred are touched."""
    some = customers // 100
    drawn = Random(SEED + 2).sample(range(1, customers + 1), 8 * some + some // 2)
    pairs = drawn[7 * some : 7 * some + some // 2 * 2]
    left = drawn[: 5 * some]
    return Life(
        left=frozenset(left),
        dead=frozenset(drawn[5 * some : 6 * some]),
        angry=frozenset(drawn[6 * some : 7 * some]),
        twins=tuple(zip(pairs[::2], pairs[1::2], strict=True)),
        homes=tuple(zip(left, drawn[8 * some :], strict=False)),
    )


def live(session: Session, life: Life, topic: int, secret: bytes, now: datetime) -> None:
    """Write it into the store the way desks do."""
    columns = (contacts.c.external_id, contacts.c.id, contacts.c.customer_id, contacts.c.email)
    rows = {int(row.external_id[1:]): row for row in session.execute(sa.select(*columns))}
    for number in sorted(life.left):
        said = Provenance(now - timedelta(days=1 + number % 20), "preferences", "preferences page")
        consent.withdraw(session, ContactId(rows[number].id), topic, said, now=now)
    evidence = {"from": "the former system"}
    for number in sorted(life.dead):
        if rows[number].email:
            hashed = suppressions.address_hash(secret, rows[number].email)
            suppressions.add(session, hashed, "hard bounce", now=now, evidence=evidence, actor=AGENT)
    for number in sorted(life.angry):
        row = rows[number]
        complaint = NewCase(row.customer_id, "complaint", COMPLAINTS[number % len(COMPLAINTS)], row.id)
        cases.open_case(session, complaint, actor=AGENT, now=now - timedelta(days=2))
    for one, other in (*life.twins, *life.homes):
        shared = rows[one].email
        if shared:
            values = {"email": shared, "email_hash": suppressions.address_hash(secret, shared)}
            session.execute(sa.update(contacts).where(contacts.c.id == rows[other].id).values(values))


def expected_gates(people: Iterable[Person], life: Life) -> Counter[str]:
    """Say without the store whom the letter to everybody with an address reaches: by gate, "" for nobody stopped."""
    addresses, consents = {}, set()
    for person in people:
        addresses[person.number] = person.row["Email"]
        if person.row["Consent"] and person.number not in life.left:
            consents.add(person.number)
    dead = {addresses[number] for number in life.dead}
    left = {addresses[number] for number in life.left}
    for one, other in (*life.twins, *life.homes):
        addresses[other] = addresses[one] or addresses[other]
    consents = {number for number in consents if addresses[number] not in left}
    counted: Counter[str] = Counter()
    taken: set[str] = set()
    for number, address in sorted(addresses.items()):
        if address:
            counted[_gate(number, address, dead, consents, life, taken)] += 1
    return counted


def _gate(number: int, address: str, dead: set[str], consents: set[int], life: Life, taken: set[str]) -> str:
    if address in dead:
        return "suppressed"
    if number not in consents:
        return "no consent"
    if number in life.angry:
        return "complaint open"
    if address in taken:
        return "duplicate address"
    taken.add(address)
    return ""
