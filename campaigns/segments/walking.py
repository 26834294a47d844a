"""Ways through a rule: its leaves with their paths, its simplest form, and the segments it stands on."""

from collections.abc import Callable, Iterator, Mapping

from campaigns.errors import BadRule
from campaigns.segments.rules import (
    MAX_LISTED,
    MAX_NODES,
    AllOf,
    Answered,
    AnyOf,
    Condition,
    InSegment,
    Leaf,
    Not,
    Rule,
)
from campaigns.values import Problem

MAX_CHAIN = 8  #: segments within segments
MAX_LEAVES = 4 * MAX_NODES  #: of a rule and all segments that it stands on


def leaves_of(rule: Rule, path: str = "rule") -> Iterator[tuple[str, Leaf]]:
    """Go through the leaves, each with its path in the JSON form; a role's own rule is part of its leaf."""
    match rule:
        case AllOf(rules) | AnyOf(rules):
            key = "all" if isinstance(rule, AllOf) else "any"
            for index, part in enumerate(rules):
                yield from leaves_of(part, f"{path}.{key}[{index}]")
        case Not(inner):
            yield from leaves_of(inner, f"{path}.not")
        case _:
            yield path, rule


def simplify(rule: Rule) -> Rule:
    """Give an equal rule without double negations, and without groups that stand in groups of their kind."""
    match rule:
        case AllOf(rules):
            return AllOf(tuple(_flat(rules, AllOf)))
        case AnyOf(rules):
            return AnyOf(tuple(_flat(rules, AnyOf)))
        case Not(inner):
            return _negate(simplify(inner))
        case _:
            return rule


def _flat(rules: tuple[Rule, ...], kind: type[AllOf | AnyOf]) -> Iterator[Rule]:
    for part in map(simplify, rules):
        if isinstance(part, kind):
            yield from part.rules
        else:
            yield part


def _negate(rule: Rule) -> Rule:
    match rule:
        case Not(inner):
            return inner
        case AnyOf(rules):
            return simplify(AllOf(tuple(_negate(part) for part in rules)))
        case _:
            return Not(rule)


def resolve(rule: Rule, load: Callable[[str], Rule], name: str = "this rule") -> Mapping[str, Rule]:
    """Load every segment that a rule stands on, directly or through others.

    `name` is the key that the rule itself has or will have.

    Raises:
        BadRule: where segments stand on each other in a circle (the chain is named), or too many do.
    """
    found: dict[str, Rule] = {}
    _resolve(rule, load, (name,), found, set())
    every = [leaf for part in (rule, *found.values()) for _path, leaf in leaves_of(part)]
    leaves, values = len(every), sum(map(values_in, every))
    if leaves > MAX_LEAVES or values > MAX_LISTED:
        limit = f"{MAX_LEAVES} parts" if leaves > MAX_LEAVES else f"{MAX_LISTED} values"
        what = f"stands on segments that together have over {limit}."
        raise BadRule([Problem("rule", what, "Make the segments simpler.")])
    return found


def _resolve(
    rule: Rule, load: Callable[[str], Rule], chain: tuple[str, ...], found: dict[str, Rule], done: set[str]
) -> None:
    for path, leaf in leaves_of(rule):
        if not isinstance(leaf, InSegment):
            continue
        longer = (*chain, leaf.key)
        if leaf.key in chain:
            what = f"makes a circle of segments: {' → '.join(longer)}."
            raise BadRule([Problem(path, what, "A segment cannot stand on itself.")])
        if len(longer) > MAX_CHAIN:
            what = f"makes a chain of over {MAX_CHAIN} segments: {' → '.join(longer)}."
            raise BadRule([Problem(path, what, "Make it shorter.")])
        if leaf.key not in done:
            found[leaf.key] = load(leaf.key)
            _resolve(found[leaf.key], load, longer, found, done)
            done.add(leaf.key)


def values_in(leaf: Leaf) -> int:
    """Count the values that a leaf lists."""
    value = leaf.value if isinstance(leaf, Condition | Answered) else None
    return len(value) if isinstance(value, tuple) else 0
