"""What waits for each lane: chunks that are due or deferred, of runs that go on."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.mail import chunks, runs
from campaigns.values import RunState


@dataclass(frozen=True, slots=True)
class Waiting:
    """Mails that one lane of one account has yet to be given."""

    mails: int  #: at most; of a chunk that was begun some may be gone
    until: datetime  #: when the first of them are worth nothing any more

    def lasts(self, per_minute: float, per_day: int | None = None) -> timedelta:
        """How long they take at a rate, and a cap of the day."""
        days = 0.0 if not per_day else self.mails / per_day - 1
        return max(timedelta(minutes=self.mails / per_minute), timedelta(days=max(0.0, days)))


def waiting(session: Session) -> dict[tuple[str, str], Waiting]:
    """What waits, by account and lane."""
    c = chunks.c
    size = sa.func.sum(c.last_seq - c.first_seq + 1)
    query = (
        sa.select(c.account, c.lane, size, sa.func.min(runs.c.expires_at))
        .join(runs, runs.c.id == c.run_id)
        .where(c.state == "ready", runs.c.state == RunState.RUNNING.value)
        .group_by(c.account, c.lane)
    )
    return {
        (account, lane): Waiting(int(mails), ends) for account, lane, mails, ends in session.execute(query)
    }
