"""What providers say by webhooks: read without trust, believed by our token, and acted on as returned mail.

The door has stored each call before it answered; the worker reads it here. What a call says is taken event
by event, each once, in whatever order they come.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from campaigns import blocks, receiving
from campaigns.delivery.webhooks import Reading, Signal, SignalKind, Webhooks, read_call
from campaigns.delivery.webhooks.returned import RETURNS, as_returned
from campaigns.delivery.webhooks.told import same_address
from campaigns.receiving import Arrival
from campaigns.records import addressees, history, hits, links, outbox, tracking, webhooks
from campaigns.records.addressees import Addressee
from campaigns.records.outbox import Evidence
from campaigns.records.webhooks import StoredCall
from campaigns.tracking.manners import BY_PROVIDER, BY_PROXY, NO_AGENT, UNTOLD
from campaigns.tracking.tokens import Keyring, Purpose, Token
from campaigns.values import EventKind, Hit, MessageKey, Tracking, Verdict

SOURCE = "webhook"
WAIT = timedelta(minutes=1)
PATIENCE = timedelta(days=3)  #: so long Amazon waits for a subscription's yes
SKEW = timedelta(hours=1)  #: by so much a provider's clock may be ahead of ours, or behind
#: What is done for each alone; a history, a consent or a suppression hangs on it.
ONE_BY_ONE = RETURNS - {SignalKind.DELIVERED}
OF_US = frozenset({SignalKind.BOUNCED, SignalKind.DELAYED})  #: may be about us, and not about a contact
HITS = {SignalKind.OPENED: "open", SignalKind.CLICKED: "click"}
#: What stands among a hit's headers where a provider says who did it; of browsers only known names are kept.
DOERS = {Verdict.MACHINE: BY_PROVIDER, Verdict.PRIVACY: BY_PROXY}
#: What proves an arrival here; the rest does where it is acted on.
PROVING = ("accepted", "delivered", "opened", "clicked")
OUR_PAGES = ("u", "p", "s", "v", "o")  #: what is no link of the campaign's; a visit there is seen there


@dataclass(frozen=True, slots=True)
class Keys:
    """What this installation proves things by."""

    ring: Keyring
    secret: bytes
    public_url: str
    tracking: Tracking = Tracking.INDIVIDUAL  #: of contacts who never chose a level


class Heard(NamedTuple):
    """One event, with the call that brought it."""

    call: StoredCall
    signal: Signal


class Named(NamedTuple):
    """An event that is believed, with the message that it is about."""

    place: int  #: among those that were heard together
    call: StoredCall
    signal: Signal
    token: Token
    whom: Addressee
    at: datetime


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


def act(session: Session, heard: Sequence[Heard], keys: Keys, *, now: datetime) -> list[str]:
    """Do what follows from some events, each once; says of each in a word what became of it.

    They may be of many calls. What most calls tell (taken, delivered, opened, clicked) is done for all of
    them together, the rest one by one.
    """
    words = ["repeat"] * len(heard)
    fresh = _taken(session, heard)
    named = list(_believed(session, heard, fresh, keys.ring, words, now))
    _look(session, [one for one in named if one.signal.kind in HITS], keys, words)
    _prove(session, [one for one in named if words[one.place] in PROVING], now)
    _deliver(session, [one for one in named if one.signal.kind is SignalKind.DELIVERED], words)
    for one in named:
        if one.signal.kind is SignalKind.UNSUBSCRIBED:
            how = f"webhook of {one.call.account}"
            receiving.left(session, one.token, how=how, now=one.at, source=SOURCE)
        elif one.signal.kind in ONE_BY_ONE:
            words[one.place] = _arrive(session, one, keys.secret)
    told = (one for one in named if words[one.place] == one.signal.kind.value)
    blocks.heed(session, (_arrival(one) for one in told if one.signal.kind in OF_US), now)
    return words


def finish(
    session: Session,
    read: Sequence[tuple[StoredCall, Reading]],
    words: Mapping[int, Counter[str]],
    keys: Keys,
    now: datetime,
) -> Counter[str]:
    """Mark calls as read, all of whose events were acted on; gives what became of those."""
    total: Counter[str] = Counter()
    private = _private(session, read, keys)
    by_account: dict[str, Counter[str]] = {}
    for call, reading in read:
        found = Counter(words.get(call.id, {}))
        found += Counter(unreadable=bool(reading.problem), subscription=bool(reading.follow))
        by_account.setdefault(call.account, Counter()).update(found + Counter(call=1))
        forget = call.id in private or _saw_more(reading, found)
        webhooks.settle(session, call.id, problem=reading.problem, forget=forget)
        total += found
    for account, found in sorted(by_account.items()):
        webhooks.count(session, account, found, now=now)
    return total


def set_aside(session: Session, now: datetime, *, call: StoredCall, why: str) -> None:
    """Mark a call that could not be acted on, so that it stops no other."""
    webhooks.count(session, call.account, {"call": 1, "unreadable": 1}, now=now)
    webhooks.settle(session, call.id, problem=why)


# ---- what is kept of calls


def _private(session: Session, read: Sequence[tuple[StoredCall, Reading]], keys: Keys) -> set[int]:
    """The calls that tell, in whatever words, of contacts who are not tracked one by one or are forgotten."""
    tokens = {call.id: set(_tokens(reading, keys.ring)) for call, reading in read}
    everybody = set().union(*tokens.values())
    kept = tracking.one_by_one(session, {token.contact for token in everybody}, keys.tracking)
    return {call for call, mine in tokens.items() if any(token.contact not in kept for token in mine)}


def _tokens(reading: Reading, ring: Keyring) -> Iterator[Token]:
    for signal in reading.signals:
        if token := _token(signal, ring):
            yield token


def _saw_more(reading: Reading, found: Mapping[str, int]) -> bool:
    """Whether a provider saw somebody open or click of whom that is not known now, by whatever reason."""
    seen = Counter(signal.kind.value for signal in reading.signals if signal.kind in HITS)
    return any(found.get(what, 0) < count for what, count in seen.items())


# ---- what is believed


def _taken(session: Session, heard: Sequence[Heard]) -> list[int]:
    """The places of those that were not taken before."""
    first: dict[str, int] = {}
    for place, one in enumerate(heard):
        key = webhooks.event_key(one.call.account, one.signal.id)
        first.setdefault(key, place)
    new = webhooks.take(session, {key: heard[place].call.id for key, place in first.items()})
    return sorted(first[key] for key in new)


def _believed(
    session: Session,
    heard: Sequence[Heard],
    fresh: Sequence[int],
    ring: Keyring,
    words: list[str],
    now: datetime,
) -> Iterator[Named]:
    """Those that carry our token, about the address that was mailed; of the others their word."""
    tokens = {place: _token(heard[place].signal, ring) for place in fresh}
    known = addressees.find_many(session, {token for token in tokens.values() if token})
    for place in fresh:
        call, signal = heard[place]
        token = tokens[place]
        whom = known.get(token) if token else None
        if signal.kind is SignalKind.UNKNOWN:
            words[place] = "unknown"
        elif token is None or whom is None:
            words[place] = "stray"
        elif doubt := _doubt(signal, whom):
            words[place] = doubt
        else:
            words[place] = signal.kind.value
            yield Named(place, call, signal, token, whom, _moment(signal, whom, call, now))


def _doubt(signal: Signal, whom: Addressee) -> str:
    """Why nothing follows from what is said of a message of ours; empty: something may."""
    if whom.address is None:
        return "stray"
    if signal.recipient and not same_address(signal.recipient, whom.address):
        return "other address"
    return "test" if whom.is_test else ""


def _token(signal: Signal, ring: Keyring) -> Token | None:
    """Find our token in what the provider keeps of ours: a reference, a return path, a Message-ID."""
    for text in signal.references:
        local = text.strip("<> ").partition("@")[0].lower()
        if token := ring.read(Purpose.RETURN, local.rpartition("+")[2]):
            return token
    return None


def _moment(signal: Signal, whom: Addressee, call: StoredCall, now: datetime) -> datetime:
    """When it happened, as far as that can be: not before the mail, and not after the call."""
    if signal.at is None or signal.at > min(now, call.at) + SKEW:
        return call.at
    if whom.sent_at is not None and signal.at < whom.sent_at - SKEW:
        return call.at
    return signal.at


# ---- what came back


def _arrival(one: Named) -> Arrival:
    event = webhooks.event_key(one.call.account, one.signal.id)
    also: dict[str, object] = {"account": one.call.account, "provider": one.signal.word}
    told, named_by = as_returned(one.signal, one.whom.address or ""), f"webhook of {one.call.account}"
    return Arrival(told, one.whom, named_by, event[:24], one.at, SOURCE, also)


def _arrive(session: Session, one: Named, secret: bytes) -> str:
    word = receiving.receive(session, _arrival(one), secret)
    return word if word in {"flood", "late"} else one.signal.kind.value


def _deliver(session: Session, named: Sequence[Named], words: list[str]) -> None:
    """Record all that was delivered."""
    facts = []
    for one in named:
        arrival = _arrival(one)
        if receiving.is_late(arrival):
            words[one.place] = "late"
        else:
            facts.append(arrival.fact(EventKind.DELIVERED, {"rule": arrival.told.rule}))
    if facts:
        history.record_many(session, facts)


def _prove(session: Session, named: Sequence[Named], now: datetime) -> None:
    """Let messages in doubt have arrived of which a provider knows; the first event is the proof."""
    proofs = {
        MessageKey(one.whom.run, one.whom.seq): Evidence(one.signal.kind.value, one.at)
        for one in sorted(named, key=lambda one: one.at, reverse=True)
    }
    if proofs:
        outbox.prove(session, proofs, now=now)


# ---- what people and machines did


def _look(session: Session, named: Sequence[Named], keys: Keys, words: list[str]) -> None:
    """Store what a provider saw as raw hits; the judge reads them with our own."""
    people = {one.token.contact for one in named}
    levels = tracking.levels_in_force(session, people, keys.tracking)
    found = []
    for one in named:
        level = levels[one.token.contact]
        if level is Tracking.OFF or not one.whom.tracking or one.whom.erased:
            words[one.place] = "not tracked"
        elif hit := _hit(session, one, keys):
            found.append(hit)
            words[one.place] = words[one.place] if level is Tracking.INDIVIDUAL else "counted apart"
        else:
            words[one.place] = "own page"
    hits.store(session, found, default=keys.tracking)


def _hit(session: Session, one: Named, keys: Keys) -> Hit | None:
    """The raw hit; None for a click on an address of ours, which is seen there.

    On its way to a link of ours only what the provider says more is heard: that it was no person's. What
    comes to us from the same address and agent then is judged with it.
    """
    signal, clicked = one.signal, one.signal.kind is SignalKind.CLICKED
    page, number = _our_page(signal.url, one.token, keys) if clicked else ("", None)
    if page in OUR_PAGES or (number is not None and signal.doer not in DOERS):
        return None
    if clicked and number is None and signal.url:
        number = links.number_of(session, one.whom.run, signal.url)
    return Hit(
        at=one.at,
        kind=HITS[signal.kind],
        run=one.token.run,
        seq=one.token.seq,
        contact=one.token.contact,
        link=number,
        method="GET",
        agent=signal.agent,
        address=signal.address,
        headers=tuple(_headers(signal)),
    )


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
