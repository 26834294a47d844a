"""How many mails a day a new account may send to a lane: more each day, if yesterday went well."""

from dataclasses import dataclass
from enum import StrEnum

ENOUGH = 0.5  #: of a day's cap must have gone before the day says anything good
LEAST = (
    50  #: mails that must have been tried before a share says anything bad; fewer, where half a cap is fewer
)
HARD = 0.02  #: of yesterday's mails; one in so many or more speaks against the next step
COMPLAINED = 0.001
DEFERRED = 0.10
FAR_BEYOND = 2.0  #: times a gate's limit: then the cap is halved


@dataclass(frozen=True, slots=True)
class Plan:
    """cap(day n) = min(target, base · growth^n)."""

    base: int
    growth: float
    target: int

    def cap(self, day: int) -> int:
        """Mails on a day of the plan, from day 0 on."""
        reached = self.base * self.growth ** min(day, 1000)
        return min(self.target, int(min(reached, 1e15)))

    def is_over(self, day: int) -> bool:
        """Whether a day's cap is the target."""
        return self.cap(day) >= self.target


@dataclass(frozen=True, slots=True)
class Yesterday:
    """What became of a day's mails to one lane."""

    sent: int = 0
    hard: int = 0  #: to addresses that are dead
    late: int = 0  #: of these, told by returned mails, perhaps about the mails of a day before
    complained: int = 0
    deferred: int = 0  #: attempts that were put off


class Step(StrEnum):
    """What a day leads to."""

    ON = "on"  #: the next day's cap
    AGAIN = "again"  #: the same cap once more
    BACK = "back"  #: half the cap
    IDLE = "idle"  #: too little went to say anything: the same cap


def judge(plan: Plan, day: int, yesterday: Yesterday) -> tuple[Step, int, str]:
    """Give the step after a day, the plan's next day, and why in a few words."""
    tried = yesterday.sent + yesterday.hard - yesterday.late + yesterday.deferred
    if tried < min(LEAST, ENOUGH * plan.cap(day)):
        return Step.IDLE, day, ""
    worst, name = _worst(yesterday)
    if worst >= FAR_BEYOND:
        return Step.BACK, _halved(plan, day), name
    if worst >= 1:
        return Step.AGAIN, day, name
    if yesterday.sent < ENOUGH * plan.cap(day):
        return Step.IDLE, day, ""
    return Step.ON, day if plan.is_over(day) else day + 1, ""


def _worst(yesterday: Yesterday) -> tuple[float, str]:
    """The gate that is nearest to its limit or furthest beyond, as a multiple of it."""
    tried = yesterday.sent + yesterday.hard + yesterday.deferred
    shares = {
        "hard": yesterday.hard / max(1, tried) / HARD,
        "complained": yesterday.complained / max(1, yesterday.sent) / COMPLAINED,
        "deferred": yesterday.deferred / max(1, tried) / DEFERRED,
    }
    name = max(shares, key=lambda one: shares[one])
    return shares[name], name


def _halved(plan: Plan, day: int) -> int:
    wanted = plan.cap(day) / 2
    while day > 0 and plan.cap(day) > wanted:
        day -= 1
    return day
