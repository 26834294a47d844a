"""The line of a problem in a JSON text, and in a template's source."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.values import Problem
from web.marketing.lines import LONGEST, noted, noted_source

KEYS = st.text("abc_", min_size=1, max_size=4)
DOCUMENTS = st.dictionaries(
    KEYS,
    st.recursive(
        st.one_of(st.integers(0, 99), st.text('x"\\{}[]:,ä', max_size=6), st.booleans(), st.none()),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
        max_leaves=12,
    ),
    min_size=1,
    max_size=4,
)
MARK = "here it is"


def paths(value: Any, path: str = "") -> list[str]:
    found = [path] if path else []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += paths(inner, f"{path}.{key}" if path else key)
    if isinstance(value, list):
        for at, inner in enumerate(value):
            found += paths(inner, f"{path}[{at}]")
    return found


def marked(value: Any, wanted: str, path: str = "") -> Any:
    """The same document with a mark in the place of one value: an independent way to its line."""
    if path == wanted and path:
        return MARK
    if isinstance(value, dict):
        return {key: marked(one, wanted, f"{path}.{key}" if path else key) for key, one in value.items()}
    if isinstance(value, list):
        return [marked(one, wanted, f"{path}[{at}]") for at, one in enumerate(value)]
    return value


@settings(deadline=None, max_examples=60)
@given(DOCUMENTS)
def test_a_path_leads_to_the_line_where_its_value_begins(document: Any) -> None:
    text = json.dumps(document, indent=1, ensure_ascii=False)
    for path in paths(document):
        shown = json.dumps(marked(document, path), indent=1, ensure_ascii=False).split("\n")
        wanted = next(number for number, line in enumerate(shown, 1) if MARK in line)
        assert noted([Problem(path, "is bad.", "")], text)[0][0] == wanted


@pytest.mark.parametrize(
    ("where", "line"),
    [("rule.all[0].value", 3), ("rule.all[7].value", 2), ("rule.any", 1), ("nowhere", 1), ("", 1)],
)
def test_what_is_missing_is_told_where_it_should_stand(where: str, line: int | None) -> None:
    text = '{"rule": {\n"all": [\n{"field": "contact.city"}\n]}}'
    assert noted([Problem(where, "is missing.", "")], text)[0][0] == line


@settings(deadline=None, max_examples=100)
@given(st.text('{}[]:,"ab\n \\1', max_size=40), st.text("ab[0].", max_size=8))
def test_whatever_was_typed_is_looked_through(text: str, where: str) -> None:
    line = noted([Problem(where, "is bad.", "")], text)[0][0]
    assert line is None or 1 <= line <= text.count("\n") + 1


def test_a_line_that_a_problem_names_is_taken_and_deep_nesting_ends() -> None:
    broken = Problem("document", "is not JSON: line 3, character 1: it ends too soon.", "")
    assert noted([broken, Problem("a", "is bad.", "")], "[" * 100_000)[0][0] == 3
    source = [Problem("body line 12, mj-text", "is bad.", ""), Problem("subject line 1", "is bad.", "")]
    assert [line for line, _ in noted_source(source)] == [12, None]


@pytest.mark.timed
@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("rule", '"' + '\\"' * 99_999),
        ("rule", '"a\\' * 49_999),
        ("rule", '{"' + "k" * 99_000 + '":[' + "0," * 50_000),
        ("rule" + ".a" * 99_000, "{}"),
        ("rule" + "[1" * 66_000, "{}"),
    ],
    ids=["a text without end", "texts without end", "a long name", "a long path", "brackets without end"],
)
def test_no_text_takes_long(where: str, text: str) -> None:
    assert len(text) <= LONGEST
    began = time.process_time()
    noted([Problem(where, "is bad.", "")], text)
    assert time.process_time() - began < 1


def test_of_a_text_that_no_page_takes_no_lines_are_told() -> None:
    text = json.dumps({"rule": 1})
    assert noted([Problem("rule", "is bad.", "")], text.ljust(LONGEST))[0][0] == 1
    assert noted([Problem("rule", "is bad.", "")], text.ljust(LONGEST + 1))[0][0] is None


def test_a_text_without_its_end_stops_at_its_line() -> None:
    text = '{"a": [\n"b,\n2,\n3]}'
    assert noted([Problem("a[0]", "is bad.", "")], text)[0][0] == 2
