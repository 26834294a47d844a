"""A rule is read whole or refused with every problem, each with its path."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.errors import BadRule
from campaigns.segments.describe import describe
from campaigns.segments.reading import HEADS, decode, parse_rule
from campaigns.segments.rules import MAX_DEPTH, MAX_NODES, Rule
from campaigns.segments.writing import to_json
from tests.rooms.segments.random_rules import nested_rules
from tests.rooms.segments.world import DEFINITIONS

GUIDE = Path(__file__).parents[3] / "docs" / "SEGMENTS.md"


def read(rule: Any) -> Rule:
    return parse_rule({"version": 1, "rule": rule}, DEFINITIONS)


def problems(rule: Any) -> list[str]:
    with pytest.raises(BadRule) as caught:
        read(rule)
    return [str(problem) for problem in caught.value.problems]


def test_every_problem_is_told_at_once_with_its_path() -> None:
    found = problems(
        {
            "all": [
                {"field": "contact.contry", "is": "=", "value": "DE"},
                {"field": "contact.birthday", "is": "contains", "value": "x"},
                {"any": [{"did": "clickd"}, {"not": {"consent": "news", "is": "yes"}}]},
                {"field": "contact.country", "is": "in", "value": ["DE", 7]},
            ]
        }
    )
    assert [line.partition(": ")[0] for line in found] == [
        "rule.all[0].field",
        "rule.all[1].is",
        "rule.all[2].any[0].did",
        "rule.all[2].any[1].not.is",
        "rule.all[3].value[1]",
    ]
    assert "Did you mean 'contact.country'?" in found[0]
    assert "Did you mean 'clicked'?" in found[2]


@pytest.mark.parametrize(
    ("rule", "where", "what"),
    [
        ({}, "rule", "has nothing."),
        ([], "rule", "is [], not a rule."),
        ({"all": [], "any": []}, "rule", "has 'all', 'any'."),
        ({"all": []}, "rule.all", "is empty."),
        ({"everyone": 1}, "rule.everyone", "is 1."),
        ({"field": "contact.city"}, "rule.is", "None is no operator."),
        ({"field": "contact.city", "is": "="}, "rule", 'has no "value".'),
        ({"field": "contact.city", "is": "set", "value": "x"}, "rule.value", "means nothing with 'set'."),
        ({"field": "contact.city", "is": "=", "value": ""}, "rule.value", "is an empty text."),
        ({"field": "contact.city", "is": "=", "value": "a\0b"}, "rule.value", "holds a character that cannot be stored."),
        ({"field": "contact.city", "is": "=", "value": "\ud83d"}, "rule.value", "holds a character that cannot be stored."),
        ({"field": "contact.city", "is": "=", "value": "x" * 1001}, "rule.value", "has 1001 characters; 1000 are allowed."),
        ({"field": "contact.city", "is": "in", "value": []}, "rule.value", "is [], not a list of values."),
        ({"field": "contact.city", "is": "in", "value": ["x"] * 1001}, "rule.value", "has 1001 values; 1000 are allowed."),
        ({"field": "contact.city", "is": "set", "iss": "="}, "rule", "has the unknown key 'iss'."),
        ({"field": 3, "is": "="}, "rule.field", "names 3, which is no field."),
        ({"field": "contact.attributes.score", "is": "=", "value": "12"}, "rule.value", "is '12', not a number."),
        ({"field": "contact.attributes.score", "is": "=", "value": True}, "rule.value", "is True, not a number."),
        ({"field": "contact.attributes.score", "is": "<", "value": 10**400}, "rule.value", "is too large."),
        ({"field": "contact.attributes.score", "is": "between", "value": [5, 1]}, "rule.value", "has its ends in the wrong order."),
        ({"field": "contact.attributes.opted", "is": "=", "value": "yes"}, "rule.value", "is 'yes', not true or false."),
        ({"field": "contact.birthday", "is": "=", "value": "2026-02-29"}, "rule.value", "is '2026-02-29', a day that does not exist."),
        ({"field": "contact.birthday", "is": "=", "value": "20260228"}, "rule.value", "is '20260228', not a day."),
        ({"field": "contact.birthday", "is": "=", "value": "0001-01-01"}, "rule.value", "is in the year 1."),
        ({"field": "contact.birthday", "is": "in the last", "value": {"hours": 3}}, "rule.value", "is {'hours': 3}, not a span of time."),
        ({"field": "contact.created_at", "is": "<", "value": "2026-01-01T10:00:00"}, "rule.value", "is '2026-01-01T10:00:00', not a moment with its offset."),
        ({"field": "contact.created_at", "is": "in the last", "value": {"days": 36_501}}, "rule.value.days", "is over a hundred years."),
        ({"field": "contact.birthday", "is": "anniversary", "value": {"days": 367}}, "rule.value", "is over a year, so it is true of every day."),
        ({"did": "clicked", "times": {"at least": 0}}, "rule.times.at least", "is true of everyone."),
        ({"did": "clicked", "times": 2}, "rule.times", "is 2, not a number of times."),
        ({"did_not": "clicked", "times": {"at least": 2}}, "rule", "has the unknown key 'times'."),
        ({"did": "sent", "by": "human"}, "rule.by", "means nothing for 'sent', which is never judged."),
        ({"did": "sent", "link": "https://x"}, "rule.link", "means nothing for 'sent'."),
        ({"did": "sent", "within": {"last": 90}}, "rule.within.last", "is 90, not a span of time."),
        ({"did": "sent", "within": "always"}, "rule.within", "is 'always', not a window of time."),
        ({"bought": "tea"}, "rule.bought", "is 'tea', not goods."),
        ({"bought": "anything", "spent": {"at least": 5}}, "rule.spent", "is {'at least': 5}, not a sum with its currency."),
        ({"answered": "nps", "is": "=", "value": 3}, "rule", 'has "is" or "value" but no "question".'),
        ({"answered": "nps", "question": "q", "is": ">", "value": "x"}, "rule.value", "is 'x', not a number."),
        ({"role": "decider", "at": {"field": "contact.city", "is": "set"}}, "rule.at.field", "names 'contact.city', which is no field."),
        ({"role": "decider", "at": {"did": "sent"}}, "rule.at", "asks for 'did' inside of a role."),
    ],
)  # fmt: skip
def test_what_does_not_hold_is_refused(rule: Any, where: str, what: str) -> None:
    [problem] = problems(rule)
    assert problem.startswith(f"{where}: {what}")


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"version": 1},
        {"version": 2, "rule": {"everyone": True}},
        {"rule": {"everyone": True}},
        {"version": True, "rule": {"everyone": True}},
        {"version": 1, "rule": {"everyone": True}, "x": 1},
    ],
)
def test_the_envelope_is_checked(document: Any) -> None:
    with pytest.raises(BadRule):
        parse_rule(document)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b'{"a": 1, "a": 2}',
        b"NaN",
        b"[" * 100_000,
        b"\xff",
        b'{"version": 1, "rule": {"field": "contact.attributes.score", "is": "=", "value": '
        + b"1" * 5000
        + b"}}",
    ],
)
def test_text_that_is_no_clear_json_is_refused(text: bytes) -> None:
    with pytest.raises(BadRule):
        decode(text)


def nested(levels: int) -> dict[str, Any]:
    rule: dict[str, Any] = {"everyone": True}
    for _ in range(levels - 1):
        rule = {"not": rule}
    return rule


def test_depth_and_size_have_limits() -> None:
    read(nested(MAX_DEPTH))
    assert f"nested over {MAX_DEPTH} levels" in problems(nested(MAX_DEPTH + 1))[0]
    read({"any": [{"everyone": True}] * (MAX_NODES - 1)})
    [problem] = problems({"any": [{"everyone": True}] * (MAX_NODES * 3)})
    assert f"{MAX_NODES} are allowed" in problem


def test_all_lists_together_have_a_limit() -> None:
    cities = {"field": "contact.city", "is": "in", "value": [str(number) for number in range(1000)]}
    read({"any": [cities] * 10})
    assert problems({"any": [cities] * 11}) == [
        "rule: lists 11000 values; 10000 are allowed in all. Put them on the contacts as an attribute."
    ]


def test_no_more_problems_are_told_than_a_person_can_use() -> None:
    assert len(problems({"any": [{"field": "x", "is": "="}] * 400})) == 100


def test_other_spellings_of_operators_are_understood() -> None:
    score = "contact.attributes.score"
    assert read({"field": score, "is": "≥", "value": 3}) == read({"field": score, "is": ">=", "value": 3})
    assert read({"field": "contact.city", "is": "≠", "value": "Bonn"}) == read(
        {"field": "contact.city", "is": "!=", "value": "Bonn"}
    )


def test_codes_are_brought_to_their_spelling() -> None:
    assert read({"field": "contact.country", "is": "=", "value": "de"}) == read(
        {"field": "contact.country", "is": "=", "value": "DE"}
    )


@pytest.mark.parametrize(
    ("field", "written", "stored"),
    [
        ("contact.domain", "KÖLN.Example", "xn--kln-sna.example"),
        ("contact.domain", ".DE", ".de"),
        ("contact.email", "Jörg@Straße.example", "jörg@xn--strae-oqa.example"),
        ("contact.email", "Jörg", "jörg"),
        ("contact.email", "a@b@c", "a@b@c"),
    ],
)
def test_addresses_are_compared_as_they_are_stored(field: str, written: str, stored: str) -> None:
    rule = read({"field": field, "is": "=", "value": written})
    assert to_json(rule)["rule"]["value"] == stored
    assert read(to_json(rule)["rule"]) == rule


def test_what_a_machine_may_have_done_counts_only_by_people_unless_said_otherwise() -> None:
    assert read({"did": "opened"}) == read({"did": "opened", "by": "human"})
    assert read({"did": "opened", "by": "any"}) != read({"did": "opened"})


@settings(max_examples=200, deadline=None)
@given(rule=nested_rules)
def test_what_is_written_is_read_back_and_told_in_one_sentence(rule: Rule) -> None:
    document = json.loads(json.dumps(to_json(rule)))
    assert parse_rule(document, DEFINITIONS) == rule
    sentence = describe(rule)
    assert sentence.startswith(("Contacts ", "All contacts."))
    assert sentence.endswith(".")
    assert "None" not in sentence


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([*HEADS, "contact.city", "clicked", "="]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [*HEADS, "is", "value", "within", "times", "spent", "at", "question", "last", "days"]
            )
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(rule=JSON)
def test_any_json_is_read_or_refused_and_nothing_else(rule: Any) -> None:
    try:
        assert read(rule) == parse_rule(to_json(read(rule)), DEFINITIONS)
    except BadRule as error:
        assert error.problems  # noqa: PT017 - either way is right, another error is not


def test_every_example_of_the_guide_is_a_rule() -> None:
    blocks = [block.split("```")[0] for block in GUIDE.read_text().split("```json\n")[1:]]
    assert len(blocks) > 10
    for block in blocks:
        parse_rule(decode(block), DEFINITIONS)


def test_a_country_may_be_named_and_an_unknown_one_is_no_silent_nobody():
    field = {"field": "contact.country", "is": "in"}
    assert read({**field, "value": ["Germany", "österreich", "uk"]}) == read(
        {**field, "value": ["DE", "AT", "GB"]}
    )
    with pytest.raises(BadRule) as bad:
        read({"any": [{**field, "value": ["DE", "Germoney"]}, {**field, "is": "!=", "value": "XQ"}]})
    assert [problem.where for problem in bad.value.problems] == ["rule.any[0].value[1]", "rule.any[1].value"]
    assert "GERMONEY" in str(bad.value)
