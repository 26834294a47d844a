"""What follows from a returned mail, or a provider's word, for its message; in the caller's transaction.

A dead address is suppressed at once, one that only seems to be after a while (`PATIENCE`), and never for a
block: that is about us. Each mail counts once, however often it is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
from campaigns.records import (
    campaigns,
    consent,
    history,
    messages,
    outbox,
    returns,
    shared_addresses,
    suppressions,
    tasks,
)
from campaigns.records.addressees import Addressee
from campaigns.records.consent import Provenance
from campaigns.records.outbox import Evidence
from campaigns.records.tasks import NewTask
from campaigns.tracking.tokens import Token
from campaigns.values import ConsentState, ContactId, EventKind, Fact, MessageKey, TopicClass, Verdict

ACTOR = returns.SOURCE
ANSWER_WITHIN = timedelta(days=2)
MOST = 30  #: events that returned mails may make about one message; a hostile mailbox sends more
CLOCKS = timedelta(minutes=5)  #: by which a provider's may be wrong
MOST_DELAYS = 5  #: of delays; a server that tries for days tells of each time
APART = {ReturnKind.DELAY: EventKind.DELAYED, ReturnKind.RECEIPT: EventKind.DELIVERED}
BELIEVED_FOR = timedelta(days=90)  #: servers give up after days; a notice that comes later says nothing
BELIEVED_FOR_A_TIME = frozenset({ReturnKind.BOUNCE, ReturnKind.DELAY, ReturnKind.RECEIPT})
#: What an arrival proves, in the history's words.
PROOF = {
    ReturnKind.BOUNCE: EventKind.BOUNCED.value,
    ReturnKind.COMPLAINT: EventKind.COMPLAINED.value,
    ReturnKind.DELAY: EventKind.DELAYED.value,
    ReturnKind.RECEIPT: EventKind.DELIVERED.value,
    ReturnKind.REPLY: EventKind.REPLIED.value,
    ReturnKind.AUTO_REPLY: EventKind.AUTO_REPLIED.value,
    ReturnKind.CHALLENGE: EventKind.AUTO_REPLIED.value,
    ReturnKind.OTHER: ReturnKind.OTHER.value,
}
#: Reports that nobody complains in: of a failed check of authenticity, and that it was no spam after all.
NO_COMPLAINT = frozenset({"auth-failure", "dmarc", "not-spam"})


@dataclass(frozen=True, slots=True)
class Patience:
    """How many messages in a row may come back with some classes, and over how long, before it is enough."""

    times: int
    over: timedelta
    kinds: frozenset[BounceClass]


_ASLEEP = frozenset({BounceClass.INACTIVE, BounceClass.REFUSED})
_PASSING = frozenset(
    {*_ASLEEP, BounceClass.FULL, BounceClass.TRANSIENT, BounceClass.LISTED, BounceClass.UNKNOWN}
)
PATIENCE = (
    Patience(2, timedelta(days=7), _ASLEEP),
    Patience(3, timedelta(days=21), frozenset({BounceClass.FULL})),
    Patience(5, timedelta(days=30), _PASSING),
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One returned mail or provider's word, with the message that it proves to be about."""

    told: Returned
    whom: Addressee
    named_by: str  #: where our token stood
    digest: str  #: of the mail: the same mail again makes nothing new
    at: datetime
    source: str = ACTOR
    also: Mapping[str, object] = field(default_factory=dict)  #: what else is to be known of it, for good

    def fact(self, kind: EventKind, detail: Mapping[str, object], word: str = "") -> Fact:
        """What happened, to be written down once."""
        whom = self.whom
        key = f"{word or kind.value}:{whom.run}:{whom.seq}:{self.digest}"
        human = Verdict.HUMAN if kind is EventKind.REPLIED else Verdict.UNKNOWN
        where = (whom.contact, whom.customer, whom.run, whom.seq, self.source, human)
        return Fact(kind, self.at, key, *where, {**detail, **self.also, "named by": self.named_by})


def receive(session: Session, arrival: Arrival, secret: bytes) -> str:
    """Do what follows from an arrival, and say in a word what it was taken for."""
    if is_flood(session, arrival):
        return "flood"
    if is_late(arrival):
        return "late"
    kind = arrival.told.kind
    key = MessageKey(arrival.whom.run, arrival.whom.seq)
    outbox.prove(session, {key: Evidence(PROOF[kind], arrival.at)}, now=arrival.at)
    act(session, arrival, secret)
    return kind.value


def act(session: Session, arrival: Arrival, secret: bytes) -> None:
    """Do what an arrival of its kind asks for."""
    match arrival.told.kind:
        case ReturnKind.BOUNCE:
            bounced(session, arrival, secret)
        case ReturnKind.DELAY:
            delayed(session, arrival)
        case ReturnKind.COMPLAINT if arrival.told.feedback not in NO_COMPLAINT:
            complained(session, arrival, secret)
        case ReturnKind.REPLY:
            replied(session, arrival)
        case ReturnKind.AUTO_REPLY | ReturnKind.CHALLENGE:
            answered_by_robot(session, arrival)
        case ReturnKind.RECEIPT:
            delivered(session, arrival)


def is_flood(session: Session, arrival: Arrival) -> bool:
    """Whether more has come about one message than servers and people send; of delays few are enough.

    Delays and deliveries are counted apart, so that no number of them hides what comes after.
    """
    whom, kind = arrival.whom, arrival.told.kind
    apart = APART.get(kind)
    kinds = [apart] if apart else [one for one in EventKind if one not in APART.values()]
    found = returns.count_of(session, whom.contact, whom.run, whom.seq, arrival.source, kinds)
    return found >= (MOST_DELAYS if kind is ReturnKind.DELAY else MOST)


def is_late(arrival: Arrival) -> bool:
    """Whether it comes longer after the message than servers try."""
    sent_at = arrival.whom.sent_at
    timely = arrival.told.kind in BELIEVED_FOR_A_TIME
    return timely and sent_at is not None and arrival.at - sent_at > BELIEVED_FOR


# ---- bounces


def bounced(session: Session, arrival: Arrival, secret: bytes) -> None:
    """Record that the message came back; suppress its address if that is dead, or has been away too long."""
    kind, hard = judged(arrival)
    fact = bounce(arrival)
    if not history.record(session, fact):
        return
    if kind in OURS:
        _tell_block(session, arrival, kind, fact.detail)
    elif hard:
        suppress(session, arrival, "hard bounce", fact.detail, secret)
    else:
        _lose_patience(session, arrival, kind, fact.detail, secret)


def bounce(arrival: Arrival) -> Fact:
    """That the message came back, and what that says."""
    one, _ = about(arrival)
    kind, hard = judged(arrival)
    return arrival.fact(EventKind.BOUNCED, _detail(arrival.told, one, kind, hard=hard))


def judged(arrival: Arrival) -> tuple[BounceClass, bool]:
    """The class of a bounce, and whether its address is dead."""
    one, is_own = about(arrival)
    kind = BounceClass.UNKNOWN if one is None or one.finding is None else one.finding.kind
    hard = one is not None and one.hard is True and is_own
    if one is not None and one.hard and not is_own:
        kind = BounceClass.REFUSED  # somewhere behind the address, where it is forwarded to
    return kind, hard


def delayed(session: Session, arrival: Arrival) -> None:
    """Record that a server is still trying."""
    one, _ = about(arrival)
    kind = BounceClass.TRANSIENT
    history.record(session, arrival.fact(EventKind.DELAYED, _detail(arrival.told, one, kind, hard=False)))


def about(arrival: Arrival) -> tuple[ReturnedRecipient | None, bool]:
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
        campaigns.log(session, campaign, what, actor=arrival.source, now=arrival.at)


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
            suppress(session, arrival, "kept bouncing", {**detail, **counted}, secret)
            return


def suppress(
    session: Session, arrival: Arrival, reason: str, detail: Mapping[str, object], secret: bytes
) -> None:
    """Never mail the message's address again, for a reason."""
    whom = arrival.whom
    if whom.address is None:
        return
    hashed = suppressions.address_hash(secret, whom.address)
    named: dict[str, object] = {"run": whom.run, "seq": whom.seq, "named by": arrival.named_by}
    said = without_addresses(str(detail.get("diagnostic", "")))
    evidence = {**named, **detail, **arrival.also, "diagnostic": said}
    if suppressions.add(session, hashed, reason, now=arrival.at, evidence=evidence, actor=arrival.source):
        history.record(session, arrival.fact(EventKind.SUPPRESSED, {"reason": reason}))


# ---- complaints


def complained(session: Session, arrival: Arrival, secret: bytes) -> None:
    """Record a complaint, withdraw the consent that it is about, and never mail the address again."""
    whom = arrival.whom
    detail: dict[str, object] = {"feedback": arrival.told.feedback, "rule": arrival.told.rule}
    if not history.record(session, arrival.fact(EventKind.COMPLAINED, detail)):
        return
    proof = f"complaint about message {whom.run}.{whom.seq}"
    how = Provenance(arrival.at, "complaint", proof, actor=arrival.source)
    consent.withdraw(session, ContactId(whom.contact), whom.topic, how, now=arrival.at)
    suppress(session, arrival, "complaint", detail, secret)


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


# ---- leaving


def left(session: Session, token: Token, *, how: str, now: datetime, source: str = "web") -> None:
    """Withdraw the contact's consent to the topic of the message; doing it again changes nothing.

    It holds for everybody at the address that the message went to, but who said yes after it. `how` is kept
    as proof: "one-click post", "page", "mail", a webhook. One message makes one event, unless the contact has
    said yes again in between. A transactional topic cannot be left: each such mail was asked for.
    """
    run = campaigns.get_run(session, token.run)
    message = messages.find(session, token.run, token.seq)
    topic = consent.topic_by_id(session, run.topic_id)
    if run.kind == "test" or topic.topic_class is TopicClass.TRANSACTIONAL:
        return
    arrived = Evidence(EventKind.UNSUBSCRIBED.value, now)
    outbox.prove(session, {MessageKey(token.run, token.seq): arrived}, now=now)
    contact = ContactId(token.contact)
    address = message.address if message else None
    shared_addresses.hold(session, contact, address)
    state, at = consent.hold(session, contact, run.topic_id, now=now)
    if source != "web" and consent.was_granted(session, contact, topic.id, since=now + CLOCKS):
        at = now  # a provider tells it late, and the yes came after it
    said = Provenance(at, "unsubscribe", f"message {token.run}.{token.seq}, {how}")
    shared_addresses.withdraw(session, contact, address, topic, said, source=source, now=now)
    if state is not ConsentState.WITHDRAWN or not shared_addresses.is_own(session, contact, topic):
        consent.withdraw(session, contact, run.topic_id, said, now=now)
    times = sum(
        said.topic == run.topic_id and said.state is ConsentState.GRANTED
        for said in consent.ledger(session, contact)
    )
    fact = Fact(
        EventKind.UNSUBSCRIBED,
        now,
        f"unsubscribed:{token.run}:{token.seq}:{times}",
        token.contact,
        message.customer if message else None,
        token.run,
        token.seq,
        source,
        detail={"how": how, "topic": run.topic_id},
    )
    history.record(session, fact)
