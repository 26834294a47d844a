"""How fast, and when again: with a clock of our own."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.delivery.pace import Pace
from campaigns.delivery.retry import next_try

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@settings(max_examples=100, deadline=None)
@given(st.floats(0.5, 60_000), st.lists(st.tuples(st.floats(0, 90), st.integers(0, 500)), max_size=60))
def test_a_pace_is_kept_over_every_span(per_minute, asks):
    clock = Clock()
    pace, granted = Pace(per_minute, clock), 0
    for later, wanted in asks:
        clock.now += later
        now = pace.grant(wanted)
        assert 0 <= now <= wanted
        granted += now
        assert granted <= (clock.now - 1000) * per_minute / 60 + max(1, per_minute / 60) + 1e-6


def test_a_steady_asker_gets_the_whole_rate():
    clock, granted = Clock(), 0
    pace = Pace(600, clock)
    for _ in range(600):
        clock.now += 0.1
        granted += pace.grant(100)
    assert 599 <= granted <= 601


def test_waiting_as_told_is_enough_and_not_too_long():
    clock = Clock()
    pace = Pace(6, clock)
    assert pace.grant(5) == 1
    assert pace.wait() == pytest.approx(10)
    clock.now += pace.wait() + 1e-9
    assert pace.wait() == 0
    assert pace.grant(5) == 1


def test_what_did_not_leave_can_be_given_back():
    pace = Pace(60, Clock())
    assert pace.grant(1) == 1
    pace.give_back(1)
    assert pace.grant(1) == 1


def test_no_pace_grants_all_and_an_impossible_one_is_refused():
    assert Pace(None).grant(10_000) == 10_000
    assert Pace(None).wait() == 0
    for impossible in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="no pace"):
            Pace(impossible)


def test_a_clock_that_goes_back_grants_nothing():
    clock = Clock()
    pace = Pace(60, clock)
    pace.grant(1)
    clock.now -= 500
    assert pace.grant(10) == 0


STEPS = [5, 15, 60, 240, 1440, 1440, 1440, 1440]


@given(st.integers(1, 8), st.integers(0, 2**63))
def test_each_step_is_as_long_as_planned_give_or_take_a_fifth(attempt, seed):
    waited = (next_try(attempt, NOW, seed=seed) - NOW) / timedelta(minutes=1)
    assert 0.8 * STEPS[attempt - 1] <= waited <= 1.2 * STEPS[attempt - 1]


def test_a_crowd_is_spread_and_each_one_is_steady():
    times = [next_try(1, NOW, seed=seed) for seed in range(100)]
    assert len(set(times)) > 95
    assert max(times) - min(times) > timedelta(seconds=90)
    assert times == [next_try(1, NOW, seed=seed) for seed in range(100)]


def test_it_ends_after_the_last_attempt_and_at_the_campaigns_end():
    assert next_try(9, NOW) is None
    assert next_try(1, NOW, until=NOW + timedelta(minutes=3)) is None
    assert next_try(1, NOW, until=NOW + timedelta(minutes=7)) is not None
    with pytest.raises(ValueError, match="the first one is 1"):
        next_try(0, NOW)
