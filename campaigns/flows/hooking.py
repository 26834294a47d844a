"""What providers say by webhooks: read without trust, believed by our token, and acted on as returned mail.

The door has stored each call before it answered; the worker reads it here. What a call says is taken event
by event, each once, in whatever order they come.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from campaigns import receiving
from campaigns.delivery.returns import Returned, ReturnedRecipient, ReturnKind
from campaigns.delivery.webhooks import Reading, Signal, SignalKind, Webhooks, read_call, why_failed
from campaigns.receiving import Arrival
from campaigns.records import addressees, hits, links, outbox, tracking, webhooks
from campaigns.records.addressees import Addressee
from campaigns.records.outbox import Evidence
from campaigns.records.webhooks import StoredCall
from campaigns.tracking.tokens import Keyring, Purpose, Token
from campaigns.tracking.verdicts import BY_PROVIDER, BY_PROXY, NO_AGENT, UNTOLD
from campaigns.values import ContactId, Hit, MessageKey, Tracking, Verdict

SOURCE = "webhook"
WAIT = timedelta(minutes=1)
PATIENCE = timedelta(days=3)  #: so long Amazon waits for a subscription's yes
SKEW = timedelta(hours=1)  #: by so much a provider's clock may be ahead of ours, or behind
RETURNS = {
    SignalKind.BOUNCED: ReturnKind.BOUNCE,
    SignalKind.DELAYED: ReturnKind.DELAY,
    SignalKind.DELIVERED: ReturnKind.RECEIPT,
    SignalKind.COMPLAINED: ReturnKind.COMPLAINT,
    SignalKind.AUTO_REPLIED: ReturnKind.AUTO_REPLY,
}
ACTIONS = {SignalKind.BOUNCED: "failed", SignalKind.DELAYED: "delayed"}
HITS = {SignalKind.OPENED: "open", SignalKind.CLICKED: "click"}
#: What stands among a hit's headers where a provider says who did it; of browsers only known names are kept.
DOERS = {Verdict.MACHINE: BY_PROVIDER, Verdict.PRIVACY: BY_PROXY}
NOT_KEPT = ("not tracked", "counted apart")  #: what became of events that may be told of no single contact
MOST_WORDS = 500  #: of what a robot wrote
OUR_PAGES = ("u", "p", "s", "v", "o")  #: what is no link of the campaign's; a visit there is seen there


@dataclass(frozen=True, slots=True)
class Keys:
    """What this installation proves things by."""

    ring: Keyring
    secret: bytes
    public_url: str
    tracking: Tracking = Tracking.INDIVIDUAL  #: of contacts who never chose a level


def read(call: StoredCall, table: Mapping[str, Webhooks]) -> Reading:
    """Read a stored call, outside of any transaction."""
    reader = table.get(call.kind)
    if reader is None:
        return Reading(problem=f"no provider of the kind {call.kind!r} reads webhooks")
    return read_call(reader, call.body)


def follow(call: StoredCall, reading: Reading, table: Mapping[str, Webhooks]) -> None:
    """Ask the address that a call wants to be asked, so that calls come at all.

    Raises:
        BackendError: it cannot be asked now.
    """
    visit = table[call.kind].visit if reading.follow else None
    if visit is not None and reading.follow:
        visit(reading.follow)


def postpone(session: Session, now: datetime, *, call: StoredCall, why: str) -> None:
    """Let a call wait until what it asks for can be had; after three days it is too late for that."""
    if now - call.at > PATIENCE:
        set_aside(session, now, call=call, why=why)
    else:
        webhooks.postpone(session, call.id, problem=why, due_at=now + WAIT)


def act(session: Session, call: StoredCall, reading: Reading, keys: Keys, *, now: datetime) -> Counter[str]:
    """Do what follows from a call, and mark it as read; gives what became of its events."""
    found: Counter[str] = Counter()
    for signal in reading.signals:
        found[_take(session, call, signal, keys, now)] += 1
    if reading.problem:
        found["unreadable"] += 1
    if reading.follow:
        found["subscription"] += 1
    webhooks.count(session, call.account, found, now=now)
    told = any(found[what] for what in NOT_KEPT)
    webhooks.settle(session, call.id, problem=reading.problem, forget=told)
    return found


def set_aside(session: Session, now: datetime, *, call: StoredCall, why: str) -> None:
    """Mark a call that could not be acted on, so that it stops no other."""
    webhooks.count(session, call.account, {"unreadable": 1}, now=now)
    webhooks.settle(session, call.id, problem=why)


def _take(session: Session, call: StoredCall, signal: Signal, keys: Keys, now: datetime) -> str:
    """Take one event, once; gives what became of it, in a word."""
    if not webhooks.take(session, call.account, signal.id, call.id):
        return "repeat"
    if signal.kind is SignalKind.UNKNOWN:
        return "unknown"
    token = _named(signal, keys.ring)
    whom = None if token is None else addressees.find(session, token)
    if token is None or whom is None or (doubt := _doubt(signal, whom)):
        return "stray" if token is None or whom is None else doubt
    return _act(session, call, signal, Named(token, whom, _moment(signal, whom, call, now)), keys)


class Named(NamedTuple):
    """The message that an event is about, by our own token."""

    token: Token
    whom: Addressee
    at: datetime


def _doubt(signal: Signal, whom: Addressee) -> str:
    """Why nothing follows from what is said of a message of ours; empty: something may."""
    if whom.address is None:
        return "stray"
    if signal.recipient and not _same(signal.recipient, whom.address):
        return "other address"
    return "test" if whom.is_test else ""


def _act(session: Session, call: StoredCall, signal: Signal, named: Named, keys: Keys) -> str:
    token, whom, at = named
    match signal.kind:
        case SignalKind.ACCEPTED:
            key = MessageKey(whom.run, whom.seq)
            outbox.prove(session, {key: Evidence(signal.kind.value, at)}, now=at)
        case SignalKind.UNSUBSCRIBED:
            receiving.left(session, token, how=f"webhook of {call.account}", now=at, source=SOURCE)
        case SignalKind.OPENED | SignalKind.CLICKED:
            return _hit(session, signal, named, keys)
        case _:
            return _arrive(session, call, signal, named, keys.secret)
    return signal.kind.value


def _named(signal: Signal, ring: Keyring) -> Token | None:
    """Find our token in what the provider keeps of ours: a reference, a return path, a Message-ID."""
    for text in signal.references:
        local = text.strip("<> ").partition("@")[0].lower()
        if token := ring.read(Purpose.RETURN, local.rpartition("+")[2]):
            return token
    return None


def _same(one: str, other: str) -> bool:
    return _plain(one) == _plain(other)


def _plain(address: str) -> str:
    """As addresses are compared: in small letters, the domain as it travels."""
    local, _, domain = address.strip().lower().rpartition("@")
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode()
        except UnicodeError:
            return address
    return f"{local}@{domain}"


def _moment(signal: Signal, whom: Addressee, call: StoredCall, now: datetime) -> datetime:
    """When it happened, as far as that can be: not before the mail, and not after the call."""
    if signal.at is None or signal.at > min(now, call.at) + SKEW:
        return call.at
    if whom.sent_at is not None and signal.at < whom.sent_at - SKEW:
        return call.at
    return signal.at


# ---- what came back


def _arrive(session: Session, call: StoredCall, signal: Signal, named: Named, secret: bytes) -> str:
    event = webhooks.digest(call.account.encode(), signal.id.encode("utf-8", "replace"))
    also: dict[str, object] = {"account": call.account, "provider": signal.word}
    named_by = f"webhook of {call.account}"
    arrival = Arrival(_returned(signal, named.whom), named.whom, named_by, event[:24], named.at, SOURCE, also)
    word = receiving.receive(session, arrival, secret)
    return word if word in {"flood", "late"} else signal.kind.value


def _returned(signal: Signal, whom: Addressee) -> Returned:
    """The event in the words of a returned mail."""
    finding = why_failed(signal) if signal.kind in ACTIONS else None
    one = ReturnedRecipient(
        address=(whom.address or "").lower(),
        action=ACTIONS.get(signal.kind, signal.kind.value),
        status=signal.status,
        diagnostic=signal.said,
        finding=finding,
        reply=signal.reply,
    )
    complains = signal.kind is SignalKind.COMPLAINED
    return Returned(
        kind=RETURNS[signal.kind],
        rule=f"a webhook: {signal.word}",
        addressed_to=(),
        envelope_id=None,
        message_id=None,
        recipients=(one,),
        feedback=(signal.said or "abuse").lower()[:40] if complains else None,
        words=signal.said[:MOST_WORDS],
    )


# ---- what people and machines did


def _hit(session: Session, signal: Signal, named: Named, keys: Keys) -> str:
    """Store what a provider saw as a raw hit; the judge reads it with our own."""
    token, whom, at = named
    level = tracking.level(session, ContactId(whom.contact)) or keys.tracking
    if not whom.tracking or whom.erased or level is Tracking.OFF:
        return "not tracked"
    clicked = signal.kind is SignalKind.CLICKED
    page, number = _our_page(signal.url, token, keys) if clicked else ("", None)
    if page in OUR_PAGES:
        return "own page"
    if clicked and number is None and signal.url:
        number = links.number_of(session, whom.run, signal.url)
    if level is Tracking.INDIVIDUAL:  # of others nothing may tell that they looked
        key = MessageKey(whom.run, whom.seq)
        outbox.prove(session, {key: Evidence(signal.kind.value, at)}, now=at)
    hit = Hit(
        at=at,
        kind=HITS[signal.kind],
        run=token.run,
        seq=token.seq,
        contact=token.contact,
        link=number,
        method="GET",
        agent=signal.agent,
        address=signal.address,
        headers=tuple(_headers(signal)),
    )
    hits.store(session, [hit], default=keys.tracking)
    return signal.kind.value if level is Tracking.INDIVIDUAL else "counted apart"


def _headers(signal: Signal) -> Iterator[str]:
    yield UNTOLD
    if not signal.agent:
        yield NO_AGENT
    if signal.doer in DOERS:
        yield DOERS[signal.doer]


def _our_page(url: str, token: Token, keys: Keys) -> tuple[str, int | None]:
    """Which page of ours an address leads to, and of a tracked link its number, if it is this message's."""
    base = f"{keys.public_url}/"
    if not url.startswith(base):
        return "", None
    page, _, rest = urlsplit(url).path.removeprefix(urlsplit(base).path).partition("/")
    signed, _, number = rest.partition("/")
    named = keys.ring.read(Purpose.CLICK, signed)
    mine = named is not None and named[1:] == token[1:]
    fits = number.isascii() and number.isdigit() and len(number) < 6
    return page, int(number) if page == "c" and mine and fits else None
