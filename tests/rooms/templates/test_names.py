"""The table of names: one place in the code, the same in the guide, all filters told of."""

import re
from pathlib import Path

import pytest

from campaigns.templates.filters import FILTER_NAMES
from campaigns.templates.grammar import unknown_names
from campaigns.templates.names import NAMES, documented

GUIDE = (Path(__file__).parents[3] / "docs" / "TEMPLATES.md").read_text("utf-8")


def test_the_guide_has_the_table_of_names_as_it_is_in_the_code():
    rows = [f"| `{path}` | {kind} | {meaning} | {missing} |" for path, kind, meaning, missing in documented()]
    assert "\n".join(rows) in GUIDE


def test_the_guide_tells_of_every_filter():
    section = GUIDE.split("## Filters")[1].split("## ")[0]
    assert set(re.findall(r"`(\w+)", section)) >= FILTER_NAMES - {"d", "count"}


def test_every_name_says_what_it_means():
    assert all(name.meaning for name in NAMES)


@pytest.mark.parametrize(
    ("body", "where", "cure"),
    [
        ("{{ contact.givenname }}", "body line 1", "contact.given_name?"),
        ("\n{{ given_name }}", "body line 2", "contact.given_name?"),
        ("{{ first_name }}", "body line 1", "contact.given_name?"),
        ("{{ unsubscribe_url }}", "body line 1", "links.unsubscribe?"),
        ("{% if custmer.name %}x{% endif %}", "body line 1", "customer?"),
        ("{% for p in products %}{{ p.pice|money }}{% endfor %}", "body line 1", "p.price?"),
        ("{{ 'x'|uper }}", "body line 1", "upper?"),
        ("{% for o in orders %}{% endfor %}{{ o.total }}", "body line 1", "guide"),
        ("{{ xyzzy }}", "body line 1", "guide"),
    ],
)
def test_an_unknown_name_is_answered_with_its_line_and_the_nearest_known_one(body, where, cure):
    (problem,) = unknown_names(body)
    assert problem.where == where
    assert cure in problem.cure
