"""What answers score: the Net Promoter Score and shares such as satisfaction, with 95 % intervals."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt

Z95 = 1.959963984540054  #: 95 % of a normal distribution lie within so many deviations


class NpsClass(StrEnum):
    """What an answer from 0 to 10 to "would you recommend us?" makes of the contact."""

    PROMOTER = "promoter"  #: 9 or 10
    PASSIVE = "passive"  #: 7 or 8
    DETRACTOR = "detractor"  #: 6 or less


@dataclass(frozen=True, slots=True)
class Nps:
    """A Net Promoter Score, from -100 to 100, with its interval; without answers there is no score."""

    n: int
    promoters: int
    passives: int
    detractors: int
    score: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole, from 0 to 1, with its interval; of nothing there is no share."""

    count: int
    n: int
    value: float | None
    low: float
    high: float


def nps_class(score: int) -> NpsClass:
    """Put one answer in its class.

    Raises:
        ValueError: if the answer is not from 0 to 10.

    """
    if not 0 <= score <= 10:
        raise ValueError(f"{score} is not an answer from 0 to 10.")
    if score >= 9:
        return NpsClass.PROMOTER
    return NpsClass.PASSIVE if score >= 7 else NpsClass.DETRACTOR


def nps(scores: Sequence[int]) -> Nps:
    """Score answers from 0 to 10.

    The interval is the adjusted Wald one: it counts three more answers, spread as ¾, 1½ and ¾ over the
    classes, and so has a width even where all answers agree.

    Raises:
        ValueError: if an answer is not from 0 to 10.
    Source: B. Rocks, Interval Estimation for the Net Promoter Score, The American Statistician 70 (2016).

    """
    counts = Counter(nps_class(score) for score in scores)
    promoters, detractors = counts[NpsClass.PROMOTER], counts[NpsClass.DETRACTOR]
    n = len(scores)
    score = 100 * (promoters - detractors) / n if n else None
    low, high = _nps_interval(promoters + 0.75, detractors + 0.75, n + 3) if n else (-100.0, 100.0)
    return Nps(
        n=n,
        promoters=promoters,
        passives=counts[NpsClass.PASSIVE],
        detractors=detractors,
        score=score,
        # The three added answers must not put the score itself outside its interval.
        low=low if score is None else min(low, score),
        high=high if score is None else max(high, score),
    )


def _nps_interval(good: float, bad: float, total: float) -> tuple[float, float]:
    middle = (good - bad) / total
    margin = Z95 * sqrt(max(0.0, (good + bad) / total - middle**2) / total)
    return 100 * max(-1.0, middle - margin), 100 * min(1.0, middle + margin)


def share(count: int, n: int) -> Share:
    """Say which part `count` is of `n`, with Wilson's interval.

    Raises:
        ValueError: unless 0 ≤ count ≤ n.

    """
    if not 0 <= count <= n:
        raise ValueError(f"{count} is not a part of {n}.")
    if not n:
        return Share(0, 0, None, 0.0, 1.0)
    part, pull = count / n, Z95**2 / n
    middle = (part + pull / 2) / (1 + pull)
    margin = Z95 / (1 + pull) * sqrt(part * (1 - part) / n + pull / (4 * n))
    # Rounding must not put the part itself outside its interval.
    return Share(count, n, part, min(part, max(0.0, middle - margin)), max(part, min(1.0, middle + margin)))


def csat(scores: Sequence[int], *, satisfied_from: int) -> Share:
    """Say which part of the contacts is satisfied: 4 or 5 on a scale to 5, by custom."""
    return share(sum(score >= satisfied_from for score in scores), len(scores))
