"""The report's pages: its sentence, its lists, its files."""

import csv
import io
from dataclasses import replace

import pytest
import sqlalchemy as sa

from campaigns.model.customers import contacts
from campaigns.records import campaigns, reports
from campaigns.records.reports import PeopleList
from campaigns.values import Verdict
from tests.records.test_reports import AFTER, One, bounced, clicked, opened, play, sent
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
        report = reports.run_report(session, run, AFTER)
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
