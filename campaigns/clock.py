"""The only place that reads the clock; everywhere else `now` is an argument."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Read the clock: aware, UTC."""
    return datetime.now(UTC)  # noqa: TID251 - this is the place
