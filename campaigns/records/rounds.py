"""Rounds in which all hits are judged again: how far each has come, and what it changed."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.events import hits, verdict_rounds
from campaigns.records.hits import Key


class Round(NamedTuple):
    """One round, as far as it has come."""

    id: int
    version: int  #: of the rules
    since: datetime | None  #: hits from then on; None: all
    until: int  #: the last hit there was when it began
    done: int  #: hits up to this one are judged again
    judged: int
    changed: Mapping[str, int]  #: how many, by "machine to human"
    started_at: datetime
    finished_at: datetime | None

    @property
    def share(self) -> float:
        """How much of it is done."""
        return 1.0 if self.finished_at or not self.until else self.done / self.until


def newest(session: Session) -> Round | None:
    """The round that was begun last."""
    row = session.execute(sa.select(verdict_rounds).order_by(verdict_rounds.c.id.desc()).limit(1)).first()
    return None if row is None else Round(*row)


def start(session: Session, version: int, since: datetime | None, *, now: datetime) -> Round:
    """Start a round over all hits there are."""
    last = session.scalar(sa.select(sa.func.max(hits.c.id))) or 0
    values = {
        "version": version,
        "since": since,
        "until_id": last,
        "started_at": now,
        "finished_at": None if last else now,
    }
    session.execute(sa.insert(verdict_rounds).values(values))
    begun = newest(session)
    assert begun is not None
    return begun


def next_messages(session: Session, over: Round, limit: int) -> tuple[list[Key], int]:
    """The messages of the next so many hits of a round, and the last of these hits; none: it is over."""
    which = [hits.c.id > over.done, hits.c.id <= over.until, hits.c.judged.is_(sa.true())]
    if over.since is not None:
        which.append(hits.c.at >= over.since)
    rows = session.execute(
        sa.select(hits.c.id, hits.c.run_id, hits.c.seq).where(*which).order_by(hits.c.id).limit(limit)
    ).all()
    return list(dict.fromkeys((row.run_id, row.seq) for row in rows)), rows[-1].id if rows else over.until


def advance(
    session: Session, over: Round, done: int, judged: int, changed: Mapping[str, int], *, now: datetime
) -> Round:
    """Write down how far a round has come; the caller judged up to the hit `done`."""
    total = dict(sorted((Counter(over.changed) + Counter(changed)).items()))
    finished = now if done >= over.until else None
    session.execute(
        sa.update(verdict_rounds)
        .where(verdict_rounds.c.id == over.id, verdict_rounds.c.done_id == over.done)
        .values(done_id=done, judged=over.judged + judged, changed=total, finished_at=finished)
    )
    return over._replace(done=done, judged=over.judged + judged, changed=total, finished_at=finished)
