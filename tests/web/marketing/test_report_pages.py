"""The report's pages: its sentence, its lists, its files."""

import csv
import io
import re
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.model.customers import contacts
from campaigns.model.mail import messages, runs
from campaigns.records import campaigns, reports, responses, surveys
from campaigns.records.reports import PeopleList
from campaigns.records.reports import counts as kept
from campaigns.records.responses import Place
from campaigns.surveys.answers import Answer
from campaigns.tracking.instrument import SURVEY_PAGE
from campaigns.values import EventKind, Verdict
from tests.factories import NOW
from tests.records.test_reports import AFTER, ONE_QUESTION, One, bounced, clicked, opened, play, scored, sent
from web.marketing import export
from web.marketing.reports import sentence


@pytest.fixture
def run(desktop):
    with desktop.stores.sessions.begin() as session:
        number = play(
            session,
            [
                sent(opened(Verdict.HUMAN), clicked(Verdict.HUMAN)),
                sent(opened(Verdict.PRIVACY)),
                sent(bounced(hard=True)),
                One("unknown"),
                One("skipped", "no consent"),
            ],
            opened=utc_now() - timedelta(hours=2),
        )
        session.execute(
            sa.update(contacts).where(contacts.c.given_name == "Ada").values(given_name="=HYPERLINK(1)")
        )
    return number


def test_the_report_says_it_in_a_sentence_and_then_in_numbers_with_what_they_are_of(desktop, run):
    page = desktop.get(f"/reports/{run}")
    assert "Click rate 50.0% so far; after a day it can be compared with others." in page
    assert "1 of 2; likely" in page
    assert "The fate of one message is not known" in page
    assert "have not agreed to this topic" in page
    assert "The first 48 hours" in page
    assert f"/reports/{run}/people/in-doubt" in page
    with desktop.stores.readers() as session:
        campaign = campaigns.get_run(session, run).campaign_id
    assert "The first 48 hours" in desktop.client.get(
        f"/reports/campaign/{campaign}", follow_redirects=True
    ).get_data(as_text=True)
    assert f"/reports/{run}" in desktop.get("/reports/")


@pytest.mark.parametrize("which", PeopleList)
def test_every_list_has_a_page_and_a_file(desktop, run, which):
    desktop.get(f"/reports/{run}/people/{which.value}")
    answer = desktop.client.get(f"/reports/{run}/people/{which.value}.csv")
    rows = list(csv.reader(io.StringIO(answer.get_data(as_text=True).removeprefix("\ufeff"))))
    assert rows[0] == list(export.COLUMNS)
    with desktop.stores.readers() as session:
        people = reports.people(session, run, which)
    assert [int(row[0]) for row in rows[1:]] == [person.contact for person in people]


def invited(desktop, *people, **more):
    """A run that invites to a survey of one question."""
    with desktop.stores.sessions.begin() as session:
        run = play(session, list(people), **more)
        surveys.save(session, f"visit-{run}", "Visit", ONE_QUESTION, author="test", now=NOW)
        survey = surveys.find(session, f"visit-{run}")
        version = surveys.newest_version(session, survey)
        session.execute(sa.update(runs).where(runs.c.id == run).values(survey_version_id=version))
        who = session.scalars(
            sa.select(messages.c.contact_id).where(messages.c.run_id == run, messages.c.seq == 1)
        ).first()
        if who is not None:
            place = Place(survey, version, who, run, 1)
            responses.post(session, place, [Answer("nps", number=9)], language="en", now=NOW)
    return run


def test_the_report_on_a_survey_says_who_answered_and_how_they_came(desktop, run):
    asked = invited(
        desktop, sent(scored(Verdict.HUMAN)), sent(clicked(Verdict.HUMAN, SURVEY_PAGE)), sent(), sent()
    )
    page = desktop.get(f"/reports/{asked}")
    assert "Click rate 50.0%" in page
    assert re.search(r"Answered</dt>\s*<dd><span class=\"stat-value\">25.0%", page)
    assert "The survey, by a score in the mail" in page
    assert f"/reports/{asked}/people/answered" in page
    assert "person" in desktop.get(f"/reports/{asked}/people/answered")
    file = desktop.client.get(f"/reports/{asked}/people/answered.csv").get_data(as_text=True)
    assert len(file.splitlines()) == 2
    assert "/people/answered" not in desktop.get(f"/reports/{run}")  # which invites to none
    silent = desktop.get(f"/reports/{invited(desktop)}")
    assert "Nobody has followed the survey yet" in silent


def test_numbers_that_are_not_of_this_moment_say_of_which_they_are(desktop, run, monkeypatch):
    assert "As of" not in desktop.get(f"/reports/{run}")
    monkeypatch.setattr(kept, "LARGE", 1)
    with desktop.stores.sessions.begin() as session:
        kept.keep(session, kept.count_news(session, AFTER), now=utc_now() - timedelta(minutes=3))
    assert "As of <time" in desktop.get(f"/reports/{run}")


def test_the_hours_to_come_are_not_drawn(desktop):
    with desktop.stores.sessions.begin() as session:
        young = play(session, [sent()], opened=utc_now() - timedelta(hours=2, minutes=5))
    assert desktop.get(f"/reports/{young}").count(" h</th>") == 3


def test_how_somebody_left_stands_beside_them(desktop):
    with desktop.stores.sessions.begin() as session:
        left = (EventKind.UNSUBSCRIBED, Verdict.UNKNOWN, 9, {"how": "one-click post", "topic": 1})
        run = play(session, [sent(left)])
    assert "by the button of the mail program" in desktop.get(f"/reports/{run}/people/unsubscribed")


def test_blocks_stand_beside_what_came_back(desktop):
    with desktop.stores.sessions.begin() as session:
        run = play(session, [sent(bounced(hard=False, kind="block.policy")), sent()])
    assert "1 of them refused us or the mail" in desktop.get(f"/reports/{run}")


def test_a_name_that_is_a_formula_is_harmless_in_a_file(desktop, run):
    answer = desktop.client.get(f"/reports/{run}/people/clicked.csv").get_data(as_text=True)
    assert "'=HYPERLINK(1)" in answer
    for text in ("=1", "+1", "-1", "@x", "\t=1", "  =1", "＝1"):
        assert export.harmless(text).startswith("'")
    assert export.harmless("Ada = Lovelace") == "Ada = Lovelace"


def test_a_file_holds_everybody_however_many_pages_that_takes(desktop, monkeypatch):
    monkeypatch.setattr(export, "AT_ONCE", 2)
    with desktop.stores.sessions.begin() as session:
        run = play(session, [sent(clicked(Verdict.HUMAN)) for _ in range(5)])
    answer = desktop.client.get(f"/reports/{run}/people/clicked.csv").get_data(as_text=True)
    assert len(answer.splitlines()) == 6


def test_a_list_that_is_not_known_and_a_test_run_are_not_found(desktop, run):
    desktop.get(f"/reports/{run}/people/everybody", 404)
    with desktop.stores.sessions.begin() as session:
        session.execute(sa.text("update runs set kind = 'test'"))
    desktop.get(f"/reports/{run}", 404)


@pytest.mark.parametrize(
    ("rate", "average", "words"),
    [
        (0.021, 0.017, "Click rate 2.1%, 0.4 points above your average."),
        (0.017, 0.021, "Click rate 1.7%, 0.4 points below your average."),
        (0.021, 0.0211, "Click rate 2.1%, the same as your average."),
    ],
)
def test_the_sentence_compares_the_rates_as_they_are_shown(desktop, run, rate, average, words):
    with desktop.stores.readers() as session:
        report = reports.run_report(session, run, utc_now() + timedelta(days=2))
    report = replace(
        report, click_rate=replace(report.click_rate, value=rate), average=reports.Average(3, average)
    )
    with desktop.client.application.test_request_context():
        assert sentence(report) == words


def test_before_anything_is_delivered_the_sentence_says_so(desktop):
    with desktop.stores.sessions.begin() as session:
        waiting, nothing = play(session, [One("queued")]), play(session, [])
    assert "Nothing has been delivered yet; it is still going out." in desktop.get(f"/reports/{waiting}")
    assert "Nothing was delivered, so there is no click rate." in desktop.get(f"/reports/{nothing}")
