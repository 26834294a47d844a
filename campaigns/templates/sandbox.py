"""The Jinja in which templates run: plain data, no calls, no attributes but keys, every result bounded."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import LoopContext, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from campaigns.templates.filters import Unshowable, filters_for
from campaigns.templates.shortcuts import LOOKS, VETTED, Shortcuts, last_look

LOOP_PARTS = frozenset({"first", "last", "index", "index0", "length", "revindex", "revindex0"})
TEST_NAMES = frozenset({"defined", "undefined", "none", "odd", "even", "number", "in"})
_PLAIN = (str, int, float, Decimal, date, type(None))
_LEAVES = frozenset({*_PLAIN, bool, datetime})  #: the same, as exact types


class MissingName(StrictUndefined):
    """A name that is not there: false in a condition, an error wherever it would be shown."""

    __slots__ = ()

    def __bool__(self) -> bool:  # type: ignore[override]
        return False

    def __eq__(self, other: object) -> bool:  # type: ignore[override]
        return other is None or isinstance(other, Undefined)

    def __ne__(self, other: object) -> bool:  # type: ignore[override]
        return not self == other

    __hash__ = None  # type: ignore[assignment]


class Sandbox(ImmutableSandboxedEnvironment):
    """One language's environment, for HTML (escaped) or for text (not)."""

    code_generator_class = Shortcuts

    def __init__(self, language: str, *, html: bool) -> None:
        super().__init__(undefined=MissingName, autoescape=html, keep_trailing_newline=True, cache_size=0)
        self.intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})
        self.globals.clear()
        self.filters = filters_for(language)
        self.vetted = VETTED
        for look in LOOKS:
            self.filters[look] = last_look(self.filters[look], html=html)
        self.tests = {name: test for name, test in self.tests.items() if name in TEST_NAMES}

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:  # noqa: ARG002 - Jinja's signature
        return isinstance(obj, LoopContext) and attr in LOOP_PARTS

    def is_safe_callable(self, obj: Any) -> bool:  # noqa: ARG002 - Jinja's signature
        return False

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Look in a dict's keys only; a part of what is missing is missing."""
        if obj is None or isinstance(obj, Undefined):
            return self.undefined(name=attribute)
        if type(obj) is dict:
            try:
                return obj[attribute]
            except KeyError:
                return self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if type(obj) is dict and isinstance(argument, str):
            return self.getattr(obj, argument)
        if type(obj) is list and isinstance(argument, (int, slice)):
            try:
                return obj[argument]
            except IndexError:
                return self.undefined(obj=obj, name=str(argument))
        return self.undefined(obj=obj, name=str(argument))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Compute with numbers only: a text times a number fills the memory."""
        for value in (left, right):
            if not isinstance(value, (int, float, Decimal)) or isinstance(value, bool):
                raise Unshowable(f"only numbers can be computed with {operator}; use ~ to join texts")
        if operator == "**":
            raise Unshowable("powers are not computed here")
        if isinstance(left, Decimal) or isinstance(right, Decimal):
            left, right = Decimal(str(left)), Decimal(str(right))
        return super().call_binop(context, operator, left, right)

    def call(self, *_: Any, **__: Any) -> Any:
        raise SecurityError("nothing can be called from a template")

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """Parse; give each amount its currency, each filter its name, each shown value a last look."""
        tree = super()._parse(source, name, filename)
        for node in list(tree.find_all(nodes.Filter)):
            if node.name == "money" and not node.args and isinstance(node.node, nodes.Getattr):
                node.args = [nodes.Getattr(node.node.node, "currency", "load", lineno=node.lineno)]
            if node.node is not None:
                node.args.insert(0, nodes.Const(words_of(node.node), lineno=node.lineno))
        for output in tree.find_all(nodes.Output):
            output.nodes = [_guarded(node) for node in output.nodes]
        return tree


def _guarded(node: nodes.Expr) -> nodes.Expr:
    """Let a value pass the last look; a name must not be empty, a text of the author's own may be."""
    if isinstance(node, nodes.TemplateData):
        return node
    look = "shown" if _is_name(node) else "shown_or_empty"
    label = nodes.Const(words_of(node), lineno=node.lineno)
    return nodes.Filter(node, look, [label], [], None, None, lineno=node.lineno)


def _is_name(node: nodes.Node | None) -> bool:
    if isinstance(node, nodes.Filter):
        return node.name not in {"default", "d"} and _is_name(node.node)
    return isinstance(node, (nodes.Name, nodes.Getattr, nodes.Getitem))


def words_of(node: nodes.Node) -> str:
    """Write an expression as the author knows it: the name in it, without its filters."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        return f"{words_of(node.node)}.{node.attr}"
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        return f"{words_of(node.node)}[{node.arg.value!r}]"
    if isinstance(node, nodes.Filter) and node.node is not None:
        return words_of(node.node)
    if isinstance(node, nodes.CondExpr):
        return words_of(node.expr1)
    return "this value"


@lru_cache(maxsize=64)
def sandbox(language: str, *, html: bool) -> Sandbox:
    """Give the one environment of a language and kind of this process."""
    return Sandbox(language, html=html)


def require_plain(names: Mapping[str, Any]) -> None:
    """Refuse to render anything but plain values, so that no object's methods come near a template.

    Raises:
        TypeError: with the path of the first value that is not plain; our mistake, not the template's.
    """
    waiting: list[Any] = [names]
    while waiting:
        value = waiting.pop()
        for part in value.values() if type(value) is dict else value:
            kind = type(part)
            if kind in _LEAVES:
                continue
            if kind is not dict and kind is not list:
                _refuse_what_is_not_plain(names)
            waiting.append(part)


def _refuse_what_is_not_plain(names: Mapping[str, Any]) -> None:
    """Look once more, with the path to each value."""
    waiting: list[tuple[str, Any]] = list(names.items())
    while waiting:
        path, value = waiting.pop()
        kind = type(value)
        if kind is dict:
            waiting.extend((f"{path}.{key}", part) for key, part in value.items())
        elif kind is list:
            waiting.extend((f"{path}[]", part) for part in value)
        elif not isinstance(value, _PLAIN) or kind is Markup:
            raise TypeError(f"{path} is a {kind.__name__}; templates are given plain values only")
