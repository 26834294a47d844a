"""Whom a signed token names: a contact, and the message that the token came in."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.consent import topics
from campaigns.model.customers import contacts, customers
from campaigns.model.mail import campaigns, messages, runs, senders
from campaigns.records import suppressions
from campaigns.tracking.tokens import Token
from campaigns.values import TopicClass

AT_ONCE = 400  #: messages asked about in one query


@dataclass(frozen=True, slots=True)
class Addressee:
    """A contact as the pages know them that a mail leads to; the campaign may be deleted by now."""

    contact: int
    customer: int
    owner: int | None  #: the rep who looks after the customer
    locale: str | None
    erased: bool
    suppressed: bool  #: the address is never to be mailed, whatever the contact says to topics
    run: int
    seq: int
    campaign: str
    topic: int
    topic_name: str
    topic_class: TopicClass
    sender: str
    imprint: str
    survey_version: int | None
    tracking: bool
    is_test: bool
    address: str | None  #: where the message went
    sent_at: datetime | None


def find(session: Session, token: Token) -> Addressee | None:
    """Load whom a genuine token names; None where the contact or the run is no longer there."""
    row = session.execute(_query(token)).one_or_none()
    return None if row is None else _addressee(row, token)


def find_many(session: Session, tokens: Collection[Token]) -> dict[Token, Addressee]:
    """Load whom genuine tokens name, of messages that there are; the others are left out."""
    found: dict[Token, Addressee] = {}
    by_run: dict[int, dict[int, Token]] = {}
    for token in tokens:
        by_run.setdefault(token.run, {})[token.seq] = token
    for run, of_seq in by_run.items():
        seqs = list(of_seq)
        for at in range(0, len(seqs), AT_ONCE):
            mine = sa.and_(runs.c.id == run, messages.c.seq.in_(seqs[at : at + AT_ONCE]))
            for row in session.execute(_of_messages().where(mine)):
                token = of_seq[row.seq]
                if token.contact == row.contact:
                    found[token] = _addressee(row, token)
    return found


def _addressee(row: Any, token: Token) -> Addressee:
    return Addressee(
        contact=row.contact,
        customer=row.customer,
        owner=row.owner,
        locale=row.locale,
        erased=row.erased_at is not None,
        suppressed=bool(row.suppressed),
        run=token.run,
        seq=token.seq,
        campaign=row.campaign,
        topic=row.topic,
        topic_name=row.topic_name,
        topic_class=TopicClass(row.topic_class),
        sender=row.sender,
        imprint=row.imprint,
        survey_version=row.survey_version_id,
        tracking=row.tracking,
        is_test=row.kind == "test",
        address=row.address,
        sent_at=row.at,
    )


def _query(token: Token) -> sa.Select[tuple[Any, ...]]:
    """By the ids in a token; the message itself may be gone."""
    mine = sa.and_(messages.c.run_id == runs.c.id, messages.c.seq == token.seq)
    from_ = _runs().join(contacts, contacts.c.id == token.contact)
    return _select(
        from_.join(customers, customers.c.id == contacts.c.customer_id).outerjoin(messages, mine)
    ).where(runs.c.id == token.run)


def _of_messages() -> sa.Select[tuple[Any, ...]]:
    from_ = _runs().join(messages, messages.c.run_id == runs.c.id)
    from_ = from_.join(contacts, contacts.c.id == messages.c.contact_id)
    return _select(from_.join(customers, customers.c.id == contacts.c.customer_id))


def _runs() -> sa.Join:
    return (
        runs.join(campaigns, campaigns.c.id == runs.c.campaign_id)
        .join(topics, topics.c.id == runs.c.topic_id)
        .join(senders, senders.c.id == runs.c.sender_id)
    )


def _select(from_: sa.Join) -> sa.Select[tuple[Any, ...]]:
    return sa.select(
        contacts.c.id.label("contact"),
        contacts.c.customer_id.label("customer"),
        customers.c.owner_id.label("owner"),
        contacts.c.locale,
        contacts.c.erased_at,
        contacts.c.email_hash.in_(suppressions.in_force()).label("suppressed"),
        campaigns.c.name.label("campaign"),
        topics.c.id.label("topic"),
        topics.c.name.label("topic_name"),
        topics.c.topic_class,
        senders.c.name.label("sender"),
        senders.c.postal_address.label("imprint"),
        runs.c.survey_version_id,
        runs.c.tracking,
        runs.c.kind,
        messages.c.address,
        messages.c.at,
        messages.c.seq,
    ).select_from(from_)
