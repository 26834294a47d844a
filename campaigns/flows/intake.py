"""What comes back from outside: unsubscribes act, returned mail is read."""

from datetime import datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple

from sqlalchemy.orm import Session

from campaigns import receiving
from campaigns.delivery.returns import Returned, ReturnKind, read_return
from campaigns.receiving import Arrival
from campaigns.records import (
    addressees,
    campaigns,
    consent,
    history,
    hits,
    messages,
    outbox,
)
from campaigns.records.consent import Provenance
from campaigns.records.outbox import Evidence
from campaigns.tracking.tokens import Keyring, Purpose, Token
from campaigns.values import (
    ConsentState,
    ContactId,
    EventKind,
    Fact,
    MessageKey,
    TopicClass,
)

#: What a returned mail proves, in the history's words.
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
BELIEVED_FOR = timedelta(days=90)  #: servers give up after days; a notice that comes later says nothing
BELIEVED_FOR_A_TIME = frozenset({ReturnKind.BOUNCE, ReturnKind.DELAY, ReturnKind.RECEIPT})
#: Reports that nobody complains in: of a failed check of authenticity, and that it was no spam after all.
NO_COMPLAINT = frozenset({"auth-failure", "dmarc", "not-spam"})


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
    arrived = Evidence(EventKind.UNSUBSCRIBED.value, now)
    outbox.prove(session, {MessageKey(token.run, token.seq): arrived}, now=now)
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
    """Read one returned mail, complaint, answer or wish to leave; gives what it was taken for, in a word.

    It is believed only if it carries a token of ours, about a message that was mailed: anybody may write to
    a bounce address. The same mail again changes nothing.
    """
    told = read_return(raw)
    named = _named(told, keyring)
    whom = None if named is None else addressees.find(session, named.token)
    if named is None or whom is None or whom.address is None:
        hits.stray(session, "return", now=now)
        return "stray"
    if whom.is_test:
        return "test"
    if _wants_out(named, told):
        unsubscribe(session, named.token, how="mail", now=now)
        return "unsubscribe"
    digest = blake2b((told.own_id or "").encode() or raw, digest_size=12).hexdigest()
    arrival = Arrival(told, whom, named.by, digest, now)
    if receiving.is_flood(session, arrival):
        return "flood"
    if told.kind in BELIEVED_FOR_A_TIME and whom.sent_at is not None and now - whom.sent_at > BELIEVED_FOR:
        return "late"
    outbox.prove(session, {MessageKey(whom.run, whom.seq): Evidence(PROOF[told.kind], now)}, now=now)
    _act(session, arrival, secret)
    return told.kind.value


def _act(session: Session, arrival: Arrival, secret: bytes) -> None:
    match arrival.told.kind:
        case ReturnKind.BOUNCE:
            receiving.bounced(session, arrival, secret)
        case ReturnKind.DELAY:
            receiving.delayed(session, arrival)
        case ReturnKind.COMPLAINT if arrival.told.feedback not in NO_COMPLAINT:
            receiving.complained(session, arrival, secret)
        case ReturnKind.REPLY:
            receiving.replied(session, arrival)
        case ReturnKind.AUTO_REPLY | ReturnKind.CHALLENGE:
            receiving.answered_by_robot(session, arrival)
        case ReturnKind.RECEIPT:
            receiving.delivered(session, arrival)


class _Named(NamedTuple):
    """The message that a mail is about, by our own token."""

    token: Token
    by: str  #: where the token stood
    prefix: str = "b"  #: "unsub": it came to the address to leave by


def _named(told: Returned, keyring: Keyring) -> _Named | None:
    """Find our token: where the mail arrived, then what notices keep of ours, then what it answers."""
    for address in told.addressed_to:
        prefix, _, text = address.rpartition("@")[0].lower().partition("+")
        token = keyring.read(Purpose.RETURN, text)
        if token is not None and prefix in ("b", "unsub"):
            return _Named(token, "return path", prefix)
    kept = (told.envelope_id or "").lower().replace("+2b", "+").rpartition("+")[2]
    places = [("envelope id", kept), ("message id", told.message_id or "")]
    for by, text in [*places, *(("reference", one) for one in told.references)]:
        if token := keyring.read(Purpose.RETURN, text.partition("@")[0].lower()):
            return _Named(token, by)
    return None


def _wants_out(named: _Named, told: Returned) -> bool:
    """Whether it asks to leave the topic: by its address, by its words, or by a provider's report."""
    if named.prefix == "unsub":
        return told.kind not in {ReturnKind.BOUNCE, ReturnKind.DELAY, ReturnKind.RECEIPT}
    return told.kind is ReturnKind.COMPLAINT and (told.feedback or "").startswith("opt-out")
