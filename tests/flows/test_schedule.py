"""Scheduling: what is due opens once, whatever ticks are missed, doubled or run by two at once."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from campaigns.errors import BadForm, NotAllowed
from campaigns.flows import audience, schedule
from campaigns.model.mail import chunks, messages, runs
from campaigns.records import campaigns, outbox, segments
from campaigns.values import CampaignState, Outcome, OutcomeKind, RunState
from tests.factories import NOW, a_campaign, a_contact, a_topic

EVERYBODY = {"version": 1, "rule": {"field": "contact.email", "is": "set"}}
SENT = Outcome(OutcomeKind.SENT, 250)


def a_ready_campaign(session, *, people=3, **over):
    topic = a_topic(session)
    for _ in range(people):
        a_contact(session, topic=topic)
    segments.save(session, f"all{topic}", "All", EVERYBODY, author="test", now=NOW)
    segment = segments.find(session, f"all{topic}")
    return a_campaign(session, topic=topic, segment_id=segment, **over)


def tick(stores, now):
    """One tick of the worker."""
    for act in (schedule.open_runs, audience.freeze_open_runs, schedule.finish_runs):
        with stores.sessions.begin() as session:
            act(session, now)


def send_all(stores, kind=OutcomeKind.SENT):
    with stores.sessions.begin() as session:
        while (chunk := outbox.claim(session, "test")) is not None:
            outcomes = {seq: Outcome(kind, 250) for seq in range(chunk.first, chunk.last + 1)}
            outbox.settle(session, chunk, outcomes, skipped={}, retry_at=None, now=NOW)


def state(stores, campaign):
    with stores.readers() as session:
        return campaigns.get(session, campaign).state


def the_runs(stores, campaign):
    with stores.readers() as session:
        return sorted(run.occurrence for run in campaigns.runs_of(session, campaign))


@pytest.fixture
def campaign(stores):
    with stores.sessions.begin() as session:
        return a_ready_campaign(session)


def scheduled(stores, campaign, now=NOW):
    with stores.sessions.begin() as session:
        return schedule.schedule(session, campaign, actor="ada", now=now)


def test_a_campaign_goes_from_draft_to_finished(stores, campaign):
    scheduled(stores, campaign)
    assert state(stores, campaign) is CampaignState.SCHEDULED
    tick(stores, NOW)
    assert state(stores, campaign) is CampaignState.RUNNING
    send_all(stores)
    tick(stores, NOW)
    assert state(stores, campaign) is CampaignState.FINISHED
    with stores.readers() as session:
        run = campaigns.runs_of(session, campaign)[0]
        assert (run.audience, run.mailable, run.sent, run.state) == (3, 3, 3, RunState.FINISHED)
        assert [line.actor for line in campaigns.log_lines(session, campaign)] == ["worker"] * 3 + [
            "ada",
            "test",
        ]


def test_unknown_messages_end_a_campaign_with_doubts(stores, campaign):
    scheduled(stores, campaign)
    tick(stores, NOW)
    send_all(stores, OutcomeKind.UNKNOWN)
    tick(stores, NOW)
    assert state(stores, campaign) is CampaignState.DOUBTS


def test_doubled_and_missed_ticks_open_one_run(stores, campaign):
    scheduled(stores, campaign)
    for minutes in (0, 0, 0, 7, 7):
        tick(stores, NOW + timedelta(minutes=minutes))
    assert len(the_runs(stores, campaign)) == 1
    with stores.readers() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(messages)) == 3


def test_two_workers_at_once_open_and_freeze_each_run_once(stores):
    with stores.sessions.begin() as session:
        made = [a_ready_campaign(session) for _ in range(6)]
        for campaign in made:
            schedule.schedule(session, campaign, actor="ada", now=NOW)
    errors = []

    def work():
        try:
            for _ in range(8):
                tick(stores, NOW)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with stores.readers() as session:
        per_run = session.execute(
            sa.select(runs.c.campaign_id, runs.c.state, sa.func.count(messages.c.seq))
            .join(messages, messages.c.run_id == runs.c.id)
            .group_by(runs.c.campaign_id, runs.c.state)
        ).all()
        everybody = 6 * 3
        assert sorted(tuple(row) for row in per_run) == [
            (campaign, "running", everybody) for campaign in made
        ]


def test_a_moment_in_the_future_is_waited_for(stores):
    later = NOW + timedelta(hours=2)
    with stores.sessions.begin() as session:
        campaign = a_ready_campaign(session, schedule="at", starts_at=later, time_zone="Europe/Berlin")
    assert scheduled(stores, campaign) == later
    tick(stores, later - timedelta(seconds=1))
    assert the_runs(stores, campaign) == []
    tick(stores, later)
    assert the_runs(stores, campaign) == ["2026-11-22T12:00:00"]


def test_a_start_missed_by_hours_waits_for_a_person(stores, campaign):
    scheduled(stores, campaign)
    tick(stores, NOW + timedelta(hours=7))
    assert the_runs(stores, campaign) == []
    assert state(stores, campaign) is CampaignState.DRAFT
    with stores.readers() as session:
        assert "missed 2026-11-22 09:00 UTC" in campaigns.log_lines(session, campaign)[0].what


def test_a_recurring_campaign_runs_each_time_and_mails_each_contact_once_a_run(stores):
    with stores.sessions.begin() as session:
        campaign = a_ready_campaign(
            session, schedule="recurring", cron="30 10 * * *", time_zone="Europe/Berlin"
        )
    assert scheduled(stores, campaign) == datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    for day in range(3):
        now = datetime(2026, 11, 22 + day, 9, 30, 5, tzinfo=UTC)
        for _ in range(2):
            tick(stores, now)
        assert state(stores, campaign) is CampaignState.RUNNING
        send_all(stores)
        tick(stores, now)
        assert state(stores, campaign) is CampaignState.SCHEDULED
    assert the_runs(stores, campaign) == ["2026-11-22T10:30", "2026-11-23T10:30", "2026-11-24T10:30"]
    with stores.readers() as session:
        each = session.execute(
            sa.select(
                messages.c.run_id, sa.func.count(), sa.func.count(messages.c.contact_id.distinct())
            ).group_by(messages.c.run_id)
        )
        assert [tuple(row)[1:] for row in each] == [(3, 3)] * 3


def test_of_several_missed_occurrences_only_the_last_is_sent(stores):
    with stores.sessions.begin() as session:
        campaign = a_ready_campaign(session, schedule="recurring", cron="0 * * * *")
    scheduled(stores, campaign)
    tick(stores, datetime(2026, 11, 22, 14, 20, tzinfo=UTC))
    assert the_runs(stores, campaign) == ["2026-11-22T14:00"]
    with stores.readers() as session:
        assert campaigns.get(session, campaign).due_at == datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


def test_a_recurring_campaign_stops_at_its_end(stores):
    with stores.sessions.begin() as session:
        end = NOW + timedelta(hours=26)
        campaign = a_ready_campaign(session, schedule="recurring", cron="0 10 * * *", ends_at=end)
    scheduled(stores, campaign)
    for day in range(4):
        now = datetime(2026, 11, 22 + day, 10, 0, tzinfo=UTC)
        tick(stores, now)
        send_all(stores)
        tick(stores, now)
    assert len(the_runs(stores, campaign)) == 2
    assert state(stores, campaign) is CampaignState.FINISHED


def test_pause_resume_and_cancel(stores, campaign):
    scheduled(stores, campaign)
    tick(stores, NOW)
    with stores.sessions.begin() as session:
        schedule.pause(session, campaign, actor="ada", now=NOW)
    with stores.sessions.begin() as session:
        assert outbox.claim(session, "test") is None
        with pytest.raises(NotAllowed, match="is paused"):
            schedule.pause(session, campaign, actor="ada", now=NOW)
        schedule.resume(session, campaign, actor="ada", now=NOW)
        schedule.cancel(session, campaign, actor="ada", now=NOW)
    tick(stores, NOW)
    assert state(stores, campaign) is CampaignState.CANCELLED
    with stores.readers() as session:
        run = campaigns.runs_of(session, campaign)[0]
        assert (run.state, run.skipped, run.finished_at) == (RunState.CANCELLED, 3, NOW)
        gates = session.scalars(sa.select(messages.c.gate)).all()
        assert gates == ["recalled"] * 3


def test_what_is_not_sent_in_time_expires(stores, campaign):
    scheduled(stores, campaign)
    tick(stores, NOW)
    tick(stores, NOW + timedelta(hours=72))
    assert state(stores, campaign) is CampaignState.FINISHED
    with stores.readers() as session:
        assert set(session.scalars(sa.select(messages.c.gate))) == {"expired"}
        assert session.scalar(sa.select(sa.func.count()).where(chunks.c.state != "done")) == 0


def test_everything_that_a_draft_lacks_is_told_at_once(session):
    empty = campaigns.create(session, "Empty", actor="ada", now=NOW, schedule="at")
    with pytest.raises(BadForm) as caught:
        schedule.schedule(session, empty, actor="ada", now=NOW)
    assert [problem.where for problem in caught.value.problems] == [
        "topic",
        "segment",
        "template",
        "sender",
        "starts at",
    ]
    assert campaigns.get(session, empty).state is CampaignState.DRAFT


def test_only_a_draft_can_be_changed(stores, campaign):
    scheduled(stores, campaign)
    with stores.sessions.begin() as session, pytest.raises(NotAllowed, match="only a draft can be changed"):
        campaigns.edit(session, campaign, now=NOW, name="Other")
