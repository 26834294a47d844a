"""How often a thing may fail before it must wait; kept in memory, by any keys."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

MOST_KEYS = 20_000


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many failures in a span of time."""

    failures: int
    within: timedelta


@dataclass(slots=True)
class Throttle:
    """Counts failures by key; one key past its limit makes the whole attempt wait.

    It lives in one process and forgets at its end: enough to make guessing hopeless, with no
    table that a guesser could fill.
    """

    past: dict[str, deque[datetime]] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def wait(self, limits: dict[str, Limit], now: datetime) -> timedelta | None:
        """Tell how long these keys must wait yet; None if they may try."""
        with self.lock:
            waits = [self._wait(key, limit, now) for key, limit in limits.items()]
        return max((wait for wait in waits if wait), default=None)

    def fail(self, limits: dict[str, Limit], now: datetime) -> None:
        """Note a failure under each key."""
        with self.lock:
            for key, limit in limits.items():
                times = self.past.pop(key, None) or deque(maxlen=limit.failures)
                times.append(now)
                self.past[key] = times  # the newest last, so that the oldest is dropped first
            while len(self.past) > MOST_KEYS:
                del self.past[next(iter(self.past))]

    def forget(self, key: str) -> None:
        """Drop a key's failures, after a success."""
        with self.lock:
            self.past.pop(key, None)

    def _wait(self, key: str, limit: Limit, now: datetime) -> timedelta | None:
        times = self.past.get(key)
        if times is None or len(times) < limit.failures:
            return None
        left = times[0] + limit.within - now
        return left if left > timedelta() else None
