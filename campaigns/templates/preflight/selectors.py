"""Which rules of a style sheet an element meets: simple selectors, one below another; others meet nothing."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
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
        if self.classes and not self.classes <= set((node.get("class") or "").lower().split()):
            return False
        return all(
            node.get(name) == value if value else name in node.attrib for name, value in self.attributes
        )


class Selector(NamedTuple):
    """A way down to an element, its last step first, each with whether the step before it is right above."""

    steps: tuple[tuple[Simple, bool], ...]
    weight: tuple[int, int, int]

    def meets(self, node: Any) -> bool:
        """Whether an element is at the end of the way."""
        (last, close), *above = self.steps
        if not last.meets(node):
            return False
        at, seen = node.getparent(), 0
        for simple, next_close in above:
            while at is not None and seen < DEEPEST and not simple.meets(at):
                if close:
                    return False
                at, seen = at.getparent(), seen + 1
            if at is None or seen >= DEEPEST:
                return False
            at, close = at.getparent(), next_close
        return True


class Sheet:
    """Rules, found by what their last step names."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._by_key: defaultdict[str, list[tuple[Selector, int, Mapping[str, str]]]] = defaultdict(list)
        for order, rule in enumerate(rules):
            for text in rule.selector.lower().split(","):
                if (selector := read_selector(text)) is not None:
                    self._by_key[_key(selector.steps[0][0])].append((selector, order, rule.declared))

    def declared(self, node: Any) -> list[tuple[tuple[int, int, int], int, Mapping[str, str]]]:
        """What the rules that an element meets declare, the weightiest last."""
        keys = [node.tag, "*", *(f".{one}" for one in (node.get("class") or "").lower().split()[:20])]
        keys += [f"#{node.get('id').lower()}"] if node.get("id") else []
        met = [
            (selector.weight, order, declared)
            for key in dict.fromkeys(keys)
            for selector, order, declared in self._by_key.get(key, ())
            if selector.meets(node)
        ]
        return sorted(met, key=lambda one: one[:2])


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
