"""The rules that say why a mail came back, and the phrases of robots: read from tables, one a line."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

from campaigns.delivery.returns.words import BounceClass

SOME_WORDS = re.compile(r"~(\d)")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; `rules.txt` says how it is read."""

    name: str
    kind: BounceClass
    says: re.Pattern[str] | None = None
    unless: re.Pattern[str] | None = None
    status: re.Pattern[str] | None = None
    after_data: bool = False


def _sections(file: str) -> Iterator[tuple[str, list[str]]]:
    """Each heading of a table with the lines that are indented below it."""
    heading, lines = "", []
    for line in files(__package__).joinpath(file).read_text("utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith(" "):
            lines.append(line.strip())
            continue
        if heading:
            yield heading, lines
        heading, lines = line, []
    yield heading, lines


def _pattern(lines: list[str], flags: int = 0) -> re.Pattern[str] | None:
    whole = "|".join(f"(?:{line})" for line in lines)
    return re.compile(SOME_WORDS.sub(r"(?: \\S+){0,\1}?", whole), flags) if lines else None


def _after(word: str, lines: list[str]) -> list[str]:
    return [line.removeprefix(word) for line in lines if line.startswith(word)]


def _rule(heading: str, lines: list[str]) -> Rule:
    kind, _, name = heading.partition(": ")
    says, unless, status = (_pattern(_after(word, lines)) for word in ("says ", "unless ", "status "))
    return Rule(name, BounceClass(kind), says, unless, status, "after data" in lines)


def phrases() -> dict[str, re.Pattern[str]]:
    """The phrases by name."""
    return {
        name: made for name, lines in _sections("phrases.txt") if (made := _pattern(lines, re.IGNORECASE))
    }


_VERSION, *_RULES = _sections("rules.txt")
RULES_VERSION = int(_VERSION[0].removeprefix("version "))
ALL = tuple(_rule(*section) for section in _RULES)
WORDS = tuple(rule for rule in ALL if rule.says is not None)
CODES = tuple(rule for rule in ALL if rule.says is None)
