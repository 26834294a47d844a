"""Warm-up: a day's cap, and what a day leads to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.delivery.warmup import Plan, Step, Yesterday, judge

PLAN = Plan(100, 1.5, 10_000)


def test_each_day_allows_more_up_to_the_target():
    assert [PLAN.cap(day) for day in range(4)] == [100, 150, 225, 337]
    assert PLAN.cap(30) == PLAN.cap(5000) == 10_000
    assert (PLAN.is_over(11), PLAN.is_over(12)) == (False, True)


@pytest.mark.parametrize(
    ("yesterday", "step", "why"),
    [
        (Yesterday(sent=225), Step.ON, ""),
        (Yesterday(sent=220, hard=4), Step.ON, ""),
        (Yesterday(sent=220, hard=5), Step.AGAIN, "hard"),
        (Yesterday(sent=210, hard=20), Step.BACK, "hard"),
        (Yesterday(sent=225, complained=1), Step.BACK, "complained"),
        (Yesterday(sent=200, deferred=25), Step.AGAIN, "deferred"),
        (Yesterday(sent=200, deferred=20), Step.ON, ""),
        (Yesterday(sent=100, deferred=100), Step.BACK, "deferred"),
        (Yesterday(sent=112), Step.IDLE, ""),
        (Yesterday(sent=0), Step.IDLE, ""),
        (Yesterday(sent=0, hard=100), Step.BACK, "hard"),
    ],
)
def test_the_next_step_is_taken_only_after_a_good_day(yesterday, step, why):
    after = {Step.ON: 3, Step.AGAIN: 2, Step.BACK: 0, Step.IDLE: 2}[step]
    assert judge(PLAN, 2, yesterday) == (step, after, why)


@pytest.mark.parametrize(
    "yesterday",
    [
        Yesterday(sent=0, hard=1, late=1),
        Yesterday(sent=0, complained=1),
        Yesterday(sent=1, deferred=1),
        Yesterday(sent=30, hard=80, late=80),
    ],
)
def test_a_day_of_few_mails_speaks_neither_for_nor_against(yesterday):
    assert judge(Plan(100, 1.5, 100_000), 12, yesterday) == (Step.IDLE, 12, "")


def test_of_a_small_cap_few_mails_say_enough():
    assert judge(Plan(5, 2.0, 100), 1, Yesterday(sent=6, hard=1)) == (Step.BACK, 0, "hard")


@given(
    st.integers(0, 60),
    st.builds(
        Yesterday, *[st.integers(0, 20_000)] * 2, complained=st.integers(0, 50), deferred=st.integers(0, 9999)
    ),
)
def test_no_day_leads_far(day, yesterday):
    step, after, _ = judge(PLAN, day, yesterday)
    assert 0 <= after <= day + 1
    assert (after > day) <= (step is Step.ON)
    if step is Step.BACK and day:
        assert PLAN.cap(after) <= PLAN.cap(day) / 2 or after == 0
