"""Walks a template's names: which are unknown, and which would be shown though they may be missing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as made

from jinja2 import nodes

from campaigns.templates.names import SHAPES, TOP_NAMES, NameKind, Shape, nearest
from campaigns.templates.sandbox import LOOP_PARTS, words_of
from campaigns.values import Problem

Scope = Mapping[str, Shape | None]
_LOOP = "loop"


@dataclass(frozen=True, slots=True)
class Shown:
    """A name that a field shows, with whether something stands in for it where it is missing."""

    path: str
    line: int
    may_be_missing: bool
    guarded: bool


@dataclass(slots=True)
class Reading:
    """All that was found in one field of a source."""

    field: str
    problems: list[Problem] = made(default_factory=list)
    shown: list[Shown] = made(default_factory=list)

    def refuse(self, node: nodes.Node, what: str, cure: str) -> None:
        problem = Problem(f"{self.field} line {node.lineno}", what, cure)
        if problem not in self.problems:
            self.problems.append(problem)


class Names:
    """Walks a tree with what each name is, and notes what is unknown and what is shown."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def walk(self, node: nodes.Node, scope: Scope, sure: frozenset[str]) -> None:
        """Go through a node; `sure` are the paths that a condition around has found to be there."""
        if isinstance(node, nodes.Output):
            self._output(node, scope, sure)
        elif isinstance(node, nodes.If):
            self._if(node, scope, sure)
        elif isinstance(node, nodes.For):
            self._for(node, scope, sure)
        elif isinstance(node, nodes.Expr):
            self.shape(node, scope)
        else:
            for child in node.iter_child_nodes():
                self.walk(child, scope, sure)

    def _if(self, node: nodes.If, scope: Scope, sure: frozenset[str]) -> None:
        self.shape(node.test, scope)
        for child in node.body:
            self.walk(child, scope, sure | set(_found_there(node.test)))
        missing = set(_found_there(node.test.node)) if isinstance(node.test, nodes.Not) else set()
        for child in [*node.elif_, *node.else_]:
            self.walk(child, scope, sure | missing)

    def _for(self, node: nodes.For, scope: Scope, sure: frozenset[str]) -> None:
        shape = self.shape(node.iter, scope)
        if shape is not None and shape.entry is None:
            what = f"{words_of(node.iter)} is {shape.name.kind.value}, not a list."
            self._reading.refuse(
                node, what, "A for goes through orders, order.lines, products or survey.scores."
            )
        target = node.target.name if isinstance(node.target, nodes.Name) else ""
        inner = {**scope, target: shape.entry if shape else None, _LOOP: None}
        if node.test is not None:
            self.shape(node.test, inner)
        for child in node.body:
            self.walk(child, inner, sure)
        for child in node.else_:
            self.walk(child, scope, sure)

    def _output(self, node: nodes.Output, scope: Scope, sure: frozenset[str]) -> None:
        for part in node.nodes:
            if isinstance(part, nodes.TemplateData):
                continue
            shape = self.shape(part, scope)
            if shape is None:
                continue
            if shape.name.kind in {NameKind.GROUP, NameKind.LIST, NameKind.OPEN}:
                what = f"{words_of(part)} cannot be shown; it is a {shape.name.kind.value}."
                self._reading.refuse(part, what, f"Show one of its parts: {_parts_of(shape)}.")
            missing, guarded = _missing_on_the_way(shape), _is_guarded(part, sure)
            self._reading.shown.append(Shown(shape.name.path, part.lineno, missing, guarded))

    def shape(self, node: nodes.Node, scope: Scope) -> Shape | None:
        """Tell what an expression is, where that is known; note every unknown name in it."""
        if isinstance(node, nodes.Name):
            return self._top(node, scope)
        if isinstance(node, nodes.Getattr):
            return self._part(node, node.attr, scope)
        if isinstance(node, nodes.Getitem):
            return self._item(node, scope)
        if isinstance(node, nodes.Filter) and node.node is not None:
            for argument in node.args:
                self.shape(argument, scope)
            inner = self.shape(node.node, scope)
            return (
                inner.entry
                if inner is not None and node.name in {"first", "last"}
                else _filtered(inner, node.name)
            )
        for child in node.iter_child_nodes():
            self.shape(child, scope)
        return None

    def _top(self, node: nodes.Name, scope: Scope) -> Shape | None:
        if node.name not in scope:
            what = f"there is no name {node.name!r}."
            self._reading.refuse(
                node, what, nearest(node.name, None if node.name not in TOP_NAMES else TOP_NAMES)
            )
        return scope.get(node.name)

    def _part(self, node: nodes.Getattr | nodes.Getitem, key: str, scope: Scope) -> Shape | None:
        if isinstance(node.node, nodes.Name) and node.node.name == _LOOP and _LOOP in scope:
            if key not in LOOP_PARTS:
                self._reading.refuse(node, f"there is no name 'loop.{key}'.", nearest(key, LOOP_PARTS))
            return None
        above = self.shape(node.node, scope)
        if above is None:
            return None
        part = above.part(key)
        if part is None:
            path = f"{words_of(node.node)}.{key}"
            what = f"there is no name {path!r}."
            self._reading.refuse(
                node, what, nearest(path, [f"{words_of(node.node)}.{name}" for name in above.parts] or None)
            )
        return part

    def _item(self, node: nodes.Getitem, scope: Scope) -> Shape | None:
        if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            return self._part(node, node.arg.value, scope)
        above = self.shape(node.node, scope)
        if above is None:
            return None
        if above.entry is None:
            self._reading.refuse(node, f"{words_of(node.node)} is not a list.", "Leave out the brackets.")
            return None
        return above if isinstance(node.arg, nodes.Slice) else above.entry


def _filtered(shape: Shape | None, name: str) -> Shape | None:
    """A filtered value is still the same name, but for one that was counted or joined."""
    return None if name in {"length", "count", "join"} else shape


def _parts_of(shape: Shape) -> str:
    parts = list(shape.parts) or list(shape.entry.parts if shape.entry else ())
    return ", ".join(parts) if parts else "name it"


def _missing_on_the_way(shape: Shape) -> bool:
    """A part may be missing because it or its group may be; an entry of a list is there."""
    if shape.name.may_be_missing or "[]" in shape.name.path:
        return shape.name.may_be_missing
    return SHAPES[shape.name.path.partition(".")[0]].name.may_be_missing


def _is_guarded(node: nodes.Node, sure: frozenset[str]) -> bool:
    if isinstance(node, nodes.Filter):
        return node.name in {"default", "d"} or (node.node is not None and _is_guarded(node.node, sure))
    if isinstance(node, nodes.CondExpr):
        return _is_guarded(node.expr1, sure | set(_found_there(node.test)))
    path = words_of(node)
    head = path.partition(".")[0]
    # a mail that invites to a survey has both the survey and the link to it
    invited = path == "links.survey" and "survey" in sure
    return path in sure or head in sure or invited


def _found_there(test: nodes.Node) -> Iterator[str]:
    """Give the paths that must be there where a condition holds."""
    if isinstance(test, nodes.And):
        yield from _found_there(test.left)
        yield from _found_there(test.right)
    elif isinstance(test, nodes.Compare):
        if all(operand.op in {"eq", "gt", "gteq", "lt", "lteq", "in"} for operand in test.ops):
            yield words_of(test.expr)
    elif isinstance(test, (nodes.Name, nodes.Getattr, nodes.Getitem)):
        yield words_of(test)
