"""Keeping a spread run spread: what could not go when it was due goes later, at the distances that it had."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.dialect import update_many
from campaigns.model.mail import campaigns, chunks, runs

MOST = 0.9  #: of the time until a run expires that what is left of it may take


def shift(session: Session, run: int, until: datetime, *which: sa.ColumnElement[bool]) -> None:
    """Let nothing of a spread run that was never begun go before a moment, the first then, all as far apart.

    What would come after the run's time is moved closer together. `which` are the chunks concerned; a run
    that is not spread is left as it is.
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
    fresh = sa.select(c.number, c.not_before).where(
        c.run_id == run, c.state == "ready", c.fence == 0, c.not_before.is_not(None), *which
    )
    rows: list[Any] = list(session.execute(fresh.order_by(c.not_before)))
    if not rows or rows[0].not_before >= until:
        return
    first, span = rows[0].not_before, rows[-1].not_before - rows[0].not_before
    room = max(timedelta(0), spread.expires_at - until) * MOST
    factor = min(1.0, room / span) if span else 1.0
    moved = [(run, row.number, until + (row.not_before - first) * factor) for row in rows]
    update_many(session, chunks, ("run_id", "number"), ("not_before",), moved)
