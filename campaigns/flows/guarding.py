"""Guarding our name: a campaign that many of its mails speak against is paused, for a person to look at.

Once for each run and reason: whoever resumes it has seen that.
"""

from collections.abc import Callable
from datetime import datetime
from math import sqrt

import structlog
from sqlalchemy.orm import Session

from campaigns.records import campaigns, harm, pausing
from campaigns.records.campaigns import Run
from campaigns.records.harm import Harm
from campaigns.values import RunState

ACTOR = "worker"
LEAST_MAILED = 200  #: before which a share says nothing
FEWEST = 3  #: messages that it takes: one or two are chance
#: Which share of the mails is too much, and what that is; mailbox providers look at the same.
#: Source: SES reviews an account at 5 % bounces; Gmail wants complaints never to reach 0.3 %.
LIMITS: tuple[tuple[float, Callable[[Harm], int], str], ...] = (
    (0.003, lambda one: one.complaints, "were reported as spam"),
    (0.05, lambda one: one.dead, "came back for good: their addresses are dead"),
    (0.10, lambda one: one.refused, "were refused for what we are or wrote"),
)

log = structlog.get_logger()


def suspects(session: Session) -> list[tuple[Run, str]]:
    """The runs that ought to be paused, each with the reason; reads for long, writes nothing."""
    going = [one for one in campaigns.runs_in(session, RunState.RUNNING) if one.kind == "campaign"]
    return [(run, why) for run in going if (why := _reason(session, run))]


def pause(session: Session, now: datetime, *, run: Run, why: str) -> bool:
    """Pause a run's campaign; False: it is paused or over by now."""
    if not pausing.pause(session, run.campaign_id, why, actor=ACTOR, now=now):
        return False
    log.warning("a campaign is paused", run=run.id, why=why)
    return True


def is_too_many(count: int, mailed: int, limit: float) -> bool:
    """Whether a share is above a limit by more than chance explains: by two standard deviations."""
    usual = limit * mailed
    return mailed >= LEAST_MAILED and count >= FEWEST and count > usual + 2 * sqrt(usual)


def most_mailed(count: int, limit: float) -> int:
    """Of how many mails at most so many are too many: of one more they are not."""
    return int((sqrt(1 + count) - 1) ** 2 / limit)


def _reason(session: Session, run: Run) -> str:
    """Mails are counted only if they may be few enough, and no further: a run may have a million."""
    found = harm.harm_of(session, run.id)
    told = [(limit, count(found), what) for limit, count, what in LIMITS if count(found) >= FEWEST]
    told = [one for one in told if most_mailed(one[1], one[0]) >= LEAST_MAILED - 1]
    told = [one for one in told if not _seen(session, run, one[2])]
    if not told:
        return ""
    # one more that rounding may hide, and one more that shows that there are more
    mailed = harm.mailed(session, run.id, up_to=2 + max(most_mailed(n, limit) for limit, n, _ in told))
    for limit, count, what in told:
        if is_too_many(count, mailed, limit):
            return f"{count} of {mailed} mails of run {run.id} {what}"
    return ""


def _seen(session: Session, run: Run, what: str) -> bool:
    return harm.was_told(session, run.campaign_id, "paused: ", f" mails of run {run.id} {what}")
