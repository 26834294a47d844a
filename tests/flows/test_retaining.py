"""Retention: old events go, every number of a report stays, and nothing else is touched."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from campaigns.cli import retaining as command
from campaigns.errors import NotAllowed
from campaigns.flows import retaining
from campaigns.model.consent import consents, suppressions
from campaigns.model.events import event_keys, events, hits
from campaigns.model.mail import campaigns as campaigns_table
from campaigns.model.mail import messages
from campaigns.records import history, partitions, reports, retention
from campaigns.records import suppressions as suppressing
from campaigns.values import EventKind, Fact, Verdict
from tests.factories import NOW, a_contact, a_topic
from tests.records.test_reports import bounced, clicked, opened, play, sent

LONG_AGO = NOW - timedelta(days=500)


def counted(session, table):
    return session.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def numbers(session, run):
    report = reports.run_report(session, run, NOW)
    return [getattr(report, name) for name in report.__slots__ if name != "at"]


@pytest.fixture
def runs(stores):
    """An old run and a young one, months ahead of both, with consent and a suppression."""
    people = [sent(opened(Verdict.HUMAN), clicked(Verdict.HUMAN)), sent(bounced(hard=True)), sent()]
    with stores.sessions.begin() as session:
        partitions.make_ahead(session, NOW)
        partitions.make_ahead(session, LONG_AGO)
        a_contact(session, topic=a_topic(session))
        suppressing.add(session, b"x" * 16, "hard bounce", now=LONG_AGO)
        hit = {"kind": "open", "run_id": 1, "seq": 1, "contact_id": 1, "method": "GET", "agent": "x"}
        for at in (LONG_AGO, NOW):
            session.execute(sa.insert(hits).values(at=at, address="192.0.2.1", headers="", **hit))
        history.record(session, Fact(EventKind.ORDERED, NOW - timedelta(days=4000), "an old order"))
        return play(session, people, opened=LONG_AGO, linked=True), play(session, people, linked=True)


@pytest.fixture
def retain(stores, monkeypatch, tmp_path):
    monkeypatch.setenv("POSTROOM_DATA", str(tmp_path))
    monkeypatch.setenv("POSTROOM_DATABASE_URL", stores.engine.url.render_as_string(hide_password=False))
    monkeypatch.setattr(command, "utc_now", lambda: NOW)
    monkeypatch.setattr(retention, "BATCH", 2)

    def run(*arguments):
        result = CliRunner().invoke(command.retain, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    return run


def test_old_events_go_and_every_number_of_the_reports_stays(stores, runs, retain):
    untouched = (consents, suppressions, messages)
    with stores.readers() as session:
        before = [numbers(session, run) for run in runs]
        lines = reports.latest_runs(session)
        others = [counted(session, table) for table in untouched]
    retain("--events", "13", "--yes")
    with stores.readers() as session:
        left = session.execute(sa.select(events.c.run_id, sa.func.count()).group_by(events.c.run_id)).all()
        assert left == [(runs[1], 3)]
        assert session.scalars(sa.select(hits.c.at)).all() == [NOW]
        assert [numbers(session, run) for run in runs] == before
        assert reports.latest_runs(session) == lines
        assert [counted(session, table) for table in untouched] == others
        if stores.engine.dialect.name == "postgresql":
            assert counted(session, event_keys) == 3
            assert partitions.months(session)[0] == datetime(2025, 11, 1, tzinfo=UTC).date()
    again = retain("--events", "13", "--yes")
    assert "0 events and 0 hits" in again


def test_a_dry_run_says_what_would_go_and_changes_nothing(stores, runs, retain):
    said = retain("--events", "13", "--dry-run")
    assert "Older than 01 October 2025: 4 events and 1 hit" in said
    assert "the counts of 1 run are made final" in said
    with stores.readers() as session:
        assert counted(session, events) == 7


def test_without_a_yes_nothing_goes(stores, runs, retain):
    result = CliRunner().invoke(command.retain, ["--events", "13"], input="n\n")
    assert result.exit_code == 1
    with stores.readers() as session:
        assert counted(session, events) == 7


@pytest.mark.parametrize(
    ("months", "oldest"), [(1, "2026-10-01"), (10, "2026-01-01"), (11, "2025-12-01"), (13, "2025-10-01")]
)
def test_whole_months_are_kept_before_the_running_one(months, oldest):
    assert f"{retention.cutoff(NOW, months):%Y-%m-%d}" == oldest


def test_events_that_a_frequency_cap_needs_are_not_let_go(session, runs):
    session.execute(sa.update(campaigns_table).values(cap_count=2, cap_days=90))
    with pytest.raises(NotAllowed, match="looks back 90 days; keep events for at least 4 months"):
        retaining.plan(session, 1, NOW)


def test_old_hits_keep_only_the_network_that_they_came_from(stores, retain):
    seen = {
        "198.51.100.77": "198.51.100.0/24", "2001:db8:5:6::7": "2001:db8:5::/48", "": "", "not one": "not one",
        "203.0.113.0/24": "203.0.113.0/24",
    }  # fmt: skip
    hit = {
        "kind": "open",
        "run_id": 1,
        "seq": 1,
        "contact_id": 1,
        "method": "GET",
        "agent": "x",
        "headers": "",
    }
    with stores.sessions.begin() as session:
        for at in (NOW - timedelta(days=91), NOW):
            session.execute(sa.insert(hits), [{**hit, "at": at, "address": address} for address in seen])
    assert "0 hits with a whole address" in retain("--addresses", "120", "--dry-run")
    assert "3 hits with a whole address" in retain("--dry-run")  # one of them has none, as we find then
    for _ in range(2):
        retain("--yes")
    with stores.readers() as session:
        rows = session.execute(sa.select(hits.c.at, hits.c.address).order_by(hits.c.id)).all()
    assert [row.address for row in rows] == [*seen.values(), *seen]
