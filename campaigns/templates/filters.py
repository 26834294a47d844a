"""What a template may do to a value before it is shown; every filter is bounded in time and size."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_currency, format_decimal, format_percent
from jinja2 import Undefined
from markupsafe import Markup

#: No filter's result may be longer; a template cannot blow up a short value.
LONGEST = 64 * 1024
#: No number beyond it is formatted: writing out 1e999999999 would take for ever.
LARGEST = 10**15
KEPT_AMOUNTS = 4096
_WIDTHS = frozenset({"short", "medium", "long", "full"})
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

Value = Any


class Unshowable(Exception):
    """A value that cannot stand in a mail; the text says why."""


def is_missing(value: Value) -> bool:
    """Tell whether a fallback should be used: nothing, the empty text, or a name that is not there."""
    return value is None or isinstance(value, Undefined) or (isinstance(value, str) and not value.strip())


def locale_of(language: str) -> Locale:
    """Find the locale of a language tag; English where it is unknown."""
    try:
        return Locale.parse(language, sep="-" if "-" in language else "_")
    except (ValueError, UnknownLocaleError):
        return Locale("en")


def _default(value: Value, _name: str, fallback: Value = "") -> Value:
    kind = type(value)
    if kind is str:
        return value if value.strip() else fallback
    return value if kind is int or not is_missing(value) else fallback


def _named(work: Callable[..., Value]) -> Callable[..., Value]:
    """Let a filter say which name it fails on; the sandbox passes the name as the author wrote it."""

    def run(value: Value, name: str, *args: Value, **options: Value) -> Value:
        try:
            return work(value, *args, **options)
        except Unshowable as error:
            raise Unshowable(f"{name} {error}") from None

    return run


def _unless_missing(work: Callable[..., Value]) -> Callable[..., Value]:
    """Hand on what is missing as it is, so that a fallback may come after the filter."""

    def run(value: Value, *args: Value, **options: Value) -> Value:
        return None if value is None or isinstance(value, Undefined) else work(value, *args, **options)

    return _named(run)


def _text(value: Value) -> str:
    if type(value) is str and value.isprintable():
        return value
    if not isinstance(value, (str, int, float, Decimal)):
        raise Unshowable(f"is {kind_of(value)}, not a text")
    return _CONTROL.sub("", str(value))


def _bounded(text: str) -> str:
    if len(text) > LONGEST:
        raise Unshowable("grows too long")
    return text


def kind_of(value: Value) -> str:
    """Say in a word what a value is."""
    kinds = {list: "a list", tuple: "a list", dict: "a group of values", bool: "a yes or no", str: "a text"}
    return kinds.get(type(value), "a date" if isinstance(value, date) else "a number")


def number_in(value: Value) -> int | float | Decimal:
    """Take a number, or a text that is one, of a size that can be written out."""
    try:
        number: Value = Decimal(value) if isinstance(value, str) else value
        if isinstance(number, (int, float, Decimal)) and not isinstance(number, bool):
            if -LARGEST < number < LARGEST:
                return number
            raise Unshowable("is too large a number")
    except InvalidOperation:
        raise Unshowable("is not a number") from None
    raise Unshowable("is missing" if is_missing(value) else f"is {kind_of(value)}, not a number")


def _capitalize(value: Value) -> str:
    text = _text(value)
    return text[:1].upper() + text[1:]


def _truncate(value: Value, length: int = 80, end: str = "…") -> str:
    text = _text(value)
    if len(text) <= length:
        return text
    cut = text[: max(0, length - len(end))]
    return (cut.rsplit(None, 1)[0] if " " in cut.strip() else cut) + end


def _replace(value: Value, old: str, new: str) -> str:
    text = _text(value)
    if old and len(text) + text.count(str(old)) * len(str(new)) > LONGEST:
        raise Unshowable("grows too long")
    return text.replace(str(old), str(new)) if old else text


def _join(values: Value, between: str = ", ") -> str:
    return _bounded(str(between).join(_text(value) for value in _sequence(values)))


def _sequence(values: Value) -> Sequence[Value]:
    if not isinstance(values, (list, tuple)):
        raise Unshowable("is missing" if is_missing(values) else f"is {kind_of(values)}, not a list")
    return values


def _length(value: Value) -> int:
    if is_missing(value):
        return 0
    return len(value if isinstance(value, (str, dict)) else _sequence(value))


def _end(values: Value, index: int) -> Value:
    items = _sequence(values)
    return items[index] if items else None


def _round(value: Value, digits: int = 0) -> Value:
    number = number_in(value)
    if not isinstance(digits, int) or not 0 <= digits <= 10:
        raise Unshowable("is rounded to a number of digits that is not 0 to 10")
    return round(number, digits) if digits else round(number)


def _link_part(value: Value) -> str:
    return _bounded(quote(_text(value), safe=""))


def _moment(value: Value) -> date | datetime:
    if isinstance(value, date):
        return value
    if isinstance(value, str):
        try:
            return (
                datetime.fromisoformat(value) if len(value) > len("2026-01-31") else date.fromisoformat(value)
            )
        except ValueError:
            raise Unshowable("is not a date") from None
    raise Unshowable("is missing" if is_missing(value) else f"is {kind_of(value)}, not a date")


def _width(width: str) -> str:
    if width not in _WIDTHS:
        raise Unshowable(f"is asked for as {width!r}; a date is short, medium, long or full")
    return width


def _kept(locale: Locale) -> tuple[Callable[[Any, str], str], Callable[[date, str], str]]:
    """Amounts and days as they are written, kept for each locale by itself: its own hash is slow."""

    @lru_cache(maxsize=4096)
    def currency_of(number: float | Decimal, currency: str) -> str:
        return str(format_currency(number, currency, locale=locale))

    @lru_cache(maxsize=1024)
    def date_of(day: date, width: str) -> str:
        return str(format_date(day, width, locale))

    return currency_of, date_of


def _kept_amounts(money: Callable[..., Value]) -> Callable[..., Value]:
    """Keep what amounts look like: prices are few, and most are shown to many."""
    kept: dict[tuple[Decimal, str], Value] = {}

    def run(value: Value, name: str, currency: Value = None) -> Value:
        if type(value) is not Decimal or type(currency) is not str:
            return money(value, name, currency)
        try:
            return kept[value, currency]
        except (KeyError, TypeError):  # a NaN of one kind has no hash
            shown = money(value, name, currency)
        if len(kept) >= KEPT_AMOUNTS:
            kept.clear()
        kept[value, currency] = shown
        return shown

    return run


def _localised(locale: Locale) -> dict[str, Callable[..., Any]]:
    currency_of, date_of = _kept(locale)

    def show_date(value: Value, width: str = "long") -> str:
        moment = _moment(value)
        return date_of(moment.date() if isinstance(moment, datetime) else moment, _width(width))

    def show_time(value: Value, width: str = "short") -> str:
        moment = _moment(value)
        if not isinstance(moment, datetime):
            raise Unshowable("is a date without a time")
        return str(format_time(moment, _width(width), locale=locale))

    def show_both(value: Value, width: str = "medium") -> str:
        moment = _moment(value)
        return (
            str(format_datetime(moment, _width(width), locale=locale))
            if isinstance(moment, datetime)
            else show_date(moment)
        )

    def money(value: Value, currency: Value = None) -> str:
        number = number_in(value)
        if is_missing(currency):
            return str(format_decimal(number, format="#,##0.00", locale=locale))
        return currency_of(number, str(currency)[:3])

    def number(value: Value) -> str:
        return str(format_decimal(number_in(value), locale=locale))

    def percent(value: Value) -> str:
        return str(format_percent(number_in(value), locale=locale))

    return {
        "date": show_date,
        "time": show_time,
        "datetime": show_both,
        "money": money,
        "number": number,
        "percent": percent,
    }


def _shower(formats: Mapping[str, Callable[..., Any]]) -> Callable[[Value, str], Any]:
    def shown_or_empty(value: Value, name: str) -> Any:
        """Let a value through to the mail, or say which name cannot be shown."""
        kind = type(value)
        if kind is str:
            return value if value.isprintable() else _CONTROL.sub("", value)
        if kind is Markup or kind is int:
            return value
        if is_missing(value):
            raise Unshowable(f"{name} is missing")
        if isinstance(value, datetime):
            return formats["datetime"](value)
        if isinstance(value, date):
            return formats["date"](value)
        if isinstance(value, (float, Decimal)):
            return formats["number"](value)
        raise Unshowable(f"{name} is {kind_of(value)} and cannot be shown as it is")

    return shown_or_empty


def _never_empty(show: Callable[[Value, str], Any]) -> Callable[[Value, str], Any]:
    def shown(value: Value, name: str) -> Any:
        """Take an empty text for what it is: nothing there."""
        result = show(value, name)
        if result == "" or (type(result) is str and result.isspace()):
            raise Unshowable(f"{name} is missing")
        return result

    return shown


def filters_for(language: str) -> dict[str, Callable[..., Any]]:
    """Give every filter a template may use, in a language, and the one that each value passes at the end.

    Each takes, after the value, the name it was written on, for its errors.
    """
    local = _localised(locale_of(language))
    always = {"length": _length, "count": _length}
    return {
        **{name: _unless_missing(work) for name, work in {**local, **_EVERYWHERE}.items()},
        **{name: _named(work) for name, work in always.items()},
        "default": _default,
        "d": _default,
        "money": _kept_amounts(_unless_missing(local["money"])),
        "shown": _never_empty(_shower(local)),
        "shown_or_empty": _shower(local),
    }


_EVERYWHERE: dict[str, Callable[..., Any]] = {
    "abs": lambda value: abs(number_in(value)),
    "capitalize": _capitalize,
    "first": lambda values: _end(values, 0),
    "last": lambda values: _end(values, -1),
    "float": lambda value: float(number_in(value)),
    "int": lambda value: int(number_in(value)),
    "join": _join,
    "lower": lambda value: _text(value).lower(),
    "upper": lambda value: _bounded(_text(value).upper()),
    "title": lambda value: " ".join(_capitalize(word) for word in _text(value).split()),
    "trim": lambda value: _text(value).strip(),
    "replace": _replace,
    "round": _round,
    "truncate": _truncate,
    "urlencode": _link_part,
}


#: The names a marketer may write; the last two are ours alone.
FILTER_NAMES = frozenset(filters_for("en")) - {"shown", "shown_or_empty"}
