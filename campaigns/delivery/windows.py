"""When mails of a campaign may leave: hours of the day and days of the week, by somebody's clock."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

EVERY_DAY = frozenset(range(1, 8))  #: 1 is Monday
WHOLE_DAY = 24 * 60
AHEAD = 9  #: days within which every window opens


@dataclass(frozen=True, slots=True)
class Window:
    """From an hour to an hour on some days; one that ends before it begins ends on the next day."""

    start: int = 0  #: minutes after midnight
    end: int = WHOLE_DAY
    days: frozenset[int] = EVERY_DAY

    @property
    def is_always_open(self) -> bool:
        """Whether it shuts nothing out."""
        return self.end - self.start == WHOLE_DAY and self.days == EVERY_DAY

    def opening(self, now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """The stretch in which it is open now, or will be next.

        A time that the clock skips in spring is the moment at which it would have been; one that it shows
        twice in autumn is the first.
        """
        coming = self._stretches(now.astimezone(zone).date() - timedelta(days=2), zone)
        found = next(one for one in coming if one[1] > now)
        for following in coming:
            if following[0] > found[1] or following[1] - now > timedelta(days=AHEAD):
                break
            found = (found[0], max(found[1], following[1]))
        return found

    def _stretches(self, first: date, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
        length = (self.end - self.start) % WHOLE_DAY or WHOLE_DAY
        for offset in range(AHEAD + 4):
            day = first + timedelta(days=offset)
            if day.isoweekday() in self.days:
                midnight = datetime.combine(day, datetime.min.time())
                start = midnight + timedelta(minutes=self.start)
                ends = (start, start + timedelta(minutes=length))
                opens, closes = (one.replace(tzinfo=zone).astimezone(UTC) for one in ends)
                if opens < closes:
                    yield opens, closes


def window_between(start: int | None, end: int | None, days: str) -> Window:
    """Make a window of what a campaign says: minutes after midnight, or None, and digits from Monday on."""
    open_on = frozenset(int(one) for one in days if one in "1234567") or EVERY_DAY
    return Window(start or 0, WHOLE_DAY if end is None else end, open_on)


def zone_of(*names: str | None) -> ZoneInfo:
    """The first of some time zones that is known; else UTC."""
    return next((_zone(name) for name in names if name and name in _known()), ZoneInfo("UTC"))


@cache
def _known() -> frozenset[str]:
    return frozenset(available_timezones())


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
