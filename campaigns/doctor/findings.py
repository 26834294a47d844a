"""What a look at one thing brought."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"  #: as it should be
    WARN = "warn"  #: works, but not as well or as safely as it could; or it cannot be told
    BAD = "bad"  #: a promise cannot be kept


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: str  #: what was looked at, "database: version"
    level: Level
    found: str
    cure: str = ""  #: empty if there is nothing to do
    records: tuple[str, ...] = ()  #: lines for a zone file: what the DNS should say


def ok(check: str, found: str) -> Finding:
    """It is as it should be."""
    return Finding(check, Level.OK, found)


def warn(check: str, found: str, cure: str, *records: str) -> Finding:
    """It works, but."""
    return Finding(check, Level.WARN, found, cure, records)


def bad(check: str, found: str, cure: str, *records: str) -> Finding:
    """It must not stay so."""
    return Finding(check, Level.BAD, found, cure, records)


class Told(str):
    """A sentence with what was filled into it, so that a page can say it in another language."""

    __slots__ = ("pattern", "values")

    pattern: str
    values: dict[str, object]


def told(pattern: str, **values: object) -> Told:
    """Say something; the values' places in the pattern are %(name)s."""
    said = Told(pattern % values if values else pattern)
    said.pattern, said.values = pattern, values
    return said


def guarded(check: str, look: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """Look; whatever goes wrong in looking is a finding too, and keeps nobody from looking further."""
    try:
        return list(look())
    except Exception as error:  # noqa: BLE001 - the doctor must come to the end of the list
        found = f"could not be looked at: {type(error).__name__}: {error}"
        return [bad(check, found, "Tell whoever keeps Postroom; the rest of this list holds all the same.")]
