"""Files by idea, functions to be read at a glance."""

import ast
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path
    for folder in ("campaigns", "web")
    for path in (ROOT / folder).rglob("*.py")
    if "versions" not in path.parts
)
LONGEST_FILE, LONGEST_FUNCTION, MEDIAN_FUNCTION = 350, 50, 9


def functions(path: Path) -> list[tuple[str, int]]:
    """Each function with the lines of its body, without its docstring."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            doc = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
            found.append((node.name, (node.end_lineno or 0) - node.lineno + 1 - doc))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_file_and_no_function_grew_past_its_idea(path):
    assert len(path.read_text().splitlines()) <= LONGEST_FILE
    assert [name for name, lines in functions(path) if lines > LONGEST_FUNCTION] == []


def test_most_functions_are_small():
    assert median(lines for path in FILES for _, lines in functions(path)) <= MEDIAN_FUNCTION


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_module_says_what_lives_in_it(path):
    tree = ast.parse(path.read_text())
    assert not tree.body or ast.get_docstring(tree)
