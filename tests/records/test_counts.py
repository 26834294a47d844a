"""Kept counts: the same as counted afresh, renewed by news, final once their events may go."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from campaigns.model.events import events
from campaigns.model.mail import run_figures
from campaigns.records import campaigns, history, reports
from campaigns.records.reports import counts
from campaigns.records.reports.figures import SCORES, ByVerdict
from campaigns.values import EventKind, Fact, Verdict
from tests.factories import NOW
from tests.records.test_reports import One, bounced, clicked, happened, opened, play, sent

LATER = NOW + timedelta(days=1)


@pytest.fixture
def run(session):
    people = [
        sent(opened(Verdict.MACHINE), opened(Verdict.HUMAN, 200), clicked(Verdict.HUMAN, link=1)),
        sent(clicked(Verdict.MACHINE), happened(EventKind.UNSUBSCRIBED), domain="other.example"),
        sent(bounced(hard=True)),
        One("failed"),
        One("skipped", gate="frequency cap"),
        One("skipped", gate="suppressed", late=True),
    ]
    return play(session, people, linked=True)


def report(session, run, now=LATER):
    found = reports.run_report(session, run, now)
    return [getattr(found, name) for name in found.__slots__ if name != "at"]


def one_tick(session, now=LATER):
    counts.note_news(session)
    counted = counts.count_news(session, now)
    counts.keep(session, counted, now=now)
    return [one.run for one in counted]


def test_a_report_from_kept_counts_says_the_same(session, run, monkeypatch):
    before = report(session, run)
    lines = reports.latest_runs(session)
    monkeypatch.setattr(counts, "LARGE", 1)
    assert one_tick(session) == [run]
    assert counts.kept_of(session, [run])[run].counts == counts.count(
        session, campaigns.get_run(session, run)
    )
    assert report(session, run) == before
    assert reports.run_report(session, run, LATER + timedelta(hours=1)).at == LATER
    assert reports.latest_runs(session) == lines


def test_a_small_run_is_always_counted_afresh(session, run):
    assert one_tick(session) == []
    assert reports.run_report(session, run, LATER).at == LATER


def test_kept_counts_are_renewed_by_news_and_not_without(session, run, monkeypatch):
    monkeypatch.setattr(counts, "LARGE", 1)
    one_tick(session)
    assert one_tick(session, LATER + timedelta(minutes=2)) == []
    history.record(session, Fact(EventKind.COMPLAINED, LATER, "new", None, None, run, 1))
    assert reports.run_report(session, run, LATER).complained == 0
    assert one_tick(session, LATER + timedelta(minutes=4)) == [run]
    assert reports.run_report(session, run, LATER).complained == 1
    # once more, for what was written with an older number meanwhile, and then no more
    assert one_tick(session, LATER + timedelta(minutes=6)) == [run]
    assert one_tick(session, LATER + timedelta(minutes=8)) == []


def test_a_run_is_not_counted_again_at_once(session, run, monkeypatch):
    monkeypatch.setattr(counts, "LARGE", 1)
    one_tick(session)
    counts.note_verdicts(session, {run})
    assert one_tick(session, LATER + timedelta(seconds=59)) == []
    assert one_tick(session, LATER + timedelta(seconds=60)) == [run]


def test_what_an_earlier_version_kept_is_read_and_counted_anew(session, run, monkeypatch):
    monkeypatch.setattr(counts, "LARGE", 1)
    before = report(session, run)
    one_tick(session)
    [old] = session.scalars(sa.select(run_figures.c.figures).where(run_figures.c.run_id == run))
    old = {name: found for name, found in old.items() if name not in ("left", "blocked")}
    old["hits"] = {**old["hits"], "unsubscribed": {"human": 0, "unknown": 7, "privacy": 0, "machine": 0}}
    session.execute(sa.update(run_figures).where(run_figures.c.run_id == run).values(figures=old))
    assert reports.run_report(session, run, LATER).unsubscribed == 7
    later = LATER + timedelta(minutes=2)
    assert one_tick(session, later) == [run]
    assert report(session, run) == before
    assert one_tick(session, later + timedelta(minutes=2)) == []


def test_another_verdict_is_news(session, run, monkeypatch):
    monkeypatch.setattr(counts, "LARGE", 1)
    one_tick(session)
    one_tick(session, LATER + timedelta(minutes=2))
    counts.note_verdicts(session, {run, run + 1})
    assert one_tick(session, LATER + timedelta(minutes=4)) == [run]


def test_final_counts_outlive_their_events_and_never_change(session, run, monkeypatch):
    before = report(session, run)
    lines = reports.latest_runs(session)
    assert counts.open_before(session, LATER) == [run]
    counts.close(session, [counts.count_last(session, run)], now=LATER)
    assert counts.open_before(session, LATER) == []
    session.execute(sa.delete(events))
    assert report(session, run) == before
    assert reports.latest_runs(session) == lines
    counts.close(session, [counts.count_last(session, run)], now=LATER + timedelta(days=1))
    monkeypatch.setattr(counts, "LARGE", 1)
    counts.note_verdicts(session, {run})
    assert one_tick(session, LATER + timedelta(days=2)) == []
    assert report(session, run) == before


def test_who_clicked_a_score_has_clicked_in_final_counts_of_earlier_versions_too(session, run):
    counts.close(session, [counts.count_last(session, run)], now=LATER)
    mine = run_figures.c.run_id == run
    figures = session.scalar(sa.select(run_figures.c.figures).where(mine))
    nobody = {"human": 0, "unknown": 0, "privacy": 0, "machine": 2}
    earlier = figures | {"scores": 3, "clickers": 0, "links": {}}
    earlier["hits"] = figures["hits"] | {"clicked": nobody}
    session.execute(sa.update(run_figures).where(mine).values(figures=earlier))
    found = counts.kept_of(session, [run])[run].counts
    assert found.clickers == 3
    assert found.hits[EventKind.CLICKED] == ByVerdict(human=3, machine=2)
    assert found.links == {SCORES: ByVerdict(human=3)}
    assert counts.clicked_and_returned(session, [run])[run][0] == 3
    session.execute(sa.update(run_figures).where(mine).values(figures=earlier | {"scores": 0}))
    found = counts.kept_of(session, [run])[run].counts
    assert (found.clickers, found.hits[EventKind.CLICKED].human, found.links) == (0, 0, {})
    assert counts.clicked_and_returned(session, [run])[run][0] == 0
