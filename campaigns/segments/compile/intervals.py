"""Days and moments of a rule as intervals, and an interval as a condition."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, assert_never

from sqlalchemy import ColumnElement, and_, true

from campaigns.segments.rules import Between, Last, Operator, Span, Value, Window

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Interval:
    """From low to high; an end that is None is open for ever."""

    low: date | None = None
    high: date | None = None
    above: bool = False  #: low itself is outside
    below: bool = False  #: high itself is outside


def interval_of(operator: Operator, value: Value, now: datetime, *, days: bool) -> Interval:
    """Give the interval that an operator means; `days` for a field of days, else moments.

    A day given for a moment means all of that day in UTC; now and today are inside of "in the last" and
    "in the next".
    """
    if isinstance(value, Span):
        return _around(operator, value, now.date() if days else now)
    if isinstance(value, Between):
        high, below = _last(value.high, days=days)
        return Interval(_first(value.low, days=days), high, below=below)
    if not isinstance(value, date):
        raise TypeError(f"{value!r} is neither a day nor a moment")
    first, (last, below) = _first(value, days=days), _last(value, days=days)
    before, after = Interval(high=first, below=True), Interval(low=last, above=not below)
    return {
        Operator.EQUAL: Interval(first, last, below=below),
        Operator.LESS: before,
        Operator.BEFORE: before,
        Operator.AT_MOST: Interval(high=last, below=below),
        Operator.MORE: after,
        Operator.AFTER: after,
        Operator.AT_LEAST: Interval(low=first),
    }[operator]


def _around(operator: Operator, span: Span, now: date) -> Interval:
    if operator is Operator.IN_THE_NEXT:
        return Interval(now, now + span.length)
    return Interval(now - span.length, now)


def _first(end: Any, *, days: bool) -> date:
    if days or isinstance(end, datetime):
        return end
    return datetime.combine(end, time(), UTC)


def _last(end: Any, *, days: bool) -> tuple[date, bool]:
    """Give the upper end of a day or moment, and whether that end itself is outside."""
    if days or isinstance(end, datetime):
        return end, False
    return datetime.combine(end, time(), UTC) + DAY, True


def window_of(window: Window, now: datetime) -> Interval:
    """Give the interval of a window over history; the last days have no upper end."""
    match window:
        case None:
            return Interval()
        case Last(span):
            return Interval(low=now - span.length)
        case Between():
            return interval_of(Operator.BETWEEN, window, now, days=False)
        case _:
            assert_never(window)


def within(
    column: ColumnElement[Any], interval: Interval, bind: Callable[[date], Any] = lambda end: end
) -> ColumnElement[bool]:
    """Say that a column lies within an interval; unknown where the column is NULL."""
    low = None if interval.low is None else bind(interval.low)
    high = None if interval.high is None else bind(interval.high)
    if low is not None and high is not None and not interval.above and not interval.below:
        return column.between(low, high)  # SQLite computes the column once, not twice
    tests = []
    if low is not None:
        tests.append(column > low if interval.above else column >= low)
    if high is not None:
        tests.append(column < high if interval.below else column <= high)
    return and_(true(), *tests)


def anniversaries(span: Span, now: datetime) -> list[str]:
    """List the days of the year, "11-22", from today to the end of a span, both included.

    In a year without 29 February it falls on 28 February, so that nobody is left out.
    """
    today = now.date()
    found = []
    for ahead in range(span.length.days + 1):
        day = today + ahead * DAY
        found.append(f"{day:%m-%d}")
        if (day.month, day.day) == (2, 28) and (day + DAY).month == 3:
            found.append("02-29")
    return list(dict.fromkeys(found))
