from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from web.throttle import MOST_KEYS, Limit, Throttle

START = datetime(2026, 11, 22, tzinfo=UTC)
LIMIT = Limit(3, timedelta(seconds=10))


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 6), st.sampled_from("ab"), st.booleans()), max_size=40))
def test_a_key_waits_exactly_while_its_last_failures_lie_within_the_span(steps) -> None:
    throttle, failures, now = Throttle(), [], START
    for seconds, key, fails in steps:
        now += timedelta(seconds=seconds)
        recent = [at for one, at in failures if one == key and now - at < LIMIT.within]
        assert bool(throttle.wait({key: LIMIT}, now)) == (len(recent) >= LIMIT.failures)
        if fails:
            throttle.fail({key: LIMIT}, now)
            failures.append((key, now))


def test_it_cannot_be_made_to_grow_without_end() -> None:
    throttle = Throttle()
    throttle.fail({"first": Limit(1, timedelta(hours=1))}, START)
    for number in range(MOST_KEYS):
        throttle.fail({str(number): LIMIT}, START)
    assert len(throttle.past) == MOST_KEYS
    assert throttle.wait({"first": Limit(1, timedelta(hours=1))}, START) is None
