"""Messages in doubt: handed to the wire, and no answer came. Who they are, and what proves that one arrived.

Nothing here sends or settles; `outbox.decisions` writes what a person or a proof decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.customers import contacts
from campaigns.model.events import events
from campaigns.model.mail import campaigns, chunks, messages, runs, senders
from campaigns.values import MAIN, EventKind, MessageKey, MessageState, RunState

#: Events that name a message by the signed token that stood in it alone: without the mail, no such event.
#: A notice that it came back proves that a server had taken it.
PROOFS = (
    EventKind.DELIVERED,
    EventKind.OPENED,
    EventKind.CLICKED,
    EventKind.VIEWED,
    EventKind.SCORE_CLICKED,
    EventKind.ANSWERED,
    EventKind.REPLIED,
    EventKind.UNSUBSCRIBED,
    EventKind.CONSENT_GRANTED,
    EventKind.CONSENT_WITHDRAWN,
    EventKind.BOUNCED,
    EventKind.COMPLAINED,
)
PIECE = 400  #: keys to one query


@dataclass(frozen=True, slots=True)
class Evidence:
    """Something that happened, and could not have without the mail."""

    kind: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Doubt:
    """One message in doubt, with all that helps to decide."""

    run: int
    seq: int
    campaign_id: int
    campaign: str
    occurrence: str
    contact: int
    customer: int | None  #: None: the contact is gone
    name: str
    address: str
    sender: str  #: the address that the mail is from
    at: datetime | None  #: since when it is in doubt
    said: str  #: the last word of the journal or the backend
    evidence: tuple[Evidence, ...]  #: that it arrived, the oldest first
    account: str = MAIN  #: through which it went: whose log may tell


@dataclass(frozen=True, slots=True)
class DoubtedRun:
    """A run with messages in doubt."""

    run: int
    campaign_id: int
    campaign: str
    occurrence: str
    state: RunState
    expires_at: datetime
    unknown: int


def doubted_runs(
    session: Session, *, campaign: int | None = None, run: int | None = None
) -> list[DoubtedRun]:
    """The runs with messages in doubt, newest first; tests are left out: a test is made again."""
    query = (
        sa.select(runs, campaigns.c.name)
        .join(campaigns, campaigns.c.id == runs.c.campaign_id)
        .where(runs.c.unknown > 0, runs.c.kind != "test")
        .order_by(runs.c.id.desc())
    )
    if campaign is not None:
        query = query.where(runs.c.campaign_id == campaign)
    if run is not None:
        query = query.where(runs.c.id == run)
    return [
        DoubtedRun(
            row.id,
            row.campaign_id,
            row.name,
            row.occurrence,
            RunState(row.state),
            row.expires_at,
            row.unknown,
        )
        for row in session.execute(query)
    ]


def how_many(session: Session) -> int:
    """How many messages are in doubt, over all campaigns."""
    query = sa.select(sa.func.sum(runs.c.unknown)).where(runs.c.unknown > 0, runs.c.kind != "test")
    return int(session.scalar(query) or 0)


def in_doubt(
    session: Session,
    *,
    campaign: int | None = None,
    run: int | None = None,
    after: MessageKey | None = None,
    limit: int = 1000,
) -> list[Doubt]:
    """Messages in doubt, of the newest run first; read on with the last one's key."""
    doubted = [one.run for one in doubted_runs(session, campaign=campaign, run=run)]
    query = _query().where(messages.c.run_id.in_(doubted), messages.c.state == MessageState.UNKNOWN.value)
    if after is not None:
        further = sa.and_(messages.c.run_id == after.run, messages.c.seq > after.seq)
        query = query.where(sa.or_(messages.c.run_id < after.run, further))
    order = (messages.c.run_id.desc(), messages.c.seq)
    return _doubts(session, session.execute(query.order_by(*order).limit(limit)).all())


def still_in_doubt(session: Session, keys: Sequence[MessageKey]) -> list[Doubt]:
    """Those of some messages that are in doubt, in the order of `in_doubt`."""
    rows: list[Any] = []
    for at in range(0, len(keys), PIECE):
        named = sa.tuple_(messages.c.run_id, messages.c.seq).in_(keys[at : at + PIECE])
        query = _query().where(named, messages.c.state == MessageState.UNKNOWN.value, runs.c.kind != "test")
        rows += session.execute(query)
    return _doubts(session, sorted(rows, key=lambda row: (-row.run_id, row.seq)))


def _query() -> sa.Select[Any]:
    m, c = messages.c, contacts.c
    return (
        sa.select(
            m.run_id,
            m.seq,
            m.contact_id,
            m.address,
            m.at,
            m.reply,
            runs.c.campaign_id,
            runs.c.occurrence,
            campaigns.c.name.label("campaign"),
            senders.c.address.label("sender"),
            c.customer_id,
            c.given_name,
            c.family_name,
            _account().label("account"),
        )
        .select_from(messages)
        .join(runs, runs.c.id == m.run_id)
        .join(campaigns, campaigns.c.id == runs.c.campaign_id)
        .join(senders, senders.c.id == runs.c.sender_id)
        .outerjoin(contacts, c.id == m.contact_id)
    )


def _account() -> sa.ScalarSelect[str]:
    """What a sender holds, or has in doubt, never moves to another account."""
    mine = (
        chunks.c.run_id == messages.c.run_id,
        messages.c.seq.between(chunks.c.first_seq, chunks.c.last_seq),
    )
    return sa.select(chunks.c.account).where(*mine).limit(1).correlate(messages).scalar_subquery()


def _doubts(session: Session, rows: Sequence[Any]) -> list[Doubt]:
    proofs = evidence(session, {MessageKey(row.run_id, row.seq): row.contact_id for row in rows})
    return [
        Doubt(
            run=row.run_id,
            seq=row.seq,
            campaign_id=row.campaign_id,
            campaign=row.campaign,
            occurrence=row.occurrence,
            contact=row.contact_id,
            customer=row.customer_id,
            name=" ".join(part for part in (row.given_name, row.family_name) if part),
            address=row.address or "",
            sender=row.sender,
            at=row.at,
            said=row.reply or "",
            evidence=tuple(proofs.get(MessageKey(row.run_id, row.seq), ())),
            account=row.account or MAIN,
        )
        for row in rows
    ]


def evidence(session: Session, contact_of: dict[MessageKey, int]) -> dict[MessageKey, list[Evidence]]:
    """What the history holds that proves the arrival of these messages, the oldest first.

    It is asked by contact: a run may have a million opens, a contact has few events.
    """
    found: dict[MessageKey, list[Evidence]] = {}
    whom = sorted(set(contact_of.values()))
    for at in range(0, len(whom), PIECE):
        query = (
            sa.select(events.c.run_id, events.c.seq, events.c.kind, events.c.at)
            .where(
                events.c.contact_id.in_(whom[at : at + PIECE]),
                events.c.kind.in_([kind.value for kind in PROOFS]),
            )
            .order_by(events.c.at, events.c.id)
        )
        for run, seq, kind, when in session.execute(query):
            if (run, seq) in contact_of:
                found.setdefault(MessageKey(run, seq), []).append(Evidence(kind, when))
    return found


def proven(session: Session, *, run: int | None = None) -> dict[MessageKey, Evidence]:
    """Messages in doubt of which something happened that proves their arrival, with the first such thing.

    They are found by the history's own lines on doubts, so that no run's messages are read through.
    """
    doubted = [one.run for one in doubted_runs(session, run=run)]
    query = (
        sa.select(messages.c.run_id, messages.c.seq, messages.c.contact_id)
        .join(events, sa.and_(events.c.run_id == messages.c.run_id, events.c.seq == messages.c.seq))
        .where(
            events.c.run_id.in_(doubted),
            events.c.kind == EventKind.UNKNOWN.value,
            messages.c.state == MessageState.UNKNOWN.value,
        )
    )
    rows = session.execute(query) if doubted else ()
    contact_of = {MessageKey(run, seq): contact for run, seq, contact in rows}
    return {key: found[0] for key, found in evidence(session, contact_of).items()}
