"""What of a template is the same for every recipient, rendered once: the sender's lines, the offers of a run.

A loop over the offers is written out, offer by offer, where their numbered links alone differ.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeGuard

from jinja2 import Template, nodes

from campaigns.templates.pieces import FAILURES, context_of, pieces
from campaigns.templates.sandbox import Sandbox, sandbox
from campaigns.templates.uses import paths

OFFERS, ADDRESS = "products", "url"
MOST_WRITTEN_OUT = 50  #: offers; a longer loop stays one, and so does a loop within a loop


class Fixed(NamedTuple):
    """What is known of every mail of a run."""

    names: Mapping[str, Any]
    #: for each of the offers among the names, which of `links` leads to it in a mail; None: its own address
    links: Sequence[str | None] = ()


class Folded(NamedTuple):
    """A template that is ready, and what it still looks at (as uses.used_names says it)."""

    template: Template
    used: frozenset[str]


def folded(text: str, language: str, fixed: Fixed, *, html: bool) -> Folded:
    """Prepare a text that parses, with whatever looks at none but what is fixed written out already.

    What cannot be shown with that is left as it is, for each mail to say so.
    """
    environment = sandbox(language, html=html)
    tree = environment.parse(text)
    # a loop may call its entries by one of these names
    own = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}
    known = {name: value for name, value in fixed.names.items() if name not in own}
    tree.body = _Folding(environment, known, fixed.links).all(tree.body)
    tree.set_environment(environment)
    template = Template.from_code(environment, environment.compile(tree), {})
    return Folded(template, frozenset(paths(tree)))


class _Folding:
    """Folds the nodes of one template; they are changed in place."""

    def __init__(
        self,
        environment: Sandbox,
        names: dict[str, Any],
        links: Sequence[str | None],
        *,
        is_within: bool = False,
    ) -> None:
        self._environment, self._names, self._links = environment, names, links
        self._is_within = is_within  # a loop that is written out

    def all(self, body: Sequence[nodes.Node]) -> list[nodes.Node]:
        """Fold what stands one behind the other; texts that come to touch each other become one."""
        done: list[nodes.Node] = []
        for node in (part for each in body for part in self._one(each)):
            last = done[-1] if done else None
            if isinstance(node, nodes.Output) and isinstance(last, nodes.Output):
                last.nodes = _joined([*last.nodes, *node.nodes])
            else:
                done.append(node)
        return done

    def _one(self, node: nodes.Node) -> list[nodes.Node]:
        if isinstance(node, nodes.Output):
            node.nodes = _joined([self._shown(part) for part in node.nodes])
            return [node]
        if (text := self._rendered(node)) is not None:
            return [nodes.Output([nodes.TemplateData(text)], lineno=node.lineno)]
        if isinstance(node, nodes.For) and (parts := self._written_out(node)) is not None:
            return parts
        self._within(node)
        return [node]

    def _within(self, node: nodes.Node) -> None:
        """Fold the parts of a condition or a loop that is itself another for each recipient."""
        if isinstance(node, (nodes.If, nodes.For)):
            node.body = self.all(node.body)
            node.else_ = self.all(node.else_)
        if isinstance(node, nodes.If):
            for other in node.elif_:
                self._within(other)

    def _shown(self, part: nodes.Expr) -> nodes.Expr:
        if isinstance(part, nodes.TemplateData):
            return part
        text = self._rendered(nodes.Output([part], lineno=part.lineno))
        return part if text is None else nodes.TemplateData(text)

    def _rendered(self, node: nodes.Node) -> str | None:
        """What a node gives for everybody; None where that differs, or cannot be shown."""
        if not _free(node) <= self._names.keys() or (self._links and _asks_addresses(node)):
            return None
        try:
            code = self._environment.compile(nodes.Template([node], lineno=1))
            template = Template.from_code(self._environment, code, {})
            return "".join(pieces(template, context_of(template, self._names)))
        except FAILURES:
            return None

    def _written_out(self, loop: nodes.For) -> list[nodes.Node] | None:
        """A loop over the offers as one part after the other; None if it must stay a loop."""
        offers = None if self._is_within else self._offers_of(loop.iter)
        if offers is None or loop.test or loop.else_ or "loop" in _of_all(loop.body):
            return None
        if not isinstance(loop.target, nodes.Name) or len(offers) > MOST_WRITTEN_OUT:
            return None
        name, done = loop.target.name, list[nodes.Node]()
        for offer, link in offers:
            names = {**self._names, name: offer}
            each = _Folding(self._environment, names, self._links, is_within=True)
            done += each.all([_replaced(node, _linked(name, link, offer[ADDRESS])) for node in loop.body])
        return None if name in _of_all(done) else done

    def _offers_of(self, asked: nodes.Node) -> list[tuple[Any, str | None]] | None:
        """The offers that a loop goes through, each with its link; None if it goes through something else."""
        every, part = asked, slice(None)
        if isinstance(asked, nodes.Getitem) and isinstance(asked.arg, nodes.Slice):
            ends = [asked.arg.start, asked.arg.stop, asked.arg.step]
            known = [end.value if isinstance(end, nodes.Const) else end for end in ends]
            if any(isinstance(end, nodes.Node) for end in known):
                return None
            every, part = asked.node, slice(*known)
        if not (isinstance(every, nodes.Name) and every.name == OFFERS in self._names):
            return None
        offers = self._names[OFFERS]
        return list(zip(offers, self._links or [None] * len(offers), strict=True))[part]


def _linked(offer: str, link: str | None, address: Any) -> Callable[[nodes.Node], nodes.Node | None]:
    """Give what puts the mail's own link in the place of an offer's address, if it has one."""

    def change(node: nodes.Node) -> nodes.Node | None:
        if not (_is_address(node) and isinstance(node.node, nodes.Name) and node.node.name == offer):
            return None
        if link is None:
            return nodes.Const(address, lineno=node.lineno)
        return nodes.Getattr(
            nodes.Name("links", "load", lineno=node.lineno), link, "load", lineno=node.lineno
        )

    return change


def _replaced(node: nodes.Node, change: Callable[[nodes.Node], nodes.Node | None]) -> nodes.Node:
    """Copy a node, some of the nodes within it changed."""
    if (other := change(node)) is not None:
        return other

    def copied(value: Any) -> Any:
        if isinstance(value, nodes.Node):
            return _replaced(value, change)
        return type(value)(map(copied, value)) if isinstance(value, (list, tuple)) else value

    fields = [copied(getattr(node, field)) for field in node.fields]
    return type(node)(*fields, lineno=node.lineno, environment=node.environment)


def _asks_addresses(node: nodes.Node) -> bool:
    return any(_is_address(each) for each in (node, *node.find_all((nodes.Getattr, nodes.Getitem))))


def _is_address(node: nodes.Node) -> TypeGuard[nodes.Getattr | nodes.Getitem]:
    if isinstance(node, nodes.Getitem):
        return isinstance(node.arg, nodes.Const) and node.arg.value == ADDRESS
    return isinstance(node, nodes.Getattr) and node.attr == ADDRESS


def _free(node: nodes.Node) -> set[str]:
    """The names that a node looks at, but for the entries of its own loops."""
    if isinstance(node, nodes.Name):
        return {node.name}
    if isinstance(node, nodes.For):
        targets = (node.target, *node.target.find_all(nodes.Name))
        own = {name.name for name in targets if isinstance(name, nodes.Name)}
        inner = [*node.body, *([node.test] if node.test else [])]
        return (_of_all(inner) - own - {"loop"}) | _of_all([node.iter, *node.else_])
    return _of_all(node.iter_child_nodes())


def _of_all(parts: Iterable[nodes.Node]) -> set[str]:
    return set[str]().union(*map(_free, parts))


def _joined(parts: Sequence[nodes.Expr]) -> list[nodes.Expr]:
    joined: list[nodes.Expr] = []
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(part, nodes.TemplateData) and isinstance(last, nodes.TemplateData):
            last.data += part.data
        else:
            joined.append(part)
    return joined
