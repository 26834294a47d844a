"""Which chunks stand in a broker: a small window of each lane, marked so that they are not published again.

The mark is advice, not a claim. One that is too old, or was wiped, makes a broker hold a number twice, which
does no harm; one that stays without reason delays its chunk until it has run out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.dialect import database_now, is_postgres
from campaigns.model.mail import chunks, runs
from campaigns.values import RunState

PUBLISHED = timedelta(seconds=60)  #: after so long without a claim a chunk is published again


@dataclass(frozen=True, slots=True)
class Due:
    """A chunk that is to be sent now, by name."""

    run: int
    number: int
    lane: str


def publish(session: Session, lanes: Sequence[str], *, window: int) -> list[Due]:
    """Mark due chunks as published, so many of each lane that at most `window` of it wait in the broker.

    Several may do so at once: each gets others. What they give must be submitted after the commit. Lanes that
    are not named come last.
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
    for lane in lanes:
        for of in (tests, others):
            room = window - waiting.get(lane, 0)
            if of and room > 0:
                marked = _mark(session, _free(session, of, chunks.c.lane == lane, now, room), now)
                waiting[lane] = waiting.get(lane, 0) + len(marked)
                found += marked
    if not any(waiting.values()):  # a lane that this release does not know must not wait for ever
        unknown = chunks.c.lane.not_in(lanes)
        found = _mark(session, _free(session, tests + others, unknown, now, window), now)
    return found


def take_back(session: Session, unasked: Iterable[Due]) -> None:
    """Wipe the marks of chunks that no broker holds, so that they are published at the next chance."""
    for one in unasked:
        session.execute(
            sa.update(chunks)
            .where(chunks.c.run_id == one.run, chunks.c.number == one.number)
            .values(published_until=None)
        )


def _waiting(session: Session, now: datetime) -> dict[str, int]:
    """How many chunks of each lane a broker should hold; a claim wipes the mark."""
    query = (
        sa.select(chunks.c.lane, sa.func.count())
        .where(chunks.c.published_until > now, chunks.c.state == "ready")
        .group_by(chunks.c.lane)
    )
    return dict(session.execute(query).all())


def _free(
    session: Session, of: Sequence[int], lane: sa.ColumnElement[bool], now: datetime, count: int
) -> sa.Select[tuple[int, int]]:
    c = chunks.c
    query = (
        sa.select(c.run_id, c.number)
        .where(
            c.run_id.in_(of),
            c.state == "ready",
            lane,
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
        .returning(chunks.c.run_id, chunks.c.number, chunks.c.lane)
    )
    return sorted((Due(*row) for row in rows), key=lambda one: (one.run, one.number))
