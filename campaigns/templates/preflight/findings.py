"""What a look at a mail brings: how bad it is, what it is, where, and what to do.

Sentences hold %(name)s in place of numbers and names, so that a page can say them in its reader's language.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    BLOCKER = "blocker"  #: must be mended before a mail goes out
    WARNING = "warning"  #: goes out, but would be better mended
    HINT = "hint"  #: good to know; some mails are rightly so


RANK = {level: rank for rank, level in enumerate(Level)}


class Count(int):
    """A number that is read with its thousands apart."""

    def __str__(self) -> str:
        return f"{int(self):,}"


class Share(float):
    """A part of a whole, from 0 to 1."""

    def __str__(self) -> str:
        return f"{float(self):.0%}"


class Size(int):
    """So many bytes, as people say them."""

    def __str__(self) -> str:
        number, unit = self.said
        return f"{number:g} {unit}"

    @property
    def said(self) -> tuple[float, str]:
        """The number, and its unit."""
        return (round(self / 1e6, 1), "MB") if self >= 1e6 else (max(1, round(self / 1e3)), "KB")


class Tongue(str):
    """A language's tag, which a page says as its name."""

    __slots__ = ()


class Phrases(tuple[str, ...]):
    """Words that a page says in its reader's language, one after the other."""

    __slots__ = ()

    def __str__(self) -> str:
        return ", ".join(self)


class Values(dict[str, object]):
    """Values that can be told apart in a set of findings."""

    def __hash__(self) -> int:  # type: ignore[override] # never changed once made
        return hash(tuple((name, str(value)) for name, value in self.items()))


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at."""

    level: Level
    what: str
    cure: str = ""
    values: Mapping[str, object] = field(default_factory=Values)
    near: str = ""  #: the words or the element that it is about, as a reader finds them
    line: int = 0  #: of the source; 0: not of one line
    languages: tuple[str, ...] = ()  #: in which it stands; empty: in all, or it is of none

    @property
    def words(self) -> str:
        """The sentence, in English."""
        return self.what % self.values

    def __str__(self) -> str:
        return f"{self.what} {self.cure}".strip() % self.values

    def at(self, near: str = "", line: int = 0) -> "Finding":
        """Say where it is."""
        return replace(self, near=" ".join(near.split())[:80], line=line)


def blocker(what: str, cure: str = "", **values: object) -> Finding:
    """It must be mended first."""
    return Finding(Level.BLOCKER, what, cure, Values(values))


def warning(what: str, cure: str = "", **values: object) -> Finding:
    """It had better be mended."""
    return Finding(Level.WARNING, what, cure, Values(values))


def hint(what: str, cure: str = "", **values: object) -> Finding:
    """It is good to know."""
    return Finding(Level.HINT, what, cure, Values(values))


def sorted_by_level(found: Iterable[Finding]) -> list[Finding]:
    """Blockers first, hints last, each once; else in the order in which they were found."""
    return sorted(dict.fromkeys(found), key=lambda one: RANK[one.level])


def joined(by_language: Mapping[str, Iterable[Finding]]) -> list[Finding]:
    """Put what was found in each language together: what stands in several is told once, with all of them."""
    met: dict[Finding, list[str]] = {}
    for language, found in by_language.items():
        for one in found:
            met.setdefault(replace(one, line=0, near=""), []).append(language)
    every = list(by_language)
    told: dict[Finding, Finding] = {}
    for found in by_language.values():
        for one in found:
            key = replace(one, line=0, near="")
            where = tuple(name for name in every if name in met[key])
            whole = replace(
                key if len(where) > 1 else one, languages=() if len(where) == len(every) else where
            )
            told.setdefault(whole, whole)
    return sorted_by_level(told.values())


def alike(found: Iterable[Finding]) -> list[list[Finding]]:
    """Put findings that say the same of different things together, the first of each kind in its place."""
    kinds: dict[tuple[Level, str, object], list[Finding]] = {}
    for one in found:  # what each mail program does is a line of its own
        kinds.setdefault((one.level, one.what, one.values.get("program")), []).append(one)
    return list(kinds.values())
