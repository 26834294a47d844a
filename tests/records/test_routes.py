"""Chunks find their accounts as the routes say, leave those that are lost, and are never moved while held."""

import threading
from collections import Counter
from datetime import timedelta
from time import perf_counter

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.delivery.routes import Route, Routing
from campaigns.errors import BackendError
from campaigns.model.dialect import insert_many
from campaigns.model.mail import chunks, runs
from campaigns.records import accounts, outbox, routes
from campaigns.values import Account, TopicClass
from tests.factories import NOW, SENDER, a_campaign, a_run, a_topic

LANES = ("google", "yahoo", "other")
NAMES = ("main", "spare", "backup")
LATER = NOW + timedelta(minutes=10)


def a_routing(*some):
    return Routing({name: Account(name, "smtp") for name in NAMES}, some)


def a_running_run(session, lanes, topic_class=TopicClass.MARKETING, account="main", size=10):
    """A running run with so many chunks of each lane, mixed."""
    run = a_run(session, a_campaign(session, topic=a_topic(session, topic_class)))
    session.execute(sa.update(runs).where(runs.c.id == run).values(state="running"))
    mixed = sorted((n / count, lane) for lane, count in lanes.items() for n in range(count))
    rows = [
        (run, number, lane, (number - 1) * size + 1, number * size, "ready", account)
        for number, (_, lane) in enumerate(mixed, start=1)
    ]
    columns = ("run_id", "number", "lane", "first_seq", "last_seq", "state", "account")
    insert_many(session, chunks, columns, rows)
    return run


def shares(session, run, **where):
    query = sa.select(chunks.c.account, sa.func.count()).where(chunks.c.run_id == run)
    for name, value in where.items():
        query = query.where(chunks.c[name] == value)
    return Counter(dict(session.execute(query.group_by(chunks.c.account)).all()))


def breaks(session, name, at=NOW):
    accounts.failed(session, name, BackendError("421 no"), at)


ROUTES = st.lists(
    st.builds(
        Route,
        st.dictionaries(st.sampled_from(NAMES), st.sampled_from([1.0, 2.0, 5.0]), min_size=1),
        classes=st.frozensets(st.sampled_from([one.value for one in TopicClass]), max_size=2),
        senders=st.sampled_from([frozenset(), frozenset({SENDER.address}), frozenset({"other.example"})]),
        lanes=st.frozensets(st.sampled_from(LANES), max_size=2),
    ),
    max_size=4,
).map(lambda some: a_routing(*some, Route({"main": 1.0})))


@settings(max_examples=15, deadline=None)
@given(
    ROUTES,
    st.sampled_from(TopicClass),
    st.fixed_dictionaries({lane: st.integers(0, 60) for lane in LANES}),
)
def test_a_run_is_shared_as_a_plain_reading_of_its_routes_says(stores, routing, topic_class, lanes):
    with stores.sessions() as session:
        run = a_running_run(session, lanes, topic_class)
        routes.assign(session, run, routing, NOW)
        for lane, count in lanes.items():
            expected = next(
                one
                for one in routing.routes
                if topic_class.value in (one.classes or {topic_class.value})
                and one.senders in (frozenset(), {SENDER.address})
                and lane in (one.lanes or {lane})
            ).accounts
            found = shares(session, run, lane=lane)
            assert found.total() == count
            for name, weight in expected.items():
                assert abs(found[name] - count * weight / sum(expected.values())) <= 3
            assert found.keys() <= expected.keys()
        session.rollback()


def test_a_run_dealt_again_is_dealt_alike(session):
    routing = a_routing(Route({"main": 3.0, "spare": 1.0}))
    run = a_running_run(session, {"google": 40})
    query = (
        sa.select(chunks.c.number, chunks.c.account).where(chunks.c.run_id == run).order_by(chunks.c.number)
    )
    routes.assign(session, run, routing, NOW)
    once = session.execute(query).all()
    session.execute(sa.update(chunks).values(account="main"))
    routes.assign(session, run, routing, NOW)
    assert session.execute(query).all() == once


@pytest.mark.timed
def test_a_thousand_chunks_cost_milliseconds(session):
    routing = a_routing(
        Route({"main": 3.0, "spare": 1.0}, lanes=frozenset({"google"})), Route({"spare": 1.0})
    )
    run = a_running_run(session, {"google": 500, "yahoo": 200, "other": 300})
    began = perf_counter()
    routes.assign(session, run, routing, NOW)
    assert perf_counter() - began < 0.5  # 5 to 20 ms on a machine that has nothing else to do
    assert shares(session, run) == pytest.approx({"main": 375, "spare": 625}, abs=2)


def test_without_an_accounts_file_nothing_is_asked_and_nothing_changes(session, monkeypatch):
    run = a_running_run(session, {"google": 3})
    monkeypatch.setattr(session, "execute", None)
    routes.assign(session, run, None, NOW)
    routes.assign(session, run, Routing({"main": Account("main", "smtp")}, (Route({"main": 1.0}),)), NOW)
    monkeypatch.undo()
    assert shares(session, run) == {"main": 3}


def test_what_waits_for_an_account_goes_over_once_it_has_been_broken_for_as_long_as_its_route_bears(session):
    routing = a_routing(
        Route({"main": 1.0}, ("spare",), timedelta(minutes=1), lanes=frozenset({"google"})),
        Route({"main": 1.0}, ("backup",)),
    )
    run = a_running_run(session, {"google": 4, "other": 6})
    breaks(session, "main")
    assert routes.move(session, routing, NOW + timedelta(minutes=1)) == []
    moved = routes.move(session, routing, NOW + timedelta(minutes=2))
    assert [(one.run, one.account, one.to, one.chunks, one.mails) for one in moved] == [
        (run, "main", "spare", 4, 40)
    ]
    routes.move(session, routing, NOW + timedelta(minutes=6))
    assert shares(session, run) == {"spare": 4, "backup": 6}
    assert routes.move(session, routing, LATER) == []


def test_its_share_of_a_weighted_route_goes_to_the_others_in_proportion(session):
    routing = a_routing(Route({"main": 4.0, "spare": 3.0, "backup": 1.0}))
    run = a_running_run(session, {"google": 800})
    routes.assign(session, run, routing, NOW)
    assert shares(session, run) == pytest.approx({"main": 400, "spare": 300, "backup": 100}, abs=3)
    breaks(session, "main")
    routes.move(session, routing, LATER)
    assert shares(session, run) == pytest.approx({"spare": 600, "backup": 200}, abs=4)


def test_new_runs_do_without_a_lost_account_until_it_is_open_again(session):
    routing = a_routing(Route({"main": 1.0}, ("backup",)))
    breaks(session, "main")
    for now, wanted in ((NOW + timedelta(minutes=4), "main"), (LATER, "backup")):
        run = a_running_run(session, {"google": 2})
        routes.assign(session, run, routing, now)
        assert shares(session, run) == {wanted: 2}
    accounts.opened(session, "main", LATER)
    run = a_running_run(session, {"google": 2})
    routes.assign(session, run, routing, LATER)
    assert shares(session, run) == {"main": 2}


def test_where_no_account_of_a_route_can_take_it_mail_waits_where_it_is(session):
    routing = a_routing(Route({"main": 1.0}, ("backup",)))
    run = a_running_run(session, {"google": 2})
    breaks(session, "main")
    breaks(session, "backup")
    assert routes.move(session, routing, LATER) == []
    late = a_running_run(session, {"google": 2})
    routes.assign(session, late, routing, LATER)
    assert shares(session, run) == shares(session, late) == {"main": 2}


def test_what_a_sender_holds_stays_with_its_account(session):
    routing = a_routing(Route({"main": 1.0}, ("backup",)))
    run = a_running_run(session, {"google": 3})
    held = outbox.claim(session, "me")
    breaks(session, "main")
    routes.move(session, routing, LATER)
    assert shares(session, run, state="claimed") == {"main": 1}
    assert shares(session, run, state="ready") == {"backup": 2}
    outbox.renew(session, held)  # it is still ours


def test_an_account_that_left_the_file_leaves_nothing_behind(session):
    run = a_running_run(session, {"google": 3}, account="of old")
    stays = a_running_run(session, {"google": 1}, account="spare")
    routing = a_routing(Route({"main": 1.0}, ("spare",)))
    assert routes.suspects(session, routing, NOW) == {"of old"}
    routes.move(session, routing, NOW)
    assert shares(session, run) == {"main": 3}
    assert shares(session, stays) == {"spare": 1}
    assert routes.suspects(session, routing, NOW) == set()


def test_what_waits_for_an_account_that_its_route_names_no_more_goes_over(session):
    strayed = a_running_run(session, {"google": 1, "other": 1}, account="spare")
    routing = a_routing(Route({"spare": 1.0}, lanes=frozenset({"google"})), Route({"main": 1.0}))
    assert routes.suspects(session, routing, NOW) == {"spare"}
    routes.move(session, routing, NOW)
    assert shares(session, strayed, lane="google") == {"spare": 1}
    assert shares(session, strayed, lane="other") == {"main": 1}
    assert routes.suspects(session, routing, NOW) == set()


def test_a_large_run_is_given_to_its_accounts_whole_and_leaves_a_lost_one_by_and_by(session, monkeypatch):
    monkeypatch.setattr(routes, "MOST_MOVED", 20)
    routing = a_routing(Route({"spare": 1.0, "backup": 1.0}))
    run = a_running_run(session, {"google": 50})
    routes.assign(session, run, routing, NOW)
    assert shares(session, run) == pytest.approx({"spare": 25, "backup": 25}, abs=2)
    breaks(session, "spare")
    before = shares(session, run)["spare"]
    routes.move(session, routing, LATER)
    assert shares(session, run)["spare"] == before - 20
    routes.move(session, routing, LATER)
    assert shares(session, run) == {"backup": 50}


def test_moved_chunks_are_published_to_who_serves_the_other_account(session):
    from campaigns.records.outbox import publishing

    a_running_run(session, {"google": 2})
    assert {one.account for one in publishing.publish(session, NAMES, window=9)} == {"main"}
    breaks(session, "main")
    routes.move(session, a_routing(Route({"main": 1.0}, ("backup",))), LATER)
    again = publishing.publish(session, NAMES, window=9)
    assert [(one.number, one.account) for one in again] == [(1, "backup"), (2, "backup")]


def test_chunks_that_come_one_by_one_are_shared_by_weight_too(session):
    routing = a_routing(Route({"main": 3.0, "spare": 1.0}))
    run = a_running_run(session, {"google": 400})
    for number in range(1, 401):
        routes.assign(session, run, routing, NOW, number=number)
    found = shares(session, run)
    assert found.total() == 400
    assert 260 < found["main"] < 340


def test_claims_and_a_failover_at_once_give_each_chunk_to_one_sender(stores):
    with stores.sessions.begin() as session:
        run = a_running_run(session, {"google": 60, "other": 60})
    routing = Routing({"backup": Account("backup", "smtp")}, (Route({"backup": 1.0}),))  # main left the file
    held, errors = [], []

    def claims(account):
        until = perf_counter() + 240
        while len(held) < 120 and perf_counter() < until:
            with stores.sessions.begin() as session:
                chunk = outbox.claim(session, account, account)
            held.extend([(chunk.account, chunk.number)] if chunk else [])

    def moves(_):
        for _ in range(5):
            with stores.sessions.begin() as session:
                routes.move(session, routing, NOW)

    def guarded(act, what):
        try:
            act(what)
        except Exception as error:
            errors.append(error)

    jobs = [(claims, "main"), (claims, "backup"), (claims, "backup"), (moves, None), (moves, None)]
    threads = [threading.Thread(target=guarded, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(number for _, number in held) == list(range(1, 121))
    with stores.readers() as session:
        by_store = session.execute(
            sa.select(chunks.c.account, chunks.c.number).where(chunks.c.run_id == run)
        ).all()
    assert sorted(held) == sorted(map(tuple, by_store))
