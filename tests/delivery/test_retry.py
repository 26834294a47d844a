"""When a deferred message is tried again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.delivery.retry import next_try

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


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
