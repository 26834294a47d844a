"""What docs/SECURITY.md claims is held by tests that are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLAIMS = re.findall(
    r"`((?:tests/\S+?/)?test_\w+\.py)(?:::(\w+)(…\w*…?|…)?)?`", (ROOT / "docs/SECURITY.md").read_text()
)


def names_in(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


def test_the_page_was_read():
    assert len(CLAIMS) >= 45


@pytest.mark.parametrize(("file", "name", "rest"), sorted(set(CLAIMS)))
def test_every_test_that_is_named_is_there(file, name, rest):
    path = ROOT / file if "/" in file else ROOT / "tests/hostile" / file
    assert path.exists(), file
    if name:
        known = names_in(path)
        assert any(one == name or (rest and one.startswith(name)) for one in known), f"{file} has no {name}"
