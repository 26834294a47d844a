"""At which line of a text a problem is: the one that it names, or where its path in the JSON stands."""

import re
from bisect import bisect_right
from collections.abc import Iterable
from itertools import count

from campaigns.values import Problem

_NAMED = re.compile(r"\bline (\d{1,7})\b")
_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"?|[{}\[\],:]|[^\s{}\[\],:"]+')
_LAST = re.compile(r"(?:^|\.)[^.\[\]]+$|\[\d+\]$")
DEEPEST = 60  #: no rule and no form that holds is nested so deeply
LONGEST = 200_000  #: characters of a text, as its page takes them
LONGEST_PATH = 500  #: no rule and no form that holds has longer ones


def noted_source(problems: Iterable[Problem]) -> list[tuple[int | None, Problem]]:
    """Give each problem of a template's body with the line that it names; others have none."""
    return [(_line_of_body(problem), problem) for problem in problems]


def _line_of_body(problem: Problem) -> int | None:
    named = _NAMED.search(problem.where) if problem.where.startswith("body") else None
    return int(named[1]) if named else None


def noted(problems: Iterable[Problem], text: str) -> list[tuple[int | None, Problem]]:
    """Give each problem of a JSON text with its line, where that is known."""
    places = _places(text) if len(text) <= LONGEST else {}
    return [(_line(problem, places), problem) for problem in problems]


def _line(problem: Problem, places: dict[str, int]) -> int | None:
    if named := _NAMED.search(problem.what):
        return int(named[1])
    path = problem.where[:LONGEST_PATH]
    while path and path not in places:  # what is missing is told where it should stand
        path = _LAST.sub("", path) if _LAST.search(path) else ""
    return places.get(path)


def _places(text: str) -> dict[str, int]:
    """The line at which each value of a JSON text begins, by its path; as far as the text can be read."""
    tokens = [(match[0], match.start()) for match in _TOKEN.finditer(text)]
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    found: dict[str, int] = {}
    _Walk(tokens, starts, found).value(0, "", 0)
    return found


class _Walk:
    """Goes through the tokens of a JSON text, and stops where they are none."""

    def __init__(self, tokens: list[tuple[str, int]], starts: list[int], found: dict[str, int]) -> None:
        self._tokens, self._starts, self._found = [*tokens, ("", 0)], starts, found

    def value(self, at: int, path: str, depth: int) -> int:
        """Note a value's line; gives where the next token is, -1 where the text ends too soon."""
        mark, start = self._tokens[min(at, len(self._tokens) - 1)]
        if at < 0 or not mark or depth > DEEPEST or len(path) > LONGEST_PATH:
            return -1
        self._found.setdefault(path, self._line(start))
        if mark == "{":
            return self._members(at + 1, path, depth)
        return self._items(at + 1, path, depth) if mark == "[" else at + 1

    def _members(self, at: int, path: str, depth: int) -> int:
        while at > 0 and self._token(at) not in {"}", ""}:
            name = self._token(at).strip('"')
            inner = f"{path}.{name}" if path else name
            self._found.setdefault(inner, self._line(self._tokens[at][1]))
            at = self._next(self.value(at + 2, inner, depth + 1))
        return at + 1 if at > 0 else -1

    def _items(self, at: int, path: str, depth: int) -> int:
        for number in count():
            if at < 0 or self._token(at) in {"]", ""}:
                break
            at = self._next(self.value(at, f"{path}[{number}]", depth + 1))
        return at + 1 if at > 0 else -1

    def _next(self, at: int) -> int:
        return at + 1 if at > 0 and self._token(at) == "," else at

    def _token(self, at: int) -> str:
        return self._tokens[at][0] if at < len(self._tokens) else ""

    def _line(self, start: int) -> int:
        return bisect_right(self._starts, start)
