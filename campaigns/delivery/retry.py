"""When a deferred message is tried again."""

from datetime import datetime, timedelta
from hashlib import blake2b

STEPS = (timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4))
DAILY = timedelta(days=1)
MAX_ATTEMPTS = 9  #: the four steps and then daily, five days in all
JITTER = 0.2  #: a share of the step, both ways


def next_try(attempt: int, now: datetime, *, seed: int = 0, until: datetime | None = None) -> datetime | None:
    """When to try after the attempt (from 1) that was just deferred; None: give up.

    Args:
        attempt: how many were made.
        now: when the last one was deferred.
        seed: of the message; equal seeds give equal times, different ones spread a crowd.
        until: when the campaign's mail is worth nothing any more.

    """
    if attempt < 1:
        raise ValueError(f"attempt {attempt}: the first one is 1")
    if attempt >= MAX_ATTEMPTS:
        return None
    step = STEPS[attempt - 1] if attempt <= len(STEPS) else DAILY
    at = now + step * (1 + JITTER * _spread(seed, attempt))
    return at if until is None or at <= until else None


def _spread(seed: int, attempt: int) -> float:
    """A number from -1 to 1 that depends on nothing else."""
    digest = blake2b(f"{seed}:{attempt}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**63 - 1
