"""One address, several contacts: a no that is said there holds for all of them.

Whoever reads a mailbox says it for the mailbox: for that which the mail went to, wherever its contact has
moved since. The freeze and the loading ask too (`gates`), for what came in otherwise, as by an import.
"""

import re
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.consent import consent_states
from campaigns.model.customers import contacts
from campaigns.records import consent, history
from campaigns.records.consent import Provenance, Statement, Topic
from campaigns.values import ConsentState, ContactId, EventKind, Fact, TopicClass

STAFF = "staff"  #: where one of us wrote down what a contact told them
SAID_BY = "said by contact {} at the same address"
SAID_BY_ANOTHER = re.compile(SAID_BY.format(r"\d+"))
ANOTHERS = SAID_BY.format("%")  #: for LIKE


def hold(session: Session, contact: ContactId, address: str | None) -> None:
    """Keep other writers of a contact and of all at an address away until the end, in one order for all.

    The address is where the word was said; None: the contact's own.
    """
    at_it = sa.select(contacts.c.id).where(sa.or_(contacts.c.id == contact, _at(contact, address)))
    session.execute(at_it.order_by(contacts.c.id).with_for_update(key_share=True)).all()


def withdraw(
    session: Session,
    contact: ContactId,
    address: str | None,
    topic: Topic,
    how: Provenance,
    *,
    source: str,
    now: datetime,
) -> int:
    """Write a contact's no down for the others at an address who would hear about the topic; gives how many.

    Call it after `hold`, and before the contact's own no is written: said again, a no is as old as it is. Who
    said yes after it goes on hearing.
    """
    no_at = min(now, consent.withdrawn_since(session, contact, topic.id) or now)
    said_so = 0
    said = f"{_said_by(contact)}; {how.proof}" if _is_impersonal(how) else _said_by(contact)
    for other, customer in _others(session, contact, address):
        newest = next(iter(_words(session, other, topic.id)), None)
        if not _hears(topic, newest) or (newest is not None and newest.at > no_at):
            continue
        _, at = consent.hold(session, other, topic.id, now=now)
        consent.withdraw(session, other, topic.id, how._replace(at=at, proof=said), now=now)
        _record(session, EventKind.CONSENT_WITHDRAWN, other, customer, topic, at, contact, source)
        said_so += 1
    return said_so


def is_own(session: Session, contact: ContactId, topic: Topic) -> bool:
    """Whether a contact's newest word on a topic is not what another at the address said.

    Who says no after such a word says it for good: it is written down, and nobody takes it back for them.
    """
    newest = next(iter(_words(session, contact, topic.id)), None)
    return newest is None or SAID_BY_ANOTHER.match(newest.proof) is None


def left_by_another(session: Session, contact: ContactId, topic: int) -> datetime | None:
    """When another at a contact's address left a topic, if no word of the contact came after it; else None.

    Then the contact is not mailed about it, whatever their own word is (`gates`); a yes is to be dated later.
    """
    word = consent_states.c
    left = (
        sa.select(sa.func.max(word.at))
        .join_from(contacts, consent_states, word.contact_id == contacts.c.id)
        .where(_at(contact, None), contacts.c.id != contact)
        .where(word.topic_id == topic, word.state == ConsentState.WITHDRAWN.value)
    )
    left_at: datetime | None = session.scalar(left)
    newest = next(iter(_words(session, contact, topic)), None) if left_at is not None else None
    return left_at if newest is None or left_at is None or newest.at <= left_at else None


def after(left_at: datetime | None, at: datetime) -> datetime:
    """The moment to give a contact's word, so that it comes after the no of another, if there is one."""
    return at if left_at is None else max(at, left_at + timedelta(microseconds=1))


def take_back(
    session: Session,
    contact: ContactId,
    address: str | None,
    topic: Topic,
    how: Provenance,
    *,
    source: str,
    now: datetime,
) -> int:
    """Give the others at an address the word back that a contact's newest no took; gives how many.

    Only where they said nothing since. Call it after `hold`, and before the contact's own yes is written.
    """
    taken = next(iter(_words(session, contact, topic.id)), None)
    given = 0
    for other, customer in _others(session, contact, address):
        theirs = _words(session, other, topic.id)
        if taken is None or not theirs or not _follows(theirs[0], taken):
            continue
        _, at = consent.hold(session, other, topic.id, now=now)
        said = theirs[1].state if len(theirs) > 1 else ConsentState.GRANTED
        proof = f"taken back by contact {contact} at the same address; {how.proof}"
        consent.append(session, other, topic.id, said, how._replace(at=at, proof=proof), now=now)
        if said is ConsentState.GRANTED:
            _record(session, EventKind.CONSENT_GRANTED, other, customer, topic, at, contact, source)
        given += 1
    return given


def _others(session: Session, contact: ContactId, address: str | None) -> list[tuple[ContactId, int]]:
    rows = session.execute(
        sa.select(contacts.c.id, contacts.c.customer_id)
        .where(_at(contact, address), contacts.c.id != contact, contacts.c.erased_at.is_(None))
        .order_by(contacts.c.id)
    )
    return [(ContactId(row.id), row.customer_id) for row in rows]


def _at(contact: ContactId, address: str | None) -> sa.ColumnElement[bool]:
    if address is not None:
        return contacts.c.email == address
    own = contacts.alias("own")
    return contacts.c.email == sa.select(own.c.email).where(own.c.id == contact).scalar_subquery()


def _words(session: Session, contact: ContactId, topic: int) -> list[Statement]:
    return [word for word in consent.ledger(session, contact) if word.topic == topic]


def _hears(topic: Topic, word: Statement | None) -> bool:
    """Whether somebody with this word on a topic would be mailed about it."""
    if topic.topic_class is TopicClass.SERVICE:
        return word is None or word.state is not ConsentState.WITHDRAWN
    return word is not None and word.state is ConsentState.GRANTED


def _said_by(contact: ContactId) -> str:
    return SAID_BY.format(contact)


def _is_impersonal(how: Provenance) -> bool:
    """Whether a proof names no more than a message; what one of us writes is about one person alone."""
    return how.source != STAFF and bool(how.proof)


def _follows(word: Statement, no: Statement) -> bool:
    """Whether somebody's word came from another's no, said on our pages or in a mail, or its repetition."""
    written = word.state is no.state is ConsentState.WITHDRAWN and word.proof.startswith(
        f"{_said_by(no.contact)}; "
    )
    return written and word.source != STAFF and word.recorded_at >= no.recorded_at


def _record(
    session: Session,
    kind: EventKind,
    other: ContactId,
    customer: int,
    topic: Topic,
    at: datetime,
    contact: ContactId,
    source: str,
) -> None:
    dedupe = f"{kind}:{other}:{topic.id}:{at.isoformat()}"
    detail = {"topic": topic.id, "how": "shared address", "contact": contact}
    history.record(session, Fact(kind, at, dedupe, other, customer, None, None, source, detail=detail))
