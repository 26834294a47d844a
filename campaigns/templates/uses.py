"""What a compiled template looks at, so that nothing else need be made for each recipient."""

from collections.abc import Collection, Iterator

from jinja2 import nodes

from campaigns.templates.sandbox import sandbox
from campaigns.values import Compiled


def used_names(compiled: Compiled) -> frozenset[str]:
    """Give the paths that may be asked for: "contact.city" for a part of a group, "orders" for a whole name.

    A loop's own names are among them, if they are those of the table too: rather too much than too little.
    """
    texts = ((compiled.subject, False), (compiled.html or "", True), (compiled.text, False))
    return frozenset(
        path for text, html in texts for path in paths(sandbox(compiled.language, html=html).parse(text))
    )


def is_used(name: str, used: Collection[str]) -> bool:
    """Whether a name, or a part of it, is among paths as `used_names` gives them."""
    return any(path == name or path.startswith(f"{name}.") for path in used)


def paths(node: nodes.Node) -> Iterator[str]:
    """Give what a part of a template may ask for, in the way of `used_names`."""
    if isinstance(node, nodes.Name):
        yield node.name
    elif isinstance(node, (nodes.Getattr, nodes.Getitem)) and isinstance(node.node, nodes.Name):
        key = _key(node)
        yield node.node.name if key is None else f"{node.node.name}.{key}"
    else:
        for child in node.iter_child_nodes():
            yield from paths(child)


def _key(node: nodes.Getattr | nodes.Getitem) -> str | None:
    if isinstance(node, nodes.Getattr):
        return node.attr
    return node.arg.value if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str) else None
