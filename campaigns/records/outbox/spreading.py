"""When chunks are due that could not go when they were: later, at the distances and pace that they had."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.dialect import changed, database_now, update_many
from campaigns.model.mail import campaigns, chunks, runs
from campaigns.records.pacing import space_out, unheld

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
    for _, lane in groupby(session.execute(unheld(session, fresh)), key=lambda row: row[:2]):
        rows = list(lane)
        if rows[0].not_before < until:
            moved += [(run, row.number, at) for row, at in zip(rows, _moved(rows, until, room), strict=True)]
    update_many(session, chunks, ("run_id", "number"), ("not_before",), moved)


def _moved(rows: Sequence[Any], until: datetime, room: timedelta) -> list[datetime]:
    first, span = rows[0].not_before, rows[-1].not_before - rows[0].not_before
    factor = min(1.0, room / span) if span else 1.0
    return [until + (row.not_before - first) * factor for row in rows]


def wait(session: Session, run: int, until: datetime, *which: sa.ColumnElement[bool]) -> None:
    """Let all that a run has ready wait until a moment, and then keep its pace; `which` are the chunks."""
    c = chunks.c
    early = sa.or_(c.not_before.is_(None), c.not_before < until)
    ready = sa.select(c.number).where(c.run_id == run, c.state == "ready", early, *which)
    chosen = unheld(session, ready).cte("chosen")
    change = sa.update(chunks).where(c.run_id == run, c.number == chosen.c.number).values(not_before=until)
    if not changed(session, change):
        return
    per_minute = session.scalar(sa.select(runs.c.per_minute).where(runs.c.id == run))
    if per_minute is not None:
        space_out(session, run, per_minute, now=database_now(session))
