"""What comes back from outside: unsubscribes act, returned mail is read."""

from dataclasses import replace
from datetime import datetime
from hashlib import blake2b
from typing import NamedTuple

from sqlalchemy.orm import Session

from campaigns import blocks, receiving
from campaigns.delivery.returns import RULES_VERSION, Returned, ReturnKind, read_return
from campaigns.receiving import Arrival
from campaigns.records import addressees, consent, history, hits, returned_mails, returns, suppressions
from campaigns.records.reports import counts
from campaigns.records.returned_mails import Judged, Kept
from campaigns.tracking.tokens import Keyring, Purpose, Token
from campaigns.values import ContactId


def unsubscribe(session: Session, token: Token, *, how: str, now: datetime) -> None:
    """Withdraw the contact's consent to the topic of the message; doing it again changes nothing.

    `how` is kept as proof: "one-click post", "page", "mail".
    """
    receiving.left(session, token, how=how, now=now)
    if how == "page":  # a person was there, so a click of the message may be a person's too
        hits.judge_again(session, token.run, token.seq)


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
    word = receiving.receive(session, arrival, secret)
    if word == told.kind.value:
        blocks.heed(session, [arrival], now)
    if word == ReturnKind.BOUNCE.value and not whom.erased:
        place = (whom.contact, whom.run, whom.seq)
        returned_mails.keep(session, raw, _judged(arrival), digest=digest, whom=place, now=now)
    return word


class Again(NamedTuple):
    """A kept mail that is judged otherwise by today's rules."""

    run: int
    seq: int
    was: Judged
    now: Judged
    listed: bool  #: the address is on the list of suppressions, now that all is done


def judge_again(
    session: Session, keyring: Keyring, secret: bytes, *, now: datetime, after: int = 0
) -> tuple[list[Again], int | None]:
    """Read some kept mails once more by today's rules, and act on what they say; where to go on, or None.

    What was known since stands: an address that has been alive, or that a person took off the list, is not
    put there. One that was held dead, and is not any more, stays there: who takes it off gives a reason.
    """
    found: list[Again] = []
    kept = returned_mails.older(session, RULES_VERSION, now=now, after=after)
    for one in kept:
        read = _read_again(session, one, keyring, now)
        judged = replace(one.judged, rules=RULES_VERSION) if read is None else _judged(read[1])
        if read is not None and (judged.kind, judged.hard) != (one.judged.kind, one.judged.hard):
            named, arrival = read
            _correct(session, one, named, arrival, secret)
            listed = suppressions.is_suppressed(session, _hashed(arrival, secret))
            found.append(Again(one.run, one.seq, one.judged, judged, listed))
        returned_mails.judge(session, one.id, judged)
    counts.note_verdicts(session, {one.run for one in found})
    return found, kept[-1].id if kept else None


def _read_again(
    session: Session, one: Kept, keyring: Keyring, now: datetime
) -> tuple["_Named", Arrival] | None:
    """A kept mail as if it came now; None where it cannot be read as it came, or whom it is about is gone."""
    told = read_return(one.raw)
    named = _named(told, keyring)
    whom = None if named is None else addressees.find(session, named.token)
    if named is None or whom is None or whom.address is None or (whom.run, whom.seq) != (one.run, one.seq):
        return None
    if len(one.raw) >= returned_mails.MOST and not told.recipients:
        return None  # what it said of the address may stand in what was cut off
    return named, Arrival(told, whom, named.by, one.digest, now)


def _correct(session: Session, one: Kept, named: "_Named", arrival: Arrival, secret: bytes) -> None:
    """Let the newer judgement stand in the history for the older one; only what speaks for less mail acts."""
    whom, came = arrival.whom, replace(arrival, at=one.at)
    fact = receiving.bounce(came)
    hashed, address = _hashed(arrival, secret), whom.address or ""
    stands = suppressions.was_lifted(session, hashed, since=one.at) or returns.is_alive(
        session, whom.contact, address, since=one.at, now=arrival.at
    )
    if arrival.told.kind is not ReturnKind.BOUNCE:
        history.disown(session, fact.dedupe)
        if _wants_out(named, arrival.told):
            if not consent.was_granted(session, ContactId(whom.contact), whom.topic, since=one.at):
                unsubscribe(session, named.token, how="mail", now=arrival.at)
        elif not (stands and arrival.told.kind is ReturnKind.COMPLAINT):
            receiving.act(session, came, secret)
        return
    history.reread(session, fact.dedupe, {**fact.detail, "before": one.judged.kind})
    if fact.detail["hard"] and not one.judged.hard and not stands:
        receiving.suppress(session, arrival, "hard bounce", fact.detail, secret)


def _hashed(arrival: Arrival, secret: bytes) -> bytes:
    return suppressions.address_hash(secret, arrival.whom.address or "")


def _judged(arrival: Arrival) -> Judged:
    if arrival.told.kind is not ReturnKind.BOUNCE:
        return Judged(arrival.told.kind.value, hard=False, rules=RULES_VERSION)
    kind, hard = receiving.judged(arrival)
    return Judged(kind.value, hard, RULES_VERSION)


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
