"""When chunks are due that could not go when they were: later, at the distances and the pace that they had.

Chunks that another transaction has in its hands at the moment are left to it, so that nobody waits in a ring.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.dialect import changed, database_now, is_postgres, update_many
from campaigns.model.mail import campaigns, chunks, runs

MOST = 0.9  #: of the time until a run expires that what is left of it may take


def shift(session: Session, run: int, until: datetime, *which: sa.ColumnElement[bool]) -> None:
    """Let nothing of a spread run that was never begun go before a moment, the first then, all as far apart.

    Each lane by itself, and only if it is late: one that was held for hours does not delay the others. What
    would come after the run's time is moved closer together. `which` are the chunks concerned; a run that is
    not spread is left as it is.
    """
    query = (
        sa.select(campaigns.c.spread_minutes, runs.c.expires_at)
        .join(runs, runs.c.campaign_id == campaigns.c.id)
        .where(runs.c.id == run, campaigns.c.spread_minutes.is_not(None))
    )
    spread = session.execute(query).one_or_none()
    if spread is None:
        return
    c = chunks.c
    fresh = (
        sa.select(c.account, c.lane, c.number, c.not_before)
        .where(c.run_id == run, c.state == "ready", c.fence == 0, c.not_before.is_not(None), *which)
        .order_by(c.account, c.lane, c.not_before)
    )
    room = max(timedelta(0), spread.expires_at - until) * MOST
    moved: list[tuple[int, int, datetime]] = []
    for _, lane in groupby(session.execute(_unheld(session, fresh)), key=lambda row: row[:2]):
        rows = list(lane)
        if rows[0].not_before < until:
            moved += [(run, row.number, at) for row, at in zip(rows, _moved(rows, until, room), strict=True)]
    update_many(session, chunks, ("run_id", "number"), ("not_before",), moved)


def _moved(rows: Sequence[Any], until: datetime, room: timedelta) -> list[datetime]:
    first, span = rows[0].not_before, rows[-1].not_before - rows[0].not_before
    factor = min(1.0, room / span) if span else 1.0
    return [until + (row.not_before - first) * factor for row in rows]


def _unheld(session: Session, query: sa.Select[Any]) -> sa.Select[Any]:
    return query.with_for_update(skip_locked=True) if is_postgres(session) else query


def wait(session: Session, run: int, until: datetime, *which: sa.ColumnElement[bool]) -> None:
    """Let all that a run has ready wait until a moment, and then keep its pace; `which` are the chunks."""
    c = chunks.c
    early = sa.or_(c.not_before.is_(None), c.not_before < until)
    ready = sa.select(c.number).where(c.run_id == run, c.state == "ready", early, *which)
    chosen = _unheld(session, ready).cte("chosen")
    change = sa.update(chunks).where(c.run_id == run, c.number == chosen.c.number).values(not_before=until)
    if not changed(session, change):
        return
    per_minute = session.scalar(sa.select(runs.c.per_minute).where(runs.c.id == run))
    if per_minute is not None:
        space_out(session, run, per_minute, now=database_now(session))


def space_out(session: Session, run: int, per_minute: int, *, now: datetime) -> None:
    """Give a throttled run's chunks their pace again; what was due while none could go is due at once.

    One that waits for its retry, or for its time zone's morning, holds up none that is due before.
    """
    ready = (
        sa.select(chunks.c.number, chunks.c.first_seq, chunks.c.last_seq, chunks.c.not_before)
        .where(chunks.c.run_id == run, chunks.c.state == "ready")
        .order_by(chunks.c.number)
    )
    rows, at = [], now
    unheld = session.execute(_unheld(session, ready))
    waiting = sorted(unheld, key=lambda row: max(row.not_before or now, now))
    for number, first, last, not_before in waiting:
        at = max(at, not_before or at)
        rows.append((run, number, at))
        at += timedelta(minutes=(last - first + 1) / per_minute)
    update_many(session, chunks, ("run_id", "number"), ("not_before",), rows)
