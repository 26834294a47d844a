"""Back-off against a second opinion: a simulation that walks through time minute by minute."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.delivery import backoff
from campaigns.delivery.backoff import State

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Walker:
    """The same rules, told otherwise: a rate that is looked at each minute, and counters of minutes."""

    def __init__(self, ceiling):
        self.ceiling, self.rate = ceiling, ceiling
        self.minute = self.quiet = self.strikes = 0
        self.hold = 0.0  # minutes left
        self.trial = False

    def pass_minute(self):
        self.minute += 1
        if self.hold > 0:
            self.hold = max(0.0, self.hold - 1)
            return
        if self.trial or self.rate == self.ceiling:
            return
        self.quiet += 1
        if self.quiet == 15:
            self.quiet = self.strikes = 0
            self.rate = min(self.ceiling, self.rate * 1.1)

    def signal(self):
        if self.hold > 0:
            return
        self.rate = max(1.0, self.rate / 2)
        self.hold = float(min(60 * 2**self.strikes, 7200) / 60)
        self.strikes += 1
        self.trial, self.quiet = True, 0

    def taken(self):
        if self.trial and self.hold == 0:
            self.trial, self.quiet = False, 0


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([2.0, 60.0, 3000.0]),
    st.lists(st.tuples(st.integers(0, 200), st.sampled_from(["signal", "taken"])), max_size=40),
)
def test_rate_and_hold_are_those_of_a_simulation_minute_by_minute(ceiling, story):
    walker, state, now = Walker(ceiling), State(), NOW
    for minutes, what in story:
        for _ in range(minutes):
            walker.pass_minute()
        now += minutes * MINUTE
        if what == "signal":
            walker.signal()
            state = backoff.held(state, now, ceiling=ceiling, chance=0.5)
        elif state.half_open and not state.is_held(now):
            walker.taken()
            state = backoff.tried(state, now)
        assert state.is_held(now) == (walker.hold > 0)
        if state.is_held(now):
            assert (state.held_until - now) / MINUTE == pytest.approx(walker.hold)
        rate = backoff.allowed(state, now, cap=None, ceiling=ceiling) or ceiling
        assert rate == pytest.approx(walker.rate)
        assert 1.0 <= rate <= ceiling


@given(st.integers(0, 40), st.floats(0, 1))
def test_each_hold_is_twice_the_one_before_up_to_two_hours_give_or_take_a_fifth(strikes, chance):
    after = backoff.held(State(strikes=strikes), NOW, ceiling=100, chance=chance)
    usual = min(60 * 2**strikes, 7200)
    assert 0.8 * usual - 1 <= (after.held_until - NOW).total_seconds() <= 1.2 * usual + 1


@given(st.timedeltas(timedelta(seconds=1), timedelta(days=1)), st.floats(0, 1))
def test_a_time_that_was_asked_for_is_never_cut_short(asked, chance):
    after = backoff.held(State(), NOW, ceiling=100, lasts=asked, chance=chance)
    assert asked <= after.held_until - NOW <= 1.2 * asked


def test_a_signal_during_a_hold_changes_nothing():
    held = backoff.held(State(), NOW, ceiling=100)
    assert backoff.held(held, NOW + timedelta(seconds=30), ceiling=100) == held


def test_a_lane_that_grew_to_its_ceiling_is_as_if_nothing_had_been():
    state = backoff.tried(backoff.held(State(), NOW, ceiling=100), NOW + 2 * MINUTE)
    assert backoff.allowed(state, NOW + 16 * MINUTE, cap=None, ceiling=100) == 50
    assert backoff.allowed(state, NOW + 18 * MINUTE, cap=None, ceiling=100) == pytest.approx(55)
    assert backoff.grown(state, NOW + timedelta(hours=3), ceiling=100) == State()


def test_a_slow_rule_holds_for_its_time_alone():
    state = backoff.slowed(State(), NOW, per_minute=1, lasts=timedelta(minutes=90))
    assert backoff.allowed(state, NOW + 89 * MINUTE, cap=None, ceiling=6000) == 1
    assert backoff.allowed(state, NOW + 91 * MINUTE, cap=None, ceiling=6000) is None
    assert backoff.allowed(state, NOW + 91 * MINUTE, cap=30, ceiling=30) == 30
    assert backoff.grown(state, NOW + timedelta(hours=2), ceiling=6000) == State()


def test_a_strict_rule_is_not_loosened_by_a_later_lenient_one():
    state = backoff.slowed(State(), NOW, per_minute=1, lasts=timedelta(minutes=30))
    state = backoff.slowed(state, NOW, per_minute=10, lasts=timedelta(minutes=60))
    assert backoff.allowed(state, NOW + 10 * MINUTE, cap=None, ceiling=6000) == 1


@given(st.floats(1, 3000), st.floats(1, 100))
@settings(max_examples=50, deadline=None)
def test_the_moment_at_which_a_rate_is_whole_again_is_the_first(rate, factor):
    ceiling = rate * factor
    state = State(rate=rate, quiet_from=NOW)
    at = backoff.restored_at(state, ceiling=ceiling)
    assert backoff.grown(state, at, ceiling=ceiling) == State()
    before = backoff.grown(state, at - backoff.QUIET, ceiling=ceiling)
    assert before.rate is not None
    assert before.rate < ceiling * 1.0001


def test_a_slow_rule_is_waited_for_and_a_half_open_lane_has_no_moment():
    state = backoff.slowed(State(), NOW, per_minute=1, lasts=timedelta(hours=2))
    assert backoff.restored_at(state, ceiling=600) == NOW + timedelta(hours=2) + backoff.QUIET
    assert backoff.restored_at(State(half_open=True, rate=5, quiet_from=NOW), ceiling=600) is None
    assert backoff.restored_at(State(), ceiling=600) is None
