"""What follows from a returned mail for the message that it is about; in the caller's transaction.

A dead address is suppressed at once, one that only seems to be after a while (`PATIENCE`), and never for a
block: that is about us. Each mail counts once, however often it is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from campaigns.delivery.returns import (
    OURS,
    RULES_VERSION,
    BounceClass,
    Returned,
    ReturnedRecipient,
    ReturnKind,
    without_addresses,
)
from campaigns.records import campaigns, consent, history, returns, suppressions, tasks
from campaigns.records.addressees import Addressee
from campaigns.records.consent import Provenance
from campaigns.records.tasks import NewTask
from campaigns.values import ContactId, EventKind, Fact, Verdict

ACTOR = returns.SOURCE
ANSWER_WITHIN = timedelta(days=2)
MOST = 30  #: events that returned mails may make about one message; a hostile mailbox sends more


@dataclass(frozen=True, slots=True)
class Patience:
    """How many messages in a row may come back with some classes, and over how long, before it is enough."""

    times: int
    over: timedelta
    kinds: frozenset[BounceClass]


_ASLEEP = frozenset({BounceClass.INACTIVE, BounceClass.REFUSED})
_PASSING = frozenset({*_ASLEEP, BounceClass.FULL, BounceClass.TRANSIENT, BounceClass.UNKNOWN})
PATIENCE = (
    Patience(2, timedelta(days=7), _ASLEEP),
    Patience(3, timedelta(days=21), frozenset({BounceClass.FULL})),
    Patience(5, timedelta(days=30), _PASSING),
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One returned mail, with the message that it proves to be about."""

    told: Returned
    whom: Addressee
    named_by: str  #: where our token stood
    digest: str  #: of the mail: the same mail again makes nothing new
    at: datetime

    def fact(self, kind: EventKind, detail: Mapping[str, object], word: str = "") -> Fact:
        """What happened, to be written down once."""
        whom = self.whom
        key = f"{word or kind.value}:{whom.run}:{whom.seq}:{self.digest}"
        human = Verdict.HUMAN if kind is EventKind.REPLIED else Verdict.UNKNOWN
        where = (whom.contact, whom.customer, whom.run, whom.seq, ACTOR, human)
        return Fact(kind, self.at, key, *where, {**detail, "named by": self.named_by})


def is_flood(session: Session, arrival: Arrival) -> bool:
    """Whether more has come back about one message than servers and people send."""
    whom = arrival.whom
    return returns.count_of(session, whom.contact, whom.run, whom.seq) >= MOST


# ---- bounces


def bounced(session: Session, arrival: Arrival, secret: bytes) -> None:
    """Record that the message came back; suppress its address if that is dead, or has been away too long."""
    one, is_own = _about(arrival)
    kind = BounceClass.UNKNOWN if one is None or one.finding is None else one.finding.kind
    hard = one is not None and one.hard is True and is_own
    if one is not None and one.hard and not is_own:
        kind = BounceClass.REFUSED  # somewhere behind the address, where it is forwarded to
    detail = _detail(arrival.told, one, kind, hard=hard)
    if not history.record(session, arrival.fact(EventKind.BOUNCED, detail)):
        return
    if kind in OURS:
        _tell_block(session, arrival, kind, detail)
    elif hard:
        _suppress(session, arrival, "hard bounce", detail, secret)
    else:
        _lose_patience(session, arrival, kind, detail, secret)


def delayed(session: Session, arrival: Arrival) -> None:
    """Record that a server is still trying."""
    one, _ = _about(arrival)
    kind = BounceClass.TRANSIENT
    history.record(session, arrival.fact(EventKind.DELAYED, _detail(arrival.told, one, kind, hard=False)))


def _about(arrival: Arrival) -> tuple[ReturnedRecipient | None, bool]:
    """What is told of our address, and whether it is told of that; of others only what is true of all."""
    recipients = [one for one in arrival.told.recipients if one.finding is not None]
    address = (arrival.whom.address or "").lower()
    own = [one for one in recipients if one.address.lower() == address]
    unnamed = not any("@" in one.address for one in recipients)
    chosen = own or recipients
    alive = next((one for one in chosen if not one.hard), None)
    return alive or next(iter(chosen), None), bool(own) or unnamed


def _detail(
    told: Returned, one: ReturnedRecipient | None, kind: BounceClass, *, hard: bool
) -> dict[str, object]:
    return {
        "hard": hard,
        "class": kind.value,
        "status": one.status if one else None,
        "rule": one.finding.rule if one and one.finding else told.rule,
        "rules": RULES_VERSION,
        "diagnostic": (one.diagnostic if one else told.words)[:500],
    }


def _tell_block(session: Session, arrival: Arrival, kind: BounceClass, detail: Mapping[str, object]) -> None:
    """Say in the campaign's log that something of ours is refused, once for each run and class."""
    run = arrival.whom.run
    if returns.is_first_of_class(session, run, kind.value):
        said = without_addresses(str(detail["diagnostic"]))[:200]
        what = f"A mail of run {run} was refused ({kind.value}), no fault of its recipient: {said}"
        campaign = campaigns.get_run(session, run).campaign_id
        campaigns.log(session, campaign, what, actor=ACTOR, now=arrival.at)


def _lose_patience(
    session: Session, arrival: Arrival, kind: BounceClass, detail: Mapping[str, object], secret: bytes
) -> None:
    whom = arrival.whom
    if whom.address is None:
        return
    row = returns.in_a_row(session, whom.contact, whom.address, now=arrival.at)
    for limit in PATIENCE:
        of_kind = [one for one in row if one.kind in limit.kinds]
        if kind not in limit.kinds or len(of_kind) < limit.times:
            continue
        if of_kind[0].at - of_kind[-1].at >= limit.over:
            counted = {"messages": len(of_kind), "since": of_kind[-1].at.isoformat()}
            _suppress(session, arrival, "kept bouncing", {**detail, **counted}, secret)
            return


def _suppress(
    session: Session, arrival: Arrival, reason: str, detail: Mapping[str, object], secret: bytes
) -> None:
    whom = arrival.whom
    if whom.address is None:
        return
    hashed = suppressions.address_hash(secret, whom.address)
    named: dict[str, object] = {"run": whom.run, "seq": whom.seq, "named by": arrival.named_by}
    evidence = named | dict(detail) | {"diagnostic": without_addresses(str(detail.get("diagnostic", "")))}
    if suppressions.add(session, hashed, reason, now=arrival.at, evidence=evidence, actor=ACTOR):
        history.record(session, arrival.fact(EventKind.SUPPRESSED, {"reason": reason}))


# ---- complaints


def complained(session: Session, arrival: Arrival, secret: bytes) -> None:
    """Record a complaint, withdraw the consent that it is about, and never mail the address again."""
    whom = arrival.whom
    detail: dict[str, object] = {"feedback": arrival.told.feedback, "rule": arrival.told.rule}
    if not history.record(session, arrival.fact(EventKind.COMPLAINED, detail)):
        return
    proof = f"complaint about message {whom.run}.{whom.seq}"
    how = Provenance(arrival.at, "complaint", proof, actor=ACTOR)
    consent.withdraw(session, ContactId(whom.contact), whom.topic, how, now=arrival.at)
    _suppress(session, arrival, "complaint", detail, secret)


# ---- answers


def replied(session: Session, arrival: Arrival) -> None:
    """Record that a person wrote back, and give the customer's rep a task; one for each message and day."""
    whom, told = arrival.whom, arrival.told
    detail: dict[str, object] = {"subject": told.subject, "text": told.words}
    if whom.erased or not history.record(session, arrival.fact(EventKind.REPLIED, detail)):
        return
    dedupe = f"reply:{whom.run}:{whom.seq}:{arrival.at.date().isoformat()}"
    title = f"Answer the reply to {whom.campaign}"[: tasks.LONGEST_TITLE]
    reason = f"{told.subject}: {told.words}".strip(": ")
    due = arrival.at + ANSWER_WITHIN
    new = NewTask(whom.customer, whom.contact, title, reason, whom.owner, due, dedupe)
    if tasks.add(session, new, now=arrival.at):
        history.record(session, arrival.fact(EventKind.TASK_CREATED, {"title": title}))


def answered_by_robot(session: Session, arrival: Arrival) -> None:
    """Record that a robot wrote back: away, gone, or asking for proof; nothing follows from it."""
    told = arrival.told
    detail: dict[str, object] = {"kind": told.kind.value, "rule": told.rule}
    if not arrival.whom.erased:
        detail |= {"subject": told.subject, "text": told.words}
    history.record(session, arrival.fact(EventKind.AUTO_REPLIED, detail))


def delivered(session: Session, arrival: Arrival) -> None:
    """Record that the receiving side says it has the message."""
    if arrival.told.kind is ReturnKind.RECEIPT:
        history.record(session, arrival.fact(EventKind.DELIVERED, {"rule": arrival.told.rule}))
