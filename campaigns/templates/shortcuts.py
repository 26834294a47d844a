"""Shorter code for what nearly every place in a mail is: a text that is there, found in a dict.

Jinja compiles a template to Python; here three of its expressions become a test with a short way in front of
the long one. The long way is what Jinja writes, so nothing means anything else than before.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame, optimizeconst
from markupsafe import escape

#: Texts of one kind of environment that were shown before as they are: kept, so as not to look again.
KEPT = 2048
LONGEST_KEPT = 256

LOOKS = frozenset({"shown", "shown_or_empty"})
_PASSING = LOOKS | {"default", "d"}


class Vetted(set[str]):
    """Texts that every filter in `_PASSING` hands on as they are, and that HTML need not escape."""

    def remember(self, *texts: str) -> None:
        if len(self) >= KEPT:
            self.clear()
        self.update(texts)


#: One for all environments: whatever was shown in one part of a mail is soon shown in the other.
VETTED = Vetted()


def last_look(show: Callable[[Any, str], Any], *, html: bool) -> Callable[[Any, str], str]:
    """Make the filter that each shown value passes at the end: what it gives is ready for the mail."""

    def look(value: Any, name: str) -> str:
        kind = type(value)
        if kind is str and is_clear(value):
            if len(value) <= LONGEST_KEPT:
                VETTED.remember(value)
            return str(value)
        if kind is int:
            return str(value)
        return str(escape(show(value, name))) if html else str(show(value, name))

    return look


def is_clear(text: str) -> bool:
    """Whether a text is there, can be shown as it is, and holds nothing that HTML would misread."""
    if text.isalnum():
        return True
    return text.isprintable() and bool(text.strip()) and not any_special(text)


def any_special(text: str) -> bool:
    """Whether HTML would misread it; five searches in C are quicker than one by pattern."""
    return "&" in text or "<" in text or ">" in text or '"' in text or "'" in text


class Shortcuts(CodeGenerator):
    """Writes a template's Python."""

    @optimizeconst
    def visit_Getattr(self, node: nodes.Getattr, frame: Frame) -> None:  # noqa: N802 - Jinja's name
        name = self.temporary_identifier()
        self.write(f"({name}[{node.attr!r}] if type({name} := (")
        self.visit(node.node, frame)
        self.write(f")) is dict and {node.attr!r} in {name} else environment.getattr({name}, {node.attr!r}))")

    @optimizeconst
    def visit_Filter(self, node: nodes.Filter, frame: Frame) -> None:  # noqa: N802 - Jinja's name
        chain = list(_passing(node))
        innermost = chain[-1].node if chain else None
        if innermost is None:
            super().visit_Filter(node, frame)
            return
        name = self.temporary_identifier()
        self.write(f"({name} if type({name} := (")
        self.visit(innermost, frame)
        self.write(f")) is str and {name} in vetted else ")
        self.write("".join(f"{self.filters[each.name]}(" for each in chain) + name)
        for each in reversed(chain):
            for argument in each.args:
                self.write(", ")
                self.visit(argument, frame)
            self.write(")")
        self.write(")")

    def pull_dependencies(self, nodes: Iterable[nodes.Node]) -> None:
        super().pull_dependencies(nodes)
        self.writeline("vetted = environment.vetted")

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        if _is_ready(node):
            self.write("(")
        else:
            super()._output_child_pre(node, frame, finalize)

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> str:
        if _is_ready(node):
            return str(node.as_const(frame.eval_ctx))
        return super()._output_child_to_const(node, frame, finalize)


def _passing(node: nodes.Node | None) -> Iterator[nodes.Filter]:
    """Give the filters on top of each other that hand on a vetted text, the outermost first."""
    while isinstance(node, nodes.Filter) and node.name in _PASSING and not node.kwargs:
        yield node
        node = node.node


def _is_ready(node: nodes.Expr) -> bool:
    """Whether a value has passed the last look, which escapes."""
    return isinstance(node, nodes.Filter) and node.name in LOOKS
