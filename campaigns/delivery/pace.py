"""How fast mail may leave: a token bucket that is asked, never waited in."""

from collections.abc import Callable
from time import monotonic

BURST_SECONDS = 1.0  #: what may leave at once, as a share of the rate


class Pace:
    """Grants at most `per_minute` mails a minute, evenly; None grants all.

    Args:
        per_minute: the rate; a fraction is fine.
        clock: seconds that only grow.

    """

    def __init__(self, per_minute: float | None, clock: Callable[[], float] = monotonic) -> None:
        if per_minute is not None and not per_minute > 0:
            raise ValueError(f"{per_minute} mails a minute is no pace; pause the campaign instead")
        self._rate = None if per_minute is None else per_minute / 60
        self._burst = max(1.0, (self._rate or 0) * BURST_SECONDS)
        self._clock = clock
        self._tokens = 1.0
        self._at = clock()

    def grant(self, wanted: int) -> int:
        """How many of the wanted may leave now; they count as gone."""
        if self._rate is None:
            return wanted
        self._refill()
        granted = min(wanted, int(self._tokens))
        self._tokens -= granted
        return granted

    def give_back(self, unused: int) -> None:
        """Take back what was granted and did not leave."""
        self._tokens = min(self._burst, self._tokens + unused)

    def wait(self) -> float:
        """Seconds until at least one may leave; 0 if one may now."""
        if self._rate is None:
            return 0.0
        self._refill()
        return max(0.0, (1 - self._tokens) / self._rate)

    def _refill(self) -> None:
        now = self._clock()
        assert self._rate is not None, "an unlimited pace has no bucket"
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = max(self._at, now)
