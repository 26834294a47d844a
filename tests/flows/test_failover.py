"""Accounts in trouble, by a clock of our own: closed, tried, left, and used again; the campaign's log tells."""

from datetime import timedelta

import pytest

from campaigns.delivery.backend import open_backend
from campaigns.delivery.routes import Route, Routing
from campaigns.delivery.trying import try_account
from campaigns.errors import BackendError
from campaigns.flows import overseeing, probing, routing
from campaigns.flows.sending import drain
from campaigns.records import accounts, campaigns
from campaigns.values import Account, AccountState
from tests.delivery.peers import Peer, Say
from tests.factories import NOW, a_postbox
from tests.flows.test_dispatching import a_running_run as with_mails
from tests.records.test_routes import a_running_run, shares

MINUTE = timedelta(minutes=1)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, now=NOW):
        self.now = now

    def __call__(self):
        return self.now


class Desk:
    """The other side of an account: asked, it says what the test wants."""

    def __init__(self):
        self.asked, self.wrong = 0, None

    def __call__(self):
        self.asked += 1
        if self.wrong:
            raise self.wrong


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def probe(stores, clock, desk):
    return lambda: probing.probe(stores.sessions, stores.readers, "main", desk, clock)


@pytest.fixture
def breaks(stores, clock):
    def failed(text="down", **how):
        probing.note_failure(stores.sessions, "main", BackendError(text, **how), clock())

    return failed


def state(stores, clock):
    with stores.readers() as session:
        return accounts.standing(session, "main").state


def test_an_account_that_is_well_is_not_asked(probe, desk):
    assert probe() is None
    assert desk.asked == 0


def test_a_broken_account_is_asked_when_its_time_has_come_and_opened_by_its_answer(
    stores, clock, desk, probe, breaks
):
    breaks()
    assert probe() is None
    clock.now += 6 * timedelta(seconds=1)
    desk.wrong = BackendError("still down")
    assert probe() is False
    assert probe() is None, "it waits for twice as long"
    clock.now += 11 * timedelta(seconds=1)
    desk.wrong = None
    assert probe() is True
    assert state(stores, clock) is AccountState.OPEN
    assert (probe(), desk.asked) == (None, 2)


def test_one_that_asks_to_be_left_alone_is_not_asked_before(clock, desk, probe, breaks):
    breaks("429", retry_after=10 * MINUTE)
    clock.now += 9 * MINUTE
    assert (probe(), desk.asked) == (None, 0)
    clock.now += 2 * MINUTE
    assert probe() is True


def test_a_try_that_dies_in_our_hands_is_made_again_by_another(clock, desk, probe, breaks):
    breaks()
    clock.now += MINUTE
    desk.wrong = OSError("killed")
    with pytest.raises(OSError, match="killed"):
        probe()
    desk.wrong = None
    assert probe() is None
    clock.now += 2 * MINUTE
    assert probe() is True


def test_failover_and_coming_back_are_told_in_the_campaigns_log(stores, clock, probe, breaks):
    routes = Routing(
        {name: Account(name, "smtp") for name in ("main", "backup")}, (Route({"main": 1.0}, ("backup",)),)
    )
    with stores.sessions.begin() as session:
        run = a_running_run(session, {"google": 3, "other": 2})
    breaks()
    for _ in range(4):
        clock.now += MINUTE
        with stores.readers() as session:
            assert routing.has_news(session, routes, clock())
        with stores.sessions.begin() as session:
            assert routing.move_on(session, routes, clock()) == []
    clock.now += 2 * MINUTE
    with stores.sessions.begin() as session:
        assert sum(one.chunks for one in routing.move_on(session, routes, clock())) == 5
        assert shares(session, run) == {"backup": 5}
        line, *_ = campaigns.log_lines(session, campaigns.get_run(session, run).campaign_id)
        assert line.actor == "worker"
        assert line.what == (
            "what waits, at most 50 messages, goes through backup instead of main, "
            "which has failed since 2026-11-22 09:00 UTC"
        )
    assert probe() is True
    with stores.sessions.begin() as session:
        late = a_running_run(session, {"google": 1})
        assert not routing.has_news(session, routes, clock())
        assert routing.move_on(session, routes, clock()) == []
        assert shares(session, late) == {"main": 1}, "what is new goes the usual way again"
        assert shares(session, run) == {"backup": 5}, "what went over stays"


def test_a_real_server_is_tried_without_a_mail():
    with Peer() as peer:
        account = Account("main", "smtp", {"url": f"smtp://127.0.0.1:{peer.port}"})
        assert "answers" in try_account(account)
        assert peer.taken == []
        assert not [line for line in peer.lines if line.upper().startswith("MAIL")]
    with pytest.raises(BackendError):
        try_account(account)


def test_a_sender_that_meets_a_refusing_server_closes_the_account_and_nothing_else(stores, tmp_path):
    with stores.sessions.begin() as session:
        with_mails(session, "google", size=10)
        a_running_run(session, {"google": 1}, account="spare")
    with Peer(lambda stage, seen: Say(b"421 no\r\n", cut=True) if stage == "greeting" else None) as peer:
        backend = open_backend(f"smtp://127.0.0.1:{peer.port}")
        post = a_postbox(stores, backend, tmp_path)
        with pytest.raises(BackendError) as raised:
            drain(post)
        probing.note_failure(stores.sessions, post.account, raised.value, post.clock())
        assert drain(post) == 0
        backend.close()
    with stores.readers() as session:
        main, spare = overseeing.overview(
            session,
            Routing({n: Account(n, "smtp", rate=5.0) for n in ("main", "spare")}, ()),
            post.clock(),
        )
    assert (main.state, main.queue.mails, main.rate) == (AccountState.BROKEN, 10, 5.0)
    assert "421" in main.told()["said"]
    assert (spare.state, spare.queue.mails, spare.told()["said"]) == (
        AccountState.OPEN,
        10,
        overseeing.NOBODY,
    )


def test_an_account_that_left_the_file_is_shown_as_long_as_something_waits_for_it(stores, clock):
    with stores.sessions.begin() as session:
        a_running_run(session, {"google": 1}, account="of old")
        routes = Routing({"main": Account("main", "smtp")}, (Route({"main": 1.0}),))
        assert [one.name for one in overseeing.overview(session, routes, clock())] == ["main", "of old"]
        routing.move_on(session, routes, clock())
        assert [one.name for one in overseeing.overview(session, routes, clock())] == ["main"]
