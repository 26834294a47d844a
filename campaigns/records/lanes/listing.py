"""Every lane that is set, slowed, held or used lately, as its page and command show it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.delivery.backoff import allowed, restored_at
from campaigns.model.lanes import lane_days, lane_log, lanes
from campaigns.records.lanes.rows import (
    EVERY_ACCOUNT,
    FOR_EVER,
    WHOLE,
    Limits,
    Row,
    day_of,
    row_of,
    tomorrow,
)

TOLD = ("per_minute", "per_day", "connections", "warm_base", "quiet_from", "held_until", "slow_until")
LATELY = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class LaneLine:
    """How one lane of one account is."""

    account: str
    lane: str
    word: str  #: open, held, half open, slowed, or full: the day's cap is used up
    rate: float | None  #: mails a minute now; None: no limit
    limits: Limits  #: that hold for it
    own: Limits  #: of them, those that were set for it alone
    starts: bool  #: its cap is the one that lanes start with; nobody set any
    cap_today: int | None
    taken_today: int  #: of the cap, given out
    sent: int  #: today
    deferred: int
    failed: int
    rule: str
    sample: str
    reopens_at: datetime | None  #: None: it is open, or a person must open it
    warm_day: int
    warm_word: str
    whole_at: datetime | None = None  #: of a slowed one, when it is at its cap again if nobody objects


@dataclass(frozen=True, slots=True)
class LogLine:
    """What was done to a lane, and by whom."""

    at: datetime
    account: str
    lane: str
    actor: str
    what: str


def lane_lines(session: Session, now: datetime) -> list[LaneLine]:
    """Every lane that has a row or had mail lately, by account and lane."""
    rows = {(row["account"], row["lane"]): row for row in session.execute(sa.select(lanes)).mappings()}
    c, since = lane_days.c, day_of(now - LATELY)
    used = session.execute(sa.select(c.account, c.lane).where(c.day >= since).distinct()).all()
    today = _today(session, now)
    told = {name for name, row in rows.items() if _is_told_of(row)}
    names = sorted({*told, *(tuple(one) for one in used)})
    return [
        _line(
            row_of(account, lane, rows.get((account, lane)), rows.get((EVERY_ACCOUNT, lane))),
            today.get((account, lane)),
            now,
        )
        for account, lane in names
    ]


def _today(session: Session, now: datetime) -> dict[tuple[str, str], sa.Row[Any]]:
    """The day's figures, by account and lane; those of all lanes of an account together too."""
    d = lane_days.c
    figures = [sa.func.sum(one).label(one.name) for one in (d.sent, d.deferred, d.failed)]
    found = {}
    for lane in (d.lane, sa.literal(WHOLE)):
        query = sa.select(d.account, lane.label("lane"), *figures).where(d.day == day_of(now))
        query = query.group_by(d.account, *([d.lane] if lane is d.lane else []))
        found.update({(row.account, row.lane): row for row in session.execute(query)})
    return found


def _is_told_of(row: sa.RowMapping) -> bool:
    """Whether a row says more than with which caps a lane starts."""
    said = any(row[name] is not None for name in TOLD)
    return said or not row["starts"] or bool(row["taken"] or row["rule"])


def _line(row: Row, day: sa.Row[Any] | None, now: datetime) -> LaneLine:
    state, limits = row.at(now), row.limits
    ceiling = limits.ceiling(row.lane)
    word, reopens = _word(row, now)
    speaks = word != "open"
    return LaneLine(
        row.account,
        row.lane,
        word,
        allowed(state, now, cap=limits.cap, ceiling=ceiling),
        limits,
        row.own,
        row.starts,
        limits.cap_of_day(row.warm_day),
        row.taken_on(now),
        0 if day is None else day.sent,
        0 if day is None else day.deferred,
        0 if day is None else day.failed,
        row.rule if speaks else "",
        row.sample if speaks else "",
        reopens,
        row.warm_day,
        row.warm_word,
        restored_at(state, ceiling=ceiling) if word == "slowed" else None,
    )


def _word(row: Row, now: datetime) -> tuple[str, datetime | None]:
    state = row.at(now)
    if state.held_until is not None and state.held_until > now:
        return "held", None if state.held_until >= FOR_EVER else state.held_until
    cap = row.limits.cap_of_day(row.warm_day)
    if cap is not None and row.taken_on(now) >= cap:
        return "full", tomorrow(now)
    if state.half_open:
        return "half open", None
    slow = state.slow_until is not None and state.slow_until > now
    return ("slowed" if slow or state.rate is not None else "open"), (state.slow_until if slow else None)


def log_lines(session: Session, *, limit: int = 50) -> list[LogLine]:
    """What was done to lanes lately, newest first."""
    query = sa.select(lane_log).order_by(lane_log.c.at.desc()).limit(limit)
    return [LogLine(row.at, row.account, row.lane, row.actor, row.what) for row in session.execute(query)]
