"""Surveys are versioned, responses hold the last post, and attributes are dated and sourced."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.errors import BadForm, NotFound
from campaigns.model.customers import contacts, customers
from campaigns.model.surveys import answers, responses
from campaigns.records import attributes, surveys
from campaigns.records import responses as answered
from campaigns.records.attributes import Source
from campaigns.records.responses import Place
from campaigns.surveys.answers import Answer
from campaigns.surveys.form import Form, parse_form

MINUTE = timedelta(minutes=1)


def form(title: str = "Your visit") -> Form:
    scale = {"key": "nps", "type": "scale", "text": "Would you recommend us?", "attribute": "nps"}
    wish = {
        "key": "wish", "type": "multiple", "text": "What next?",
        "choices": [{"key": "jazz", "text": "Jazz"}, {"key": "rock", "text": "Röck"}], "attribute": "wishes",
    }  # fmt: skip
    return parse_form({"version": 1, "title": {"en": title, "de": "Ihr Besuch"}, "questions": [scale, wish]})


@pytest.fixture
def contact(session: Session, now: datetime) -> int:
    stamps = {"created_at": now, "updated_at": now}
    customer = session.execute(sa.insert(customers).values(stamps).returning(customers.c.id)).scalar_one()
    row = {"customer_id": customer, "email": "ada@example.com", "attributes": {"shoe": 38}, **stamps}
    return session.execute(sa.insert(contacts).values(row).returning(contacts.c.id)).scalar_one()


@pytest.fixture
def place(session: Session, contact: int, now: datetime) -> Place:
    version = surveys.save(session, "visit", "Visit", form(), author="mia", now=now)
    return Place(surveys.edition(session, version).survey, version, contact, run=7, seq=3)


def held(session: Session, contact: int) -> dict[str, object]:
    return session.execute(sa.select(contacts.c.attributes).where(contacts.c.id == contact)).scalar_one()


def test_a_form_comes_back_as_it_was_saved(session: Session, now: datetime) -> None:
    version = surveys.save(session, "visit", "Visit", form(), author="mia", now=now)
    assert surveys.form_of(session, version) == form()


def test_the_first_language_stands_in_for_those_missing(session: Session, now: datetime) -> None:
    version = surveys.save(session, "visit", "Visit", form(), author="mia", now=now)
    assert surveys.form_of(session, version).title.read("fr") == "Your visit"


def test_each_save_is_a_version_and_the_older_one_stays(session: Session, now: datetime) -> None:
    first = surveys.save(session, "visit", "Visit", form("One"), author="mia", now=now)
    second = surveys.save(session, "visit", "Visit", form("Two"), author="mia", now=now)
    survey = surveys.find(session, "visit")
    assert survey is not None
    assert surveys.newest_version(session, survey) == second
    assert surveys.form_of(session, first).title.read("en") == "One"
    assert [(row.key, row.version) for row in surveys.listing(session)] == [("visit", 2)]


def test_what_is_not_there_is_not_found(session: Session) -> None:
    assert surveys.find(session, "nothing") is None
    for look in (surveys.newest_version, surveys.form_of):
        with pytest.raises(NotFound):
            look(session, 99)


def test_an_archived_survey_is_closed_and_not_offered(session: Session, place: Place, now: datetime) -> None:
    surveys.archive(session, place.survey, now=now)
    assert surveys.edition(session, place.version).closed
    assert surveys.listing(session) == []


def test_a_form_defines_the_attributes_its_answers_become(session: Session, place: Place) -> None:
    assert {key: one.type for key, one in attributes.definitions(session).items()} == {
        "nps": "number",
        "wishes": "list",
    }


def test_an_attribute_keeps_its_type(session: Session, place: Place, now: datetime) -> None:
    scale = {"key": "x", "type": "scale", "text": "How many?", "attribute": "wishes"}
    other = parse_form({"version": 1, "title": "Other", "questions": [scale]})
    with pytest.raises(BadForm, match="wishes: is an attribute of type list, not number"):
        surveys.save(session, "other", "Other", other, author="mia", now=now)


def test_the_last_post_holds_and_there_is_one_response(session: Session, place: Place, now: datetime) -> None:
    answered.post(session, place, [Answer("nps", number=3)], language="en", now=now)
    later = [Answer("nps", number=9), Answer("wish", choices=("jazz", "rock"))]
    before = answered.post(session, place, later, language="de", now=now + MINUTE)
    assert before is not None
    assert before.answers == (Answer("nps", number=3),)
    found = answered.find(session, place)
    assert found is not None
    assert found.answers == tuple(later)
    assert session.scalar(sa.select(sa.func.count()).select_from(responses)) == 1
    assert session.scalar(sa.select(sa.func.count()).select_from(answers)) == 3


def test_the_same_post_again_says_nothing_new(session: Session, place: Place, now: datetime) -> None:
    given = [Answer("nps", number=3), Answer("wish", choices=("jazz",))]
    assert answered.post(session, place, given, language="en", now=now) is not None
    assert answered.post(session, place, given[::-1], language="en", now=now + MINUTE) is None
    found = answered.find(session, place)
    assert found is not None
    assert found.posted_at == now


def test_a_provisional_response_is_not_posted_and_has_no_answers(
    session: Session, place: Place, now: datetime
) -> None:
    first = answered.start(session, place, language="en", now=now)
    assert answered.start(session, place, language="en", now=now + MINUTE) == first
    assert not answered.is_posted(session, contact=place.contact, run=7)
    found = answered.find(session, place)
    assert found is not None
    assert found.answers == ()
    assert answered.post(session, place, [], language="en", now=now) is not None  # even an empty post is one
    assert answered.is_posted(session, contact=place.contact, run=7)
    assert not answered.is_posted(session, contact=place.contact, run=8)


def test_what_is_learnt_is_kept_dated_and_sourced_and_the_newest_holds(
    session: Session, contact: int, now: datetime
) -> None:
    survey = Source("survey", "visit v1")
    attributes.learn(session, contact, {"nps": 3, "wishes": ["Jazz", "Röck"]}, at=now, source=survey)
    attributes.learn(session, contact, {"nps": 9}, at=now + MINUTE, source=survey)
    attributes.learn(session, contact, {"nps": 1}, at=now - MINUTE, source=Source("import", "old.csv"))
    assert held(session, contact) == {"shoe": 38, "nps": 9, "wishes": ["Jazz", "Röck"]}
    assert [
        (one.value, one.at, one.source.kind) for one in attributes.facts(session, contact) if one.key == "nps"
    ] == [
        (9, now + MINUTE, "survey"),
        (3, now, "survey"),
        (1, now - MINUTE, "import"),
    ]


def test_a_value_taken_back_is_gone_but_not_forgotten(session: Session, contact: int, now: datetime) -> None:
    attributes.learn(session, contact, {"nps": 3}, at=now, source=Source("survey"))
    attributes.learn(session, contact, {"nps": None}, at=now + MINUTE, source=Source("survey"))
    assert held(session, contact) == {"shoe": 38}
    assert [one.value for one in attributes.facts(session, contact)] == [None, 3]
