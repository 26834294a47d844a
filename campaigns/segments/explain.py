"""Says for one contact why a rule holds or not: which leaf decided, and what was found there."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from campaigns.segments.describe import describe_leaf
from campaigns.segments.rules import (
    AllOf,
    Answered,
    AnyOf,
    Bought,
    ConsentIs,
    Did,
    HasRole,
    InSegment,
    Leaf,
    Not,
    Rule,
)
from campaigns.segments.speech import money


@dataclass(frozen=True, slots=True)
class Finding:
    """What the store says about one leaf."""

    holds: bool
    found: str  #: the value there, for people to read


@dataclass(frozen=True, slots=True)
class Explanation:
    """One node of a rule, for one contact."""

    path: str  #: where it stands in the JSON form
    says: str
    holds: bool
    found: str = ""  #: of leaves only
    decided: bool = False  #: the outcome rests on it: it alone, or it with the others marked so
    parts: tuple["Explanation", ...] = ()


@dataclass(frozen=True, slots=True)
class Why:
    """Why a contact is in a segment or not."""

    member: bool
    erased: bool  #: an erased contact is never a member, whatever the rule says
    rule: Explanation


def explain_rule(
    rule: Rule, find: Callable[[Leaf], Finding], segments: Mapping[str, Rule], path: str = "rule"
) -> Explanation:
    """Build the explanation; `find` asks the store about a leaf, `segments` are the rules of segments."""
    return _decide(_judge(rule, find, segments, path))


def _judge(
    rule: Rule, find: Callable[[Leaf], Finding], segments: Mapping[str, Rule], path: str
) -> Explanation:
    match rule:
        case AllOf(rules):
            parts = _parts(rules, find, segments, f"{path}.all")
            return Explanation(path, "all of", all(part.holds for part in parts), parts=parts)
        case AnyOf(rules):
            parts = _parts(rules, find, segments, f"{path}.any")
            return Explanation(path, "any of", any(part.holds for part in parts), parts=parts)
        case Not(inner):
            part = _judge(inner, find, segments, f"{path}.not")
            return Explanation(path, "not", not part.holds, parts=(part,))
        case InSegment(key):
            part = _judge(segments[key], find, segments, f"segment {key}: rule")
            return Explanation(path, describe_leaf(rule), part.holds, parts=(part,))
        case _:
            finding = find(rule)
            return Explanation(path, describe_leaf(rule), finding.holds, finding.found)


def _parts(
    rules: Sequence[Rule], find: Callable[[Leaf], Finding], segments: Mapping[str, Rule], path: str
) -> tuple[Explanation, ...]:
    return tuple(_judge(part, find, segments, f"{path}[{at}]") for at, part in enumerate(rules))


def _decide(node: Explanation) -> Explanation:
    """Mark what the outcome rests on: the false parts of a false "all", the true ones of a true "any"."""
    single = (node.says == "all of" and not node.holds) or (node.says == "any of" and node.holds)
    parts = tuple(_decide(part) if part.holds is node.holds or not single else part for part in node.parts)
    return replace(node, decided=True, parts=parts)


def lines(why: Why) -> Iterator[str]:
    """Write an explanation for people: a mark, the leaf, what was found; `←` where it was decided."""
    yield "in the segment" if why.member else "not in the segment"
    if why.erased:
        yield "erased: an erased contact is in no segment"
    yield from _lines(why.rule, 0)


def _lines(node: Explanation, depth: int) -> Iterator[str]:
    found = f" (found: {node.found})" if node.found else ""
    arrow = "  ← decided" if node.decided and not node.parts else ""
    yield f"{'  ' * depth}{'✓' if node.holds else '✗'} {node.says}{found}{arrow}"
    for part in node.parts:
        yield from _lines(part, depth + 1)


def found_text(leaf: Leaf, rows: Sequence[Sequence[Any]]) -> str:  # noqa: PLR0911 - a branch a kind
    """Say what the store holds about a leaf, from the rows of its evidence."""
    if not rows:
        return "nothing"
    match leaf:
        case Did():
            number, last = rows[0]
            return f"{number} times, last {_shown(last)}" if number else "never"
        case Bought():
            number, total, last = rows[0]
            spent = leaf.spent
            paid = f" for {spent.currency} {money(total, spent.currency)}" if number and spent else ""
            return f"{number} orders{paid}, last {_shown(last)}" if number else "no order"
        case ConsentIs():
            return f"{rows[0][0]}, said {_shown(rows[0][1])}"
        case HasRole():
            return ", ".join(f"{role} at customer {customer}" for role, customer in rows)
        case Answered():
            return ", ".join(" ".join(_shown(value) for value in row if value is not None) for row in rows)
        case _:
            return _shown(rows[0][0])


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return repr(value) if isinstance(value, str | list | dict) else str(value)
