"""The queue of messages: claimed in chunks, settled in one transaction; the only writer of their states.

A chunk's claim is the durable intent of every message in it: it is committed before a first byte goes out.
While a chunk is claimed, its queued messages are `sending`. If its owner is lost, those without an outcome
become `unknown`: they may have been on the wire, and nobody is mailed twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.errors import NotAllowed
from campaigns.model.customers import contacts, customers
from campaigns.model.dialect import changed, database_now, is_postgres, update_many
from campaigns.model.mail import chunks, messages, runs
from campaigns.records.gates import Gates
from campaigns.values import Gate, MessageState, Outcome, OutcomeKind, RunState

LEASE = timedelta(minutes=15)  #: renewed while sending; a server may take 13 minutes for its last answer
REPLY_SIZE = 500

#: Everything of a contact and its customer, as one row holds the two; read by `recipient_of`.
PERSON = tuple(
    column.label(f"{table.name[:-1]}_{column.name}") for table in (contacts, customers) for column in table.c
)
STATE_OF = {
    OutcomeKind.SENT: MessageState.SENT,
    OutcomeKind.FAILED: MessageState.FAILED,
    OutcomeKind.UNKNOWN: MessageState.UNKNOWN,
    OutcomeKind.DEFERRED: MessageState.QUEUED,
}


class Fenced(NotAllowed):
    """The chunk was taken over by another sender; nothing more may be written for it."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A claimed stretch of a run's messages."""

    run: int
    number: int
    first: int
    last: int
    fence: int


@dataclass(frozen=True, slots=True)
class Recipient:
    """One message to send, with all that its rendering may name: plain data only."""

    seq: int
    attempts: int
    address: str
    contact_id: int
    customer_id: int
    contact: dict[str, Any]
    customer: dict[str, Any]


def has_work(session: Session) -> bool:
    """Tell whether a chunk is due, without taking any lock."""
    return session.execute(_due(database_now(session))).one_or_none() is not None


def claim(session: Session, owner: str) -> Chunk | None:
    """Take the next chunk that is due of any running run, tests first, then the oldest; None without one."""
    now = database_now(session)
    due = _due(now)
    if is_postgres(session):
        due = due.with_for_update(of=chunks, skip_locked=True)
    found = session.execute(due).one_or_none()
    return None if found is None else _take(session, found.run_id, found.number, owner, now)


def _due(now: datetime) -> sa.Select[tuple[int, int]]:
    return (
        sa.select(chunks.c.run_id, chunks.c.number)
        .join(runs, runs.c.id == chunks.c.run_id)
        .where(
            runs.c.state == RunState.RUNNING.value,
            chunks.c.state == "ready",
            sa.or_(chunks.c.not_before.is_(None), chunks.c.not_before <= now),
        )
        # somebody looks at the screen for a test mail: it goes before a million others
        .order_by(sa.case((runs.c.kind == "test", 0), else_=1), chunks.c.run_id, chunks.c.number)
        .limit(1)
    )


def _take(session: Session, run: int, number: int, owner: str, now: datetime) -> Chunk | None:
    row = session.execute(
        sa.update(chunks)
        .where(chunks.c.run_id == run, chunks.c.number == number, chunks.c.state == "ready")
        .values(
            state="claimed", owner=owner, lease_until=now + LEASE, fence=chunks.c.fence + 1, not_before=None
        )
        .returning(chunks.c.first_seq, chunks.c.last_seq, chunks.c.fence)
    ).one_or_none()
    return None if row is None else Chunk(run, number, row.first_seq, row.last_seq, row.fence)


def renew(session: Session, chunk: Chunk) -> None:
    """Hold a chunk for another lease.

    Raises:
        Fenced: it is no longer ours.
    """
    _ours(session, chunk, {"lease_until": database_now(session) + LEASE})


def load(session: Session, chunk: Chunk, gates: Gates | None) -> tuple[list[Recipient], dict[int, Gate]]:
    """The chunk's queued messages, and by seq those that a gate stops now though it did not at the freeze.

    Without gates (a test mail) nothing stops a message, except that its contact is gone.
    """
    gone = (contacts.c.id.is_(None), sa.literal(Gate.ERASED.value))
    gate = sa.case(gone, else_=sa.null() if gates is None else gates.stopping())
    query = (
        sa.select(
            messages.c.seq,
            messages.c.attempts,
            messages.c.address,
            gate.label("gate"),
            *PERSON,
        )
        .outerjoin(contacts, contacts.c.id == messages.c.contact_id)
        .outerjoin(customers, customers.c.id == contacts.c.customer_id)
        .where(
            messages.c.run_id == chunk.run,
            messages.c.seq.between(chunk.first, chunk.last),
            messages.c.state == MessageState.QUEUED.value,
        )
        .order_by(messages.c.seq)
    )
    ready: list[Recipient] = []
    stopped: dict[int, Gate] = {}
    for row in session.execute(query).mappings():
        if row["gate"] is not None:
            stopped[row["seq"]] = Gate(row["gate"])
        else:
            ready.append(recipient_of(row, seq=row["seq"], attempts=row["attempts"], address=row["address"]))
    return ready, stopped


def recipient_of(row: Any, *, seq: int, attempts: int, address: str) -> Recipient:
    """Make a recipient of a row that holds the columns of `PERSON`."""
    return Recipient(
        seq=seq,
        attempts=attempts,
        address=address,
        contact_id=row["contact_id"],
        customer_id=row["customer_id"],
        contact={column.name: row[f"contact_{column.name}"] for column in contacts.c},
        customer={column.name: row[f"customer_{column.name}"] for column in customers.c},
    )


def settle(
    session: Session,
    chunk: Chunk,
    outcomes: Mapping[int, Outcome],
    *,
    skipped: Mapping[int, tuple[Gate, str]],
    retry_at: datetime | None,
    now: datetime,
    moments: Mapping[int, datetime] | None = None,
) -> None:
    """Write what became of a chunk's messages and give the chunk back.

    `moments` says when each was answered; `now` stands for those it does not name.

    Messages named in neither mapping were not started: they stay queued. With any left queued the chunk is
    ready again, at `retry_at` if that is given; else it is done.

    Raises:
        Fenced: the chunk is no longer ours; nothing is written.
    """
    _ours(session, chunk, {})
    rows: list[tuple[Any, ...]] = [
        (chunk.run, seq, *_settled(outcome, (moments or {}).get(seq, now)))
        for seq, outcome in outcomes.items()
    ]
    rows += [
        (chunk.run, seq, "skipped", gate.value, now, why[:REPLY_SIZE] or None)
        for seq, (gate, why) in skipped.items()
    ]
    update_many(session, messages, ("run_id", "seq"), ("state", "gate", "at", "reply"), rows)
    deferred = [seq for seq, outcome in outcomes.items() if outcome.kind is OutcomeKind.DEFERRED]
    _count_attempts(session, chunk.run, deferred)
    _count(session, chunk.run, rows)
    left = session.scalar(
        sa.select(sa.func.count()).where(
            messages.c.run_id == chunk.run,
            messages.c.seq.between(chunk.first, chunk.last),
            messages.c.state == MessageState.QUEUED.value,
        )
    )
    state = {"state": "ready", "not_before": retry_at} if left else {"state": "done"}
    _ours(session, chunk, {**state, "owner": None, "lease_until": None})


def put_off(session: Session, chunk: Chunk, *, until: datetime) -> None:
    """Give a chunk back unsent, and let all that its run has ready wait until a moment.

    Raises:
        Fenced: the chunk is no longer ours; nothing is written.
    """
    _ours(session, chunk, {"state": "ready", "owner": None, "lease_until": None})
    session.execute(
        sa.update(chunks)
        .where(
            chunks.c.run_id == chunk.run,
            chunks.c.state == "ready",
            sa.or_(chunks.c.not_before.is_(None), chunks.c.not_before < until),
        )
        .values(not_before=until)
    )


def _settled(outcome: Outcome, at: datetime) -> tuple[str, None, datetime | None, str]:
    state = STATE_OF[outcome.kind]
    said = " ".join(str(part) for part in (outcome.code, outcome.text) if part)
    return state.value, None, None if state is MessageState.QUEUED else at, said[:REPLY_SIZE]


def _count_attempts(session: Session, run: int, seqs: Sequence[int]) -> None:
    for at in range(0, len(seqs), 500):
        session.execute(
            sa.update(messages)
            .where(messages.c.run_id == run, messages.c.seq.in_(seqs[at : at + 500]))
            .values(attempts=messages.c.attempts + 1)
        )


def _count(session: Session, run: int, rows: Sequence[tuple[Any, ...]]) -> None:
    """Move the run's counts by what was settled."""
    totals = {
        state: sum(1 for row in rows if row[2] == state) for state in ("sent", "failed", "skipped", "unknown")
    }
    session.execute(
        sa.update(runs)
        .where(runs.c.id == run)
        .values({state: runs.c[state] + count for state, count in totals.items()})
    )


def _held(chunk: Chunk) -> list[sa.ColumnElement[bool]]:
    c = chunks.c
    held = (c.run_id == chunk.run, c.number == chunk.number, c.fence == chunk.fence, c.state == "claimed")
    return list(held)


def _ours(session: Session, chunk: Chunk, values: dict[str, Any]) -> None:
    """Change a chunk that we hold; also locks it until the transaction ends."""
    change = sa.update(chunks).where(*_held(chunk)).values({"fence": chunks.c.fence, **values})
    found = changed(session, change)
    if not found:
        raise Fenced(f"Chunk {chunk.number} of run {chunk.run} was taken over by another sender.")


def expire_leases(session: Session, *, now: datetime) -> list[tuple[int, int]]:
    """Take chunks whose owner is lost: what of them has no outcome becomes unknown.

    Gives (run, seq) of each message that is now in doubt.
    """
    lost = session.execute(
        sa.update(chunks)
        .where(chunks.c.state == "claimed", chunks.c.lease_until < database_now(session))
        .values(state="done", owner=None, lease_until=None, fence=chunks.c.fence + 1)
        .returning(chunks.c.run_id, chunks.c.first_seq, chunks.c.last_seq)
    ).all()
    doubtful: list[tuple[int, int]] = []
    for run, first, last in lost:
        seqs = session.scalars(
            sa.update(messages)
            .where(
                messages.c.run_id == run,
                messages.c.seq.between(first, last),
                messages.c.state == MessageState.QUEUED.value,
            )
            .values(state=MessageState.UNKNOWN.value, at=now, reply="the sender was lost before it could say")
            .returning(messages.c.seq)
        ).all()
        session.execute(sa.update(runs).where(runs.c.id == run).values(unknown=runs.c.unknown + len(seqs)))
        doubtful += [(run, seq) for seq in seqs]
    return doubtful


def recall(session: Session, run: int, gate: Gate, *, now: datetime) -> int:
    """Skip what of a run is still queued and not held by a sender; gives how many."""
    taken = (
        session.execute(  # first: from here on nobody claims them, and one given back later is not among them
            sa.update(chunks)
            .where(chunks.c.run_id == run, chunks.c.state == "ready")
            .values(state="done")
            .returning(chunks.c.first_seq, chunks.c.last_seq)
        ).all()
    )
    count = 0
    for first, last in taken:
        count += changed(
            session,
            sa.update(messages)
            .where(
                messages.c.run_id == run,
                messages.c.seq.between(first, last),
                messages.c.state == MessageState.QUEUED.value,
            )
            .values(state=MessageState.SKIPPED.value, gate=gate.value, at=now),
        )
    if count:
        session.execute(sa.update(runs).where(runs.c.id == run).values(skipped=runs.c.skipped + count))
    return count


def space_out(session: Session, run: int, per_minute: int, *, now: datetime) -> None:
    """Give a throttled run's chunks their pace again; while it was paused their moments have passed."""
    ready = (
        sa.select(chunks.c.number, chunks.c.first_seq, chunks.c.last_seq, chunks.c.not_before)
        .where(chunks.c.run_id == run, chunks.c.state == "ready")
        .order_by(chunks.c.number)
    )
    rows, at = [], now
    for number, first, last, not_before in session.execute(ready):
        at = max(at, not_before or at)
        rows.append((run, number, at))
        at += timedelta(minutes=(last - first + 1) / per_minute)
    update_many(session, chunks, ("run_id", "number"), ("not_before",), rows)


def is_drained(session: Session, run: int) -> bool:
    """Tell whether no chunk of a run is left to send or being sent."""
    query = sa.select(chunks.c.number).where(chunks.c.run_id == run, chunks.c.state != "done").limit(1)
    return session.execute(query).one_or_none() is None


def may_go_on(session: Session, chunk: Chunk) -> bool:
    """Tell whether a chunk may still be sent: its run not paused nor cancelled, and it not taken over."""
    query = (
        sa.select(chunks.c.number)
        .join(runs, runs.c.id == chunks.c.run_id)
        .where(runs.c.state == RunState.RUNNING.value, *_held(chunk))
    )
    return session.execute(query).one_or_none() is not None
