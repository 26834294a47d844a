"""What Jinja may say in a template, and which names: an allow-list over the parsed tree."""

from jinja2 import TemplateSyntaxError, nodes

from campaigns.templates.filters import FILTER_NAMES
from campaigns.templates.names import SHAPES, nearest
from campaigns.templates.reading import Names, Reading
from campaigns.templates.sandbox import TEST_NAMES
from campaigns.templates.tokens import PLAIN_LEXER, find_tokens, one_newline, syntax_problem
from campaigns.values import Problem

DEEPEST_LOOPS = 2

_ALLOWED = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.CondExpr),
    *(nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.List, nodes.Tuple),
    *(nodes.Filter, nodes.Test, nodes.Keyword, nodes.Concat),
    *(nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos),
    *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod),
)
#: How an author knows the constructs that are refused.
_WORDS: dict[type[nodes.Node], str] = {
    nodes.Import: "import",
    nodes.FromImport: "import",
    nodes.Include: "include",
    nodes.Extends: "extends",
    nodes.Macro: "macro",
    nodes.CallBlock: "call",
    nodes.Call: "a call with ( )",
    nodes.Block: "block",
    nodes.Assign: "set",
    nodes.AssignBlock: "set",
    nodes.With: "with",
    nodes.FilterBlock: "filter",
    nodes.Pow: "**",
    nodes.Dict: "a dict in braces",
    nodes.ScopedEvalContextModifier: "autoescape",
}
_ARITHMETIC = (nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod)


def read(text: str, field_name: str) -> Reading:
    """Check one field of a source: its syntax, its constructs, its filters and its names."""
    reading = Reading(field_name)
    try:
        find_tokens(one_newline(text))
        tree = PLAIN_LEXER.parse(one_newline(text))
    except TemplateSyntaxError as error:
        reading.problems.append(syntax_problem(error, field_name))
        return reading
    except RecursionError:
        reading.problems.append(Problem(field_name, "is nested too deeply.", "Write it with fewer braces."))
        return reading
    _constructs(tree, reading)
    if _keeps_names(tree):
        Names(reading).walk(tree, dict(SHAPES), frozenset())
    return reading


def unknown_names(text: str, field_name: str = "body") -> tuple[Problem, ...]:
    """List the names of a field that no template knows, with the line and the nearest known name."""
    return tuple(read(text, field_name).problems)


def _constructs(tree: nodes.Template, reading: Reading, loops: int = 0) -> None:
    stack: list[tuple[nodes.Node, int]] = [(tree, loops)]
    while stack:
        node, depth = stack.pop()
        if not isinstance(node, _ALLOWED):
            word = _WORDS.get(type(node), type(node).__name__.lower())
            reading.refuse(
                node, f"{word} is not allowed in a template.", "Use names, filters, if and for only."
            )
            continue
        if isinstance(node, nodes.For):
            depth += 1
            _loop(node, depth, reading)
        _single(node, reading)
        stack.extend((child, depth) for child in reversed(list(node.iter_child_nodes())))


def _keeps_names(tree: nodes.Template) -> bool:
    """Whether names mean here what they mean: a construct that is refused may give them anew."""
    if any(not isinstance(node, _ALLOWED) for node in tree.find_all(nodes.Node)):
        return False
    return all(isinstance(loop.target, nodes.Name) for loop in tree.find_all(nodes.For))


def _loop(node: nodes.For, depth: int, reading: Reading) -> None:
    if depth > DEEPEST_LOOPS:
        reading.refuse(node, "a for inside a for inside a for.", "Nest no more than two.")
    if node.recursive:
        reading.refuse(node, "a recursive for.", "Leave out the word recursive.")
    if not isinstance(node.target, nodes.Name):
        reading.refuse(node, "a for with more than one name.", "Write {% for order in orders %}.")
    if not _is_path(node.iter):
        reading.refuse(
            node,
            "a for over something that is not a name.",
            "Write {% for order in orders %}; a part of it is orders[:3].",
        )


def _is_path(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Getitem):
        return isinstance(node.arg, (nodes.Const, nodes.Slice)) and _is_path(node.node)
    return isinstance(node, nodes.Name) or (isinstance(node, nodes.Getattr) and _is_path(node.node))


def _single(node: nodes.Node, reading: Reading) -> None:
    match node:
        case nodes.Filter():
            _filter(node, reading)
        case nodes.Getattr() if not isinstance(
            node.node, (nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Filter)
        ):
            reading.refuse(node, f".{node.attr} of something that is not a name.", "Write contact.city.")
        case nodes.Test() if node.name not in TEST_NAMES:
            known = f"Known are: {', '.join(sorted(TEST_NAMES))}."
            reading.refuse(node, f"there is no test {node.name!r}.", known)
        case nodes.Slice():
            if any(part is not None and not _is_index(part) for part in (node.start, node.stop, node.step)):
                reading.refuse(node, "a part [from:to] that is not given by numbers.", "Write orders[:3].")
        case nodes.Getitem() if not (isinstance(node.arg, (nodes.Const, nodes.Slice)) or _is_index(node.arg)):
            cure = "Write contact.city, or orders[0]."
            reading.refuse(node, "a part [ ] that is not given by a word or number.", cure)
        case nodes.BinExpr() if isinstance(node, _ARITHMETIC) and (
            _is_text(node.left) or _is_text(node.right)
        ):
            cure = "Only numbers can be computed with; use ~ to join texts."
            reading.refuse(node, f"{node.operator} with a text.", cure)


def _filter(node: nodes.Filter, reading: Reading) -> None:
    if node.name not in FILTER_NAMES:
        reading.refuse(node, f"there is no filter {node.name!r}.", _nearest_filter(node.name))
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        reading.refuse(node, "* in a filter's values.", "Write the values themselves.")


def _is_text(node: nodes.Node) -> bool:
    constant = isinstance(node, nodes.Const) and not isinstance(node.value, (int, float))
    return constant or isinstance(node, nodes.Concat)


def _is_index(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Neg):
        node = node.node
    return isinstance(node, nodes.Const) and type(node.value) is int


def _nearest_filter(name: str) -> str:
    found = nearest(name, FILTER_NAMES)
    return found if found.startswith("Did") else f"Known are: {', '.join(sorted(FILTER_NAMES))}."
