"""When each of the worker's ticks last succeeded: how others know that a worker lives."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.dialect import database_now, insert_many
from campaigns.model.operations import ticks

#: How late a tick may be before something is wrong; the beat that writes it down is every five seconds.
PATIENCE = timedelta(seconds=15)
FORGOTTEN = timedelta(days=1)  #: a tick that no worker has known for so long is no tick any more


@dataclass(frozen=True, slots=True)
class Tick:
    """One tick, and how long ago it last succeeded."""

    name: str
    every: timedelta
    age: timedelta

    @property
    def late(self) -> bool:
        """Whether it should long have come again."""
        return self.age > self.every + PATIENCE


def record(session: Session, done: Iterable[Tick]) -> None:
    """Write down how long ago each tick succeeded; of several workers the newest counts."""
    now = database_now(session)
    rows = [(one.name, one.every.total_seconds(), now - one.age) for one in done]
    newest = (
        "ON CONFLICT (name) DO UPDATE SET every_seconds = excluded.every_seconds, done_at = excluded.done_at "
        "WHERE excluded.done_at > ticks.done_at"
    )
    insert_many(session, ticks, ("name", "every_seconds", "done_at"), rows, conflict=newest)
    session.execute(sa.delete(ticks).where(ticks.c.done_at < now - FORGOTTEN))


def ages(session: Session) -> list[Tick]:
    """Every tick that is known, by name; none where no worker has ever run."""
    now = database_now(session)
    zero = timedelta(0)
    return [
        Tick(row.name, timedelta(seconds=row.every_seconds), max(zero, now - row.done_at))
        for row in session.execute(sa.select(ticks).order_by(ticks.c.name))
    ]
