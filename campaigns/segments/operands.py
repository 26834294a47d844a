"""Reads the values of a rule: texts, numbers, days, moments, spans, windows, counts."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import idna

from campaigns.countries import code_of
from campaigns.segments.fields import Field, FieldType, Spelling, nearest
from campaigns.segments.rules import (
    MAX_TEXT,
    MAX_VALUES,
    Between,
    Comparison,
    Last,
    Operator,
    Scalar,
    Span,
    Times,
    Value,
    Window,
)
from campaigns.values import Problem

MAX_PROBLEMS = 100
MAX_NUMBER = 10**15  #: whole numbers up to here are the same on every database
MAX_SPAN_DAYS = 36_500
UNITS = ("hours", "days", "weeks")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)
_YEARS = range(1800, 2301)


class Problems:
    """Collects what is wrong, up to a number that a person can use."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def add(self, where: str, what: str, cure: str = "") -> Any:
        """Note one problem, and give None for the value that could not be read."""
        if len(self.found) < MAX_PROBLEMS:
            self.found.append(Problem(where, what, cure))


def shown(value: object) -> str:
    """Show a hostile value in an error: short, on one line, quoted."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


def read_text(value: object, where: str, problems: Problems) -> str | None:
    """Read a text that every database can hold and compare."""
    if not isinstance(value, str):
        return problems.add(where, f"is {shown(value)}, not a text.", 'Write it in quotes, "like this".')
    if not value:
        return problems.add(where, "is an empty text.", 'Ask for a missing value with "is": "empty".')
    if len(value) > MAX_TEXT:
        return problems.add(where, f"has {len(value)} characters; {MAX_TEXT} are allowed.", "Shorten it.")
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        return problems.add(
            where, "holds a character that cannot be stored.", "Remove NUL and half characters."
        )
    return value


def read_number(value: object, where: str, problems: Problems) -> float | None:
    """Read a finite number of a size that is exact everywhere."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return problems.add(where, f"is {shown(value)}, not a number.", "Write digits without quotes.")
    if not -MAX_NUMBER <= value <= MAX_NUMBER:  # so too of NaN
        return problems.add(where, "is too large.", f"Keep between -{MAX_NUMBER} and {MAX_NUMBER}.")
    return value


def read_count(value: object, where: str, problems: Problems) -> int | None:
    """Read a whole number from 0 on."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_NUMBER:
        return problems.add(where, f"is {shown(value)}, not a whole number from 0.", "Correct it.")
    return value


def read_boolean(value: object, where: str, problems: Problems) -> bool | None:
    """Read true or false."""
    if not isinstance(value, bool):
        return problems.add(
            where, f"is {shown(value)}, not true or false.", "Write true or false without quotes."
        )
    return value


def read_day(value: object, where: str, problems: Problems) -> date | None:
    """Read a day, "2026-11-22"."""
    if isinstance(value, str) and _DAY.fullmatch(value):
        try:
            day = date.fromisoformat(value)
        except ValueError:
            return problems.add(where, f"is {value!r}, a day that does not exist.", "Correct it.")
        return _in_range(day, where, problems)
    return problems.add(where, f"is {shown(value)}, not a day.", 'Write it as "2026-11-22".')


def read_moment(value: object, where: str, problems: Problems) -> date | None:
    """Read a moment with its offset, or a day, which then means all of it in UTC."""
    if isinstance(value, str) and _DAY.fullmatch(value):
        return read_day(value, where, problems)
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        try:
            moment = datetime.fromisoformat(value.upper())
        except ValueError:
            return problems.add(where, f"is {value!r}, a moment that does not exist.", "Correct it.")
        return moment.astimezone(UTC) if _in_range(moment.date(), where, problems) else None
    return problems.add(
        where,
        f"is {shown(value)}, not a moment with its offset.",
        'Write it as "2026-11-22T09:00:00Z", or as a day.',
    )


def _in_range(day: date, where: str, problems: Problems) -> date | None:
    if day.year not in _YEARS:
        return problems.add(where, f"is in the year {day.year}.", "Keep between 1800 and 2300.")
    return day


READERS: Mapping[FieldType, Callable[[object, str, Problems], Any]] = {
    FieldType.TEXT: read_text,
    FieldType.LIST: read_text,
    FieldType.NUMBER: read_number,
    FieldType.BOOLEAN: read_boolean,
    FieldType.DATE: read_day,
    FieldType.MOMENT: read_moment,
}


def read_span(value: object, where: str, problems: Problems, units: Iterable[str] = UNITS) -> Span | None:
    """Read a span, {"days": 90}."""
    units = tuple(units)
    if not isinstance(value, dict) or len(value) != 1 or next(iter(value)) not in units:
        wanted = " or ".join(f'{{"{unit}": 7}}' for unit in units)
        return problems.add(where, f"is {shown(value)}, not a span of time.", f"Write {wanted}.")
    unit, amount = next(iter(value.items()))
    count = read_count(amount, f"{where}.{unit}", problems)
    if count is None:
        return None
    if count > MAX_SPAN_DAYS * 24 or Span(count, unit).length > timedelta(days=MAX_SPAN_DAYS):
        return problems.add(f"{where}.{unit}", "is over a hundred years.", 'Leave "within" out to mean ever.')
    return Span(count, unit)


def read_between(value: object, type_: FieldType, where: str, problems: Problems) -> Between | None:
    """Read two ends, the lower first."""
    if not isinstance(value, list) or len(value) != 2:
        return problems.add(where, f"is {shown(value)}, not two ends.", "Write [FROM, TO].")
    low = READERS[type_](value[0], f"{where}[0]", problems)
    high = READERS[type_](value[1], f"{where}[1]", problems)
    if low is None or high is None:
        return None
    if _order(low) > _order(high):
        return problems.add(where, "has its ends in the wrong order.", "Write the lower one first.")
    return Between(low, high)


def _order(end: float | date) -> Any:
    if isinstance(end, date) and not isinstance(end, datetime):
        return datetime.combine(end, time(), UTC)
    return end


def read_list(value: object, field: Field, where: str, problems: Problems) -> tuple[Scalar, ...] | None:
    """Read a list of values, each once."""
    if not isinstance(value, list) or not value:
        return problems.add(where, f"is {shown(value)}, not a list of values.", 'Write ["…", "…"].')
    if len(value) > MAX_VALUES:
        return problems.add(where, f"has {len(value)} values; {MAX_VALUES} are allowed.", "Use an attribute.")
    found = [_read_one(item, field, f"{where}[{index}]", problems) for index, item in enumerate(value)]
    for index, item in enumerate(found):
        _require_known(item, field, f"{where}[{index}]", problems)
    return None if any(item is None for item in found) else tuple(dict.fromkeys(found))  # type: ignore[arg-type]


def _read_one(value: object, field: Field, where: str, problems: Problems) -> Scalar | None:
    found: Scalar | None = READERS[field.type](value, where, problems)
    return spelled(found, field.spelling) if isinstance(found, str) else found


def spelled(text: str, spelling: Spelling) -> str:
    """Bring a text to the spelling in which a field stores it."""
    match spelling:
        case Spelling.COUNTRY:
            return code_of(text) or text.upper()
        case Spelling.ADDRESS:
            local, at, domain = text.rpartition("@")
            return f"{unicodedata.normalize('NFC', local.lower())}@{_ascii(domain)}" if at else text.lower()
        case Spelling.DOMAIN:
            return _ascii(text)
        case Spelling.FREE:
            return text


def _ascii(domain: str) -> str:
    """Give a domain as it is stored; a part of one that is no domain by itself, in lower case."""
    try:
        return idna.encode(domain, uts46=True).decode()
    except UnicodeError:
        return domain.lower()


_LISTED = {Operator.IN, Operator.NOT_IN, Operator.ANY_OF, Operator.ALL_OF, Operator.NONE_OF}
_SPANNED = {Operator.IN_THE_LAST, Operator.NOT_IN_THE_LAST, Operator.IN_THE_NEXT}
_WHOLE = {Operator.EQUAL, Operator.NOT_EQUAL}
VALUELESS = {Operator.SET, Operator.EMPTY}


def read_value(value: object, field: Field, operator: Operator, where: str, problems: Problems) -> Value:
    """Read what an operator compares a field with; None where it does not hold (and is noted)."""
    if operator in _LISTED:
        return read_list(value, field, where, problems)
    if operator is Operator.BETWEEN:
        return read_between(value, field.type, where, problems)
    if operator in _SPANNED:
        units = ("days", "weeks") if field.type is FieldType.DATE else UNITS
        return read_span(value, where, problems, units)
    if operator is Operator.ANNIVERSARY:
        return _read_anniversary(value, where, problems)
    found = _read_one(value, field, where, problems)
    if operator in _WHOLE:
        _require_known(found, field, where, problems)
    return found


def _require_known(found: Scalar | None, field: Field, where: str, problems: Problems) -> None:
    """A slip of the pen must not read as "nobody"."""
    if field.spelling is Spelling.COUNTRY and isinstance(found, str) and code_of(found) is None:
        cure = 'Write its two-letter code, "DE", or its name.'
        problems.add(where, f"is {shown(found)}, no country that we know.", cure)


def _read_anniversary(value: object, where: str, problems: Problems) -> Span | None:
    if value == "today":
        return Span(0, "days")
    span = read_span(value, where, problems, ("days", "weeks"))
    if span and span.length > timedelta(days=366):
        return problems.add(where, "is over a year, so it is true of every day.", "Use at most 366 days.")
    return span


def read_window(value: object, where: str, problems: Problems) -> Window:
    """Read a window of time; None means ever."""
    if value == "ever":
        return None
    if isinstance(value, dict) and set(value) == {"last"}:
        span = read_span(value["last"], f"{where}.last", problems)
        return Last(span) if span else None
    if isinstance(value, dict) and set(value) == {"between"}:
        return read_between(value["between"], FieldType.MOMENT, f"{where}.between", problems)
    return problems.add(
        where,
        f"is {shown(value)}, not a window of time.",
        'Write {"last": {"days": 90}}, {"between": ["2026-01-01", "2026-03-31"]} or "ever".',
    )


def read_times(value: object, where: str, problems: Problems) -> Times | None:
    """Read how often, {"at least": 2}."""
    words = [word.value for word in Comparison]
    if not isinstance(value, dict) or len(value) != 1 or next(iter(value)) not in words:
        cure = 'Write {"at least": 2}, {"at most": 2} or {"exactly": 2}.'
        return problems.add(where, f"is {shown(value)}, not a number of times.", cure)
    word, number = next(iter(value.items()))
    count = read_count(number, f"{where}.{word}", problems)
    if count is None:
        return None
    if word == Comparison.AT_LEAST and count == 0:
        return problems.add(
            f"{where}.{word}", "is true of everyone.", "Use at least 1, or leave the part out."
        )
    return Times(Comparison(word), count)


def read_word(value: object, words: Iterable[str], what: str, where: str, problems: Problems) -> str | None:
    """Read one of a few words."""
    words = list(words)
    if isinstance(value, str) and value in words:
        return value
    hint = nearest(value, words) if isinstance(value, str) else ""
    return problems.add(where, f"is {shown(value)}, no {what}.", hint or f"Use one of: {', '.join(words)}.")
