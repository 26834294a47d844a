"""Which rules of a style sheet an element meets: simple selectors, one below another; others meet nothing."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from campaigns.templates.preflight.css import Rule

_COMPOUND = re.compile(
    r"(?P<tag>\*|[a-z][\w-]*)?(?P<rest>(?:[.#][\w-]+|\[[\w-]+(?:~?=(?:\"[^\"]*\"|'[^']*'|[\w-]+))?\]|:root)*)\Z",
    re.IGNORECASE,
)
_PART = re.compile(r"[.#][\w-]+|\[[^\]]*\]|:root")
_STEP = re.compile(r"\s*(>)\s*|\s+")
DEEPEST = 256  #: elements above one that are looked at
LONGEST = 12  #: steps of one selector
MOST_WORK = 1_000_000  #: elements compared with selectors, and values that they bring: about a second
MOST_LETTERS = 1000  #: of an element's classes


class TooMuch(Exception):
    """A sheet and a page that would take too long to be looked at."""


class Work:
    """How much may still be done for one mail."""

    def __init__(self, most: int = MOST_WORK) -> None:
        self._left = most

    def take(self, much: int) -> None:
        """Note what was done.

        Raises:
            TooMuch: no more may be.
        """
        self._left -= much
        if self._left < 0:
            raise TooMuch


class Simple(NamedTuple):
    """What one element must be."""

    tag: str
    classes: frozenset[str]
    ids: frozenset[str]
    attributes: tuple[tuple[str, str], ...]
    root: bool

    def meets(self, node: Any) -> bool:
        """Whether an element is that."""
        if (self.tag not in {"", "*", node.tag}) or (self.root and node.getparent() is not None):
            return False
        if self.ids and (node.get("id") or "").lower() not in self.ids:
            return False
        if self.classes and not self.classes <= _classes(node.get("class") or ""):
            return False
        return all(
            node.get(name) == value if value else name in node.attrib for name, value in self.attributes
        )


class Selector(NamedTuple):
    """A way down to an element, its last step first, each with whether the step before it is right above."""

    steps: tuple[tuple[Simple, bool], ...]
    weight: tuple[int, int, int]

    def meets(self, node: Any, work: Work) -> bool:
        """Whether an element is at the end of the way."""
        (last, close), *above = self.steps
        work.take(1)
        if not last.meets(node):
            return False
        at, seen = node.getparent(), 0
        for simple, next_close in above:
            work.take(1)
            while at is not None and seen < DEEPEST and not simple.meets(at):
                if close:
                    return False
                work.take(1)
                at, seen = at.getparent(), seen + 1
            if at is None or seen >= DEEPEST:
                return False
            at, close = at.getparent(), next_close
        return True


class Sheet:
    """Rules, found by what their last step names."""

    def __init__(self, rules: Iterable[Rule], work: Work | None = None) -> None:
        self._work = work or Work()
        self._by_key: defaultdict[str, list[tuple[Selector, int, Mapping[str, str]]]] = defaultdict(list)
        for order, rule in enumerate(rules):
            read = map(read_selector, dict.fromkeys(rule.selector.lower().split(",")))
            for selector in dict.fromkeys(one for one in read if one is not None):
                self._by_key[_key(selector.steps[0][0])].append((selector, order, rule.declared))

    def declared(self, node: Any) -> list[tuple[tuple[int, int, int], int, Mapping[str, str]]]:
        """What the rules that an element meets declare, the weightiest last.

        Raises:
            TooMuch: it would take too long, with all that was looked at before.
        """
        keys = [node.tag, "*", *(f".{one}" for one in sorted(_classes(node.get("class") or ""))[:20])]
        keys += [f"#{node.get('id').lower()}"] if node.get("id") else []
        met = [
            (selector.weight, order, declared)
            for key in dict.fromkeys(keys)
            for selector, order, declared in self._by_key.get(key, ())
            if selector.meets(node, self._work)
        ]
        self._work.take(sum(len(declared) for _, _, declared in met))
        return sorted(met, key=lambda one: one[:2])


@lru_cache(maxsize=256)
def _classes(text: str) -> frozenset[str]:
    return frozenset(text[:MOST_LETTERS].lower().split())


def read_selector(text: str) -> Selector | None:
    """Read one selector; None for what is not understood here."""
    pieces = _STEP.split(text.strip())
    if len(pieces) > 2 * LONGEST:
        return None
    steps: list[tuple[Simple, bool]] = []
    for at in range(0, len(pieces), 2):
        simple = _simple(pieces[at])
        if simple is None:
            return None
        steps.append((simple, at > 0 and pieces[at - 1] == ">"))
    weight = (
        sum(len(simple.ids) for simple, _ in steps),
        sum(len(simple.classes) + len(simple.attributes) + simple.root for simple, _ in steps),
        sum(simple.tag not in {"", "*"} for simple, _ in steps),
    )
    return Selector(tuple(reversed(steps)), weight)


def _simple(text: str) -> Simple | None:
    found = _COMPOUND.match(text)
    if found is None or not text:
        return None
    parts = _PART.findall(found["rest"])
    named = [part[1:-1].partition("=") for part in parts if part[0] == "["]
    return Simple(
        found["tag"] or "",
        frozenset(part[1:] for part in parts if part[0] == "."),
        frozenset(part[1:] for part in parts if part[0] == "#"),
        tuple((name.rstrip("~"), value.strip("\"'")) for name, _, value in named),
        ":root" in parts,
    )


def _key(simple: Simple) -> str:
    if simple.ids:
        return f"#{min(simple.ids)}"
    return f".{min(simple.classes)}" if simple.classes else simple.tag or ("html" if simple.root else "*")
