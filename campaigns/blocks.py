"""What returned mails and webhooks tell of us, and not of whom it was to, counts for the lane it went to.

Behind a relay or a provider the receiving servers' words come later, if at all. They are judged by the same
rules as live answers; but anybody who was mailed may write a notice about it, so each message counts once,
and one alone slows nothing.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from campaigns.delivery.backoff_rules import Act, Rule, told
from campaigns.delivery.refusals import rule_about_us
from campaigns.delivery.returns import OURS, ReturnKind, without_addresses
from campaigns.receiving import Arrival, about
from campaigns.records import lanes, returns
from campaigns.records.lanes import Signal
from campaigns.values import EventKind, MessageKey, Outcome, OutcomeKind

FRESH = timedelta(hours=1)  #: what was said longer ago says nothing of the lane as it is
LEAST = 3  #: messages that a rule must be told of within an hour, also where one live answer is enough
MOST_ASKED = 100  #: of what is heard at once; more than any rule needs
#: What may tell of us, and as what it stands in the history.
KINDS = {ReturnKind.BOUNCE: EventKind.BOUNCED, ReturnKind.DELAY: EventKind.DELAYED}
REPLY = re.compile(r"[245]\d\d")
SAMPLE = 300  #: characters of what a server said


def heed(session: Session, arrivals: Iterable[Arrival], now: datetime, *, chance: float = 0.5) -> int:
    """Let lanes be held or slowed by what was told, once for each message; gives how many changed.

    Each is in the history by now.
    """
    found: dict[MessageKey, tuple[Rule, Outcome]] = {}
    for one in arrivals:
        said = said_of_us(one) if _is_fresh(one, now) and len(found) < MOST_ASKED else None
        rule = None if said is None else rule_about_us(said)
        if said and rule and rule.act is not Act.NOTHING and _is_first(session, one):
            found[MessageKey(one.whom.run, one.whom.seq)] = (rule, said)
    by_lane: defaultdict[tuple[str, str, Rule], list[Outcome]] = defaultdict(list)
    for key, place in lanes.places_of(session, found).items():
        rule, said = found[key]
        by_lane[(*place, rule)].append(said)
    return sum(
        lanes.strike(session, account, lane, _signal(rule, answers), now=now, chance=chance)
        for (account, lane, rule), answers in sorted(by_lane.items(), key=lambda pair: pair[0][:2])
    )


def _is_fresh(one: Arrival, now: datetime) -> bool:
    """Whether it was said lately; a mail arrives when we read it, and may have lain for hours before."""
    moments = [one.at, one.told.written] if one.source == returns.SOURCE else [one.at]
    return all(at is not None and abs(now - at) <= FRESH for at in moments)


def said_of_us(arrival: Arrival) -> Outcome | None:
    """What was said of us and not of whom it was to, as if a server had answered so; None: nothing was."""
    one, _ = about(arrival)
    if arrival.told.kind not in KINDS or one is None or one.finding is None:
        return None
    delayed = arrival.told.kind is ReturnKind.DELAY
    if not delayed and one.finding.kind not in OURS:
        return None
    reply = one.reply or ""
    code = int(reply) if REPLY.fullmatch(reply) else 450 if delayed else 550
    return Outcome(OutcomeKind.DEFERRED if delayed else OutcomeKind.FAILED, code, one.status, one.diagnostic)


def _is_first(session: Session, one: Arrival) -> bool:
    """Whether nothing of the kind was told of the message before; the same mail again is told of before."""
    whom, kind = one.whom, KINDS[one.told.kind]
    return returns.is_only(session, whom.contact, whom.run, whom.seq, one.source, kind, one.at)


def _signal(rule: Rule, answers: list[Outcome]) -> Signal:
    asked = [wait for one in answers if (wait := told(one.text)) is not None]
    sample = without_addresses(f"{answers[0].code or ''} {answers[0].text}".strip())[:SAMPLE]
    return Signal(rule, sample, len(answers), max(asked, default=None), least=LEAST)
