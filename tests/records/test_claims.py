"""What a claim leaves alone: lanes and accounts that may give nothing, by whichever way they are asked."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.delivery.warmup import Plan
from campaigns.flows import dispatching
from campaigns.model.dialect import database_now, is_postgres
from campaigns.model.lanes import lanes as lane_rows
from campaigns.model.mail import chunks
from campaigns.model.mail import senders as senders_table
from campaigns.records import lanes, outbox
from campaigns.records.lanes import EVERY_ACCOUNT, WHOLE, Limits
from tests.flows.test_dispatching import a_running_run

MINUTE = timedelta(minutes=1)


def limit(session, lane, **limits):
    lanes.set_limits(session, "main", lane, Limits(**limits), actor="ada", now=database_now(session))


def fences(session):
    return session.scalars(sa.select(chunks.c.fence).order_by(chunks.c.number)).all()


def hold_all(session, until=None):
    now = database_now(session)
    lanes.hold(session, "main", WHOLE, "asked", until=until, actor="ada", now=now)


def test_of_an_account_that_is_held_nothing_is_published_nor_claimed_by_name(session):
    run = a_running_run(session, "google", "other")
    told = dispatching.choose(session, window=4)
    assert len(told) == 2
    hold_all(session)
    dispatching.take_back(session, told)
    assert dispatching.choose(session, window=4) == []
    assert outbox.claim_this(session, "me", run, 1) is None
    assert outbox.claim(session, "me") is None
    now = database_now(session)
    assert lanes.grant(session, "main", "google", 10, now=now) == 0
    lanes.reopen(session, "main", WHOLE, actor="ada", now=now)
    assert len(dispatching.choose(session, window=4)) == 2
    assert outbox.claim_this(session, "me", run, 1).fence == 1


def test_of_an_account_whose_day_is_used_up_nothing_is_published_until_tomorrow(session):
    run = a_running_run(session, "google", "other", "other", size=10)
    limit(session, WHOLE, per_day=10)
    assert outbox.claim_this(session, "me", run, 1).granted == 10
    assert outbox.claim_this(session, "me", run, 2) is None  # now the account knows
    assert dispatching.choose(session, window=4) == []
    assert outbox.claim_this(session, "me", run, 2) is None
    assert fences(session) == [1, 0, 0]


def test_a_lane_that_others_fill_is_left_alone_and_who_serves_it_goes_on(session):
    run = a_running_run(session, *["google"] * 4, "other")
    limit(session, "google", connections=1)
    assert outbox.claim(session, "a", serves=lambda lane: lane == "google").number == 1
    assert [one.lane for one in dispatching.choose(session, window=4)] == ["other"]
    assert outbox.claim_this(session, "b", run, 2) is None
    assert outbox.claim(session, "b").lane == "other"
    assert not outbox.has_work(session, owner="b")
    assert outbox.claim(session, "b") is None
    assert fences(session) == [1, 0, 0, 0, 1]
    assert outbox.has_work(session, owner="a")
    assert outbox.claim(session, "a").number == 2


@pytest.mark.parametrize(
    ("own", "common", "starts", "most"),
    [
        (2, 1, True, 2),
        (None, 3, True, 3),
        (None, None, True, 5),
        (0, 1, True, None),
        (None, None, False, None),
        (None, 2, False, 2),
    ],
)
def test_what_a_lane_bears_is_its_own_number_then_all_accounts_then_what_it_starts_with(
    session, own, common, starts, most
):
    a_running_run(session, *["google"] * 8)
    now = database_now(session)
    # a rate would close the lane before its places are taken
    limit(session, "google", connections=own, per_minute=0)
    lanes.set_limits(session, EVERY_ACCOUNT, "google", Limits(connections=common), actor="ada", now=now)
    lanes.start(session, {"main": starts}, now=now)
    taken = [outbox.claim(session, f"sender {n}") for n in range(8)]
    assert len([one for one in taken if one]) == (most or 8)


def test_a_chunk_that_was_given_back_at_once_counts_as_never_claimed(session, monkeypatch):
    a_running_run(session, "google", size=5)
    limit(session, "google", per_day=5)
    monkeypatch.setattr(lanes, "grant", lambda *_, **__: 0)  # another was faster
    assert outbox.claim(session, "me") is None
    assert fences(session) == [0]
    assert outbox.held_by(session, "me") == []
    monkeypatch.undo()
    assert outbox.claim(session, "me").fence == 1


def test_senders_that_find_a_domains_day_used_up_at_once_do_not_wait_for_each_other(stores, monkeypatch):
    with stores.sessions.begin() as session:
        a_running_run(session, *["google"] * 6)
        if not is_postgres(session):
            return  # one writer at a time
        domain = session.scalar(sa.select(senders_table.c.address)).partition("@")[2]
        lanes.set_plan(session, "main", domain, Plan(1, 2.0, 10), actor="ada", now=utc_now())
        assert outbox.claim(session, "first").granted == 1
    began = utc_now()
    both, asked, errors = threading.Barrier(2), lanes.warming, []

    def ask(session, place):
        both.wait(120)
        return asked(session, place)

    def work(owner):
        try:
            with stores.sessions.begin() as session:
                assert outbox.claim(session, owner) is None
        except Exception as error:
            errors.append(error)

    monkeypatch.setattr(lanes, "warming", ask)
    threads = [threading.Thread(target=work, args=(owner,)) for owner in ("a", "b")]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert errors == []
    with stores.readers() as session:
        waits = session.scalars(sa.select(chunks.c.not_before).where(chunks.c.state == "ready")).all()
        assert len(waits) == 5
        assert set(waits) <= {
            lanes.tomorrow(one) for one in (began, utc_now())
        }  # midnight may have come between


class InOrder:
    """Turns that stand."""

    def __init__(self, *wanted):
        self.wanted = wanted

    def order(self, _session, _run, _account, found):
        return [lane for lane in self.wanted if lane in found]


@pytest.mark.parametrize("warmed", [False, True])
def test_two_who_both_lost_a_lane_to_others_do_not_wait_for_each_others(stores, monkeypatch, warmed):
    if stores.engine.dialect.name == "sqlite":
        pytest.skip("SQLite's writers are alone")
    with stores.sessions.begin() as session:
        a_running_run(session, *["google", "apple"] * 2)
        now = database_now(session)
        if warmed:
            domain = session.scalar(sa.select(senders_table.c.address)).partition("@")[2]
            lanes.set_plan(session, "main", domain, Plan(500, 2, 9000), actor="ada", now=now)
        for lane in ("google", "apple"):
            limit(session, lane, per_minute=60)
            session.execute(sa.update(lane_rows).values(open_at=now + MINUTE))
    both, whole = threading.Barrier(2, timeout=120), lanes.grant
    first = threading.local()

    def grant(*args, **named):
        given = whole(*args, **named)
        if not hasattr(first, "over"):
            first.over = True
            both.wait()
        return given

    monkeypatch.setattr(lanes, "grant", grant)
    monkeypatch.setattr(lanes, "closed", lambda *_: frozenset())  # as it was before others took all there is

    def claim(name, *order):
        with stores.sessions.begin() as session:
            return outbox.claim(session, name, turns=InOrder(*order))

    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(claim, "a", "google", "apple"), pool.submit(claim, "b", "apple", "google")]
        assert [one.result(240) for one in asked] == [None, None]
    with stores.readers() as session:
        assert fences(session) == [0, 0, 0, 0]
