"""When a recurring campaign is due: cron fields in a named time zone, right across clock changes.

A local time that the spring change leaves out is sent when the clock has moved on (02:30 → 03:30); one
that the autumn change brings twice is sent the first time only.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from campaigns.errors import BadForm
from campaigns.values import Problem

MINUTES_OF_TWO_DAYS = 2 * 24 * 60  #: as many occurrences hold one whole day, however close they are


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One run's time: the name (local time without offset) and the moment."""

    name: str
    at: datetime


def next_occurrence(cron: str, time_zone: str, after: datetime) -> Occurrence | None:
    """The first occurrence later than `after`, or None if there will be none.

    Raises:
        BadForm: the cron fields or the zone cannot be read.
    """
    zone = require_zone(time_zone)
    local = after.astimezone(zone).replace(tzinfo=None) - timedelta(
        hours=3
    )  # a change may have put the clock back
    try:
        for naive in CronSim(cron, local):
            found = occurrence(naive, zone)
            if found.at > after:
                return found
    except CronSimError as error:
        raise BadForm(
            [
                Problem(
                    "cron",
                    f"{cron!r} cannot be read ({error}).",
                    "Five fields: minute hour day month weekday, as in 30 9 * * 1.",
                )
            ]
        ) from error
    return None


def times_a_day(cron: str, time_zone: str, after: datetime) -> int:
    """How often the fields come due on the busiest of the days that follow; 0 where they cannot be read."""
    days: Counter[object] = Counter()
    try:
        local = after.astimezone(require_zone(time_zone)).replace(tzinfo=None)
        for naive in islice(CronSim(cron, local), MINUTES_OF_TWO_DAYS):
            if naive - local > timedelta(days=32):
                break
            days[naive.date()] += 1
    except (CronSimError, BadForm):
        return 0
    return max(days.values(), default=0)


def occurrence(local: datetime, zone: ZoneInfo) -> Occurrence:
    """Name a local wall time and find its moment."""
    moment = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return Occurrence(local.isoformat(timespec="minutes"), moment)


def require_zone(name: str) -> ZoneInfo:
    """Find a time zone by its IANA name.

    Raises:
        BadForm: there is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadForm(
            [Problem("time zone", f"{name!r} is not known.", "Use a name such as Europe/Berlin.")]
        ) from error
