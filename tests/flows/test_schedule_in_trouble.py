"""Scheduling when something goes wrong: pauses in between, and campaigns that cannot be opened or frozen."""

import threading
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa

from campaigns.flows import schedule
from campaigns.model.mail import campaigns as campaigns_table
from campaigns.model.mail import chunks, messages, segment_versions
from campaigns.records import audience as audience_records
from campaigns.records import campaigns, outbox
from campaigns.values import CampaignState, RunState
from tests.factories import NOW
from tests.flows.test_schedule import a_ready_campaign, scheduled, send_all, state, tick


@pytest.fixture
def campaign(stores):
    with stores.sessions.begin() as session:
        return a_ready_campaign(session)


def act(stores, verb, campaign):
    with stores.sessions.begin() as session:
        verb(session, campaign, actor="ada", now=NOW)


def open_runs(stores):
    with stores.sessions.begin() as session:
        schedule.open_runs(session, NOW)


def the_run(stores, campaign):
    with stores.readers() as session:
        return campaigns.runs_of(session, campaign)[0]


def test_a_pause_before_the_freeze_holds_and_resuming_mails_everybody(stores, campaign):
    scheduled(stores, campaign)
    open_runs(stores)
    act(stores, schedule.pause, campaign)
    tick(stores, NOW)
    assert the_run(stores, campaign).state is RunState.PAUSED
    with stores.readers() as session:
        assert not outbox.has_work(session)
    act(stores, schedule.resume, campaign)
    tick(stores, NOW)
    send_all(stores)
    tick(stores, NOW)
    assert (state(stores, campaign), the_run(stores, campaign).sent) == (CampaignState.FINISHED, 3)


def test_a_pause_during_the_freeze_holds(stores, campaign, monkeypatch):
    scheduled(stores, campaign)
    open_runs(stores)
    began, whole = threading.Event(), audience_records._stretches

    def slow(*given, **named):
        began.set()
        time.sleep(0.5)
        return whole(*given, **named)

    monkeypatch.setattr(audience_records, "_stretches", slow)
    thread = threading.Thread(target=tick, args=(stores, NOW))
    thread.start()
    assert began.wait(120)
    act(stores, schedule.pause, campaign)
    thread.join()
    assert (state(stores, campaign), the_run(stores, campaign).state) == (
        CampaignState.PAUSED,
        RunState.PAUSED,
    )


def test_cancelling_what_was_paused_before_the_freeze_ends_it(stores, campaign):
    scheduled(stores, campaign)
    open_runs(stores)
    act(stores, schedule.pause, campaign)
    act(stores, schedule.cancel, campaign)
    tick(stores, NOW)
    assert the_run(stores, campaign).state is RunState.CANCELLED
    assert the_run(stores, campaign).finished_at == NOW


def test_a_pause_while_the_last_tick_finishes_can_be_resumed(stores, campaign, monkeypatch):
    """On PostgreSQL the pause comes in between; the run must not end under a paused campaign."""
    if stores.engine.dialect.name == "sqlite":
        pytest.skip("writers are alone")
    scheduled(stores, campaign)
    tick(stores, NOW)
    send_all(stores)
    whole, once = outbox.is_drained, iter([True])

    def meanwhile(session, run):
        if next(once, False):
            act(stores, schedule.pause, campaign)
        return whole(session, run)

    with monkeypatch.context() as patched:
        patched.setattr(outbox, "is_drained", meanwhile)
        tick(stores, NOW)
    act(stores, schedule.resume, campaign)
    tick(stores, NOW)
    assert state(stores, campaign) is CampaignState.FINISHED


def test_a_campaign_that_cannot_be_opened_goes_back_to_a_person_and_holds_up_no_other(stores, campaign):
    with stores.sessions.begin() as session:
        fine = a_ready_campaign(session)
    scheduled(stores, campaign)
    scheduled(stores, fine, NOW + timedelta(seconds=1))
    with stores.sessions.begin() as session:
        session.execute(
            sa.update(campaigns_table).where(campaigns_table.c.id == campaign).values(template_id=None)
        )
    tick(stores, NOW + timedelta(seconds=1))
    assert state(stores, fine) is CampaignState.RUNNING
    assert state(stores, campaign) is CampaignState.DRAFT
    with stores.readers() as session:
        assert "could not be opened" in campaigns.log_lines(session, campaign)[0].what


def test_a_run_that_cannot_be_frozen_is_paused_for_a_person_and_holds_up_no_other(stores, campaign):
    scheduled(stores, campaign)
    open_runs(stores)
    segment = the_run(stores, campaign).segment_version_id
    with stores.sessions.begin() as session:
        rule = session.scalar(sa.select(segment_versions.c.rule).where(segment_versions.c.id == segment))
        nonsense = {"version": 1, "rule": {"field": "contact.nonsense", "is": "set"}}
        session.execute(
            sa.update(segment_versions).where(segment_versions.c.id == segment).values(rule=nonsense)
        )
        fine = a_ready_campaign(session)
    scheduled(stores, fine)
    tick(stores, NOW)
    tick(stores, NOW)
    assert the_run(stores, fine).state is RunState.RUNNING
    assert (state(stores, campaign), the_run(stores, campaign).state) == (
        CampaignState.PAUSED,
        RunState.PAUSED,
    )
    with stores.readers() as session:
        assert "audience could not be frozen" in campaigns.log_lines(session, campaign)[0].what
        asked = sa.select(sa.func.count()).where(messages.c.run_id == the_run(stores, campaign).id)
        assert session.scalar(asked) == 0
    with stores.sessions.begin() as session:
        session.execute(sa.update(segment_versions).where(segment_versions.c.id == segment).values(rule=rule))
    act(stores, schedule.resume, campaign)
    tick(stores, NOW)
    assert the_run(stores, campaign).mailable >= 3


def test_a_throttled_run_keeps_its_pace_after_a_pause(stores):
    with stores.sessions.begin() as session:
        campaign = a_ready_campaign(session, people=7, per_minute=12)
    scheduled(stores, campaign)
    tick(stores, NOW)
    act(stores, schedule.pause, campaign)
    later = NOW + timedelta(hours=1)
    with stores.sessions.begin() as session:
        schedule.resume(session, campaign, actor="ada", now=later)
        dues = session.scalars(sa.select(chunks.c.not_before).order_by(chunks.c.number)).all()
    assert dues == [later + timedelta(seconds=10 * place) for place in range(4)]
