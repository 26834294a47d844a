"""Consents that came by an import count as said: in segments, in their explanation and in the stream."""

import pytest
import sqlalchemy as sa

from campaigns.model.consent import consents
from campaigns.model.events import events
from campaigns.records import consent, customers, segments
from campaigns.values import TopicClass
from tests.factories import NOW
from tests.flows.test_importing_contacts import Importer

PEOPLE = (
    "email,consent,consent at,consent source\n"
    "ada@example.com,yes,2026-01-02,shop\nbob@example.com,no,2026-02-03,shop\ncyd@example.com,,,\n"
    "dee@example.com,yes,2026-03-04,shop\ndee@example.com,no,2026-04-05,shop\n"
)


@pytest.fixture
def importer(stores, tmp_path):
    with stores.sessions.begin() as session:
        consent.add_topic(session, "news", "News", TopicClass.MARKETING, now=NOW)
    made = Importer(stores, tmp_path, NOW)
    made(PEOPLE, topic="news")
    return made


def test_an_import_writes_no_event_of_a_word(importer):
    assert len(importer.rows(consents, "id")) == 4
    kinds = {row[0] for row in importer.rows(events, "kind")}
    assert not any(kind.startswith("consent") for kind in kinds)


@pytest.mark.parametrize(
    ("leaf", "who"),
    [
        ({"did": "consent granted"}, "ada dee"),
        ({"did_not": "consent granted"}, "bob cyd"),
        ({"did": "consent withdrawn"}, "bob dee"),
        ({"did": "consent granted", "who": "customer"}, "ada dee"),
        ({"did": "consent granted", "times": {"at least": 2}}, ""),
        ({"did": "consent granted", "within": {"between": ["2026-03-01", "2026-03-31"]}}, "dee"),
        ({"did": "consent granted", "within": {"last": {"days": 30}}}, ""),
    ],
)
def test_a_segment_knows_what_an_import_said(importer, leaf, who):
    with importer.stores.readers() as session:
        rule = segments.read(session, {"version": 1, "rule": leaf})
        names = {importer.person(f"{name}@example.com")["id"]: name for name in ("ada", "bob", "cyd", "dee")}
        found = segments.members(session, rule, importer.now, 10)
        assert sorted(names[one] for one in found) == who.split()
        for contact in names:
            assert segments.explain(session, rule, contact, importer.now).member is (contact in found)


def test_the_explanation_says_when(importer):
    with importer.stores.readers() as session:
        rule = segments.read(session, {"version": 1, "rule": {"did": "consent granted"}})
        ada = importer.person("ada@example.com")["id"]
        assert "1 times, last 2026-01-02" in segments.explain(session, rule, ada, importer.now).rule.found


def test_the_stream_shows_the_words_among_the_consents(importer):
    at = importer.person("dee@example.com")["customer_id"]
    with importer.stores.readers() as session:
        topic = consent.topic(session, "news").id
        page = customers.stream(session, at, group="consent")
        told = [(one.kind, f"{one.at:%Y-%m-%d}", one.detail["topic"]) for one in page.entries]
        assert told == [
            ("consent withdrawn", "2026-04-05", topic),
            ("consent granted", "2026-03-04", topic),
        ]
        assert len(customers.stream(session, at).entries) == 3  # these, and the arrival
        assert not customers.stream(session, at, group="mail").entries
        assert session.scalar(sa.select(sa.func.count()).select_from(consents)) == 4
