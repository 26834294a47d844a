"""What is refused for what we are has not failed, also where a lane gives out one mail at a time."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.delivery.backoff import State
from campaigns.flows.sending import drain
from campaigns.mailing import Mailing
from campaigns.model.lanes import lane_refusals
from campaigns.model.mail import messages, runs
from campaigns.records import lanes
from campaigns.records.lanes import Limits
from campaigns.records.lanes.rows import take, write
from tests.delivery.peers import Peer, Say
from tests.flows.test_lanes import a_scheduled_run, later, say, sending, states

DMARC = b"550 5.7.26 Unauthenticated email from shop.example is not accepted due to DMARC policy\r\n"
LISTED = b"550 5.7.1 blocked: your IP is on a block list at spamhaus\r\n"


def state_of(stores, run):
    with stores.readers() as session:
        return session.scalar(sa.select(runs.c.state).where(runs.c.id == run))


def slowed(stores, **limits):
    with stores.sessions.begin() as session:
        lanes.set_limits(session, "main", "google", Limits(**limits), actor="ada", now=utc_now())


@pytest.mark.parametrize("throttled", [False, True])
def test_few_at_a_time_are_refused_for_what_we_are_and_none_has_failed(stores, tmp_path, throttled):
    run = a_scheduled_run(
        stores, [f"p{n}@gmail.com" for n in range(8)], **({"per_minute": 20} if throttled else {})
    )
    if not throttled:
        slowed(stores, per_minute=60)
    with Peer(say(DMARC, "@gmail.com")) as peer:
        post = sending(stores, tmp_path, peer)
        for _ in range(10):
            drain(post)
            later(stores, timedelta(seconds=20))
        post.backend.close()
    assert states(stores, run) == {("gmail.com", "queued"): 8}
    assert state_of(stores, run) == "paused"


def test_one_message_refused_again_and_again_is_one(stores, tmp_path):
    run = a_scheduled_run(stores, ["p@gmail.com"])
    with Peer(say(DMARC, "@gmail.com")) as peer:
        post = sending(stores, tmp_path, peer)
        for _ in range(8):
            drain(post)
            later(stores, timedelta(hours=6))
        assert states(stores, run) == {("gmail.com", "queued"): 1}
        assert state_of(stores, run) == "running"
        for _ in range(8):
            drain(post)
            later(stores, timedelta(days=1, hours=6))
        post.backend.close()
    assert ("gmail.com", "queued") not in states(stores, run)  # the schedule of retries ends it


def test_the_probes_of_a_lane_that_is_half_open_are_not_lost_to_a_block_list(stores, tmp_path):
    run = a_scheduled_run(stores, [f"p{n}@gmail.com" for n in range(20)])
    with stores.sessions.begin() as session:
        row = take(session, "main", "google", now=utc_now())
        write(session, row, now=utc_now(), state=State(half_open=True, strikes=1, rate=60.0))
    answer = [say(LISTED, "@gmail.com")]
    with Peer(lambda stage, seen: answer[0](stage, seen) if answer else None) as peer:
        post = sending(stores, tmp_path, peer)
        for _ in range(4):
            drain(post)
            later(stores, timedelta(hours=5))
        assert states(stores, run) == {("gmail.com", "queued"): 20}
        assert state_of(stores, run) == "running"
        answer.clear()
        later(stores, timedelta(days=1))
        for _ in range(60):
            drain(post)
            later(stores, timedelta(minutes=2))
        post.backend.close()
    assert states(stores, run) == {("gmail.com", "sent"): 20}


def test_a_mail_that_was_taken_lately_shows_that_a_refusal_is_not_about_us(stores, tmp_path):
    run = a_scheduled_run(stores, ["good@gmail.com", "bad@gmail.com"])
    slowed(stores, per_minute=60)
    with Peer(say(b"554 5.7.1 Message rejected: content looks like spam\r\n", "bad@gmail.com")) as peer:
        post = sending(stores, tmp_path, peer)
        for _ in range(3):
            drain(post)
            later(stores, timedelta(seconds=20))
        post.backend.close()
    assert states(stores, run) == {("gmail.com", "sent"): 1, ("gmail.com", "failed"): 1}


def test_a_mistake_of_ours_with_one_mail_at_a_time_costs_nobody_their_mail(stores, tmp_path, monkeypatch):
    run = a_scheduled_run(stores, [f"p{n}@gmail.com" for n in range(3)])
    slowed(stores, per_minute=60)

    def fail(*_, **__):
        raise RuntimeError("ours")

    with Peer(lambda *_: None) as peer:
        post = sending(stores, tmp_path, peer)
        with monkeypatch.context() as patched:
            patched.setattr(Mailing, "mail", fail)
            for _ in range(4):
                drain(post)
                later(stores, timedelta(seconds=5))
        assert states(stores, run) == {("gmail.com", "queued"): 3}
        with stores.readers() as session:
            assert set(session.scalars(sa.select(messages.c.attempts))) == {1}
        for _ in range(5):
            later(stores, timedelta(minutes=10))
            drain(post)
        post.backend.close()
    assert states(stores, run) == {("gmail.com", "sent"): 3}


# ---- with words that tell nothing

NO = b"550 5.0.0 Not today, request 7f3a%d\r\n"


def numbered(*domains):
    """A server that says the same to everybody, each time with another number."""
    count = iter(range(10**6))
    return lambda stage, seen: (
        Say(NO % next(count)) if stage == "rcpt" and seen.recipient.endswith(domains) else None
    )


def drained(stores, tmp_path, script, *, times, length):
    with Peer(script) as peer:
        post = sending(stores, tmp_path, peer)
        for _ in range(times):
            drain(post)
            later(stores, length)
        post.backend.close()


def test_one_at_a_time_refused_with_the_same_words_pause_the_campaign_and_none_has_failed(stores, tmp_path):
    run = a_scheduled_run(stores, [f"p{n}@gmail.com" for n in range(15)])
    slowed(stores, per_minute=30)
    drained(stores, tmp_path, numbered("@gmail.com"), times=12, length=timedelta(seconds=10))
    assert states(stores, run) == {("gmail.com", "queued"): 15}
    assert state_of(stores, run) == "paused"


@pytest.mark.parametrize("said", [numbered(""), say(DMARC, "")])
def test_small_lanes_that_are_all_told_the_same_pause_the_campaign_together(stores, tmp_path, said):
    providers = ("gmail.com", "icloud.com", "gmx.de", "yahoo.com", "comcast.net", "orange.fr")
    run = a_scheduled_run(stores, [f"p{n}@{one}" for one in providers for n in range(2)])
    drained(stores, tmp_path, said, times=2, length=timedelta(seconds=1))
    assert state_of(stores, run) == "paused"
    assert {state for _, state in states(stores, run)} == {"queued"}


def test_a_lane_that_takes_other_mail_refuses_for_good_at_once(stores, tmp_path):
    run = a_scheduled_run(stores, ["a@gmail.com", *[f"p{n}@gmail.com" for n in range(12)]])
    drained(stores, tmp_path, numbered("p1@gmail.com", "p2@gmail.com"), times=1, length=timedelta(seconds=1))
    assert states(stores, run) == {("gmail.com", "sent"): 11, ("gmail.com", "failed"): 2}


def test_what_few_are_told_again_and_again_has_failed_in_the_end(stores, tmp_path):
    people = [*[f"p{n}@gmail.com" for n in range(12)], "a@icloud.com"]
    run = a_scheduled_run(stores, people)
    slowed(stores, per_minute=1)

    def script(stage, seen):
        return (
            Say(b"550 5.0.0 Not today\r\n") if stage == "rcpt" and seen.recipient == "p0@gmail.com" else None
        )

    drained(stores, tmp_path, script, times=40, length=timedelta(minutes=2))
    found = states(stores, run)
    assert found == {("gmail.com", "sent"): 11, ("gmail.com", "failed"): 1, ("icloud.com", "sent"): 1}


def test_a_campaign_too_small_for_many_fails_at_once(stores, tmp_path):
    run = a_scheduled_run(stores, ["p0@gmail.com", "p1@gmail.com"])
    drained(stores, tmp_path, numbered("@gmail.com"), times=1, length=timedelta(seconds=1))
    assert states(stores, run) == {("gmail.com", "failed"): 2}


def test_old_refusals_are_forgotten(stores):
    place = lanes.Place(7, "main", "google")
    with stores.sessions.begin() as session:
        lanes.keep_refused(session, place, {"go away": range(30)}, utc_now())
        lanes.keep_refused(session, place, {"go away": [1, 99]}, utc_now())
        kept = session.scalars(sa.select(lane_refusals.c.seqs)).one()
        assert kept == list(range(10))
        lanes.forget_refused(session, utc_now() + timedelta(hours=23))
        assert session.scalar(sa.select(sa.func.count()).select_from(lane_refusals)) == 1
        lanes.forget_refused(session, utc_now() + timedelta(hours=25))
        assert session.scalar(sa.select(sa.func.count()).select_from(lane_refusals)) == 0
