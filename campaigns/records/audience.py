"""The freeze: a run's audience becomes messages in one statement, every gate counted and kept."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.customers import contacts, customers
from campaigns.model.dialect import changed, insert_many
from campaigns.model.mail import chunks, messages, run_gates, runs
from campaigns.records.gates import Gates
from campaigns.values import Gate, MessageState, RunState

CHUNK = 500  #: messages that a sender claims at once
THROTTLE_STEP = timedelta(seconds=10)  #: a throttled run gives out chunks at this distance


def freeze(
    session: Session,
    run: int,
    members: sa.Select[Any],
    gates: Gates,
    *,
    hold_out_percent: int,
    salt: int,
    per_minute: int | None,
    now: datetime,
) -> int:
    """Write a message for every member: first the mailable, without gaps, then those that a gate stopped.

    `members` selects contact ids in one column `id`. A second call for the same run does nothing.
    Gives the number of mailable ones.
    """
    taken = changed(
        session,
        sa.update(runs)
        .where(runs.c.id == run, runs.c.state == RunState.OPEN.value)
        .values(state=RunState.RUNNING.value, frozen_at=now),
    )
    if not taken:
        return 0
    session.execute(_messages(run, _judged(members, gates, hold_out_percent, salt).subquery()))
    mailable = _count_gates(session, run)
    _cut_chunks(session, run, mailable, per_minute, now)
    return mailable


def preview(
    session: Session, members: sa.Select[Any], gates: Gates, *, hold_out_percent: int, salt: int
) -> dict[str, int]:
    """Count, without writing, whom a freeze would mail ("mailable") and whom each gate would stop."""
    judged = _judged(members, gates, hold_out_percent, salt).subquery()
    query = sa.select(judged.c.gate, sa.func.count()).group_by(judged.c.gate)
    return {gate or "mailable": count for gate, count in session.execute(query)}


def mailable(members: sa.Select[Any], gates: Gates) -> sa.Select[Any]:
    """Select, in one column `id`, the members whom no gate would stop; the hold-out is not drawn."""
    judged = _judged(members, gates, 0, 0).subquery()
    return sa.select(judged.c.id).where(judged.c.gate.is_(None))


def _messages(run: int, judged: sa.Subquery) -> sa.Insert:
    order = (judged.c.gate.is_not(None), judged.c.id)
    rows = sa.select(
        sa.literal(run),
        sa.func.row_number().over(order_by=order),
        judged.c.id,
        sa.case((judged.c.gate.is_(None), judged.c.email)),
        sa.case((judged.c.gate.is_(None), MessageState.QUEUED.value), else_=MessageState.SKIPPED.value),
        judged.c.gate,
    )
    return sa.insert(messages).from_select(["run_id", "seq", "contact_id", "address", "state", "gate"], rows)


def _judged(members: sa.Select[Any], gates: Gates, hold_out_percent: int, salt: int) -> sa.Select[Any]:
    """Each member with its address and the gate that stops it, or null."""
    asked = (
        sa.select(contacts.c.id, contacts.c.email, gates.stopping().label("gate"))
        .join(customers, customers.c.id == contacts.c.customer_id)
        .where(contacts.c.id.in_(members))
        .subquery()
    )
    place = sa.func.row_number().over(partition_by=(asked.c.email, asked.c.gate), order_by=asked.c.id)
    placed = sa.select(asked, place.label("place")).subquery()
    gate = sa.case(
        (placed.c.gate.is_not(None), placed.c.gate),
        (placed.c.place > 1, Gate.DUPLICATE_ADDRESS.value),
        (_lot(placed.c.id, salt) < hold_out_percent, Gate.HOLD_OUT.value),
    )
    return sa.select(placed.c.id, placed.c.email, gate.label("gate"))


def _lot(contact: sa.ColumnElement[int], salt: int) -> sa.ColumnElement[int]:
    """A number from 0 to 99, fixed for a contact and a salt, alike on both databases."""
    mixed = (contact % 1_000_003 * 2_654_435_761 + salt % 1_000_003 * 2_246_822_519) % 2**32
    return mixed * (mixed % 65_521 + 1) % 2**32 % 9_973 % 100


def _count_gates(session: Session, run: int) -> int:
    """Keep what each gate stopped; gives how many were stopped by none."""
    counted: dict[str | None, int] = dict(
        session.execute(
            sa.select(messages.c.gate, sa.func.count())
            .where(messages.c.run_id == run)
            .group_by(messages.c.gate)
        ).all()
    )
    mailable: int = counted.pop(None, 0)
    if counted:
        session.execute(
            sa.insert(run_gates), [{"run_id": run, "gate": gate, "count": n} for gate, n in counted.items()]
        )
    session.execute(
        sa.update(runs)
        .where(runs.c.id == run)
        .values(audience=mailable + sum(counted.values()), mailable=mailable)
    )
    return mailable


def _cut_chunks(session: Session, run: int, mailable: int, per_minute: int | None, now: datetime) -> None:
    """Cut the mailable into chunks; a throttled run's chunks become due one after the other."""
    size = CHUNK
    if per_minute is not None:
        size = max(1, min(CHUNK, per_minute * int(THROTTLE_STEP.total_seconds()) // 60))
    rows = (
        (
            run,
            number,
            first,
            min(first + size - 1, mailable),
            "ready",
            None if per_minute is None else now + timedelta(minutes=(first - 1) / per_minute),
        )
        for number, first in enumerate(range(1, mailable + 1, size), start=1)
    )
    insert_many(session, chunks, ("run_id", "number", "first_seq", "last_seq", "state", "not_before"), rows)
