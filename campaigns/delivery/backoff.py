"""How fast one lane of one account may be served, given what its servers said, step by step.

open ── a signal ──▶ held (60 s, 2 min, 4 min … 2 h, or as long as we were told), the rate halved
held ── its time is over ──▶ half open: a few mails decide
half open ── one is taken ──▶ open at the lower rate ── each 15 quiet minutes: +10 % ──▶ at the cap
half open ── a signal ──▶ held, twice as long
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil, log

FLOOR = 1.0  #: mails a minute that are always allowed
FIRST_HOLD = timedelta(seconds=60)
LONGEST_HOLD = timedelta(hours=2)  #: that we choose ourselves; a server may ask for more
JITTER = 0.2  #: a share of the hold: not all senders knock at once
QUIET = timedelta(minutes=15)  #: without a signal, after which the rate grows
GROWTH = 1.1
TRIAL = 3  #: mails that go while a lane is half open
TRIAL_PATIENCE = timedelta(minutes=1)  #: for their answers; then others may try


@dataclass(frozen=True, slots=True)
class State:
    """What is known of one lane of one account."""

    rate: float | None = None  #: mails a minute; None: the cap, or no limit
    strikes: int = 0  #: signals in a row, each after the hold that the one before led to
    held_until: datetime | None = None
    half_open: bool = False  #: it was held, and nothing was taken since
    quiet_from: datetime | None = None  #: since when nothing spoke against us; None: it never did
    slow: float | None = None  #: mails a minute at most ...
    slow_until: datetime | None = None  #: ... until then

    def is_held(self, now: datetime) -> bool:
        """Whether nothing may go."""
        return self.held_until is not None and self.held_until > now


def held(
    state: State,
    now: datetime,
    *,
    ceiling: float,
    lasts: timedelta | None = None,
    chance: float = 0.5,
) -> State:
    """Hold a lane after a signal; one that comes while it is held changes nothing.

    Args:
        state: as it was.
        now: when the signal came.
        ceiling: mails a minute where the rate is at its cap.
        lasts: how long, if a rule or the server says so; never shorter than that.
        chance: from 0 to 1, where within the jitter.

    """
    if state.is_held(now):
        return state
    state = grown(state, now, ceiling=ceiling)
    if lasts is None:
        doubled = FIRST_HOLD * 2 ** min(state.strikes, 10)
        length = min(doubled, LONGEST_HOLD) * (1 - JITTER + 2 * JITTER * chance)
    else:
        length = lasts * (1 + JITTER * chance)
    slower = halved(state, now, ceiling=ceiling)
    until = now + length
    return replace(slower, strikes=state.strikes + 1, held_until=until, half_open=True, quiet_from=until)


def halved(state: State, now: datetime, *, ceiling: float) -> State:
    """Serve a lane half as fast, without a pause."""
    state = grown(state, now, ceiling=ceiling)
    return replace(state, rate=max(FLOOR, (state.rate or ceiling) / 2), quiet_from=now)


def slowed(state: State, now: datetime, *, per_minute: float, lasts: timedelta) -> State:
    """Serve a lane at most so fast for a while."""
    already = state.slow if state.slow_until is not None and state.slow_until > now else None
    until = max(now + lasts, state.slow_until or now)
    slow = per_minute if already is None else min(already, per_minute)
    return replace(state, slow=slow, slow_until=until, quiet_from=until)


def tried(state: State, now: datetime) -> State:
    """Open a lane: a mail was taken after it had been held."""
    return replace(state, half_open=False, held_until=None, quiet_from=max(state.quiet_from or now, now))


def grown(state: State, now: datetime, *, ceiling: float) -> State:
    """Let the rate grow by the quiet time that has passed; at the ceiling nothing is left of it all."""
    if state.half_open or state.quiet_from is None:
        return state
    steps = max(0, (now - state.quiet_from) // QUIET)
    if not steps:
        return state
    since = state.quiet_from + steps * QUIET
    rate = None if state.rate is None else state.rate * GROWTH ** min(steps, 1000)
    if rate is None or rate >= ceiling:
        over = state.slow_until is None or state.slow_until <= now
        return State() if over else replace(state, rate=None, strikes=0, quiet_from=since)
    return replace(state, rate=rate, strikes=0, quiet_from=since)


def restored_at(state: State, *, ceiling: float) -> datetime | None:
    """When the rate is at the ceiling again if nothing speaks against us; None: it is, or is not known."""
    if state.half_open or state.quiet_from is None:
        return None
    steps = 1 if state.rate is None else max(1, ceil(log(ceiling / state.rate, GROWTH) - 1e-9))
    at = state.quiet_from + steps * QUIET
    return at if state.slow_until is None else max(at, state.slow_until)


def allowed(state: State, now: datetime, *, cap: float | None, ceiling: float) -> float | None:
    """Mails a minute that may go now, holds aside; None: no limit."""
    limits = [cap, grown(state, now, ceiling=ceiling).rate]
    if state.slow_until is not None and state.slow_until > now:
        limits.append(state.slow)
    return min((one for one in limits if one is not None), default=None)
