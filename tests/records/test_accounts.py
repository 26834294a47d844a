"""How accounts fail, rest and work again: by a clock of our own, on both databases."""

import threading
from datetime import timedelta

import pytest

from campaigns.errors import BackendError
from campaigns.model.dialect import database_now
from campaigns.records import accounts, outbox
from campaigns.values import AccountState, Outcome, OutcomeKind
from tests.factories import NOW
from tests.records.test_routes import a_running_run

SENT, FAILED, UNKNOWN = (
    Outcome(kind) for kind in (OutcomeKind.SENT, OutcomeKind.FAILED, OutcomeKind.UNKNOWN)
)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def state(session, name="main"):
    return accounts.standing(session, name).state


def fails(session, name, text, now, **how):
    return accounts.failed(session, name, BackendError(text, **how), now)


def test_an_account_that_nobody_spoke_of_is_open(session):
    assert accounts.standings(session) == {}
    assert state(session) is AccountState.OPEN


def test_each_failure_closes_it_for_longer_up_to_a_minute(session):
    now, rests = NOW, []
    for _ in range(6):
        until = fails(session, "main", "421 busy", now).closed_until
        rests.append((until - now).total_seconds())
        now = until + SECOND
    assert rests == [5, 10, 20, 40, 60, 60]
    standing = accounts.standing(session, "main")
    assert (standing.failing_since, standing.failures, standing.sample) == (NOW, 6, "421 busy")
    assert standing.silent_for(now) == now - NOW


def test_of_many_senders_that_fail_at_once_the_first_counts(session):
    for n in range(5):
        fails(session, "main", f"sender {n}", NOW + n * timedelta(milliseconds=100))
    standing = accounts.standing(session, "main")
    assert (standing.failures, standing.closed_until, standing.sample) == (1, NOW + 5 * SECOND, "sender 4")


def test_one_that_names_a_time_is_left_alone_until_then_and_a_day_at_most(session):
    fails(session, "main", "429", NOW, retry_after=7 * MINUTE)
    fails(session, "spare", "429", NOW, retry_after=timedelta(days=30))
    assert accounts.standing(session, "main").closed_until == NOW + 7 * MINUTE
    assert accounts.standing(session, "spare").closed_until == NOW + timedelta(days=1)


def test_nothing_is_claimed_for_a_closed_account_until_it_was_tried(session):
    run = a_running_run(session, {"google": 2})
    now = database_now(session)
    fails(session, "main", "down", now - timedelta(hours=1))  # its time has come long ago
    assert not outbox.has_work(session)
    assert outbox.claim(session, "me") is None
    assert outbox.claim_this(session, "me", run, 1) is None
    assert accounts.opened(session, "main", now)
    assert outbox.has_work(session)
    assert outbox.claim(session, "me").number == 1


def test_one_that_is_busy_rests_and_one_that_is_silent_is_broken(session):
    fails(session, "main", "429", NOW, retry_after=MINUTE, busy=True)
    fails(session, "spare", "401 whose key is that", NOW, retry_after=MINUTE)
    assert (state(session), state(session, "spare")) == (AccountState.RESTING, AccountState.BROKEN)
    assert accounts.standing(session, "main").silent_for(NOW + MINUTE) == MINUTE
    fails(session, "main", "connection refused", NOW + 2 * MINUTE)
    assert state(session) is AccountState.BROKEN


def test_another_accounts_failure_is_none_of_ours(session):
    a_running_run(session, {"google": 1}, account="spare")
    fails(session, "main", "down", database_now(session))
    assert outbox.claim(session, "me") is None
    assert outbox.claim(session, "me", "spare") is not None


def test_one_at_a_time_may_try_it_and_only_when_its_time_has_come(stores):
    with stores.sessions.begin() as session:
        fails(session, "main", "down", NOW)
        assert not accounts.take_probe(session, "main", NOW + SECOND)
    taken, start = [], threading.Barrier(4)

    def sender():
        start.wait()
        with stores.sessions.begin() as session:
            taken.append(accounts.take_probe(session, "main", NOW + MINUTE))

    threads = [threading.Thread(target=sender) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [False, False, False, True]
    with stores.sessions.begin() as session:  # whoever took it was lost: another may, later
        assert not accounts.take_probe(session, "main", NOW + 2 * MINUTE)
        assert accounts.take_probe(session, "main", NOW + 3 * MINUTE)


def test_a_try_that_failed_keeps_it_closed_for_longer(session):
    fails(session, "main", "down", NOW)
    later = NOW + MINUTE
    assert accounts.take_probe(session, "main", later)
    accounts.refused_again(session, "main", BackendError("still down"), later)
    standing = accounts.standing(session, "main")
    assert (standing.closed_until, standing.failures, standing.sample) == (
        later + 10 * SECOND,
        2,
        "still down",
    )
    assert standing.failing_since == NOW


def test_a_server_that_only_greets_is_broken_since_it_first_failed(session):
    fails(session, "main", "down", NOW)
    accounts.opened(session, "main", NOW + MINUTE)
    assert state(session) is AccountState.OPEN
    fails(session, "main", "down again", NOW + 2 * MINUTE)
    assert accounts.standing(session, "main").silent_for(NOW + 3 * MINUTE) == 3 * MINUTE


def test_an_idle_account_that_fails_days_after_a_good_try_is_broken_only_since_then(session):
    fails(session, "main", "down", NOW)
    fails(session, "main", "down", NOW + MINUTE)
    accounts.opened(session, "main", NOW + 2 * MINUTE)
    later = NOW + timedelta(days=3)
    standing = fails(session, "main", "one hiccup", later)
    assert (standing.failing_since, standing.failures) == (later, 1)
    assert standing.closed_until == later + 5 * SECOND
    assert standing.silent_for(later + MINUTE) == MINUTE


def test_one_that_asks_for_no_wait_is_left_alone_for_some_seconds(session):
    assert fails(session, "main", "429", NOW, retry_after=timedelta(0)).closed_until == NOW + 5 * SECOND


def test_a_mail_that_was_sent_after_the_failure_proves_that_it_works(session):
    fails(session, "main", "down", NOW)
    accounts.used(session, "main", {1: SENT}, {1: NOW - SECOND}, NOW + SECOND)
    assert state(session) is AccountState.BROKEN, "sent before it failed"
    accounts.used(session, "main", {2: FAILED, 3: UNKNOWN}, {}, NOW + MINUTE)
    assert state(session) is AccountState.BROKEN, "nothing was sent"
    accounts.used(session, "main", {4: SENT}, {4: NOW + MINUTE}, NOW + MINUTE)
    assert state(session) is AccountState.OPEN
    assert accounts.standing(session, "main").failures == 0


def test_what_was_sent_is_counted_by_hour_and_day_and_forgotten_after_two(session):
    hour = timedelta(hours=1)
    for ago, outcomes in (
        (0, {1: SENT, 2: FAILED}),
        (3, {3: SENT, 4: UNKNOWN}),
        (30, {5: SENT}),
        (60, {6: SENT}),
    ):
        accounts.used(session, "main", outcomes, {}, NOW - ago * hour)
    accounts.used(session, "spare", {}, {}, NOW)
    assert accounts.uses(session, NOW) == {
        "main": accounts.Use(hour=1, day=2, failed=1, deferred=0, unknown=1)
    }
    assert accounts.has_old(session, NOW)
    assert accounts.uses(session, NOW - 40 * hour)["main"].day == 4
    accounts.forget(session, NOW)
    assert not accounts.has_old(session, NOW)
    assert accounts.uses(session, NOW - 40 * hour)["main"].day == 3


def test_hostile_words_of_a_server_are_kept_as_text_and_cut(session):
    said = "421 \x00'; DROP TABLE chunks; <script>" + "x" * 5000
    fails(session, "main", said, NOW)
    assert len(accounts.standing(session, "main").sample) <= 500


@pytest.mark.parametrize("name", ["main", "spare"])
def test_claims_name_the_account_that_they_go_through(session, name):
    a_running_run(session, {"google": 1}, account=name)
    assert outbox.claim(session, "me", name).account == name
    [held] = outbox.held_by(session, "me")
    assert held.account == name
    assert outbox.take_over(session, held, "recovery").account == name
