"""One address, several contacts: a no that is said there holds for all of them.

Whoever reads a mailbox says it for the mailbox. The freeze asks too (`audience`), for what came in otherwise,
as by an import.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.customers import contacts
from campaigns.records import consent, history
from campaigns.records.consent import Provenance, Topic
from campaigns.values import ConsentState, ContactId, EventKind, Fact, TopicClass


def hold(session: Session, contact: ContactId) -> None:
    """Keep other writers of all who share a contact's address away until the end, in one order for all."""
    address = sa.select(contacts.c.email).where(contacts.c.id == contact).scalar_subquery()
    at_it = sa.select(contacts.c.id).where(sa.or_(contacts.c.id == contact, contacts.c.email == address))
    session.execute(at_it.order_by(contacts.c.id).with_for_update(key_share=True)).all()


def withdraw(
    session: Session, contact: ContactId, topic: Topic, how: Provenance, *, source: str, now: datetime
) -> int:
    """Write a contact's no down for the others at its address who would hear about the topic; gives how many.

    Call `hold` before anything is written.
    """
    said_so = 0
    for other, customer in _others(session, contact):
        state, at = consent.hold(session, other, topic.id, now=now)
        if not _hears(topic, state):
            continue
        proof = f"said by contact {contact} at the same address; {how.proof}".removesuffix("; ")
        consent.withdraw(session, other, topic.id, how._replace(at=at, proof=proof), now=now)
        dedupe = f"{EventKind.CONSENT_WITHDRAWN}:{other}:{topic.id}:{at.isoformat()}"
        detail = {"topic": topic.id, "how": "shared address", "contact": contact}
        who = (other, customer, None, None, source)
        history.record(session, Fact(EventKind.CONSENT_WITHDRAWN, at, dedupe, *who, detail=detail))
        said_so += 1
    return said_so


def _others(session: Session, contact: ContactId) -> list[tuple[ContactId, int]]:
    address = sa.select(contacts.c.email).where(contacts.c.id == contact).scalar_subquery()
    rows = session.execute(
        sa.select(contacts.c.id, contacts.c.customer_id)
        .where(contacts.c.email == address, contacts.c.id != contact, contacts.c.erased_at.is_(None))
        .order_by(contacts.c.id)
    )
    return [(ContactId(row.id), row.customer_id) for row in rows]


def _hears(topic: Topic, state: ConsentState | None) -> bool:
    """Whether somebody with this word on a topic would be mailed about it."""
    if topic.topic_class is TopicClass.SERVICE:
        return state is not ConsentState.WITHDRAWN
    return state is ConsentState.GRANTED
