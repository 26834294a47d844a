"""What waits: chunks to send, messages in doubt, hits to judge. Small reads, however large the store is."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.dialect import database_now
from campaigns.model.events import hits
from campaigns.model.mail import chunks, runs
from campaigns.values import RunState

MOST_COUNTED = 100_000  #: hits beyond this are not counted; that many are an alarm anyway
STATES = ("ready", "deferred", "claimed", "held")
ZERO = timedelta(0)


@dataclass(frozen=True, slots=True)
class Backlog:
    """The queue at a moment."""

    chunks: dict[str, int]  #: by state: ready, deferred (due later), claimed, held (its run is paused)
    oldest_ready: timedelta  #: how long the chunk that waits longest could have been sent; 0: none waits
    backed_off: timedelta  #: until the first deferred chunk is due; 0: none is deferred
    in_doubt: int  #: messages whose fate is unknown, of all runs
    hits: int  #: received and not judged yet, at most MOST_COUNTED


def measure(session: Session) -> Backlog:
    """Look at the queue, by the database's clock."""
    now = database_now(session)
    counts, ready_since, next_due = _chunks(session, now)
    doubts = session.scalar(sa.select(sa.func.sum(runs.c.unknown))) or 0
    unjudged = sa.select(hits.c.id).where(hits.c.judged.is_(sa.false())).limit(MOST_COUNTED).subquery()
    return Backlog(
        chunks=counts,
        oldest_ready=max(ZERO, now - ready_since) if ready_since else ZERO,
        backed_off=max(ZERO, next_due - now) if next_due else ZERO,
        in_doubt=int(doubts),
        hits=session.scalar(sa.select(sa.func.count()).select_from(unjudged)) or 0,
    )


def _chunks(session: Session, now: datetime) -> tuple[dict[str, int], datetime | None, datetime | None]:
    """Chunks that are not done, by state; since when one is due, and when the next will be.

    A chunk that was never deferred could have been sent since its audience was frozen.
    """
    c = chunks.c
    held = sa.and_(c.state == "ready", runs.c.state != RunState.RUNNING.value)
    later = sa.and_(c.state == "ready", c.not_before > now)
    open_ones = (
        sa.select(
            sa.case((held, "held"), (later, "deferred"), else_=c.state).label("standing"),
            sa.func.coalesce(c.not_before, runs.c.frozen_at).label("due"),
        )
        .join(runs, runs.c.id == c.run_id)
        .where(c.state.in_(("ready", "claimed")))
        .subquery()
    )
    standing = open_ones.c.standing
    query = sa.select(standing, sa.func.count(), sa.func.min(open_ones.c.due)).group_by(standing)
    rows = {name: (count, first) for name, count, first in session.execute(query)}
    counts = {name: rows[name][0] if name in rows else 0 for name in STATES}
    return counts, rows.get("ready", (0, None))[1], rows.get("deferred", (0, None))[1]
