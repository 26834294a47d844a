"""Which chunks stand in a broker: a small window of each queue, marked so that they are not published again.

The mark is advice, not a claim. One that is too old, or was wiped, makes a broker hold a number twice, which
does no harm; one that stays without reason delays its chunk until it has run out.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.dialect import database_now, is_postgres
from campaigns.model.mail import chunks, runs
from campaigns.records import accounts, lanes
from campaigns.values import MAIN, RunState

PUBLISHED = timedelta(seconds=60)  #: after so long without a claim a chunk is published again


@dataclass(frozen=True, slots=True)
class Due:
    """A chunk that is to be sent now, by name."""

    run: int
    number: int
    lane: str
    account: str = MAIN


class Queue(NamedTuple):
    """Chunks that wait for one account and go to one lane."""

    account: str
    lane: str


def publish(session: Session, serving: Collection[str], *, window: int) -> list[Due]:
    """Mark due chunks as published, so many of each queue that at most `window` wait in the broker.

    Several may do so at once: each gets others. What they give must be submitted after the commit. Nothing is
    published for an account that is closed, or that nobody serves.
    """
    going = session.execute(
        sa.select(runs.c.id, runs.c.kind).where(runs.c.state == RunState.RUNNING.value)
    ).all()
    if not going:
        return []
    # somebody looks at the screen for a test mail: it goes before a million others
    tests = [row.id for row in going if row.kind == "test"]
    others = [row.id for row in going if row.kind != "test"]
    now = database_now(session)
    waiting = _waiting(session, now)
    found: list[Due] = []
    few = {name: lanes.budgeted(session, name) for name in serving}
    for queue in _queues(session, serving, now):
        most = 1 if queue.lane in few[queue.account] else window
        for of in (tests, others):
            room = most - waiting.get(queue, 0)
            if of and room > 0:
                marked = _mark(session, _free(session, of, queue, now, room), now)
                waiting[queue] = waiting.get(queue, 0) + len(marked)
                found += marked
    return found


def _queues(session: Session, serving: Collection[str], now: datetime) -> list[Queue]:
    """Where something waits for what is open: a step of the index each, however many chunks there are."""
    open_ones = [name for name in serving if not session.scalar(sa.select(accounts.is_closed(name)))]
    shut = {Queue(name, lane) for name in open_ones for lane in lanes.closed(session, name, now)}
    opened = {name for name in open_ones if Queue(name, lanes.WHOLE) not in shut}
    found: list[Queue] = []
    after = Queue("", "")
    while (row := session.execute(_first_queue(after)).one_or_none()) is not None:
        after = Queue(*row)
        found += [after] if after.account in opened and after not in shut else []
    return found


def _first_queue(after: Queue) -> sa.Select[str, str]:
    c = chunks.c
    return (
        sa.select(c.account, c.lane)
        .where(c.state == "ready", sa.tuple_(c.account, c.lane) > sa.tuple_(*after))
        .order_by(c.state, c.account, c.lane, c.run_id, c.number)
        .limit(1)
    )


def take_back(session: Session, unasked: Iterable[Due]) -> None:
    """Wipe the marks of chunks that no broker holds, so that they are published at the next chance."""
    for one in unasked:
        session.execute(
            sa.update(chunks)
            .where(chunks.c.run_id == one.run, chunks.c.number == one.number)
            .values(published_until=None)
        )


def _waiting(session: Session, now: datetime) -> dict[Queue, int]:
    """How many chunks of each account and lane a broker should hold; a claim wipes the mark."""
    c = chunks.c
    query = (
        sa.select(c.account, c.lane, sa.func.count())
        .where(c.published_until > now, c.state == "ready")
        .group_by(c.account, c.lane)
    )
    return {Queue(account, lane): count for account, lane, count in session.execute(query)}


def _free(
    session: Session, of: Sequence[int], queue: Queue, now: datetime, count: int
) -> sa.Select[tuple[int, int]]:
    c = chunks.c
    query = (
        sa.select(c.run_id, c.number)
        .where(
            c.run_id.in_(of),
            c.state == "ready",
            c.account == queue.account,
            c.lane == queue.lane,
            sa.or_(c.not_before.is_(None), c.not_before <= now),
            sa.or_(c.published_until.is_(None), c.published_until <= now),
        )
        .order_by(c.run_id, c.number)
        .limit(count)
    )
    return query.with_for_update(skip_locked=True) if is_postgres(session) else query


def _mark(session: Session, free: sa.Select[tuple[int, int]], now: datetime) -> list[Due]:
    chosen = free.cte("chosen")
    rows = session.execute(
        sa.update(chunks)
        .where(chunks.c.run_id == chosen.c.run_id, chunks.c.number == chosen.c.number)
        .values(published_until=now + PUBLISHED)
        .returning(chunks.c.run_id, chunks.c.number, chunks.c.lane, chunks.c.account)
    )
    return sorted((Due(*row) for row in rows), key=lambda one: (one.run, one.number))
