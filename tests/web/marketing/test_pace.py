"""How fast a run goes, by what it did while it was not paused."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from campaigns.records import campaigns
from campaigns.records.campaigns import LogLine, Run
from campaigns.values import CampaignState
from tests.factories import NOW, a_campaign, a_run, a_topic
from web.marketing.campaigns.times import is_soon, paused, progress


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def lines(*said: tuple[float, str]) -> list[LogLine]:
    """A log, newest first as pages get it."""
    return [LogLine(at(minutes), "mia", what) for minutes, what in sorted(said, reverse=True)]


@pytest.fixture
def run(session) -> Run:
    made = campaigns.get_run(session, a_run(session, a_campaign(session, topic=a_topic(session))))
    return replace(made, frozen_at=NOW, mailable=1000, sent=300)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("word", ["paused", "paused: every mail of a chunk was refused"])
def test_a_pause_does_not_slow_the_pace_down(run, word):
    log = lines((-5, "scheduled"), (2, word), (62, "resumed"))
    found = progress(run, at(63), log)
    assert (found.per_minute, found.left) == (100, timedelta(minutes=7))
    assert progress(run, at(63)).per_minute == pytest.approx(300 / 63)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_throttled_run_is_never_said_to_be_faster_than_its_pace(run):
    found = progress(replace(run, per_minute=60), at(0.1))
    assert found.per_minute == 60
    assert found.left == timedelta(minutes=700 / 60)
    assert progress(replace(run, per_minute=60), at(10)).per_minute == 30  # but slower, if so it goes


@pytest.mark.parametrize(
    ("said", "minutes"),
    [
        ([], 0),
        ([(3, "paused")], 7),
        ([(3, "paused"), (4, "resumed"), (6, "paused"), (8, "resumed")], 3),
        ([(-9, "paused"), (-8, "resumed")], 0),
        ([(-9, "paused"), (2, "resumed")], 2),
        ([(3, "paused"), (5, "cancelled")], 2),
        ([(3, "paused"), (4, "A mail of run 1 was refused"), (5, "resumed"), (6, "named anew")], 2),
    ],
)
def test_pauses_are_read_from_the_log(said, minutes):
    assert paused(lines(*said), NOW, at(10)) == timedelta(minutes=minutes)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("state", "due", "soon"),
    [("scheduled", 0.9, True), ("scheduled", -30, True), ("scheduled", 1.1, False), ("paused", 0, False)],
)
def test_what_goes_out_within_a_minute_is_waited_for(session, state, due, soon):
    campaign = campaigns.get(session, a_campaign(session, topic=a_topic(session)))
    assert is_soon(replace(campaign, state=CampaignState(state), due_at=at(due)), NOW) is soon
    assert not is_soon(replace(campaign, state=CampaignState(state), due_at=None), NOW)
