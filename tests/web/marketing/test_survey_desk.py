"""The pages of surveys, and the ways from an empty campaign to where its choices are made."""

import json

import pytest

from campaigns.clock import utc_now
from campaigns.records import responses, surveys
from campaigns.records.responses import Place
from campaigns.records.staff import Desk
from campaigns.surveys.form import parse_form
from tests.web.marketing.conftest import HOSTILE
from web.marketing.surveys import EXAMPLE, in_words, written

WHY = {"key": "why", "type": "text", "text": "Why?"}


@pytest.fixture
def database_url(sqlite_only):
    return sqlite_only


def asking(*questions, title="T"):
    return json.dumps({"version": 1, "title": title, "questions": questions})


def listed(desktop):
    with desktop.stores.readers() as session:
        return surveys.listing(session)


def test_the_example_is_a_survey_as_it_stands_in_both_languages(desktop):
    assert "No survey yet" in desktop.get("/surveys/")
    page = desktop.post("/surveys/", name="Visit ß", form=written(EXAMPLE))
    assert "A number from 0 to 10" in page
    [row] = listed(desktop)
    assert (row.key, row.form.languages()) == ("visit-ss", ("en", "de"))
    assert row.form == parse_form(EXAMPLE)


def test_every_problem_is_told_with_its_path_and_what_was_typed_stays(desktop):
    bad = asking({"key": "Bad Key", "type": "single", "text": "", "choices": []}, WHY, WHY)
    page = desktop.post("/surveys/", 422, name=" ", form=bad)
    for path in ("name", "questions[0].key", "questions[0].text", "questions[0].choices", "questions"):
        assert f"<strong>{path}</strong>" in page or f"{path}: " in page
    assert "Bad Key" in page
    assert listed(desktop) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 20000, "x" * 200_001, '{"version": 1e999}'])
def test_what_is_no_form_is_refused_with_a_reason(desktop, text):
    assert "finding-bad" in desktop.post("/surveys/check", 200, part=True, form=text)
    desktop.post("/surveys/", 422, name="A name", form=text)


def test_an_edit_is_a_new_version_and_a_response_is_counted(desktop):
    desktop.post("/surveys/", name="Visit", form=asking(WHY))
    [row] = listed(desktop)
    with desktop.stores.sessions.begin() as session:
        version = surveys.newest_version(session, row.id)
        for contact, posted in ((1, True), (2, False)):
            place = Place(row.id, version, contact, 0, 0)
            responses.start(session, place, language="en", now=utc_now())
            if posted:
                responses.post(session, place, (), language="en", now=utc_now())
    page = desktop.post(f"/surveys/{row.id}", form=asking(WHY, {**WHY, "key": "more"}))
    assert "Version 2, key visit." in page
    assert "<strong>1</strong> response" in page
    desktop.post(f"/surveys/{row.id}", 422, form=asking())
    assert [one.version for one in listed(desktop)] == [2]


def test_an_attribute_of_another_type_is_refused(desktop):
    scale = {"key": "n", "type": "scale", "text": "N", "attribute": "same"}
    desktop.post("/surveys/", name="One", form=asking(scale))
    desktop.post("/surveys/", 422, name="Two", form=asking({**WHY, "attribute": "same"}))
    assert [row.name for row in listed(desktop)] == ["One"]


def test_a_closed_survey_is_listed_no_more(desktop):
    desktop.post("/surveys/", name="Visit", form=asking(WHY))
    [row] = listed(desktop)
    assert "takes no more answers" in desktop.post(f"/surveys/{row.id}/archive")
    assert listed(desktop) == []
    for path in (f"/surveys/{row.id}", f"/surveys/{row.id}/edit", "/surveys/99"):
        desktop.get(path, 404)


def test_a_hostile_question_is_only_a_question(desktop):
    choices = [{"key": "a", "text": HOSTILE}]
    hostile = asking(
        {"key": "q", "type": "multiple", "text": HOSTILE, "choices": choices},
        {"key": "p", "type": "product", "text": HOSTILE, "category": HOSTILE},
        title=HOSTILE,
    )
    desktop.post("/surveys/", name=HOSTILE, form=hostile)
    [row] = listed(desktop)
    for path in ("/surveys/", f"/surveys/{row.id}", f"/surveys/{row.id}/edit"):
        assert "<script>alert" not in desktop.get(path)


def test_each_kind_of_question_is_said_in_words(desktop):
    with desktop.client.application.test_request_context():
        form = parse_form(
            asking(
                {
                    "key": "a",
                    "type": "single",
                    "text": "A",
                    "choices": [{"key": "x", "text": "X"}, {"key": "y", "text": "Y"}],
                },
                {"key": "b", "type": "scale", "text": "B", "low": 1, "high": 5},
                {"key": "c", "type": "product", "text": "C", "skus": ["S-1", "S-2"]},
            )
        )
        assert [in_words(question, "en") for question in form.questions] == [
            "One of: X, Y",
            "A number from 1 to 5",
            "Any of these products: S-1, S-2",
        ]


def test_surveys_are_the_marketing_desks(desktop):
    for desk in (Desk.SALES, Desk.SERVICE):
        assert desktop.at(desk).get("/surveys/").status_code == 403
    assert desktop.client.post("/surveys/", data={"name": "X", "form": asking(WHY)}).status_code == 400
