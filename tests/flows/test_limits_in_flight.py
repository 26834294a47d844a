"""Limits that matter while a chunk is on its way: an account's rate, a lane's new rate, and time that is over."""

import os
import threading
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.delivery.journal import Journal
from campaigns.flows.recovery import recover
from campaigns.flows.sending import drain
from campaigns.model.lanes import lanes as table
from campaigns.model.mail import chunks, messages, runs
from campaigns.records import lanes, outbox, pace
from campaigns.records.lanes import Limits
from tests.delivery.peers import Peer, Say
from tests.factories import SECRET
from tests.flows.test_lanes import a_scheduled_run, sending, states
from tests.timed import until


def slow(stage, _):
    return Say(b"250 ok\r\n", delay=0.05) if stage == "rcpt" else None


def during(post, peer, act):
    """Drain, and do something when a few mails have gone; gives how long the drain went on after that."""
    thread = threading.Thread(target=drain, args=(post,))
    thread.start()
    until(lambda: len(peer.taken) >= 3)
    act()
    acted = time.monotonic()
    thread.join()
    post.backend.close()
    return time.monotonic() - acted


def test_an_account_with_a_rate_claims_what_it_sends_in_a_minute(stores, tmp_path):
    run = a_scheduled_run(stores, [f"p{n}@gmail.com" for n in range(9)])
    with stores.sessions.begin() as session:
        assert outbox.claim(session, "me", at_most=4).most == 4
        session.rollback()
    claimed = []
    with Peer() as peer, pytest.MonkeyPatch.context() as patched:
        whole = outbox.claim

        def claim(*args, **named):
            claimed.append(named["at_most"])
            return whole(*args, **named | {"at_most": 4})

        patched.setattr(outbox, "claim", claim)
        post = sending(stores, tmp_path, peer)
        post.rate = 1000.0
        assert [drain(post) for _ in range(4)] == [4, 4, 1, 0]
        post.backend.close()
    assert set(claimed) == {60_000}
    assert states(stores, run) == {("gmail.com", "sent"): 9}


@pytest.mark.parametrize(("rate", "most"), [(None, None), (0.5, 30), (0.001, 1)])
def test_every_gate_was_asked_at_most_a_minute_ago(stores, tmp_path, rate, most):
    with Peer() as peer:
        post = sending(stores, tmp_path, peer)
        post.rate = rate
        assert post.at_most == most


@pytest.mark.timed
def test_nothing_is_begun_of_a_campaign_whose_time_is_over(stores, tmp_path):
    run = a_scheduled_run(stores, [f"p{n}@gmail.com" for n in range(120)], send_within_hours=1)
    with Peer(slow) as peer:
        post = sending(stores, tmp_path, peer, connections=1)
        with stores.sessions.begin() as session:
            over = sa.update(runs).where(runs.c.id == run)
            session.execute(over.values(expires_at=utc_now() + timedelta(seconds=1)))
        assert 1 < drain(post) < 60
        assert drain(post) == 0
        post.backend.close()
    found = states(stores, run)
    assert 1 < found["gmail.com", "sent"] < 60
    assert found["gmail.com", "skipped"] == 120 - found["gmail.com", "sent"]


@pytest.mark.timed
def test_a_lane_that_has_a_rate_by_now_stops_what_was_claimed_without(stores, tmp_path):
    run = a_scheduled_run(stores, [f"p{n}@gmail.com" for n in range(120)])

    def limit():
        with stores.sessions.begin() as session:
            lanes.set_limits(session, "main", "google", Limits(per_minute=1), actor="ada", now=utc_now())

    with Peer(slow) as peer:
        assert during(sending(stores, tmp_path, peer, connections=1), peer, limit) < 2
    found = states(stores, run)
    assert 1 < found["gmail.com", "sent"] < 60
    assert found["gmail.com", "sent"] + found["gmail.com", "queued"] == 120


@pytest.mark.timed
def test_a_days_cap_counts_what_went_of_a_chunk_that_was_claimed_without(stores, tmp_path):
    run = a_scheduled_run(stores, [f"p{n}@gmail.com" for n in range(120)])

    def limit():
        with stores.sessions.begin() as session:
            lanes.set_limits(session, "main", "google", Limits(per_day=70), actor="ada", now=utc_now())
            assert session.scalar(sa.select(table.c.taken)) == 120  # all that is under way

    with Peer(slow) as peer:
        post = sending(stores, tmp_path, peer, connections=1)
        during(post, peer, limit)
        post = sending(stores, tmp_path, peer, connections=2)
        while drain(post):
            pass
        post.backend.close()
    assert states(stores, run) == {("gmail.com", "sent"): 70, ("gmail.com", "queued"): 50}
    with stores.readers() as session:
        [line] = [one for one in lanes.lane_lines(session, utc_now()) if one.lane == "google"]
    assert (line.sent, line.taken_today, line.word) == (70, 70, "full")


def test_a_days_cap_that_a_lost_sender_held_is_given_back(stores, tmp_path):
    run = a_scheduled_run(stores, [f"p{n}@gmail.com" for n in range(5)])
    with stores.sessions.begin() as session:
        lanes.set_limits(session, "main", "google", Limits(per_day=5), actor="ada", now=utc_now())
    with stores.sessions.begin() as session:
        assert outbox.claim(session, "lost").granted == 5
    folder = tmp_path / "journals"
    folder.mkdir()
    os.close(Journal(folder, "lost")._lock)  # as of a process that is dead
    assert recover(stores.sessions, folder, SECRET, utc_now).queued == 5
    with stores.sessions.begin() as session:
        assert session.scalar(sa.select(table.c.taken)) == 0
        assert session.scalar(sa.select(chunks.c.granted)) is None
        assert outbox.claim(session, "me").granted == 5
        assert session.scalar(sa.select(sa.func.count()).where(messages.c.run_id == run)) == 5


def test_what_was_reserved_of_a_rate_outlasts_a_drain(stores, tmp_path, monkeypatch):
    reserved = []
    whole = pace.reserve
    monkeypatch.setattr(pace, "reserve", lambda *args: reserved.append(args[2]) or whole(*args))
    with Peer() as peer:
        post = sending(stores, tmp_path, peer)
        post.rate = 50.0
        for name in "abcdef":
            a_scheduled_run_again(stores, name)
            assert drain(post) == 1
        post.backend.close()
    assert sum(reserved) <= 6 + 4 * 2  # what is used, and what is at hand at the end


def a_scheduled_run_again(stores, name):
    """Let one more message be due."""
    if name == "a":
        a_scheduled_run(stores, [f"p{n}@gmail.com" for n in range(6)])
    with stores.sessions.begin() as session:
        later = utc_now() + timedelta(days=1)
        seq = "abcdef".index(name) + 1
        session.execute(
            sa.update(messages)
            .where(messages.c.state == "queued", messages.c.seq > seq)
            .values(not_before=later)
        )
        session.execute(sa.update(messages).where(messages.c.seq == seq).values(not_before=None))
        session.execute(sa.update(chunks).where(chunks.c.state == "ready").values(not_before=None))
