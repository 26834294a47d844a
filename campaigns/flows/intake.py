"""What comes back from outside: unsubscribes act, returned mail is read."""

from dataclasses import replace
from datetime import datetime
from hashlib import blake2b
from typing import NamedTuple

from sqlalchemy.orm import Session

from campaigns import blocks, receiving
from campaigns.delivery.returns import RULES_VERSION, Returned, ReturnKind, read_return
from campaigns.receiving import Arrival
from campaigns.records import addressees, hits, returned_mails
from campaigns.records.returned_mails import Judged
from campaigns.tracking.tokens import Keyring, Purpose, Token


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


def judge_again(
    session: Session, keyring: Keyring, secret: bytes, *, after: int = 0
) -> tuple[list[Again], int | None]:
    """Read some kept mails once more by today's rules, and act on what they say; where to go on, or None.

    An address that was held dead, and is not any more, stays on the list: who takes it off gives a reason.
    """
    found: list[Again] = []
    kept = returned_mails.older(session, RULES_VERSION, after=after)
    for one in kept:
        told = read_return(one.raw)
        named = _named(told, keyring)
        whom = None if named is None else addressees.find(session, named.token)
        if named is None or whom is None or (whom.run, whom.seq) != (one.run, one.seq):
            # it was cut, or whom it was about is forgotten
            returned_mails.judge(session, one.id, replace(one.judged, rules=RULES_VERSION))
            continue
        arrival = Arrival(told, whom, named.by, f"{one.digest}.{RULES_VERSION}", one.at)
        judged = _judged(arrival)
        if (judged.kind, judged.hard) != (
            one.judged.kind,
            one.judged.hard,
        ) and told.kind is ReturnKind.BOUNCE:
            receiving.bounced(session, arrival, secret)
            found.append(Again(one.run, one.seq, one.judged, judged))
        returned_mails.judge(session, one.id, judged)
    return found, kept[-1].id if kept else None


def _judged(arrival: Arrival) -> Judged:
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
