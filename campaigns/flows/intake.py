"""What comes back from outside: hits are judged, unsubscribes act, returned mail is read."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from campaigns.delivery.returns import Returned, ReturnKind, read_return
from campaigns.records import (
    campaigns,
    consent,
    history,
    hits,
    links,
    messages,
    outbox,
    responses,
    suppressions,
    surveys,
)
from campaigns.records.consent import Provenance
from campaigns.records.messages import Message
from campaigns.records.outbox import Evidence
from campaigns.records.reports import counts
from campaigns.records.responses import Place
from campaigns.tracking.tokens import Keyring, Purpose, Token
from campaigns.tracking.verdicts import RULES_VERSION, judge
from campaigns.values import (
    ConsentState,
    ContactId,
    EventKind,
    Fact,
    Hit,
    Judgement,
    MessageKey,
    TopicClass,
    Verdict,
)

SETTLING = timedelta(seconds=3)  #: a scanner's burst is told by what follows, so a hit waits this long
AT_ONCE = 2000
KIND = {
    "open": EventKind.OPENED,
    "click": EventKind.CLICKED,
    "view": EventKind.VIEWED,
    "score": EventKind.SCORE_CLICKED,
}
#: What a returned mail proves, in the history's words; any other proves it too, in its own.
PROOF = {
    ReturnKind.BOUNCE: EventKind.BOUNCED.value,
    ReturnKind.COMPLAINT: EventKind.COMPLAINED.value,
}


def judge_hits(session: Session, now: datetime, *, settling: timedelta = SETTLING) -> int:
    """Give each settled hit its verdict and its event; hits of one message are judged together.

    An older verdict that the newer hits change is changed too. Gives how many events are new.
    """
    keys = hits.unjudged(session, until=now - settling, limit=AT_ONCE)
    if not keys:
        return 0
    found = hits.of_messages(session, keys)
    outbox.prove(session, {MessageKey(*key): _proof(received) for key, received in found.items()}, now=now)
    facts: list[Fact] = []
    for key, received in found.items():
        facts += _judge_message(session, key, received)
        hits.mark_judged(session, [hit.id for hit in received])
    counts.note_verdicts(session, {run for run, _ in found})
    return history.record_many(session, facts, version=RULES_VERSION)


def _proof(received: Sequence[Hit]) -> Evidence:
    """A hit, whoever made it, proves that its message arrived: its token stood nowhere else."""
    first = min(received, key=lambda hit: hit.at)
    return Evidence(KIND[first.kind].value, first.at)


def _judge_message(session: Session, key: tuple[int, int], received: Sequence[Hit]) -> list[Fact]:
    message = messages.find(session, *key)
    if message is None or message.is_test:
        return []
    confirmed = responses.is_posted(session, contact=message.contact, run=key[0])
    verdicts = judge(
        received, sent_at=message.at, link_count=links.count(session, key[0]), confirmed=confirmed
    )
    for hit, judgement in zip(received, verdicts, strict=True):
        history.rejudge(session, _dedupe(hit), judgement)
        if hit.kind == "score" and judgement.verdict in {Verdict.HUMAN, Verdict.UNKNOWN}:
            _begin_response(session, hit)
    return [
        _fact(hit, judgement, message.customer) for hit, judgement in zip(received, verdicts, strict=True)
    ]


def _begin_response(session: Session, hit: Hit) -> None:
    """A score clicked in the mail begins a response; an answer it becomes only when the page is posted."""
    version = campaigns.get_run(session, hit.run).survey_version_id
    if version is not None:
        survey = surveys.edition(session, version).survey
        place = Place(survey, version, hit.contact, hit.run, hit.seq)
        responses.start(session, place, language="", now=hit.at)


def _dedupe(hit: Hit) -> str:
    return f"hit:{hit.id}"


def _fact(hit: Hit, judgement: Judgement, customer: int) -> Fact:
    detail: dict[str, object] = {"reasons": list(judgement.reasons)}
    if hit.link is not None:
        detail["score" if hit.kind == "score" else "link"] = hit.link
    return Fact(
        KIND[hit.kind],
        hit.at,
        _dedupe(hit),
        hit.contact,
        customer,
        hit.run,
        hit.seq,
        "web",
        judgement.verdict,
        detail,
    )


def unsubscribe(session: Session, token: Token, *, how: str, now: datetime) -> None:
    """Withdraw the contact's consent to the topic of the message; doing it again changes nothing.

    `how` is kept as proof: "one-click post", "page", "mail". One message makes one event, unless the contact
    has said yes again in between. A transactional topic cannot be left: each such mail was asked for.
    """
    run = campaigns.get_run(session, token.run)
    message = messages.find(session, token.run, token.seq)
    transactional = consent.topic_by_id(session, run.topic_id).topic_class is TopicClass.TRANSACTIONAL
    if run.kind == "test" or transactional:
        return
    proof = Evidence(EventKind.UNSUBSCRIBED.value, now)
    outbox.prove(session, {MessageKey(token.run, token.seq): proof}, now=now)
    contact = ContactId(token.contact)
    state, at = consent.hold(session, contact, run.topic_id, now=now)
    if state is not ConsentState.WITHDRAWN:
        proof = f"message {token.run}.{token.seq}, {how}"
        consent.withdraw(session, contact, run.topic_id, Provenance(at, "unsubscribe", proof), now=now)
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
        "web",
        detail={"how": how, "topic": run.topic_id},
    )
    history.record(session, fact)


def receive_mail(session: Session, raw: bytes, keyring: Keyring, secret: bytes, *, now: datetime) -> str:
    """Read one returned mail, complaint or unsubscribe request; gives what it was taken for, in a word.

    It is believed only if its address carries our own token: anybody may write to a bounce address.
    """
    returned = read_return(raw)
    found = _our_token(returned.addressed_to, keyring)
    message = None if found is None else messages.find(session, found[1].run, found[1].seq)
    if found is None or message is None:
        hits.stray(session, "return", now=now)
        return "stray"
    if message.is_test:
        return "test"
    prefix, token = found
    if prefix == "unsub":
        unsubscribe(session, token, how="mail", now=now)
        return "unsubscribe"
    proof = Evidence(PROOF.get(returned.kind, returned.kind.value), now)
    outbox.prove(session, {MessageKey(message.run, message.seq): proof}, now=now)
    if returned.kind is ReturnKind.BOUNCE:
        _bounced(session, message, returned, secret, now)
    elif returned.kind is ReturnKind.COMPLAINT:
        _complained(session, token, message, returned, secret, now)
    return returned.kind.value


def _our_token(addressed_to: Sequence[str], keyring: Keyring) -> tuple[str, Token] | None:
    """The first address that carries a token of ours, with the word before the plus."""
    for address in addressed_to:
        prefix, _, text = address.partition("@")[0].partition("+")
        token = keyring.read(Purpose.RETURN, text.lower())
        if token is not None and prefix.lower() in ("b", "unsub"):
            return prefix.lower(), token
    return None


def _bounced(session: Session, message: Message, returned: Returned, secret: bytes, now: datetime) -> None:
    """The notice is about one message, so about its address, whatever recipients it names."""
    failed = [one for one in returned.recipients if one.hard is not None]
    hard = any(one.hard for one in failed)
    detail: dict[str, object] = {
        "hard": hard,
        "status": next((one.status for one in failed if one.status), None),
        "diagnostic": next((one.diagnostic for one in failed if one.diagnostic), "")[:500],
    }
    word = "bounced hard" if hard else "bounced"  # a full mailbox may turn out to be a dead one
    new = history.record(session, _about(message, EventKind.BOUNCED, word, now, detail))
    if new and hard and message.address is not None:
        hashed = suppressions.address_hash(secret, message.address)
        evidence = {"run": message.run, "seq": message.seq, **detail}
        suppressions.add(session, hashed, "hard bounce", now=now, evidence=evidence, actor="returned mail")
        history.record(
            session, _about(message, EventKind.SUPPRESSED, "suppressed", now, {"reason": "hard bounce"})
        )


def _complained(
    session: Session, token: Token, message: Message, returned: Returned, secret: bytes, now: datetime
) -> None:
    detail: dict[str, object] = {"feedback": returned.feedback}
    if not history.record(session, _about(message, EventKind.COMPLAINED, "complained", now, detail)):
        return
    run = campaigns.get_run(session, token.run)
    proof = f"complaint about message {token.run}.{token.seq}"
    how = Provenance(now, "complaint", proof, actor="returned mail")
    consent.withdraw(session, ContactId(message.contact), run.topic_id, how, now=now)
    if message.address is not None:
        hashed = suppressions.address_hash(secret, message.address)
        suppressions.add(session, hashed, "complaint", now=now, evidence=detail, actor="returned mail")


def _about(message: Message, kind: EventKind, word: str, now: datetime, detail: dict[str, object]) -> Fact:
    return Fact(
        kind,
        now,
        f"{word}:{message.run}:{message.seq}",
        message.contact,
        message.customer,
        message.run,
        message.seq,
        "returned mail",
        detail=detail,
    )
