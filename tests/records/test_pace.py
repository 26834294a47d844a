"""One account's limit, kept by processes that know nothing of each other."""

import multiprocessing
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa

from campaigns.model.dialect import database_now
from campaigns.model.mail import paces
from campaigns.records import pace
from campaigns.wiring import open_stores

pytestmark = pytest.mark.timed

RATE, SECONDS, PROCESSES = 500, 3, 4


def test_the_first_goes_at_once_and_the_next_after_what_was_reserved(session):
    assert pace.reserve(session, "smtp", 20, 2.0) == 0.0
    assert pace.reserve(session, "smtp", 5, 2.0) == pytest.approx(10.0, abs=0.2)
    assert pace.reserve(session, "smtp", 1, 2.0) == pytest.approx(12.5, abs=0.2)


def test_each_account_has_a_pace_of_its_own(session):
    pace.reserve(session, "one", 100, 1.0)
    assert pace.reserve(session, "another", 100, 1.0) == 0.0


def test_an_idle_hour_saves_nothing_up(session):
    pace.reserve(session, "smtp", 1, 1.0)
    session.execute(sa.update(paces).values(free_at=database_now(session) - timedelta(hours=1)))
    assert pace.reserve(session, "smtp", 3, 1.0) == 0.0
    assert pace.reserve(session, "smtp", 1, 1.0) == pytest.approx(3.0, abs=0.2)


def test_another_rate_holds_from_the_next_reservation_on(session):
    pace.reserve(session, "smtp", 10, 10.0)
    assert pace.reserve(session, "smtp", 10, 1.0) == pytest.approx(1.0, abs=0.2)
    assert pace.reserve(session, "smtp", 1, 1.0) == pytest.approx(11.0, abs=0.2)


def test_a_block_is_a_25th_of_a_second_and_at_least_one_message():
    assert [pace.block(rate) for rate in (0.2, 1, 500, 5000)] == [1, 1, 20, 200]


def send(url, ready, sent):
    """Play a sender: reserve, wait, and let the block go evenly.

    Puts down for each message when it was to go, by the row itself, and when it went: a machine with more
    processes than cores wakes nobody in time.
    """
    stores = open_stores(url)
    due, went, count = [], [], pace.block(RATE)
    ready.wait(120)  # interpreters take a while to start, each its own
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        with stores.sessions.begin() as session:
            wait = pace.reserve(session, "smtp", count, RATE)
            end = session.scalar(sa.select(paces.c.free_at)).timestamp()
        start = time.monotonic() + wait
        for at in range(count):
            time.sleep(max(0.0, start + at / RATE - time.monotonic()))
            went.append(time.monotonic())
            due.append(end - (count - at) / RATE)
    stores.engine.dispose()
    sent.put((due, went))


def test_four_processes_together_keep_one_limit_in_every_second(database_url):
    context = multiprocessing.get_context("spawn")
    sent, ready = context.Queue(), context.Barrier(PROCESSES)
    children = [context.Process(target=send, args=(database_url, ready, sent)) for _ in range(PROCESSES)]
    for child in children:
        child.start()
    told = [sent.get(timeout=120) for _ in children]
    for child in children:
        child.join()
    due, went = (sorted(moment for moments in side for moment in moments) for side in zip(*told, strict=True))
    assert worst_second(due) <= RATE * 1.02
    assert worst_second(went) <= RATE * 1.2
    assert len(went) >= RATE * (went[-1] - went[0]) * 0.9
    assert min(len(moments) for moments, _ in told) > 0


def worst_second(moments):
    """The most that went in any second, wherever it begins."""
    first, worst = 0, 0
    for last, moment in enumerate(moments):
        while moments[first] <= moment - 1.0:
            first += 1
        worst = max(worst, last - first + 1)
    return worst
