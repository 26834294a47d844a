"""The glossary and the code say the same words."""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GLOSSARY = (ROOT / "docs" / "GLOSSARY.md").read_text()
PLACES = re.findall(r"^\| ([A-Z]\w+) \|.*`([\w.]+):(\w+)` \|$", GLOSSARY, re.MULTILINE)
#: What we never call a contact, a customer, or a folder.
NEVER = re.compile(r"\bsubscribers?\b", re.IGNORECASE)
NO_NOUNS = {"utils", "helpers", "services", "manager", "common", "misc", "base_service"}
TEXTS = [
    path
    for pattern in ("campaigns/**/*.py", "web/**/*.py", "web/templates/**/*.html", "docs/*.md", "README.md")
    for path in ROOT.glob(pattern)
    if path.name != "GLOSSARY.md"
]


def enums() -> dict[str, dict[str, str]]:
    """Each enum of values.py with its members' values and what is said of them."""
    source = (ROOT / "campaigns" / "values.py").read_text()
    lines = source.splitlines()
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and any(
            getattr(base, "id", "") == "StrEnum" for base in node.bases
        ):
            members = [one for one in node.body if isinstance(one, ast.Assign)]
            found[node.name] = {
                one.value.value: lines[one.lineno - 1].partition("#:")[2].strip() for one in members
            }
    return found


@pytest.mark.parametrize(("word", "module", "name"), PLACES)
def test_every_noun_stands_in_the_code_where_the_glossary_says(word, module, name):
    assert hasattr(import_module(module), name)


def test_the_glossary_was_read():
    assert len(PLACES) >= 25


@pytest.mark.parametrize(("name", "members"), enums().items())
def test_every_state_and_kind_is_explained_in_the_same_words(name, members):
    section = GLOSSARY.partition(f"### {name}\n")[2].partition("\n### ")[0]
    written = dict(re.findall(r"^\| (.+?) \| (.+) \|$", section, re.MULTILINE))
    written.pop("value", None)
    assert {value: words for value, words in written.items() if value != "---"} == members


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_other_words_are_used(path):
    found = NEVER.findall(path.read_text())
    allowed = {"subscribed", "subscriber"} if path.parts[-2] == "imports" else set()
    assert [word for word in found if word.lower() not in allowed] == []


def test_every_module_is_named_by_a_noun_of_ours():
    named = {path.stem for folder in ("campaigns", "web", "demo") for path in (ROOT / folder).rglob("*.py")}
    assert named & NO_NOUNS == set()
