"""Forgetting a person: what is theirs goes, what others count on stays without them (docs/decisions/0028)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.errors import NotFound
from campaigns.model.commerce import orders
from campaigns.model.consent import consents, suppressions, tracking_choices
from campaigns.model.customers import addresses, attribute_facts, contacts, customers, roles
from campaigns.model.dialect import changed, update_many
from campaigns.model.events import events, hits
from campaigns.model.forms import sign_ups
from campaigns.model.mail import chunks, messages, runs
from campaigns.model.returned import returned_mails
from campaigns.model.service import cases, tasks
from campaigns.model.surveys import answers, responses
from campaigns.records.needles import GONE, Needles, without
from campaigns.values import EventKind, Gate, MessageState, Tracking

#: Columns of a contact that say nothing about the person.
IMPERSONAL = frozenset({"id", "customer_id", "source", "tracking", "erased_at", "created_at", "updated_at"})
#: Details of events that reports and other flows read; all others may hold words, and go.
KEPT_DETAILS = frozenset(
    {
        *("link", "score", "points", "hard", "class", "status", "rule", "rules", "topic", "how", "tracking"),
        *("import", "change", "case", "kind", "order", "total_minor", "currency", "decision", "proof"),
        *("feedback", "code", "survey", "response", "scores", "until", "by", "owner"),
    }
)
LONGEST_DETAIL = 120  #: of a kept detail that is text
OPEN_SIGN_UPS = ("posted", "mailed")


@dataclass(frozen=True, slots=True)
class Person:
    """Whom to forget, with all that finds them."""

    contact: int
    customer: int
    alone: bool  #: the customer is only this person
    erased_at: datetime | None
    needles: Needles


@dataclass(frozen=True, slots=True)
class Plan:
    """How much there is, by table; what is deleted, emptied, and kept without the person."""

    contact: int
    alone: bool
    erased_at: datetime | None
    deleted: dict[str, int]
    emptied: dict[str, int]
    kept: dict[str, int]


def person(session: Session, contact: int, *, held: bool = False) -> Person:
    """Look a person up; `held` keeps other writers of this contact away until the end.

    Raises:
        NotFound: there is no such contact.
    """
    query = sa.select(contacts).where(contacts.c.id == contact)
    row = session.execute(query.with_for_update(key_share=True) if held else query).one_or_none()
    if row is None:
        raise NotFound(f"There is no contact {contact}.")
    others = sa.select(sa.func.count()).where(
        contacts.c.customer_id == row.customer_id, contacts.c.id != contact, contacts.c.erased_at.is_(None)
    )
    kind = session.scalar(sa.select(customers.c.kind).where(customers.c.id == row.customer_id))
    alone = kind != "organisation" and not session.scalar(others)
    return Person(contact, row.customer_id, alone, row.erased_at, _needles(session, row))


def _needles(session: Session, row: Any) -> Needles:
    further = session.execute(
        sa.select(addresses.c.kind, addresses.c.value).where(addresses.c.contact_id == row.id)
    ).all()
    mailed = (
        sa.select(messages.c.address)
        .join(runs, runs.c.id == messages.c.run_id)
        .where(messages.c.contact_id == row.id, messages.c.address.is_not(None), runs.c.kind != "test")
    )
    typed = sa.select(sign_ups.c.address).where(
        sign_ups.c.contact_id == row.id, sign_ups.c.address.is_not(None)
    )
    emails = {row.email, *(one.value for one in further if one.kind == "email")}
    emails |= {*session.scalars(mailed.distinct()), *session.scalars(typed)}
    phones = {row.phone, *(one.value for one in further if one.kind == "phone")}
    names = [name.strip() for name in (row.given_name, row.family_name) if name and name.strip()]
    return Needles(tuple(sorted(filter(None, emails))), tuple(sorted(filter(None, phones))), tuple(names))


def plan(session: Session, whom: Person) -> Plan:
    """Count what there is of a person, to be looked at before; changes nothing."""

    def count(table: sa.Table, *further: sa.ColumnElement[bool]) -> int:
        query = sa.select(sa.func.count()).select_from(table).where(table.c.contact_id == whom.contact)
        return session.scalar(query.where(*further)) or 0

    queued = messages.c.state == MessageState.QUEUED.value
    deleted = {
        "further addresses": count(addresses),
        "roles": count(roles),
        "dated attributes": count(attribute_facts),
        "raw hits": _count_hits(session, whom),
        "returned mails": count(returned_mails),
    }
    emptied = {
        "events": count(events),
        "messages sent or skipped": count(messages, sa.not_(queued)),
        "messages that wait (they are skipped)": count(messages, queued),
        "written answers": count(answers, answers.c.text.is_not(None)),
        "cases": count(cases),
        "tasks": count(tasks),
        "sign-ups": count(sign_ups),
    }
    kept = {
        "words of consent": count(consents),
        "responses to surveys": count(responses),
        "orders": count(orders),
    }
    return Plan(whom.contact, whom.alone, whom.erased_at, deleted, emptied, kept)


def erase(session: Session, whom: Person, *, now: datetime) -> None:
    """Take a person out of every row that is theirs; doing it again changes nothing."""
    skip_queued(session, whom.contact, now=now)
    _empty_history(session, whom)
    _empty_work(session, whom, now)
    _empty_words(session, whom)
    _delete_hits(session, whom)
    for table in (addresses, roles, attribute_facts, returned_mails):
        session.execute(sa.delete(table).where(table.c.contact_id == whom.contact))
    _empty_messages(session, whom)
    _empty_customer(session, whom, now)
    empty = dict.fromkeys(set(contacts.c.keys()) - IMPERSONAL) | {"attributes": {}}
    values: dict[str, Any] = {**empty, "tracking": Tracking.OFF.value, "erased_at": whom.erased_at or now}
    mine = contacts.c.id == whom.contact
    session.execute(sa.update(contacts).where(mine).values(updated_at=now, **values))


def skip_queued(session: Session, contact: int, *, now: datetime) -> int:
    """Skip a contact's messages that wait; gives how many.

    One that a sender holds just now is left to it: the gate is asked before the mail is made, and what is on
    the wire cannot be called back.
    """
    waiting = sa.select(messages.c.run_id, messages.c.seq).where(
        messages.c.contact_id == contact, messages.c.state == MessageState.QUEUED.value
    )
    skipped = 0
    for run, seq in session.execute(waiting).all():
        here = (chunks.c.run_id == run, chunks.c.first_seq <= seq, chunks.c.last_seq >= seq)
        states = session.scalars(sa.select(chunks.c.state).where(*here).with_for_update()).all()
        if "claimed" in states:
            continue
        this = (messages.c.run_id == run, messages.c.seq == seq)
        gated = {"state": MessageState.SKIPPED.value, "gate": Gate.ERASED.value, "at": now}
        still = messages.c.state == MessageState.QUEUED.value
        if changed(session, sa.update(messages).where(*this, still).values(gated)):
            more = {"skipped": runs.c.skipped + 1}
            session.execute(sa.update(runs).where(runs.c.id == run).values(more))
            skipped += 1
    return skipped


def _empty_history(session: Session, whom: Person) -> None:
    """Keep of each event what reports count; of the customer's others what does not name the person."""
    c = events.c
    query = sa.select(c.id, c.at, c.kind, c.contact_id, c.detail)
    mine = session.execute(query.where(c.contact_id == whom.contact)).all()
    about = session.execute(
        query.where(c.customer_id == whom.customer, c.contact_id.is_distinct_from(whom.contact))
    ).all()
    rows = [(row.id, row.at, bare(row.kind, row.detail, whom.needles)) for row in mine]
    for row in about:
        whole = whom.alone and row.contact_id is None
        kept = bare(row.kind, row.detail, whom.needles) if whole else without(row.detail, whom.needles.near)
        rows.append((row.id, row.at, kept))
    before = {(row.id, row.at): row.detail for row in (*mine, *about)}
    rows = [row for row in rows if before[row[0], row[1]] != row[2]]
    update_many(session, events, ("id", "at"), ("detail",), rows)


def bare(kind: str, detail: dict[str, Any], needles: Needles) -> dict[str, Any]:
    """What is kept of an event's details: no words that anybody wrote."""
    keys = KEPT_DETAILS | ({"reason"} if kind == EventKind.SUPPRESSED.value else set())
    found = {}
    for key in keys & detail.keys():
        value = detail[key]
        if not isinstance(value, str) or (len(value) <= LONGEST_DETAIL and not needles.near.search(value)):
            found[key] = value if isinstance(value, str) else without(value, needles.sure)
    return found


def _empty_work(session: Session, whom: Person, now: datetime) -> None:
    """Take the words out of cases and tasks; a task about the person is over, a case stays to be closed."""
    for table, columns in ((cases, ("subject",)), (tasks, ("title", "reason"))):
        c = table.c
        query = sa.select(c.id, c.contact_id, *(c[name] for name in columns))
        theirs = sa.or_(c.contact_id == whom.contact, c.customer_id == whom.customer)
        rows = []
        for row in session.execute(query.where(theirs)).all():
            whole = row.contact_id == whom.contact or (whom.alone and row.contact_id is None)
            texts = [getattr(row, name) for name in columns]
            kept = [_gone(text) if whole else without(text, whom.needles.near) for text in texts]
            rows.append((row.id, *kept))
        update_many(session, table, ("id",), columns, rows)
    theirs = tasks.c.contact_id == whom.contact
    if whom.alone:
        theirs = sa.or_(theirs, tasks.c.customer_id == whom.customer)
    session.execute(sa.update(tasks).where(theirs, tasks.c.done_at.is_(None)).values(done_at=now))


def _gone(text: str) -> str:
    return GONE if text else ""


def _empty_words(session: Session, whom: Person) -> None:
    """What they wrote, and the proofs of what they said: that, to what, when and how stays."""
    mine = answers.c.contact_id == whom.contact
    session.execute(sa.update(answers).where(mine, answers.c.text.is_not(None)).values(text=GONE))
    for table in (consents, tracking_choices):
        session.execute(sa.update(table).where(table.c.contact_id == whom.contact).values(proof=""))
        named = [sa.func.lower(table.c.actor) == email for email in whom.needles.emails]
        if named:
            own = sa.update(table).where(table.c.contact_id == whom.contact, sa.or_(*named))
            session.execute(own.values(actor="contact"))


def forget_sign_ups(session: Session, contact: int, hashes: Iterable[bytes]) -> None:
    """Keep of sign-ups that there were some, to which form and when; an open one can be confirmed no more."""
    c = sign_ups.c
    theirs = sa.or_(c.contact_id == contact, c.address_hash.in_(list(hashes)))
    empty: dict[str, Any] = {
        "address": None,
        "masked": "",
        "fields": {},
        "page": "",
        "network": "",
        "agent": "",
        "confirmed_network": None,
        "confirmed_agent": None,
    }
    session.execute(sa.update(sign_ups).where(theirs).values(empty))
    over: dict[str, Any] = {"state": "expired", "topics": {}, "contact_id": None}
    session.execute(sa.update(sign_ups).where(theirs, c.state.in_(OPEN_SIGN_UPS)).values(over))


def forget_evidence(session: Session, hashed: bytes) -> None:
    """Keep that and why an address is on the never-mail list, and nothing of how it came there."""
    listed = suppressions.c.address_hash == hashed
    session.execute(sa.update(suppressions).where(listed).values(evidence={}))
    lifted = sa.update(suppressions).where(listed, suppressions.c.lifted_reason.is_not(None))
    session.execute(lifted.values(lifted_reason=""))


def _count_hits(session: Session, whom: Person) -> int:
    return sum(
        session.scalar(sa.select(sa.func.count()).select_from(hits).where(*where)) or 0
        for where in _hits_of(session, whom)
    )


def _delete_hits(session: Session, whom: Person) -> None:
    """Raw hits hold IP addresses and agents; the events judged from them stay, and are not judged again."""
    for where in _hits_of(session, whom):
        session.execute(sa.delete(hits).where(*where))


def _hits_of(session: Session, whom: Person) -> list[tuple[sa.ColumnElement[bool], ...]]:
    """Ways to a person's hits, each answered by an index: there is none on the contact."""
    keys = session.execute(
        sa.select(messages.c.run_id, messages.c.seq).where(messages.c.contact_id == whom.contact)
    ).all()
    mine = hits.c.contact_id == whom.contact
    ways: list[tuple[sa.ColumnElement[bool], ...]] = [(hits.c.judged.is_(False), mine)]
    for run, seq in keys:
        ways.append((hits.c.judged.is_(True), hits.c.run_id == run, hits.c.seq == seq, mine))
    return ways


def _empty_messages(session: Session, whom: Person) -> None:
    """That a mail went stays; where it went, and what the server said of that, does not."""
    mine = messages.c.contact_id == whom.contact
    test = sa.select(runs.c.id).where(runs.c.kind == "test")
    session.execute(sa.update(messages).where(mine, messages.c.run_id.not_in(test)).values(address=None))
    said = sa.select(messages.c.run_id, messages.c.seq, messages.c.reply)
    rows = [
        (row.run_id, row.seq, without(row.reply, whom.needles.near))
        for row in session.execute(said.where(mine, messages.c.reply.is_not(None))).all()
    ]
    update_many(session, messages, ("run_id", "seq"), ("reply",), rows)


def _empty_customer(session: Session, whom: Person, now: datetime) -> None:
    """A customer that is only this person has no name any more; a company keeps its own."""
    mine = customers.c.id == whom.customer
    row = session.execute(sa.select(customers).where(mine)).one()
    values: dict[str, Any] = {"name": without(row.name, whom.needles.sure)}
    if whom.alone:
        values = {"name": "", "attributes": {}} | dict.fromkeys(("external_id", "region", "city"))
    if any(getattr(row, name) != value for name, value in values.items()):
        session.execute(sa.update(customers).where(mine).values(updated_at=now, **values))
