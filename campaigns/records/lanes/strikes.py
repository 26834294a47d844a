"""What servers say about us, written down for all senders: counted by rule, then acted upon."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from campaigns.delivery import backoff
from campaigns.delivery.backoff import State
from campaigns.delivery.backoff_rules import HOUR, Act, Rule, times_of
from campaigns.records.lanes.rows import Row, log, take, write

ACTOR = "sender"


@dataclass(frozen=True, slots=True)
class Signal:
    """Answers that fall under one rule, heard at about the same time."""

    rule: Rule
    sample: str  #: one of them, without addresses
    count: int = 1
    told: timedelta | None = None  #: how long the server asked us to wait; None: it did not say
    least: int = 1  #: so often within an hour, where the rule asks for less


def strike(
    session: Session, account: str, lane: str, signal: Signal, *, now: datetime, chance: float = 0.5
) -> bool:
    """Count a signal, and hold or slow the lane where its rule says so; True: something changed."""
    row = take(session, account, lane, now=now)
    if row.state.is_held(now):
        return False
    tallies, reached = _counted(row.tallies, signal, lane, now)
    if not reached:
        write(session, row, now=now, tallies=tallies)
        return False
    state = _after(row, signal, now, chance)
    rule, sample = signal.rule.name, signal.sample
    write(session, row, now=now, state=state, tallies=tallies, rule=rule, sample=sample, open_at=None)
    log(session, account, lane, f"{_said(state, signal.rule, now)}: {rule}: {sample}", actor=ACTOR, now=now)
    return True


def _counted(
    before: Mapping[str, Any], signal: Signal, lane: str, now: datetime
) -> tuple[dict[str, Any], bool]:
    """Count matches since the first within an hour; reaching the rule's number begins the count anew."""
    recent = {name: one for name, one in before.items() if now - _moment(one[0]) < HOUR}
    since, count = recent.get(signal.rule.name, (now.timestamp(), 0))
    count += signal.count
    if count >= max(times_of(signal.rule, lane), signal.least):
        recent.pop(signal.rule.name, None)
        return recent, True
    return {**recent, signal.rule.name: [since, count]}, False


def _moment(stamp: float) -> datetime:
    return datetime.fromtimestamp(stamp, UTC)


def _after(row: Row, signal: Signal, now: datetime, chance: float) -> State:
    rule, ceiling = signal.rule, row.limits.ceiling(row.lane)
    if rule.act is Act.HALVE and signal.told is None:
        return backoff.halved(row.at(now), now, ceiling=ceiling)
    if rule.act is Act.SLOW and signal.told is None:
        lasts = rule.lasts or backoff.FIRST_HOLD
        return backoff.slowed(row.at(now), now, per_minute=rule.per_minute, lasts=lasts)
    lasting = max((one for one in (signal.told, rule.lasts) if one is not None), default=None)
    return backoff.held(row.at(now), now, ceiling=ceiling, lasts=lasting, chance=chance)


def _said(state: State, rule: Rule, now: datetime) -> str:
    if state.held_until is not None and state.held_until > now:
        return f"held until {state.held_until:%Y-%m-%d %H:%M:%S} UTC"
    if rule.act is Act.SLOW and state.slow_until is not None:
        return f"at most {rule.per_minute:g} a minute until {state.slow_until:%Y-%m-%d %H:%M} UTC"
    return f"slowed to {state.rate or 0:g} a minute"
