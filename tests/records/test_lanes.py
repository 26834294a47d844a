"""Lanes' budgets, holds and days in the store, shared by all senders."""

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.delivery.backoff_rules import rule_of
from campaigns.delivery.warmup import Plan
from campaigns.model.dialect import database_now
from campaigns.model.lanes import lane_days, lane_log
from campaigns.model.lanes import lanes as table
from campaigns.records import history, lanes
from campaigns.records.lanes import EVERY_ACCOUNT, WHOLE, Limits, Signal
from campaigns.values import EventKind, Fact, Outcome, OutcomeKind
from tests.factories import NOW, step_all

SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
SENT = Outcome(OutcomeKind.SENT, 250)


def signal(text, code=421, **over):
    return Signal(rule_of(Outcome(OutcomeKind.DEFERRED, code, None, text)), text, **over)


def limit(session, **limits):
    lanes.set_limits(session, "main", "google", Limits(**limits), actor="ada", now=NOW)


def grant(session, now=NOW, wanted=1000, lane="google"):
    return lanes.grant(session, "main", lane, wanted, now=now)


def test_a_lane_of_which_nothing_is_known_gives_all_and_keeps_no_row(session):
    assert grant(session) is None
    assert lanes.closed(session, "main", NOW) == frozenset()
    assert session.scalar(sa.select(sa.func.count()).select_from(table)) == 0


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([1.0, 30.0, 600.0, 6000.0]),
    st.lists(st.tuples(st.floats(0, 5), st.integers(1, 2000)), min_size=1, max_size=30),
)
def test_over_every_span_no_more_goes_than_the_rate_and_two_blocks(session, rate, asks):
    """Against the definition: for any two grants, what was given between them against the time between them."""
    with session.begin_nested() as inside:
        limit(session, per_minute=rate)
        given_at, now = [], NOW
        for seconds, wanted in asks:
            now += timedelta(seconds=seconds)
            if "google" not in lanes.closed(session, "main", now):
                given_at.append((now, grant(session, now, wanted)))
        block = max(1, rate / 60)
        for first in range(len(given_at)):
            total = 0
            for at, count in given_at[first:]:
                total += count
                assert total <= (at - given_at[first][0]) / MINUTE * rate + 2 * block + 1e-6
        inside.rollback()


def test_a_steady_asker_gets_the_whole_rate_though_it_comes_late(session):
    limit(session, per_minute=600)
    total, now = 0, NOW
    while now < NOW + MINUTE:
        if "google" not in lanes.closed(session, "main", now):
            total += grant(session, now)
        now += timedelta(seconds=0.37)
    assert 590 <= total <= 620


def test_senders_at_once_share_one_budget(stores):
    with stores.sessions.begin() as session:
        lanes.set_limits(session, "main", "google", Limits(per_day=100), actor="ada", now=NOW)
    given_out, errors = [], []

    def ask():
        try:
            for _ in range(10):
                with stores.sessions.begin() as session:
                    given_out.append(lanes.grant(session, "main", "google", 7, now=NOW))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert errors == []
    assert sum(given_out) == 100


def test_a_day_that_is_used_up_closes_the_lane_until_midnight_and_the_next_opens_it(session):
    limit(session, per_day=50)
    assert grant(session) == 50
    assert grant(session) == 0
    midnight = NOW.replace(hour=0, minute=0) + DAY
    assert lanes.closed(session, "main", midnight - SECOND) == {"google"}
    assert lanes.closed(session, "main", midnight) == frozenset()
    assert grant(session, midnight) == 50


def test_what_was_not_begun_is_given_back_to_the_day(session):
    limit(session, per_day=50)
    assert grant(session) == 50
    assert grant(session) == 0
    lanes.release(session, "main", "google", given=50, begun=20, sent=20, now=NOW)
    assert lanes.closed(session, "main", NOW) == frozenset()
    assert grant(session) == 30


def test_an_account_without_limits_of_its_own_has_those_of_every_account(session):
    lanes.set_limits(session, EVERY_ACCOUNT, "google", Limits(per_day=10, per_minute=60), actor="a", now=NOW)
    lanes.set_limits(session, "other", "google", Limits(per_day=5), actor="a", now=NOW)
    assert grant(session) == 1
    assert lanes.grant(session, "other", "google", 1000, now=NOW) == 1
    line = {one.account: one for one in lanes.lane_lines(session, NOW)}
    assert (line["other"].cap_today, line["other"].rate) == (5, 60)
    assert line["main"].limits == Limits(60, 10)
    assert line["main"].own == Limits()


# ---- what servers say


def test_a_signal_holds_its_lane_alone_then_a_few_mails_decide(session):
    assert lanes.strike(session, "main", "google", signal("4.7.28 unusual rate"), now=NOW)
    assert lanes.held(session, "main", NOW) == {"google"}
    assert lanes.held(session, "spare", NOW) == frozenset()
    [line] = lanes.lane_lines(session, NOW)
    assert (line.word, line.reopens_at, line.rate) == ("held", NOW + MINUTE, 1500)
    assert "unusual rate" in line.rule
    later = NOW + 61 * SECOND
    assert lanes.held(session, "main", later) == frozenset()
    assert lanes.lane_lines(session, later)[0].word == "half open"
    assert grant(session, later) == 3
    assert lanes.closed(session, "main", later) == {"google"}  # nobody else tries meanwhile
    lanes.release(session, "main", "google", given=3, begun=3, sent=1, now=later)
    assert lanes.closed(session, "main", later) == frozenset()
    assert grant(session, later) == 25  # 1500 a minute, for a second


def test_a_trial_that_fails_holds_twice_as_long(session):
    lanes.strike(session, "main", "google", signal("4.7.28 unusual rate"), now=NOW)
    later = NOW + 61 * SECOND
    grant(session, later)
    assert lanes.strike(session, "main", "google", signal("4.7.28 unusual rate"), now=later)
    lanes.release(session, "main", "google", given=3, begun=3, sent=2, now=later)
    assert lanes.held(session, "main", later + 119 * SECOND) == {"google"}
    assert lanes.lane_lines(session, later)[0].rate == 750


def test_a_trial_whose_sender_was_lost_is_made_again(session):
    lanes.strike(session, "main", "google", signal("4.7.28 unusual rate"), now=NOW)
    later = NOW + 61 * SECOND
    assert grant(session, later) == 3
    assert grant(session, later + 30 * SECOND) == 0
    assert grant(session, later + 61 * SECOND) == 3


def test_what_the_server_asks_for_is_obeyed(session):
    told = signal("4.7.28 unusual rate, try again in 45 minutes", told=45 * MINUTE)
    lanes.strike(session, "main", "google", told, now=NOW, chance=0.0)
    assert lanes.held(session, "main", NOW + 45 * MINUTE - SECOND) == {"google"}
    assert lanes.held(session, "main", NOW + 45 * MINUTE) == frozenset()


def test_a_rule_that_needs_several_in_an_hour_waits_for_them(session):
    busy = signal("4.7.500 Server busy", code=451)
    for n in range(4):
        assert not lanes.strike(session, "main", "microsoft", busy, now=NOW + n * MINUTE)
    assert not lanes.strike(session, "main", "microsoft", busy, now=NOW + 61 * MINUTE)  # the first is too old
    assert not lanes.strike(session, "main", "microsoft", busy, now=NOW + 62 * MINUTE)
    many = signal("4.7.500 Server busy", code=451, count=3)
    assert lanes.strike(session, "main", "microsoft", many, now=NOW + 63 * MINUTE)
    assert lanes.held(session, "main", NOW + 90 * MINUTE) == {"microsoft"}


def test_one_small_servers_word_does_not_hold_all_small_servers(session):
    assert not lanes.strike(session, "main", "other", signal("4.3.2 going down"), now=NOW)
    assert lanes.strike(session, "main", "other", signal("4.3.2 going down", count=19), now=NOW)


def test_a_slow_rule_lets_go_one_a_minute(session):
    lanes.strike(session, "main", "yahoo", signal("Temporarily deferred"), now=NOW)
    assert lanes.held(session, "main", NOW) == frozenset()
    assert grant(session, lane="yahoo") == 1
    assert "yahoo" in lanes.closed(session, "main", NOW + 30 * SECOND)
    later = NOW + 3 * 60 * MINUTE
    assert grant(session, later, lane="yahoo") is None
    assert lanes.lane_lines(session, later)[0].word == "open"


def test_a_recovered_lane_has_no_budget_any_more(session):
    lanes.strike(session, "main", "google", signal("4.7.28 unusual rate"), now=NOW)
    lanes.release(session, "main", "google", given=3, begun=1, sent=1, now=NOW + 2 * MINUTE)
    assert grant(session, NOW + DAY) is None
    assert [one.word for one in lanes.lane_lines(session, NOW + DAY)] == ["open"]


# ---- what people do


def test_a_person_holds_a_lane_and_opens_it_and_both_are_logged(session):
    lanes.hold(session, "main", "apple", "they asked us by phone", until=None, actor="ada", now=NOW)
    line = lanes.lane_lines(session, NOW)[0]
    assert (line.word, line.reopens_at, line.sample) == ("held", None, "they asked us by phone")
    assert lanes.held(session, "main", NOW + 365 * DAY) == {"apple"}
    assert not lanes.strike(session, "main", "apple", signal("4.3.2 down"), now=NOW)
    lanes.reopen(session, "main", "apple", actor="bob", now=NOW + SECOND)
    assert lanes.closed(session, "main", NOW + SECOND) == frozenset()
    said = [(one.actor, one.what) for one in lanes.log_lines(session)]
    assert said == [("bob", "opened"), ("ada", "held until it is opened: they asked us by phone")]


def test_a_new_cap_holds_at_once(session):
    limit(session, per_minute=1)
    assert grant(session) == 1
    assert lanes.closed(session, "main", NOW) == {"google"}
    limit(session, per_minute=6000)
    assert grant(session) == 100


# ---- days and warm-ups


def day_of_mails(session, day, *, sent=0, hard=0, deferred=0):
    outcomes = [SENT] * sent + [Outcome(OutcomeKind.FAILED, 550)] * hard
    outcomes += [Outcome(OutcomeKind.DEFERRED, 451)] * deferred
    lanes.count_day(session, "main", "google", outcomes, hard=hard, now=day)


def test_a_days_figures_add_up(session):
    day_of_mails(session, NOW, sent=3, hard=1)
    day_of_mails(session, NOW, sent=2, deferred=4)
    day_of_mails(session, NOW + DAY, sent=1)
    rows = session.execute(sa.select(lane_days).order_by(lane_days.c.day)).all()
    assert [row[2:] for row in rows] == [("2026-11-22", 5, 4, 1, 1), ("2026-11-23", 1, 0, 0, 0)]


def test_a_warm_up_goes_on_after_a_good_day_and_not_after_a_bad_one(session):
    limit(session, plan=Plan(100, 2.0, 1000))
    assert grant(session) == 100
    assert step_all(session, NOW) == 1
    day_of_mails(session, NOW, sent=100)
    step_all(session, NOW + DAY)
    step_all(session, NOW + DAY)  # a second time a day does nothing
    assert grant(session, NOW + DAY) == 200
    day_of_mails(session, NOW + DAY, sent=180, hard=5)
    step_all(session, NOW + 2 * DAY)
    assert grant(session, NOW + 2 * DAY) == 200
    [line] = lanes.lane_lines(session, NOW + 2 * DAY)
    assert (line.warm_day, line.warm_word, line.cap_today) == (1, "again: hard", 200)
    day_of_mails(session, NOW + 2 * DAY, sent=150, deferred=60)
    step_all(session, NOW + 3 * DAY)
    assert grant(session, NOW + 3 * DAY) == 100


def test_a_lane_gives_nothing_of_a_new_day_before_the_day_before_was_judged(session):
    limit(session, plan=Plan(100, 2.0, 1000))
    step_all(session, NOW)
    assert grant(session) == 100
    midnight = lanes.tomorrow(NOW)
    assert grant(session, midnight) == 0
    assert "google" in lanes.closed(session, "main", midnight)
    assert "google" not in lanes.closed(session, "main", midnight + MINUTE)
    day_of_mails(session, NOW, sent=60, deferred=60)
    step_all(session, midnight + MINUTE / 2)
    assert grant(session, midnight + MINUTE / 2) == 100
    assert grant(session, midnight + MINUTE) == 0


def test_complaints_that_come_back_on_the_day_count_against_the_step(session):
    from campaigns.model.mail import chunks

    limit(session, plan=Plan(100, 2.0, 1000))
    step_all(session, NOW)
    day_of_mails(session, NOW, sent=100)
    values = {"run_id": 5, "number": 1, "lane": "google", "first_seq": 1, "last_seq": 100, "state": "done"}
    session.execute(sa.insert(chunks).values(values))
    history.record(session, Fact(EventKind.COMPLAINED, NOW, "c1", run=5, seq=7))
    history.record(session, Fact(EventKind.COMPLAINED, NOW, "c2", run=6, seq=7))  # of another run
    step_all(session, NOW + DAY)
    assert lanes.lane_lines(session, NOW + DAY)[0].warm_word == "back: complained"


def test_a_lane_that_was_idle_for_a_month_is_warmed_up_anew(session):
    limit(session, plan=Plan(100, 2.0, 1000))
    step_all(session, NOW)
    day_of_mails(session, NOW, sent=100)
    step_all(session, NOW + DAY)
    assert grant(session, NOW + DAY) == 200
    step_all(session, NOW + 40 * DAY)
    assert grant(session, NOW + 40 * DAY) == 100


def test_a_letter_a_month_goes_on_where_the_last_one_left(session):
    limit(session, plan=Plan(100, 2.0, 1000))
    step_all(session, NOW)
    day_of_mails(session, NOW, sent=100)
    step_all(session, NOW + DAY)
    step_all(session, NOW + 32 * DAY)
    assert grant(session, NOW + 32 * DAY) == 200


def test_the_log_tells_of_a_warm_ups_days_only_what_changes(session):
    limit(session, plan=Plan(100, 2.0, 1000))
    step_all(session, NOW)
    day_of_mails(session, NOW, sent=100)
    for day in range(1, 50):
        step_all(session, NOW + day * DAY)
    told = session.scalars(sa.select(lane_log.c.what).order_by(lane_log.c.at)).all()
    assert [one.partition(": ")[2] for one in told[1:]] == [
        "at most 200 (on)",
        "at most 200 (idle)",
        "at most 100 (back: idle)",
    ]


# ---- many chunks


@pytest.fixture
def crowded(session):
    """Two hundred thousand chunks of four lanes, ready; those of one wait for later."""
    session.execute(
        sa.text(
            "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 200000)"
            " INSERT INTO chunks (run_id, number, lane, first_seq, last_seq, state, not_before)"
            " SELECT 1 + n % 2, n, CASE n % 4 WHEN 0 THEN 'google' WHEN 1 THEN 'yahoo' WHEN 2 THEN 'apple'"
            " ELSE 'other' END, n * 10, n * 10 + 9, 'ready', CASE WHEN n % 4 = 1 THEN :later END FROM numbers"
        ).bindparams(sa.bindparam("later", type_=table.c.open_at.type)),
        {"later": NOW + 9999 * DAY},
    )
    session.execute(sa.text("ANALYZE chunks"))
    return session


def test_among_200_000_chunks_of_which_most_are_shut_a_claim_looks_at_few(crowded):
    from campaigns.records.outbox import chunks, turns

    given_now = {"run": 1, "account": "main", "now": database_now(crowded)}
    plans = [explained(crowded, turns.DUE_LANES, given_now)]
    plans += [explained(crowded, due) for due in chunks._due(1, "main", given_now["now"], "apple")]
    for plan in plans:
        assert "ix_chunks_" in plan
        assert "Seq Scan on chunks" not in plan
        assert "SCAN chunks" not in plan
        assert "TEMP B-TREE" not in plan
    assert sorted(turns.due_lanes(crowded, 1, "main", given_now["now"])) == ["apple", "google"]


def explained(session, query, values=None):
    dialect = session.get_bind().dialect
    compiled = query.params(values or {}).compile(dialect=dialect, compile_kwargs={"literal_binds": True})
    word = "EXPLAIN" if dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    return "\n".join(
        " ".join(map(str, row)) for row in session.connection().exec_driver_sql(f"{word} {compiled}")
    )


# ---- all lanes of an account together


def test_an_accounts_day_is_shared_by_all_its_lanes(session):
    lanes.set_limits(session, "main", WHOLE, Limits(per_day=100), actor="ada", now=NOW)
    limit(session, per_minute=600)
    assert grant(session) == 10
    assert grant(session, wanted=60, lane="apple") == 60
    assert grant(session, wanted=60, lane="other") == 30
    assert grant(session, wanted=60, lane="gmx") == 0
    assert lanes.WHOLE in lanes.closed(session, "main", NOW + MINUTE)
    assert lanes.closed(session, "spare", NOW + MINUTE) == frozenset()
    lanes.release(session, "main", "other", given=30, begun=20, sent=20, now=NOW + MINUTE)
    assert lanes.closed(session, "main", NOW + MINUTE) == frozenset()
    assert grant(session, NOW + MINUTE, 60, "gmx") == 10
    tomorrow = lanes.tomorrow(NOW)
    assert lanes.closed(session, "main", tomorrow) == frozenset()
    assert grant(session, tomorrow, 1000, "gmx") == 100


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["google", "apple", "other"]), st.integers(1, 80), st.integers(0, 80)),
        min_size=1,
        max_size=25,
    )
)
def test_no_order_of_claims_and_returns_gives_an_account_more_than_its_day(session, asks):
    with session.begin_nested() as inside:
        lanes.set_limits(session, "main", WHOLE, Limits(per_day=150), actor="ada", now=NOW)
        limit(session, per_day=70)
        begun_in_all = 0
        for lane, wanted, most in asks:
            if {lane, WHOLE} & lanes.closed(session, "main", NOW):
                continue
            given_out = grant(session, NOW, wanted, lane)
            begun = min(most, given_out)
            lanes.release(session, "main", lane, given=given_out, begun=begun, sent=begun, now=NOW)
            begun_in_all += begun
            assert given_out <= wanted
            assert begun_in_all <= 150
        [line] = [one for one in lanes.lane_lines(session, NOW) if one.lane == WHOLE]
        assert line.taken_today == begun_in_all
        inside.rollback()


def test_a_held_account_gives_nothing(session):
    lanes.hold(session, "main", WHOLE, "asked", until=NOW + MINUTE, actor="ada", now=NOW)
    assert WHOLE in lanes.closed(session, "main", NOW)
    assert WHOLE in lanes.held(session, "main", NOW)
    assert lanes.closed(session, "main", NOW + MINUTE) == frozenset()
