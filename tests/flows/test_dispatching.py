"""What is due is published, a window of each lane at a time; what the executor does with it decides nothing."""

import random
import threading
from datetime import timedelta
from time import monotonic

import pytest
import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.delivery.backend import open_backend
from campaigns.errors import ExecutorAway
from campaigns.flows import dispatching, sending
from campaigns.flows.sending import drain, send_this
from campaigns.model.dialect import database_now
from campaigns.model.mail import chunks, messages, runs
from campaigns.records import outbox
from tests.delivery.peers import Peer
from tests.factories import a_campaign, a_contact, a_postbox, a_run, a_topic


def a_running_run(session, *lanes, kind="campaign", size=1):
    """A run with one chunk for each lane named, each of `size` messages."""
    topic = a_topic(session)
    run = a_run(session, a_campaign(session, topic=topic), now=utc_now())
    session.execute(sa.update(runs).where(runs.c.id == run).values(state="running", kind=kind))
    for number, lane in enumerate(lanes, 1):
        first = (number - 1) * size + 1
        session.execute(
            sa.insert(chunks).values(
                run_id=run,
                number=number,
                lane=lane,
                first_seq=first,
                last_seq=first + size - 1,
                state="ready",
            )
        )
        for seq in range(first, first + size):
            address = f"r{run}s{seq}@example.com"
            contact = a_contact(session, topic=topic, email=address)
            session.execute(
                sa.insert(messages).values(
                    run_id=run, seq=seq, contact_id=contact, address=address, state="queued"
                )
            )
    return run


def names(chosen):
    return [(one.run, one.number) for one in chosen]


def test_a_window_of_each_lane_is_published_in_order_and_no_more_until_it_is_taken(session):
    run = a_running_run(session, "google", "google", "google", "other")
    assert names(dispatching.choose(session, window=2)) == [(run, 1), (run, 2), (run, 4)]
    assert dispatching.choose(session, window=2) == []
    assert outbox.claim_this(session, "a sender", run, 1) is not None
    assert names(dispatching.choose(session, window=2)) == [(run, 3)]


def test_what_the_broker_lost_is_published_again_when_its_mark_has_run_out(session):
    run = a_running_run(session, "google")
    dispatching.choose(session, window=2)
    past = database_now(session) - timedelta(seconds=1)
    session.execute(sa.update(chunks).values(published_until=past))
    assert names(dispatching.choose(session, window=2)) == [(run, 1)]


def test_what_could_not_be_submitted_is_published_at_the_next_chance(session):
    run = a_running_run(session, "google", "google")

    class Away:
        def submit(self, run, number, lane, account):
            if number == 2:
                raise ExecutorAway("no broker")

    chosen = dispatching.choose(session, window=5)
    left = dispatching.submit(Away(), chosen)
    assert names(left) == [(run, 2)]
    dispatching.take_back(session, left)
    assert names(dispatching.choose(session, window=5)) == [(run, 2)]


def test_a_chunk_given_back_is_published_when_it_is_due(session):
    run = a_running_run(session, "google")
    dispatching.choose(session, window=1)
    chunk = outbox.claim_this(session, "a sender", run, 1)
    outbox.put_off(session, chunk, until=database_now(session) + timedelta(minutes=1))
    assert dispatching.choose(session, window=1) == []
    session.execute(sa.update(chunks).values(not_before=None))
    assert names(dispatching.choose(session, window=1)) == [(run, 1)]


@pytest.mark.parametrize("state", ["paused", "cancelled", "finished"])
def test_only_running_runs_are_published(session, state):
    run = a_running_run(session, "google")
    session.execute(sa.update(runs).where(runs.c.id == run).values(state=state))
    assert dispatching.choose(session, window=5) == []


def test_a_test_mail_goes_before_everything_that_waits(session):
    a_running_run(session, "google", "google")
    test = a_running_run(session, "google", kind="test")
    assert names(dispatching.choose(session, window=1)) == [(test, 1)]


def test_schedulers_that_choose_at_once_never_choose_the_same(stores):
    with stores.sessions.begin() as session:
        run = a_running_run(session, *["google"] * 60)
    chosen, start = [], threading.Barrier(4)

    def scheduler():
        start.wait()
        for _ in range(6):
            with stores.sessions.begin() as session:
                chosen.extend(names(dispatching.choose(session, window=60)))

    threads = [threading.Thread(target=scheduler) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(chosen) == [(run, number) for number in range(1, 61)]


def test_an_unknown_lane_is_published_too(session):
    run = a_running_run(session, "of another release")
    assert names(dispatching.choose(session, window=5)) == [(run, 1)]


def test_an_accounts_rate_is_kept_to_the_last_mail_of_the_last_chunk(stores, tmp_path, monkeypatch):
    monkeypatch.setattr(sending, "FOLLOWED", 0.0)
    with stores.sessions.begin() as session:
        run = a_running_run(session, "google", "google", size=20)
    with Peer() as peer:
        backend = open_backend(f"smtp://127.0.0.1:{peer.port}", connections=2)
        post = a_postbox(stores, backend, tmp_path, rate=50.0)
        began = monotonic()
        assert send_this(post, run, 1) == 20
        assert drain(post) == 20
        assert 39 / 50 - 0.1 < monotonic() - began < 60
        backend.close()


class Careless:
    """An executor that loses a third, repeats what it likes, and knows no order."""

    def __init__(self):
        self.draw, self.held = random.Random(7), []

    def submit(self, run, number, lane, account):
        self.held += [(run, number)] * self.draw.choice((0, 1, 3))

    def flush(self, post):
        self.draw.shuffle(self.held)
        answered = sum(send_this(post, run, number) for run, number in self.held)
        self.held.clear()
        return answered


def test_an_executor_that_loses_repeats_and_reorders_sends_everything_once(stores, tmp_path, monkeypatch):
    monkeypatch.setattr(sending, "FOLLOWED", 0.0)  # each chunk by its name
    with stores.sessions.begin() as session:
        a_running_run(session, *["google", "other", "gmx"] * 5, size=4)
    executor, answered = Careless(), 0
    with Peer() as peer:
        backend = open_backend(f"smtp://127.0.0.1:{peer.port}", connections=1)
        post = a_postbox(stores, backend, tmp_path)
        for _ in range(20):
            with stores.sessions.begin() as session:
                chosen = dispatching.choose(session, window=3)
            dispatching.submit(executor, chosen)
            answered += executor.flush(post)
            with stores.sessions.begin() as session:  # a minute goes by
                session.execute(sa.update(chunks).values(published_until=None))
        backend.close()
    recipients = [recipient for _, recipient, _ in peer.taken]
    assert answered == len(recipients) == len(set(recipients)) == 60
    with stores.readers() as session:
        assert session.scalars(sa.select(messages.c.state).distinct()).all() == ["sent"]
        assert dispatching.choose(session, window=3) == []


@pytest.fixture
def post(stores, tmp_path):
    with Peer() as peer:
        backend = open_backend(f"smtp://127.0.0.1:{peer.port}", connections=1)
        yield a_postbox(stores, backend, tmp_path)
        backend.close()


def test_others_of_its_lanes_follow_the_chunk_that_a_sender_was_told_of(stores, post, monkeypatch):
    with stores.sessions.begin() as session:
        run = a_running_run(session, "google", "gmx", "google", "google", "gmx", "google")
        told = dispatching.choose(session, window=2)
    assert sorted(names(told)) == [(run, 1), (run, 2), (run, 3), (run, 5)]
    claimed, claim = [], outbox.claim

    def watched(session, *args, **kwargs):
        chunk = claim(session, *args, **kwargs)
        claimed.append(chunk and chunk.number)
        return chunk

    monkeypatch.setattr(outbox, "claim", watched)
    assert send_this(post, run, 1, lambda lane: lane == "google") == 4
    assert [number for number in claimed if number] == [4, 6, 3], "first those that nobody was told of"
    assert send_this(post, run, 3) == 0, "it is sent: nothing follows"
    with stores.readers() as session:
        left = sa.select(chunks.c.number).where(chunks.c.state == "ready")
        assert session.scalars(left).all() == [2, 5], "another's lane"


def test_what_follows_a_chunk_ends_after_some_seconds(stores, post, monkeypatch):
    monkeypatch.setattr(sending, "FOLLOWED", 0.0)
    with stores.sessions.begin() as session:
        run = a_running_run(session, "google", "google")
    assert [send_this(post, run, number) for number in (2, 2, 1)] == [1, 0, 1]
