"""Scores and their intervals against the textbook."""

from math import comb, factorial, isclose, sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.surveys.scoring import Z95, csat, nps, nps_class, share


def test_the_classes_of_all_answers():
    assert [nps_class(score).value for score in range(11)] == ["detractor"] * 7 + ["passive"] * 2 + [
        "promoter"
    ] * 2


@pytest.mark.parametrize("score", [-1, 11])
def test_an_answer_off_the_scale_has_no_class(score):
    with pytest.raises(ValueError, match="0 to 10"):
        nps_class(score)


@given(st.lists(st.integers(0, 10), min_size=1, max_size=60))
@settings(max_examples=200, deadline=None)
def test_the_score_is_promoters_less_detractors_in_percent(scores):
    found = nps(scores)
    assert found.n == found.promoters + found.passives + found.detractors == len(scores)
    signs = [(score > 8) - (score < 7) for score in scores]
    assert isclose(found.score, 100 * sum(signs) / len(signs))
    assert -100 <= found.low <= found.score <= found.high <= 100
    assert found.low < found.high


def test_no_answers_have_no_score():
    assert (nps([]).score, nps([]).low, nps([]).high) == (None, -100, 100)
    assert (csat([], satisfied_from=4).value, share(0, 0).low, share(0, 0).high) == (None, 0, 1)


@pytest.mark.parametrize(("good", "bad"), [(0.5, 0.2), (0.1, 0.1), (0.05, 0.6), (0.9, 0.02), (0.34, 0.33)])
def test_the_nps_interval_covers_the_truth_as_often_as_it_says(good, bad):
    n, covered = 40, 0.0
    for promoters in range(n + 1):
        for detractors in range(n - promoters + 1):
            passives = n - promoters - detractors
            ways = factorial(n) // (factorial(promoters) * factorial(detractors) * factorial(passives))
            chance = ways * good**promoters * bad**detractors * (1 - good - bad) ** passives
            found = nps([10] * promoters + [0] * detractors + [8] * passives)
            covered += chance * (found.low <= 100 * (good - bad) <= found.high)
    assert 0.925 <= covered <= 0.99


@given(st.integers(1, 500), st.data())
@settings(max_examples=200, deadline=None)
def test_wilsons_ends_are_where_the_score_test_just_fails(n, data):
    count = data.draw(st.integers(0, n))
    found = share(count, n)
    assert 0 <= found.low <= found.value <= found.high <= 1
    for end in (found.low, found.high):
        if 0 < end < 1 and end != found.value:
            assert isclose(
                abs(found.value - end), Z95 * sqrt(end * (1 - end) / n), rel_tol=1e-6, abs_tol=1e-9
            )


@pytest.mark.parametrize("truth", [0.02, 0.2, 0.5, 0.9])
def test_wilsons_interval_covers_the_truth_as_often_as_it_says(truth):
    n = 60
    covered = sum(
        comb(n, count) * truth**count * (1 - truth) ** (n - count)
        for count in range(n + 1)
        if share(count, n).low <= truth <= share(count, n).high
    )
    assert 0.92 <= covered <= 0.99


def test_satisfaction_is_the_share_from_a_score_on():
    found = csat([5, 4, 3, 1], satisfied_from=4)
    assert (found.count, found.n, found.value) == (2, 4, 0.5)


@pytest.mark.parametrize(("count", "n"), [(-1, 3), (4, 3)])
def test_a_part_is_not_more_than_the_whole(count, n):
    with pytest.raises(ValueError, match="not a part"):
        share(count, n)
