"""Messages as the rest of the house reads them; their states are written by records/outbox alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.delivery.lanes import lane_of
from campaigns.model.customers import contacts
from campaigns.model.dialect import insert_many
from campaigns.model.mail import chunks, messages, runs
from campaigns.values import MessageState, RunState


@dataclass(frozen=True, slots=True)
class Message:
    """One row of the ledger."""

    run: int
    seq: int
    contact: int
    customer: int
    address: str | None
    state: MessageState
    gate: str | None
    at: datetime | None
    reply: str | None
    is_test: bool


def find(session: Session, run: int, seq: int) -> Message | None:
    """One message, or None if there is none of this name."""
    row = session.execute(_query().where(messages.c.run_id == run, messages.c.seq == seq)).one_or_none()
    return None if row is None else _message(row)


def find_many(session: Session, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Message]:
    """Those among these (run, seq) that name a message."""
    found: dict[tuple[int, int], Message] = {}
    for at in range(0, len(keys), 400):
        these = sa.tuple_(messages.c.run_id, messages.c.seq).in_(keys[at : at + 400])
        found |= {(row.run_id, row.seq): _message(row) for row in session.execute(_query().where(these))}
    return found


def add_test(session: Session, run: int, contact: int, address: str, *, now: datetime) -> None:
    """Put one test message into the outbox: the contact's data, another address; no gate is asked."""
    add_one(session, run, contact, address, now=now)


def add_one(session: Session, run: int, contact: int, address: str, *, now: datetime) -> int:
    """Put one message into the outbox, after those that the run has, in a chunk of its own; gives its seq.

    The caller holds the run's campaign, so that no two get one number.
    """
    seq = 1 + session.execute(sa.select(runs.c.audience).where(runs.c.id == run)).scalar_one()
    insert_many(
        session,
        messages,
        ("run_id", "seq", "contact_id", "address", "state"),
        [(run, seq, contact, address, MessageState.QUEUED.value)],
    )
    insert_many(
        session,
        chunks,
        ("run_id", "number", "lane", "first_seq", "last_seq", "state"),
        [(run, seq, lane_of(address.partition("@")[2]), seq, seq, "ready")],
    )
    state = {"state": RunState.RUNNING.value, "frozen_at": now, "audience": seq, "mailable": seq}
    session.execute(sa.update(runs).where(runs.c.id == run).values(state))
    return seq


def forget_addresses(session: Session, contact: int) -> None:
    """Take the address out of a contact's messages; that they were sent stays."""
    session.execute(sa.update(messages).where(messages.c.contact_id == contact).values(address=None))


def _query() -> sa.Select[tuple[object, ...]]:
    return (
        sa.select(messages, contacts.c.customer_id, runs.c.kind)
        .join(contacts, contacts.c.id == messages.c.contact_id)
        .join(runs, runs.c.id == messages.c.run_id)
    )


def _message(row: sa.Row[tuple[object, ...]]) -> Message:
    return Message(
        run=row.run_id,
        seq=row.seq,
        contact=row.contact_id,
        customer=row.customer_id,
        address=row.address,
        state=MessageState(row.state),
        gate=row.gate,
        at=row.at,
        reply=row.reply,
        is_test=row.kind == "test",
    )
