"""What is wrong with a rule or a survey is said in German too."""

import json
from collections.abc import Iterator

import pytest
from flask import Flask, g, render_template_string

from campaigns.errors import BadForm, BadRule
from campaigns.segments.reading import decode, parse_rule
from campaigns.surveys.form import parse_form
from web.problems import said

RULES = [
    {"field": "contact.contry", "is": "=", "value": "DE"},
    {"field": "contact.country", "is": "like", "value": "DE"},
    {"field": "contact.birthday", "is": "contains", "value": "1"},
    {"field": "contact.city", "is": "=", "value": 7},
    {"field": "contact.city", "is": "="},
    {"field": "contact.birthday", "is": "before", "value": "2026-02-30"},
    {"field": "contact.country", "is": "=", "value": "XX"},
    {"did": "click", "times": {"at least": -1}, "within": {"last": {"days": "x"}}},
    {"bought": 7, "spent": 3},
    {"consent": "news", "is": "maybe"},
    {"all": []},
    {"all": {}, "any": []},
    7,
    {"field": "contact.city", "is": "set", "value": "x", "more": 1},
]
FORMS = [
    {"version": 2, "title": "", "questions": []},
    {"version": 1, "title": "T", "questions": [{"key": "A b", "type": "scal", "text": 7, "required": "yes"}]},
    {
        "version": 1,
        "title": "T",
        "questions": [{"key": "a", "type": "scale", "text": "x", "low": 5, "high": 1}],
    },
    {"version": 1, "titl": "T", "questions": {}},
]
ENGLISH = (
    " is ",
    "not a",
    " has ",
    "Write",
    "Correct",
    "means",
    "names ",
    "Use ",
    "Did you",
    "Known",
    "line ",
)


@pytest.fixture
def in_german(app: Flask) -> Iterator[None]:
    with app.test_request_context():
        g.locale = "de_DE"
        yield


def problems_of(document: object) -> list[str]:
    parse = parse_form if isinstance(document, dict) and "version" in document else _rule
    with pytest.raises((BadRule, BadForm)) as bad:
        parse(document)
    return [words for problem in bad.value.problems for words in (problem.what, problem.cure) if words]


def _rule(document: object) -> object:
    return parse_rule({"version": 1, "rule": document})


@pytest.mark.usefixtures("in_german")
@pytest.mark.parametrize("document", [*RULES, *FORMS], ids=json.dumps)
def test_what_is_wrong_is_said_without_english_words(document: object) -> None:
    for words in problems_of(document):
        german = f" {said(words)} "
        assert not [english for english in ENGLISH if english in german], words


@pytest.mark.usefixtures("in_german")
def test_values_stay_as_they_were_typed_and_harmless() -> None:
    with pytest.raises(BadRule) as bad:
        decode('{"a": }')
    assert said(bad.value.problems[0].what) == "ist kein JSON: Zeile 1, Zeichen 7: ein Wert fehlt."
    assert (
        said("names '%(x)s <b>', which is no field.") == "nennt '%(x)s <b>'; ein solches Feld gibt es nicht."
    )
    page = render_template_string("{{ said(words) }}", words="names '<b>', which is no field.")
    assert "<b>" not in page


def test_an_english_reader_reads_what_was_written(app: Flask) -> None:
    with app.test_request_context():
        for document in (*RULES, *FORMS):
            for words in problems_of(document):
                assert said(words) == words
