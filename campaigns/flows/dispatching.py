"""Dispatching: due chunks are published to an executor, a few of each account and lane at a time.

The backlog stays in the database. So a broker holds a window of tiny messages and never a deep queue, a pause
is felt at once, and a broker that was lost with all it held costs a minute.
"""

from collections.abc import Collection, Sequence

import structlog
from sqlalchemy.orm import Session

from campaigns.errors import ExecutorAway
from campaigns.executor import Executor
from campaigns.records.outbox import publishing
from campaigns.records.outbox.publishing import Due
from campaigns.values import MAIN

log = structlog.get_logger()


def choose(session: Session, accounts: Collection[str] = (MAIN,), *, window: int) -> list[Due]:
    """Mark what is to be published; `submit` it after the commit.

    Of each account that is given and open, at most `window` chunks of a lane wait at once.
    """
    return publishing.publish(session, accounts, window=window)


def submit(executor: Executor, chosen: Sequence[Due]) -> list[Due]:
    """Submit what was chosen; gives what could not be, for `take_back`."""
    for at, one in enumerate(chosen):
        try:
            executor.submit(one.run, one.number, one.lane, one.account)
        except ExecutorAway as error:
            log.warning(
                "chunks could not be published; they stay due", left=len(chosen) - at, error=str(error)
            )
            return list(chosen[at:])
    return []


def take_back(session: Session, unasked: Sequence[Due]) -> None:
    """Let chunks that could not be submitted, or were not sent by whom they reached, be published again."""
    publishing.take_back(session, unasked)
