"""The caps that lanes start with, and how many mails of a lane are under way at once."""

import threading
import time
from collections import defaultdict
from datetime import timedelta

import pytest

from campaigns.clock import utc_now
from campaigns.config import from_environment
from campaigns.delivery.lanes import ALL_LANES, STARTS, starts_with_caps, usual_rate
from campaigns.flows.sending import drain
from campaigns.records import audience, lanes, outbox
from campaigns.records.lanes import EVERY_ACCOUNT, Limits
from campaigns.values import Account
from campaigns.worker import Worker
from tests.delivery.peers import Peer, Say
from tests.factories import NOW
from tests.flows.test_lanes import a_scheduled_run, sending, states
from tests.timed import until

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("account", "starts"),
    [
        (Account("a", "smtp", {"url": "smtp://relay.example"}), True),
        (Account("a", "smtp", {"url": "smtp://relay.example", "webhooks": "postmark"}), False),
        (Account("a", "ses", {}), False),
        (Account("a", "catcher", {"url": "smtp://127.0.0.1:2525"}), False),
    ],
)
def test_lanes_start_with_caps_where_a_server_of_ours_delivers(account, starts):
    assert starts_with_caps(account) is starts


def test_every_start_is_a_lane_and_what_a_back_off_starts_from():
    assert set(STARTS) < set(ALL_LANES)
    assert "other" not in STARTS
    assert all(usual_rate(lane) == one.per_minute for lane, one in STARTS.items())
    assert (STARTS["google"].connections, STARTS["orange"].connections) == (5, 2)
    assert STARTS["yahoo japan"].per_minute == 600


def grant(session, lane="google", now=NOW):
    return lanes.grant(session, "main", lane, 1000, now=now)


def test_what_a_lane_starts_with_holds_until_somebody_says_otherwise(session):
    lanes.start(session, {"main": True, "api": False}, now=NOW)
    assert lanes.has_started(session, {"main": True, "api": False})
    assert not lanes.has_started(session, {"main": False})
    assert lanes.lane_lines(session, NOW) == []
    assert (grant(session), grant(session)) == (50, 50)  # a second's mails, and one that may be caught up
    assert grant(session) == 0
    assert grant(session, "other") is None
    assert lanes.grant(session, "api", "google", 1000, now=NOW) is None
    [line] = lanes.lane_lines(session, NOW)
    assert (line.rate, line.starts, line.own) == (3000, True, Limits())
    assert "google" in lanes.budgeted(session, "main")

    lanes.set_limits(session, EVERY_ACCOUNT, "google", Limits(per_minute=60), actor="ada", now=NOW)
    assert grant(session, now=NOW + MINUTE) == 1
    lanes.set_limits(session, "main", "google", Limits(per_minute=0), actor="ada", now=NOW)
    assert grant(session, now=NOW + 2 * MINUTE) is None
    lanes.set_limits(session, EVERY_ACCOUNT, "google", Limits(), actor="ada", now=NOW)
    assert "google" not in lanes.budgeted(session, "main")

    lanes.start(session, {"main": False}, now=NOW)
    lanes.set_limits(session, "main", "google", Limits(), actor="ada", now=NOW)
    assert grant(session, now=NOW + 3 * MINUTE) is None


@pytest.mark.parametrize("caps", ["on", "off"])
def test_the_worker_lets_lanes_start(stores, tmp_path, caps):
    env = {"POSTROOM_DATA": str(tmp_path / "var"), "POSTROOM_SMTP_URL": "smtp://relay.example"}
    for value in ("on", caps):
        settings = from_environment({**env, "POSTROOM_LANE_CAPS": value})
        Worker(stores, settings, clock=utc_now).tick_starts()
    with stores.readers() as session:
        assert lanes.has_started(session, {"main": caps == "on"})
        assert (lanes.start_of(session, "main", "google") is not None) is (caps == "on")


def test_mails_to_the_catcher_have_no_cap(stores, tmp_path):
    settings = from_environment({"POSTROOM_DATA": str(tmp_path / "var")})
    Worker(stores, settings, clock=utc_now).tick_starts()
    with stores.readers() as session:
        assert lanes.has_started(session, {"main": False})


# ---- at once


class Crowd:
    """Counts how many mails of each domain a server has in its hands, while it thinks about each."""

    def __init__(self, delay, slow=""):
        self.most = defaultdict(int)
        self.order = []
        self._now = defaultdict(int)
        self._delay, self._slow = delay, slow
        self._lock = threading.Lock()

    def __call__(self, stage, seen):
        domain = seen.recipient.partition("@")[2]
        if stage == "rcpt":
            with self._lock:
                self._now[domain] += 1
                self.most[domain] = max(self.most[domain], self._now[domain])
            if domain.endswith(self._slow):
                time.sleep(self._delay)
        elif stage == "body":
            with self._lock:
                self._now[domain] -= 1
                self.order.append(domain)
        return Say(b"250 ok\r\n") if stage == "rcpt" else None


def at_once(stores, lane, count):
    with stores.sessions.begin() as session:
        lanes.set_limits(session, "main", lane, Limits(connections=count), actor="ada", now=utc_now())


@pytest.mark.timed
def test_no_more_mails_of_a_lane_are_under_way_than_it_bears(stores, tmp_path):
    run = a_scheduled_run(stores, [f"p{n}@{one}" for n in range(20) for one in ("gmail.com", "icloud.com")])
    at_once(stores, "google", 2)
    crowd = Crowd(0.01)
    with Peer(crowd) as peer:
        post = sending(stores, tmp_path, peer, connections=6)
        drain(post)
        post.backend.close()
    assert states(stores, run) == {("gmail.com", "sent"): 20, ("icloud.com", "sent"): 20}
    assert crowd.most["gmail.com"] == 2
    assert crowd.most["icloud.com"] > 2


@pytest.mark.timed
def test_a_lane_that_bears_few_mails_keeps_no_other_waiting(stores, tmp_path, monkeypatch):
    monkeypatch.setattr(audience, "CHUNK", 30)
    run = a_scheduled_run(stores, [f"p{n}@{one}" for n in range(30) for one in ("gmail.com", "icloud.com")])
    at_once(stores, "google", 1)
    crowd = Crowd(0.1, "gmail.com")
    with Peer(crowd) as peer:
        post = sending(stores, tmp_path, peer, connections=4)
        while drain(post):
            pass
        post.backend.close()
    assert states(stores, run) == {("gmail.com", "sent"): 30, ("icloud.com", "sent"): 30}
    assert crowd.most["gmail.com"] == 1
    last_quick = max(place for place, domain in enumerate(crowd.order) if domain == "icloud.com")
    assert last_quick < 50


@pytest.mark.parametrize("others", [10, 1])
def test_one_answer_that_is_long_in_coming_keeps_no_other_lane_waiting(stores, tmp_path, monkeypatch, others):
    monkeypatch.setattr(audience, "CHUNK", 5)
    people = [f"p{n}@gmail.com" for n in range(20)] + [f"q{n}@icloud.com" for n in range(5 * others)]
    a_scheduled_run(stores, people)
    at_once(stores, "google", 1)
    answer, taken = threading.Event(), []

    def script(stage, seen):
        if stage == "rcpt" and seen.recipient.endswith("gmail.com"):
            answer.wait(240)
        elif stage == "body":
            taken.append(seen.recipient)

    with Peer(script) as peer:
        post = sending(stores, tmp_path, peer, connections=4)
        thread = threading.Thread(target=drain, args=(post,))
        thread.start()
        until(lambda: len(taken) >= 5 * others)
        went = list(taken)
        answer.set()
        thread.join()
        while drain(post):
            pass
        post.backend.close()
    assert len(went) == 5 * others
    assert {one.partition("@")[2] for one in went} == {"icloud.com"}
    assert len(taken) == len(people)


@pytest.mark.timed
def test_while_nothing_but_a_lane_without_answers_has_work_nobody_is_kept_from_writing(
    stores, tmp_path, monkeypatch
):
    monkeypatch.setattr(audience, "CHUNK", 5)
    a_scheduled_run(stores, [f"p{n}@gmail.com" for n in range(20)])
    at_once(stores, "google", 1)
    asked, answer, claims = threading.Event(), threading.Event(), []

    def script(stage, _seen):
        if stage == "rcpt":
            asked.set()
            answer.wait(240)

    def claim(*args, **named):
        claims.append(time.monotonic())
        return whole(*args, **named)

    whole = outbox.claim
    monkeypatch.setattr(outbox, "claim", claim)
    with Peer(script) as peer:
        post = sending(stores, tmp_path, peer)
        thread = threading.Thread(target=drain, args=(post,))
        thread.start()
        assert asked.wait(120)
        time.sleep(2.6)  # after one second no answer is expected
        before = time.monotonic() - 1
        in_vain = [at for at in claims if at > before]
        answer.set()
        thread.join()
        post.backend.close()
    assert len(in_vain) == 0


def test_senders_share_what_a_lane_bears(stores, monkeypatch):
    monkeypatch.setattr(audience, "CHUNK", 1)
    a_scheduled_run(stores, [f"p{n}@gmail.com" for n in range(8)])
    at_once(stores, "google", 5)
    with stores.sessions.begin() as session:
        for n in range(8):
            chunk = outbox.claim(session, f"sender {n}")
            assert (chunk is None) is (n > 4)
            if n < 5:
                owners = [f"sender {one}" for one in range(n + 1)]
                shares = [lanes.share(session, one, "main", "google") for one in owners]
                assert sum(shares) == 5
                assert max(shares) - min(shares) <= 1
        assert lanes.share(session, "sender 0", "main", "apple") is None
