"""Senders, people, proofs and the worker at once: no deadlock, nothing lost, the counts add up."""

import random
import threading
import time
from collections import Counter
from datetime import timedelta

import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.flows import doubting, judging, schedule
from campaigns.flows.doubting import Decision
from campaigns.model.mail import runs
from campaigns.records import audience, outbox
from campaigns.values import RunState
from tests.flows.test_doubting import (
    SENT,
    UNKNOWN,
    a_hit,
    asked_of,
    frozen,
    must_add_up,
    send,
    state_of,
    states,
)

SECONDS = 1.5
PEOPLE = 40


def test_all_who_touch_a_doubt_at_once_neither_lock_each_other_nor_lose_a_message(stores, monkeypatch):
    monkeypatch.setattr(audience, "CHUNK", 4)
    with stores.sessions.begin() as session:
        made = [frozen(session, people=PEOPLE) for _ in range(2)]
        day = utc_now() + timedelta(days=1)
        session.execute(sa.update(runs).values(expires_at=day))

    def sender(rng):
        with stores.sessions.begin() as session:
            chunk = outbox.claim(session, "me")
        if chunk is None:
            return
        with stores.readers() as session:
            ready, gone = outbox.load(session, chunk, asked_of(session, chunk.run))
        told = {one.seq: rng.choice((SENT, UNKNOWN)) for one in ready if rng.random() < 0.9}
        left_out = {seq: (gate, "") for seq, gate in gone.items()}
        with stores.sessions.begin() as session:
            outbox.settle(session, chunk, told, skipped=left_out, retry_at=None, now=utc_now())

    def person(rng):
        seqs = None if rng.random() < 0.3 else rng.sample(range(1, PEOPLE + 1), 8)
        run, decision = rng.choice(made), rng.choice(list(Decision))
        with stores.sessions.begin() as session:
            doubting.resolve(session, run, decision, seqs=seqs, until=utc_now(), by="me", now=utc_now())

    def outside(rng):
        with stores.sessions.begin() as session:
            a_hit(session, rng.choice(made), rng.randint(1, PEOPLE))
        with stores.sessions.begin() as session:
            judging.judge_hits(session, utc_now() + timedelta(days=4000))

    def worker(_rng):
        for act in (schedule.finish_runs, doubting.settle_proven):
            with stores.sessions.begin() as session:
                act(session, utc_now())

    done, errors = _at_once([sender, sender, person, person, outside, worker, worker])
    assert errors == []
    assert all(done[act.__name__] for act in (sender, person, outside, worker))
    with stores.sessions.begin() as session:
        for run in made:
            must_add_up(session, run)
            send(session, run, now=utc_now())
            doubting.resolve(
                session, run, Decision.ARRIVED, seqs=None, until=utc_now(), by="me", now=utc_now()
            )
        schedule.finish_runs(session, utc_now())
        for run in made:
            must_add_up(session, run)
            assert set(states(session, run)) == {"sent"}
            assert state_of(session, run)[1] is RunState.FINISHED


def _at_once(acts):
    """Do each again and again, all at the same time; gives how often, and what went wrong."""
    until, done, errors = time.monotonic() + SECONDS, Counter(), []

    def go(act, seed):
        rng = random.Random(seed)
        while time.monotonic() < until:
            try:
                act(rng)
            except Exception as error:
                errors.append(repr(error)[:500])
            done[act.__name__] += 1
            time.sleep(0.005)  # a turn for the others: SQLite's lock knows no queue

    threads = [threading.Thread(target=go, args=(act, seed)) for seed, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done, errors
