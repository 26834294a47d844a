"""What became of a chunk's messages, written with the fence asked; and the recall of what nobody holds."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.dialect import changed, update_stretch
from campaigns.model.mail import chunks, messages, runs
from campaigns.records.outbox.chunks import Chunk, hold
from campaigns.values import Gate, MessageState, Outcome, OutcomeKind

REPLY_SIZE = 500
STATE_OF = {
    OutcomeKind.SENT: MessageState.SENT,
    OutcomeKind.FAILED: MessageState.FAILED,
    OutcomeKind.UNKNOWN: MessageState.UNKNOWN,
    OutcomeKind.DEFERRED: MessageState.QUEUED,
}


def settle(
    session: Session,
    chunk: Chunk,
    outcomes: Mapping[int, Outcome],
    *,
    skipped: Mapping[int, tuple[Gate, str]],
    retry_at: datetime | None,
    now: datetime,
    moments: Mapping[int, datetime] | None = None,
    retries: Mapping[int, datetime] | None = None,
) -> None:
    """Write what became of a chunk's messages and give the chunk back.

    `moments` says when each was answered; `now` stands for those it does not name. `retries` says when each
    that was deferred is tried again.

    Messages named in neither mapping were not started: they stay queued. With any left queued the chunk is
    ready again, as soon as one of them may go, yet not before `retry_at` if that is given; else it is done.

    Raises:
        Fenced: the chunk is no longer ours; nothing is written.
    """
    hold(session, chunk, {})
    rows: list[tuple[Any, ...]] = [
        (seq, *_settled(outcome, (moments or {}).get(seq, now))) for seq, outcome in outcomes.items()
    ]
    rows += [
        (seq, "skipped", gate.value, now, why[:REPLY_SIZE] or None) for seq, (gate, why) in skipped.items()
    ]
    of_run = ("run_id", chunk.run)
    update_stretch(session, messages, of_run, "seq", ("state", "gate", "at", "reply"), rows)
    deferred = [seq for seq, outcome in outcomes.items() if outcome.kind is OutcomeKind.DEFERRED]
    _count_attempts(session, chunk.run, deferred)
    update_stretch(session, messages, of_run, "seq", ("not_before",), list((retries or {}).items()))
    _count(session, chunk.run, rows)
    free = {"owner": None, "lease_until": None, "granted": None}
    hold(session, chunk, {**_left(session, chunk, retry_at), **free, **_taken(outcomes, now)})


def _taken(outcomes: Mapping[int, Outcome], now: datetime) -> dict[str, Any]:
    """What was taken ends the count of a chunk's refusals."""
    if any(one.kind is OutcomeKind.SENT for one in outcomes.values()):
        return {"taken_at": now, "refused": 0}
    return {}


def count_refused(session: Session, chunk: Chunk, count: int) -> None:
    """Count messages that were refused for what is ours.

    Raises:
        Fenced: the chunk is no longer ours; nothing is written.
    """
    if count:
        hold(session, chunk, {"refused": chunks.c.refused + count})


def refused_before(session: Session, chunk: Chunk, since: datetime) -> tuple[bool, int]:
    """Whether a mail of a chunk's run and lane was taken since a moment, and how many were refused for us."""
    c = chunks.c
    query = sa.select(sa.func.max(c.taken_at), sa.func.coalesce(sa.func.sum(c.refused), 0)).where(
        c.run_id == chunk.run, c.account == chunk.account, c.lane == chunk.lane
    )
    taken_at, refused = session.execute(query).one()
    return taken_at is not None and taken_at >= since, int(refused)


def _left(session: Session, chunk: Chunk, retry_at: datetime | None) -> dict[str, Any]:
    """What a chunk is after its messages were settled: done, or due again with the first that is left."""
    c = messages.c
    query = sa.select(sa.func.count(), sa.func.count(c.not_before), sa.func.min(c.not_before)).where(
        c.run_id == chunk.run,
        c.seq.between(chunk.first, chunk.last),
        c.state == MessageState.QUEUED.value,
    )
    left, waiting, first = session.execute(query).one()
    if not left:
        return {"state": "done"}
    due_at = [at for at in (first if waiting == left else None, retry_at) if at is not None]
    return {"state": "ready", "not_before": max(due_at, default=None)}


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
    found = Counter(row[1] for row in rows)
    totals = {state: found[state] for state in ("sent", "failed", "skipped", "unknown")}
    session.execute(
        sa.update(runs)
        .where(runs.c.id == run)
        .values({state: runs.c[state] + count for state, count in totals.items()})
    )


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
