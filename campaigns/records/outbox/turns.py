"""Whose turn it is: the lanes of a run are served in weighted round robin, each by what is left of it.

So chunks of all lanes leave mixed, as they were cut. A lane that was closed for a while has no claim to what
it missed: the others do not wait until it has caught up.
"""

from collections.abc import Iterable
from datetime import datetime
from time import monotonic

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.base import Moment
from campaigns.model.mail import DUE_OF_LANE, chunks

WEIGHED = 60.0  #: seconds for which the weights of a run's lanes hold
KEPT_RUNS = 20


class Turns:
    """What one sender served of late, by run and lane."""

    def __init__(self) -> None:
        self._runs: dict[int, _Turns] = {}

    def order(self, session: Session, run: int, account: str, lanes: Iterable[str]) -> list[str]:
        """Put lanes that have something due in the order in which they should be asked."""
        if run not in self._runs and len(self._runs) >= KEPT_RUNS:
            self._runs.pop(next(iter(self._runs)))
        turns = self._runs.setdefault(run, _Turns())
        if monotonic() - turns.weighed > WEIGHED:
            turns.weigh(dict(session.execute(WEIGHTS, {"run": run, "account": account}).all()))
        return turns.order(list(lanes))

    def served(self, run: int, lane: str) -> None:
        """Take note that a chunk of a lane was claimed."""
        if (turns := self._runs.get(run)) is not None:
            turns.served(lane)


class _Turns:
    """One run's: a lane's pass grows with each turn, by less the more is left of it; the least is next."""

    def __init__(self) -> None:
        self.weighed = float("-inf")
        self._weights: dict[str, int] = {}
        self._passes: dict[str, float] = {}
        self._present: frozenset[str] = frozenset()

    def weigh(self, weights: dict[str, int]) -> None:
        self._weights, self.weighed = weights, monotonic()

    def order(self, lanes: list[str]) -> list[str]:
        stayed = [self._passes[lane] for lane in lanes if lane in self._present]
        floor = min(stayed, default=max(self._passes.values(), default=0.0))
        for lane in lanes:
            if lane not in self._present:
                first = floor + 0.5 / self._weights.get(lane, 1)
                self._passes[lane] = max(self._passes.get(lane, 0.0), first)
        self._present = frozenset(lanes)
        return sorted(lanes, key=lambda lane: (self._passes[lane], lane))

    def served(self, lane: str) -> None:
        self._passes[lane] = self._passes.get(lane, 0.0) + 1 / self._weights.get(lane, 1)


def due_lanes(session: Session, run: int, account: str, now: datetime) -> list[str]:
    """The lanes of a run that have a chunk due: a step of the index each, however many chunks there are."""
    return list(session.scalars(DUE_LANES, {"run": run, "account": account, "now": now}))


_ready = (
    chunks.c.run_id == sa.bindparam("run"),
    chunks.c.state == "ready",
    chunks.c.account == sa.bindparam("account"),
)


def _due_lanes() -> sa.Select[str]:
    """The order is the index's own, whole, so that PostgreSQL takes it whatever it thinks of the table."""
    c, now = chunks.c, sa.bindparam("now", type_=Moment())
    order = [c[name] for name in DUE_OF_LANE]
    first = sa.select(c.lane).where(*_ready).order_by(*order).limit(1)
    lanes = sa.select(first.scalar_subquery().label("lane")).cte("lanes", recursive=True)
    following = first.where(c.lane > lanes.c.lane).correlate(lanes).scalar_subquery()
    lanes = lanes.union_all(sa.select(following).where(lanes.c.lane.is_not(None)))
    mine = (
        sa.select(c.number).where(*_ready, c.lane == lanes.c.lane).correlate(lanes).order_by(*order).limit(1)
    )
    due = [mine.where(moment).scalar_subquery() for moment in (c.not_before.is_(None), c.not_before <= now)]
    is_due = sa.or_(*[one.is_not(None) for one in due])
    return sa.select(lanes.c.lane).where(lanes.c.lane.is_not(None), is_due)


DUE_LANES = _due_lanes()
WEIGHTS = sa.select(chunks.c.lane, sa.func.count()).where(*_ready).group_by(chunks.c.lane)
