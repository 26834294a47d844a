"""What receiving servers say when we are too fast or not liked, and what follows; the first rule holds.

Most are known from KumoMTA's published tables and the providers' own pages. A rule names no lane where the
words can only be one provider's. Whoever changes one adds its text to tests/delivery/test_backoff_rules.py.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from campaigns.delivery.lanes import OTHER
from campaigns.values import Outcome

LONGEST_TOLD = timedelta(days=1)  #: that a server may ask us to wait
#: Matches of one rule in an hour from servers of no known provider: each speaks for itself alone.
MANY_OF_OTHERS = 20
HOUR = timedelta(hours=1)
UNITS = {"s": 1, "m": 60, "h": 3600}
AGAIN = re.compile(
    r"(?:again|retry|retries|wait|come back|resend|blocked for|deferred for|greylisted for|delay(?:ed)? for)"
    r"[^.;\d]{0,40}?(?<![\d.])(\d{1,6}) ?(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)\b",
    re.IGNORECASE,
)


class Act(StrEnum):
    """What a rule asks for."""

    NOTHING = "nothing"  #: it is about this message alone, which is tried again
    HOLD = "hold"  #: send nothing to the lane for a while, then half as fast
    SLOW = "slow"  #: send the lane at most so many a minute for a while
    HALVE = "halve"  #: send the lane half as fast


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table."""

    name: str
    says: re.Pattern[str]  #: found in "421 4.7.0 what the server said"
    act: Act
    times: int = 1  #: so often within an hour; 1: at once
    lasts: timedelta | None = None  #: None: longer from time to time (backoff.py)
    per_minute: float = 0.0  #: of SLOW


def _rule(
    name: str,
    says: str,
    act: Act = Act.HOLD,
    *,
    times: int = 1,
    minutes: int | None = None,
    per_minute: float = 0.0,
) -> Rule:
    lasts = None if minutes is None else timedelta(minutes=minutes)
    return Rule(name, re.compile(says, re.IGNORECASE), act, times, lasts, per_minute)


RULES = (
    # Yahoo, AOL
    _rule("Yahoo TSS04: complaints or unusual traffic", r"\[TSS?04\]", minutes=120),
    _rule("Yahoo TSS05: policy", r"\[TSS?05\]", minutes=240),
    _rule("Yahoo TS02: complaints", r"\[TSS?02\]", Act.SLOW, times=3, minutes=30, per_minute=1),
    _rule("Yahoo TS03: refused for good for now", r"\[TSS?03\]", Act.SLOW, minutes=30, per_minute=10),
    # Outlook.com, Microsoft 365
    _rule(
        "Outlook: on their block list", r"on our block ?list|\bS3(?:140|150)\b|\bAS\(48\d\d\)", minutes=120
    ),
    _rule("Outlook IB007: reputation", r"\bIB007\b", Act.SLOW, minutes=60, per_minute=60),
    _rule("Outlook: server busy", r"^4\d\d .*server busy", times=5, minutes=30),
    _rule(
        "Outlook RP: rate limited", r"\(RP-00[1-3]\)|rate limited due to IP reputation|\bS775\b", minutes=60
    ),
    # Apple
    _rule("Apple HCM1, BS02: too much", r"\[(?:HCM1|BS02)\]", minutes=15),
    # Google
    _rule("unusual rate of mail (4.7.28)", r"4\.7\.28|unusual rate of (?:unsolicited|email)"),
    _rule(
        "Google: this recipient gets too much",
        r"4\.2\.1 .*receiving (?:mail|email) (?:at a rate|too quickly)|receiving mail at a rate",
        Act.NOTHING,
    ),
    # anybody, about one message
    _rule("greylisted", r"gr[ae]y-?list|\bpostgrey\b", Act.NOTHING),
    _rule("mailbox full or locked", r"^4\d\d [- ]*4\.2\.\d", Act.NOTHING),
    # anybody, about us
    _rule("temporarily deferred", r"temporarily deferred|server busy", Act.SLOW, minutes=90, per_minute=1),
    _rule("too many connections", r"too many (?:concurrent )?(?:connections|sessions)|4\.7\.27\b", Act.HALVE),
    _rule(
        "too many recipients",
        r"4\.5\.3|too many (?:recipients|mails?|messages|e-?mails)",
        Act.HALVE,
        times=3,
    ),
    _rule(
        "too fast",
        r"^4\d\d .*(?:too (?:fast|quick|many)|rate[- ]?limit|throttl|sending (?:limit|rate)|"
        r"exceeded (?:the|your)|quota (?:for|of) (?:sender|sending))|^429 ",
    ),
    _rule("login refused", r"^(?:454|530|534|535|538) ", minutes=30),
    _rule("service not available", r"^421 "),
    _rule("not liked for now", r"^4\d\d [- ]*4\.7\.\d", times=3),
    _rule("this message, for now", r"^4\d\d ", Act.NOTHING),
    # refused for good, for what we are and not for whom it was to
    _rule(
        "on a block list",
        r"^5\d\d .*(?:block(?:ed)?[- ]?list|black ?list|spamhaus|spamcop|barracuda reputation|"
        r"poor reputation|bad reputation|low reputation|reputation of (?:your|the)|\bRBL\b|\bDNSBL\b)",
        times=5,
        minutes=120,
    ),
)

#: What follows where the rules of returned mail alone say that it is our reputation.
BAD_REPUTATION = _rule("a bad reputation", r"(?!)", times=5, minutes=120)


def rule_of(outcome: Outcome) -> Rule | None:
    """Give the rule that an answer falls under; None if it says nothing of us."""
    line = line_of(outcome)
    return next((rule for rule in RULES if rule.says.search(line)), None)


def line_of(outcome: Outcome) -> str:
    """An answer as the rules read it."""
    if outcome.enhanced and not outcome.text.startswith(outcome.enhanced):
        return f"{outcome.code or ''} {outcome.enhanced} {outcome.text}"
    return f"{outcome.code or ''} {outcome.text}"


def times_of(rule: Rule, lane: str) -> int:
    """How often within an hour a rule must hold before anything follows."""
    return max(rule.times, MANY_OF_OTHERS) if lane == OTHER else rule.times


def told(text: str) -> timedelta | None:
    """For how long a server asks us to wait; None if it does not say, or asks for more than a day."""
    found = AGAIN.search(text)
    if found is None:
        return None
    asked = timedelta(seconds=int(found[1]) * UNITS[found[2][0].lower()])
    return asked if timedelta(0) < asked <= LONGEST_TOLD else None
