"""What came back from a contact's mails before: the row of bounces that no sign of life has broken."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.customers import contacts
from campaigns.model.events import events
from campaigns.model.mail import messages
from campaigns.values import EventKind, Verdict

SOURCE = "returned mail"
LOOKED_AT = 300  #: of a contact's newest events
MAY_STILL_BOUNCE = timedelta(days=5)  #: servers try that long; until then a sent message has not arrived
ALIVE = (EventKind.ANSWERED, EventKind.REPLIED, EventKind.DELIVERED)
BY_PEOPLE = (EventKind.OPENED, EventKind.CLICKED, EventKind.VIEWED, EventKind.SCORE_CLICKED)
_KINDS = [kind.value for kind in (EventKind.SENT, EventKind.BOUNCED, *ALIVE, *BY_PEOPLE)]


class Bounce(NamedTuple):
    """One message that came back, by its newest notice."""

    at: datetime
    kind: str  #: its class


def in_a_row(session: Session, contact: int, address: str, *, now: datetime) -> list[Bounce]:
    """The newest messages to an address that came back, newest first, up to the last that did not."""
    row: dict[tuple[int, int], Bounce] = {}
    newest = list(_newest(session, contact))
    came_back = {(event.run_id, event.seq) for event in newest if event.kind == EventKind.BOUNCED.value}
    for event in newest:
        key = (event.run_id, event.seq)
        if event.kind == EventKind.DELIVERED.value and key in came_back:
            continue  # its server took it, and another one did not: it has not arrived
        if event.kind == EventKind.BOUNCED.value:
            row.setdefault(key, Bounce(event.at, str(event.detail.get("class", ""))))
        elif event.kind == EventKind.SENT.value:
            if key not in row and now - event.at > MAY_STILL_BOUNCE:
                break
        elif event.kind not in BY_PEOPLE or event.verdict == Verdict.HUMAN.value:
            break
    return [bounce for key, bounce in row.items() if _address(session, key) == address]


def is_alive(session: Session, contact: int, address: str, *, since: datetime, now: datetime) -> bool:
    """Whether a person's sign of life, or a mail that did not come back, has come from an address since then.

    Of everybody who has it; what belongs to no message counts for all addresses.
    """
    others = session.scalars(sa.select(contacts.c.id).where(contacts.c.email == address))
    return any(_shows_life(session, one, address, since, now) for one in {contact, *others})


def _shows_life(session: Session, contact: int, address: str, since: datetime, now: datetime) -> bool:
    newest = list(_newest(session, contact))
    came_back = {(event.run_id, event.seq) for event in newest if event.kind == EventKind.BOUNCED.value}
    for event in newest:
        key = (event.run_id, event.seq)
        if event.at <= since:
            break
        if event.kind == EventKind.BOUNCED.value:
            continue
        if event.kind in (EventKind.SENT.value, EventKind.DELIVERED.value):
            arrived = event.kind == EventKind.DELIVERED.value or now - event.at > MAY_STILL_BOUNCE
            lives = arrived and key not in came_back
        else:
            lives = event.kind not in BY_PEOPLE or event.verdict == Verdict.HUMAN.value
        if lives and (event.run_id is None or _address(session, key) in (address, None)):
            return True
    return False


def count_of(
    session: Session, contact: int, run: int, seq: int, source: str, kinds: Collection[EventKind]
) -> int:
    """How many events of some kinds returned mails or webhooks (the source) have made about one message."""
    c = events.c
    query = sa.select(sa.func.count()).where(
        c.contact_id == contact,
        c.kind.in_([kind.value for kind in kinds]),
        c.run_id == run,
        c.seq == seq,
        c.source == source,
    )
    return session.scalar(query) or 0


def is_only(
    session: Session, contact: int, run: int, seq: int, source: str, kind: EventKind, at: datetime
) -> bool:
    """Whether one event is all that returned mails or webhooks made of its kind about a message."""
    c = events.c
    query = sa.select(c.at).where(
        c.contact_id == contact,
        c.kind == kind.value,
        c.run_id == run,
        c.seq == seq,
        c.source == source,
    )
    return session.scalars(query.limit(2)).all() == [at]


def is_first_of_class(session: Session, run: int, kind: str) -> bool:
    """Whether only one message of a run has come back with a class so far."""
    c = events.c
    query = (
        sa.select(c.id)
        .where(c.run_id == run, c.kind == EventKind.BOUNCED.value, c.detail["class"].as_string() == kind)
        .limit(2)
    )
    return len(session.execute(query).all()) < 2


def _newest(session: Session, contact: int) -> Iterator[Any]:
    c = events.c
    query = (
        sa.select(c.kind, c.at, c.run_id, c.seq, c.verdict, c.detail)
        .where(c.contact_id == contact, c.kind.in_(_KINDS))
        .order_by(c.at.desc(), c.id.desc())
        .limit(LOOKED_AT)
    )
    yield from session.execute(query)


def _address(session: Session, key: tuple[int, int]) -> str | None:
    query = sa.select(messages.c.address).where(messages.c.run_id == key[0], messages.c.seq == key[1])
    return session.scalar(query)
