"""A spread campaign stays spread where it could not go when it was due; and what does not fit is told before."""

from datetime import timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.flows import checking, schedule
from campaigns.flows.sending import drain
from campaigns.model.mail import chunks, runs
from campaigns.records import campaigns, outbox
from campaigns.values import CampaignState
from tests.delivery.peers import Peer
from tests.factories import NOW, a_campaign, a_topic
from tests.flows.test_checking import SIGNING
from tests.flows.test_lanes import a_scheduled_run, later, sending, shut_now

HOUR = timedelta(hours=1)
PEOPLE = [f"p{n}@gmail.com" for n in range(240)]


def due(stores, run, *which):
    with stores.readers() as session:
        here = sa.and_(chunks.c.run_id == run, chunks.c.state == "ready", *which)
        query = sa.select(chunks.c.not_before).where(here)
        return sorted(session.scalars(query))


def test_what_was_due_before_its_hours_goes_as_far_apart_when_they_begin(stores, tmp_path):
    run = a_scheduled_run(stores, PEOPLE, spread_minutes=120, **shut_now())
    before = due(stores, run)
    with Peer() as peer:
        post = sending(stores, tmp_path, peer)
        assert drain(post) == 0
        later(stores, 2 * HOUR)  # as much of it as can be is due by now
        assert drain(post) == 0
        post.backend.close()
    after = due(stores, run)
    assert len(after) == len(before)
    assert max(after) - min(after) == pytest.approx(max(before) - min(before), abs=timedelta(minutes=2))
    gaps = [then - at for at, then in pairwise(after)]
    assert max(gaps) < timedelta(minutes=2)
    assert len(set(after)) >= len(after) - 1


def test_a_pause_puts_a_spread_campaign_off_and_not_together(stores):
    run = a_scheduled_run(stores, PEOPLE, spread_minutes=120)
    before = due(stores, run)
    with stores.sessions.begin() as session:
        campaign = campaigns.get_run(session, run).campaign_id
        schedule.pause(session, campaign, actor="ada", now=utc_now())
        now = max(before) + HOUR
        schedule.resume(session, campaign, actor="ada", now=now)
    after = due(stores, run)
    assert min(after) == now
    assert [one - now for one in after] == [one - min(before) for one in before]


def test_a_lane_that_was_held_delays_no_other_when_a_short_pause_ends(stores):
    run = a_scheduled_run(stores, [*PEOPLE, *[f"q{n}@icloud.com" for n in range(120)]], spread_minutes=120)
    lane = chunks.c.lane
    with stores.sessions.begin() as session:
        late = sa.select(chunks.c.number, chunks.c.not_before).where(lane == "google")
        for number, at in session.execute(late).all():  # held for eight hours
            this = sa.update(chunks).where(chunks.c.number == number)
            session.execute(this.values(not_before=at - 8 * HOUR))
    before = {name: due(stores, run, lane == name) for name in ("google", "apple")}
    now = before["apple"][0] + timedelta(seconds=10)
    with stores.sessions.begin() as session:
        outbox.shift(session, run, now)
    after = {name: due(stores, run, lane == name) for name in ("google", "apple")}
    moved = [then - at for at, then in zip(before["apple"], after["apple"], strict=True)]
    assert set(moved) == {timedelta(seconds=10)}
    assert after["google"][0] == now
    assert [one - now for one in after["google"]] == [one - before["google"][0] for one in before["google"]]
    with stores.sessions.begin() as session:
        outbox.shift(session, run, now)
    assert {name: due(stores, run, lane == name) for name in ("google", "apple")} == after


def test_what_would_come_after_its_time_goes_closer_together(stores):
    run = a_scheduled_run(stores, PEOPLE, spread_minutes=120)
    until = utc_now() + 5 * HOUR
    with stores.sessions.begin() as session:
        session.execute(sa.update(runs).values(expires_at=until + HOUR))
        outbox.shift(session, run, until)
    after = due(stores, run)
    assert min(after) == until
    assert timedelta(minutes=53) < max(after) - until <= timedelta(minutes=54)


def test_a_campaign_that_is_not_spread_is_left_alone(stores):
    run = a_scheduled_run(stores, PEOPLE, per_minute=600)
    before = due(stores, run)
    with stores.sessions.begin() as session:
        outbox.shift(session, run, utc_now() + HOUR)
    assert due(stores, run) == before


# ---- what does not fit


def told(session, mailable=100, now=NOW, **over):
    campaign = a_campaign(session, topic=a_topic(session), time_zone="UTC", **over)
    one = campaigns.get(session, campaign)
    assert one.state is CampaignState.DRAFT
    found = checking.check(session, one, reach={"mailable": mailable}, signing=SIGNING, now=now)
    return [(each.level.value, str(each)) for each in found if each.card == "when"]


def at(hours, length=60):
    """A window that opens so many hours from NOW."""
    start = (NOW.hour * 60 + NOW.minute + hours * 60) % 1440
    return {"window_from": start, "window_to": (start + length) % 1440}


def test_hours_that_begin_after_the_mail_has_expired_are_a_blocker(session):
    [(level, words)] = told(session, send_within_hours=5, **at(6))
    assert level == "blocker"
    opens = NOW + 6 * HOUR
    assert f"begin at {opens:%Y-%m-%d %H:%M} (UTC), and after 5 hours the mail expires" in words
    assert told(session, send_within_hours=7, **at(6)) == []
    begins = {"schedule": "at", "starts_at": NOW + 6 * HOUR}
    assert told(session, send_within_hours=1, **begins, **at(6)) == []
    cron = f"{NOW.minute} {(NOW.hour + 2) % 24} * * *"
    assert told(
        session, send_within_hours=3, schedule="recurring", cron=cron, **at(6), cap_count=1, cap_days=2
    )
    assert not told(
        session, send_within_hours=5, schedule="recurring", cron=cron, **at(6), cap_count=1, cap_days=2
    )


def test_recipients_whose_morning_comes_too_late_are_told_of(session):
    [(level, words)] = told(session, send_within_hours=20, window_zone="recipient", **at(0))
    assert (level, "clocks differ" in words) == ("warning", True)
    assert told(session, send_within_hours=25, window_zone="recipient", **at(0)) == []


def test_a_spread_or_a_pace_that_its_open_hours_do_not_hold_is_told_of(session):
    [(level, words)] = told(session, send_within_hours=24, spread_minutes=90, **at(1))
    assert (level, "spread over 90 minutes, and 1 hours are open" in words) == ("warning", True)
    assert told(session, send_within_hours=24, spread_minutes=60, **at(1)) == []
    [(level, words)] = told(session, mailable=601, send_within_hours=24, per_minute=10, **at(1))
    assert (level, "10 a minute" in words) == ("blocker", True)
    assert told(session, mailable=600, send_within_hours=24, per_minute=10, **at(1)) == []
    assert told(session, mailable=1201, send_within_hours=26, per_minute=10, **at(1)) != []
    assert told(session, mailable=1200, send_within_hours=26, per_minute=10, **at(1)) == []


def test_a_large_campaign_at_the_full_hour_is_told_of(session):
    begins = NOW.replace(minute=0) + 3 * HOUR
    hour = {"schedule": "at", "starts_at": begins}
    [(level, words)] = told(session, mailable=1000, **hour)
    assert (level, "at the full hour" in words) == ("hint", True)
    assert told(session, mailable=999, **hour) == []
    assert told(session, mailable=1000, **hour, spread_minutes=30) == []
    assert told(session, mailable=1000, schedule="at", starts_at=begins + timedelta(minutes=7)) == []
