"""Reads a rule from JSON: everything that is wrong with it at once, each with its path."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from campaigns.errors import BadRule, json_words
from campaigns.segments import leaves
from campaigns.segments.fields import NO_DEFINITIONS, Definitions, known_fields
from campaigns.segments.operands import Problems, shown
from campaigns.segments.rules import (
    MAX_DEPTH,
    MAX_LISTED,
    MAX_NODES,
    VERSION,
    AllOf,
    AnyOf,
    Everyone,
    HasRole,
    Not,
    Rule,
)
from campaigns.segments.walking import leaves_of, values_in
from campaigns.values import Problem


def decode(text: str | bytes) -> object:
    """Decode the text of a JSON document, refusing what a rule must not be in doubt about.

    Raises:
        BadRule: not JSON, a key twice in one object, NaN, or nesting beyond measure.
    """
    try:
        return json.loads(text, object_pairs_hook=_no_repeats, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        what = (
            "is nested too deeply."
            if isinstance(error, RecursionError)
            else f"is not JSON: {json_words(error)}."
        )
        raise BadRule([Problem("document", what, "Correct it.")]) from error


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _value in pairs]
        repeated = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"{repeated[0]!r} stands twice in one object")
    return found


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is not a value of JSON")


def parse_rule(document: object, definitions: Definitions = NO_DEFINITIONS) -> Rule:
    """Read a rule from a decoded JSON document, `{"version": 1, "rule": …}`.

    `definitions` are the attributes that this installation knows. Whether topics, surveys, products,
    campaigns and segments of the rule exist is for the store to say (records/segments.read).

    Raises:
        BadRule: with every problem and its path.
    """
    reader = RuleReader(definitions)
    rule = reader.document(document)
    if (values := sum(values_in(leaf) for _path, leaf in leaves_of(rule))) > MAX_LISTED:
        what = f"lists {values} values; {MAX_LISTED} are allowed in all."
        reader.problems.add("rule", what, "Put them on the contacts as an attribute.")
    if reader.problems.found:
        raise BadRule(reader.problems.found)
    return rule


class RuleReader:
    """Walks a document, counts its nodes, and collects its problems."""

    def __init__(self, definitions: Definitions) -> None:
        self.fields = known_fields(definitions)
        self.problems = Problems()
        self.nodes = 0
        self._within_role = False

    def document(self, document: object) -> Rule:
        """Read the envelope and the rule in it."""
        if not isinstance(document, dict) or "rule" not in document:
            self.problems.add("document", "holds no rule.", f'Write {{"version": {VERSION}, "rule": {{…}}}}.')
            return Everyone()
        for key in sorted(set(document) - {"version", "rule"}):
            self.problems.add(shown(key), "is not part of a rule's document.", "Remove it.")
        version = document.get("version")
        if isinstance(version, bool) or version != VERSION:
            self.problems.add("version", f"is {shown(version)}.", f"This program reads version {VERSION}.")
        return self.rule(document["rule"], "rule", 1)

    def rule(self, node: object, path: str, depth: int) -> Rule:
        """Read one node and all below it; a node that does not hold reads as everyone, with a problem."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            if self.nodes == MAX_NODES + 1:
                self.problems.add(
                    path, f"is one part too many; {MAX_NODES} are allowed.", "Split the segment."
                )
            return Everyone()
        if depth > MAX_DEPTH:
            self.problems.add(path, f"is nested over {MAX_DEPTH} levels deep.", "Use a segment in a segment.")
            return Everyone()
        if not isinstance(node, dict):
            self.problems.add(path, f"is {shown(node)}, not a rule.", "Write an object, { … }.")
            return Everyone()
        return self._dispatch(node, path, depth)

    def _dispatch(self, node: dict[str, Any], path: str, depth: int) -> Rule:
        heads = [key for key in node if key in HEADS]
        if len(heads) != 1:
            found = ", ".join(map(shown, heads or sorted(node))) or "nothing"
            self.problems.add(path, f"has {found}.", f"A rule has exactly one of: {', '.join(HEADS)}.")
            return Everyone()
        head = heads[0]
        if self._within_role and head not in _GROUPS | {"field"}:
            self.problems.add(path, f"asks for {head!r} inside of a role.", "Only customer fields fit there.")
            return Everyone()
        return HEADS[head](self, node, path, depth)

    def parts(self, node: dict[str, Any], key: str, path: str, depth: int) -> tuple[Rule, ...]:
        """Read the rules of a group."""
        self.only(node, {key}, path)
        parts = node[key]
        if not isinstance(parts, list) or not parts:
            what = "is empty." if parts == [] else f"is {shown(parts)}, not a list of rules."
            self.problems.add(f"{path}.{key}", what, 'Write [RULE, …]; for all contacts {"everyone": true}.')
            return ()
        return tuple(self.rule(part, f"{path}.{key}[{i}]", depth + 1) for i, part in enumerate(parts))

    def only(self, node: Mapping[str, Any], allowed: set[str], path: str) -> None:
        """Refuse keys that mean nothing here."""
        leaves.refuse_others(node, allowed, path, self.problems)


def _read_everyone(reader: RuleReader, node: dict[str, Any], path: str, _depth: int) -> Rule:
    reader.only(node, {"everyone"}, path)
    if node["everyone"] is not True:
        reader.problems.add(f"{path}.everyone", f"is {shown(node['everyone'])}.", "Write true.")
    return Everyone()


def _read_all(reader: RuleReader, node: dict[str, Any], path: str, depth: int) -> Rule:
    return AllOf(reader.parts(node, "all", path, depth))


def _read_any(reader: RuleReader, node: dict[str, Any], path: str, depth: int) -> Rule:
    return AnyOf(reader.parts(node, "any", path, depth))


def _read_not(reader: RuleReader, node: dict[str, Any], path: str, depth: int) -> Rule:
    reader.only(node, {"not"}, path)
    return Not(reader.rule(node["not"], f"{path}.not", depth + 1))


def _read_field(reader: RuleReader, node: dict[str, Any], path: str, _depth: int) -> Rule:
    fields = reader.fields
    if reader._within_role:  # noqa: SLF001 - one module
        fields = {name: field for name, field in fields.items() if field.entity == "customer"}
    return leaves.read_condition(node, fields, path, reader.problems) or Everyone()


def _read_role(reader: RuleReader, node: dict[str, Any], path: str, depth: int) -> Rule:
    role = leaves.read_role(node, path, reader.problems)
    at = None
    if "at" in node:
        reader._within_role = True  # noqa: SLF001 - one module
        at = reader.rule(node["at"], f"{path}.at", depth + 1)
        reader._within_role = False  # noqa: SLF001 - one module
    return HasRole(role or "", at)


def _leaf(read: Callable[[dict[str, Any], str, Problems], Rule | None]) -> "Head":
    def head(reader: RuleReader, node: dict[str, Any], path: str, _depth: int) -> Rule:
        return read(node, path, reader.problems) or Everyone()

    return head


Head = Callable[[RuleReader, dict[str, Any], str, int], Rule]
_GROUPS = {"all", "any", "not"}
#: The key that says what a node is, and who reads it.
HEADS: Mapping[str, Head] = {
    "everyone": _read_everyone,
    "all": _read_all,
    "any": _read_any,
    "not": _read_not,
    "field": _read_field,
    "did": _leaf(leaves.read_did),
    "did_not": _leaf(leaves.read_did),
    "bought": _leaf(leaves.read_bought),
    "did_not_buy": _leaf(leaves.read_bought),
    "answered": _leaf(leaves.read_answered),
    "consent": _leaf(leaves.read_consent),
    "role": _read_role,
    "segment": _leaf(leaves.read_segment),
}
