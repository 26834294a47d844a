"""The pace of a throttled run: so many mails a minute, whatever kept some of them waiting.

Chunks that another transaction has in its hands at the moment are left to it, so that nobody waits in a ring.
"""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.dialect import is_postgres, update_many
from campaigns.model.mail import chunks


def unheld(session: Session, query: sa.Select[Any]) -> sa.Select[Any]:
    """Leave out of some rows what another transaction holds, and hold the others."""
    return query.with_for_update(skip_locked=True) if is_postgres(session) else query


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
    free = session.execute(unheld(session, ready))
    waiting = sorted(free, key=lambda row: max(row.not_before or now, now))
    for number, first, last, not_before in waiting:
        at = max(at, not_before or at)
        rows.append((run, number, at))
        at += timedelta(minutes=(last - first + 1) / per_minute)
    update_many(session, chunks, ("run_id", "number"), ("not_before",), rows)
