"""Cells to values: each reader takes what people write, in English or German, and refuses the rest.

Every reader gives a `Bad` for what it cannot read, and None never: an empty cell is not read at all.
"""

import re
import zoneinfo
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import NamedTuple

from babel import Locale, UnknownLocaleError

from campaigns.countries import code_of

LONGEST_TEXT = 500
EARLIEST_BIRTH = date(1900, 1, 1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Bad(NamedTuple):
    """A cell that cannot be read, and why."""

    reason: str


TextReader = Callable[[str], str | Bad]

_CONTROLS = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f\x80-\x84\x86-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_YES = frozenset("yes y true 1 ja j wahr x on granted opt-in optin subscribed confirmed".split())  # noqa: SIM905
_NO = frozenset("no n false 0 nein falsch off withdrawn opt-out optout unsubscribed revoked".split())  # noqa: SIM905
_GERMAN_DAY = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,59}")
_ZONES = frozenset(zoneinfo.available_timezones())


def text(cell: str) -> str | Bad:
    """Plain text on one line: no control or direction characters, spaces single, at most 500 characters."""
    if not cell.isprintable():
        cell = _CONTROLS.sub("", " ".join(cell.split()))
    if len(cell) > LONGEST_TEXT:
        return Bad(f"is longer than {LONGEST_TEXT} characters.")
    return cell


def short(limit: int) -> TextReader:
    """Make a reader of text that may have at most so many characters."""

    def read(cell: str) -> str | Bad:
        read_text = text(cell)
        if isinstance(read_text, str) and len(read_text) > limit:
            return Bad(f"is longer than {limit} characters.")
        return read_text

    return read


def to_microseconds(at: datetime) -> int:
    """Give the microseconds since 1970, as moments are staged."""
    return (at - EPOCH) // MICROSECOND


def yes_or_no(cell: str) -> bool | Bad:
    """A yes or no in English or German."""
    word = cell.casefold()
    if word in _YES:
        return True
    return False if word in _NO else Bad("is neither yes nor no; write yes or no.")


def day(cell: str) -> date | Bad:
    """A calendar day: 2024-05-31 or 31.05.2024."""
    german = _GERMAN_DAY.fullmatch(cell)
    try:
        if german:
            return date(int(german[3]), int(german[2]), int(german[1]))
        if _ISO_DAY.fullmatch(cell):
            return date.fromisoformat(cell)
    except ValueError:
        return Bad("is no day of the calendar.")
    return Bad("is no date; write it as 2024-05-31 or 31.05.2024.")


def birthday(now: datetime) -> Callable[[str], date | Bad]:
    """Make a reader of days on which a living person may have been born."""

    def read(cell: str) -> date | Bad:
        born = day(cell)
        if isinstance(born, date) and not EARLIEST_BIRTH <= born <= now.date():
            return Bad("is no day on which someone living was born.")
        return born

    return read


def moment(now: datetime) -> Callable[[str], datetime | Bad]:
    """Make a reader of moments in the past; one without a zone is in UTC, one without a time at midnight."""

    def read(cell: str) -> datetime | Bad:
        try:
            at: datetime | None = datetime.fromisoformat(cell)
        except ValueError:
            at = _german_moment(cell)
        if at is None:
            return Bad("is no date; write it as 2024-05-31 or 2024-05-31T14:30+02:00.")
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        return at if at <= now else Bad("lies in the future.")

    return read


def _german_moment(cell: str) -> datetime | None:
    first, _, rest = cell.partition(" ")
    german = _GERMAN_DAY.fullmatch(first)
    if not german:
        return None
    try:
        return datetime.fromisoformat(
            f"{german[3]}-{german[2]:>02}-{german[1]:>02}" + (f"T{rest}" if rest else "")
        )
    except ValueError:
        return None


def locale(cell: str) -> str | Bad:
    """A language tag, as de, de-AT or zh-Hant-TW (underscores taken for hyphens)."""
    tag = re.split(r"[.@]", cell)[0].replace("_", "-")  # en_GB.UTF-8, de_DE@euro
    try:
        Locale.parse(tag, sep="-")  # zh-CN is known by its likely script
    except (UnknownLocaleError, ValueError, TypeError):
        return Bad("is no language; write a tag as de, en-GB or zh-Hant-TW.")
    language, *rest = tag.split("-")
    return "-".join([language.lower(), *(part.title() if len(part) == 4 else part.upper() for part in rest)])


def time_zone(cell: str) -> str | Bad:
    """An IANA time zone, as Europe/Berlin."""
    if cell in _ZONES:
        return cell
    known = _zones_by_fold().get(cell.casefold().replace(" ", "_"))
    return known or Bad("is no time zone; write an IANA name as Europe/Berlin.")


@cache
def _zones_by_fold() -> dict[str, str]:
    return {zone.casefold(): zone for zone in sorted(_ZONES)}


def country(cell: str) -> str | Bad:
    """A country by its ISO 3166-1 code or its English or German name."""
    return code_of(cell) or Bad("is no country; write its two-letter code, as DE.")


def roles(cell: str) -> list[str] | Bad:
    """What a contact is at a customer: one or several words, between semicolons, bars or commas."""
    found = [" ".join(part.split()).casefold() for part in re.split(r"[;|,]", cell)]
    kept = sorted({part for part in found if part})
    if any(len(part) > 50 or not part.isprintable() for part in kept):
        return Bad("has a role of more than 50 characters.")
    return kept


def attribute(kind: str) -> Callable[[str], object]:
    """Give the reader for a custom attribute's type; it gives what JSON can hold, or a Bad."""
    return _ATTRIBUTES[kind]


def _day_text(cell: str) -> str | Bad:
    found = day(cell)
    return found if isinstance(found, Bad) else found.isoformat()


def _moment_text(cell: str) -> str | Bad:
    found = moment(datetime.max.replace(tzinfo=UTC))(cell)
    if isinstance(found, Bad):
        return found
    try:
        return found.astimezone(UTC).isoformat()
    except OverflowError:  # in the first or last hours of time
        return Bad("is no moment that any zone has.")


def _list(cell: str) -> list[str] | Bad:
    found = text(cell)
    return (
        found
        if isinstance(found, Bad)
        else [part for piece in re.split(r"[;|]", found) if (part := piece.strip())]
    )


def number(cell: str) -> int | float | Bad:
    """A number with a point or a comma before its decimals; no thousands marks."""
    if not re.fullmatch(r"[+-]?\d{1,15}([.,]\d{1,15})?", cell, re.ASCII):
        return Bad("is no number; write it as 1234.5 without thousands marks.")
    value = float(cell.replace(",", "."))
    return int(value) if value.is_integer() else value


_ATTRIBUTES: dict[str, Callable[[str], object]] = {
    "text": text,
    "number": number,
    "boolean": yes_or_no,
    "date": _day_text,
    "moment": _moment_text,
    "list": _list,
}
ATTRIBUTE_TYPES = tuple(_ATTRIBUTES)


def is_key(word: str) -> bool:
    """Say whether a word may name a custom attribute."""
    return _KEY.fullmatch(word) is not None
