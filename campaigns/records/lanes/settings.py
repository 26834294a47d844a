"""What people set: a lane's caps and warm-up, a hold with its reason, and that it is open again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.delivery.backoff import State
from campaigns.delivery.lanes import STARTS
from campaigns.model.lanes import lanes
from campaigns.records.lanes.days import recount, used_by
from campaigns.records.lanes.rows import (
    EVERY_ACCOUNT,
    FOR_EVER,
    Limits,
    find,
    limits_at_start,
    log,
    take,
    write,
)


def limits_of(session: Session, account: str, lane: str) -> Limits:
    """What was set for a lane of this account alone."""
    found = find(session, account, lane)
    return Limits() if found is None else found.own


def start_of(session: Session, account: str, lane: str) -> Limits | None:
    """The caps that a lane of this account starts with where nobody set any; None: it has none."""
    here = sa.and_(lanes.c.account == account, lanes.c.lane == lane, lanes.c.starts)
    found = session.scalar(sa.select(lanes.c.starts).where(here))
    return limits_at_start(lane) if found else None


def set_limits(
    session: Session, account: str, lane: str, limits: Limits, *, actor: str, now: datetime
) -> None:
    """Set a lane's caps and warm-up; a plan that is new or changed begins with its first day.

    What went earlier that day, or is under way, counts against a cap of the day that is set or changed.
    """
    row = take(session, account, lane, now=now)
    plan = limits.plan
    values: dict[str, Any] = {
        "per_minute": limits.per_minute,
        "per_day": limits.per_day,
        "connections": limits.connections,
        "warm_base": plan and plan.base,
        "warm_growth": plan and plan.growth,
        "warm_target": plan and plan.target,
        "open_at": None,
    }
    if plan != row.own.plan:
        values |= {"warm_day": 0, "warm_date": "", "warm_word": ""}
    write(session, row, now=now, **values)
    if account == EVERY_ACCOUNT:  # those who waited for an old cap ask by the new one
        session.execute(sa.update(lanes).where(lanes.c.lane == lane).values(open_at=None))
    if limits.per_day is not None or plan is not None:
        for one in used_by(session, lane, now) if account == EVERY_ACCOUNT else [account]:
            recount(session, one, lane, now)
    log(session, account, lane, _told(limits), actor=actor, now=now)


def _told(limits: Limits) -> str:
    said = []
    if limits.per_minute is not None:
        said.append(f"at most {limits.per_minute:g} a minute" if limits.cap else "no cap a minute")
    if limits.per_day is not None:
        said.append(f"at most {limits.per_day} a day")
    if limits.connections is not None:
        said.append(f"at most {limits.connections} at once" if limits.connections else "any number at once")
    if (plan := limits.plan) is not None:
        said.append(f"warm-up from {plan.base} a day by {plan.growth:g} to {plan.target}")
    return ", ".join(said) or "nothing but what it starts with"


def start(session: Session, accounts: Mapping[str, bool], *, now: datetime) -> None:
    """Let the lanes of some accounts start with caps, and those of others (False) not."""
    for account, starts in accounts.items():
        wanted = set(STARTS) if starts else set()
        for lane in sorted(wanted ^ _started(session, account)):
            write(session, take(session, account, lane, now=now), now=now, starts=lane in wanted)


def has_started(session: Session, accounts: Mapping[str, bool]) -> bool:
    """Whether `start` would change nothing."""
    return all(
        _started(session, one) == (set(STARTS) if starts else set()) for one, starts in accounts.items()
    )


def _started(session: Session, account: str) -> set[str]:
    return set(session.scalars(sa.select(lanes.c.lane).where(lanes.c.account == account, lanes.c.starts)))


def hold(
    session: Session,
    account: str,
    lane: str,
    reason: str,
    *,
    until: datetime | None,
    actor: str,
    now: datetime,
) -> None:
    """Send nothing to a lane until a moment, or until a person opens it."""
    row = take(session, account, lane, now=now)
    state = State(held_until=until or FOR_EVER)
    write(session, row, now=now, state=state, rule=f"held by {actor}", sample=reason, open_at=None)
    when = "until it is opened" if until is None else f"until {until:%Y-%m-%d %H:%M} UTC"
    log(session, account, lane, f"held {when}: {reason}", actor=actor, now=now)


def reopen(session: Session, account: str, lane: str, *, actor: str, now: datetime) -> None:
    """Forget what servers said and who held a lane; its caps stay."""
    row = take(session, account, lane, now=now)
    write(session, row, now=now, state=State(), rule="", sample="", tallies={}, open_at=None)
    log(session, account, lane, "opened", actor=actor, now=now)
