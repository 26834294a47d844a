"""The yes of a double opt-in, given by POST on the page that the mail leads to; and what goes without one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from campaigns.forms import visits
from campaigns.forms.proof import asked, confirmed
from campaigns.forms.spec import ATTRIBUTE
from campaigns.records import (
    attributes,
    consent,
    form_limits,
    form_people,
    forms,
    history,
    outbox,
    shared_addresses,
    sign_ups,
    suppressions,
)
from campaigns.records.attributes import Source
from campaigns.records.consent import Provenance, Topic
from campaigns.records.forms import SignUpForm
from campaigns.records.outbox import Evidence
from campaigns.records.sign_ups import SignUp, SignUpState
from campaigns.tracking.tokens import Token
from campaigns.values import ConsentState, ContactId, EventKind, Fact, MessageKey

log = structlog.get_logger()

LASTS = timedelta(days=7)  #: as long a link can be confirmed
KEPT = timedelta(days=14)  #: so long an unconfirmed sign-up is kept, with the contact that it made
AT_ONCE = 200
LONGEST_AGENT = 300


class Stand(Enum):
    """What the page has to say."""

    ASKED = "asked"  #: a button
    DONE = "done"  #: it was confirmed
    OLD = "old"  #: too late
    SUPPRESSED = "suppressed"  #: the address is never to be mailed


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A sign-up as its owner sees it."""

    stand: Stand
    sign_up: SignUp
    form: SignUpForm
    topics: Sequence[Topic]
    typed: Mapping[str, Any] = field(default_factory=dict)  #: what the yes lets us learn, to be seen before
    labels: Mapping[str, str] = field(default_factory=dict)  #: of the installation's attributes


def look(session: Session, token: Token, *, now: datetime, held: bool = False) -> Confirmation | None:
    """Load what a mail's link is about; None if it is about nothing that is still there."""
    sign_up = sign_ups.of_message(session, token.run, token.seq, held=held)
    form = None if sign_up is None else forms.by_id(session, sign_up.form)
    if sign_up is None or form is None:
        return None
    if sign_up.contact != token.contact and sign_up.state is SignUpState.MAILED:
        return None
    topics = [topic for topic in consent.all_topics(session) if topic.id in sign_up.topics]
    stand, typed = _stand(session, sign_up, now), _learnable(session, sign_up)
    labels = {key: one.label or key for key, one in attributes.definitions(session).items()} if typed else {}
    return Confirmation(stand, sign_up, form, topics, typed, labels)


def _learnable(session: Session, sign_up: SignUp) -> Mapping[str, Any]:
    """What was typed, of an address that is new to us; of a known one a stranger's post teaches nothing."""
    if not sign_up.made_contact or sign_up.address is None:
        return {}
    return {} if form_people.known(session, sign_up.address) is not None else sign_up.fields


def _stand(session: Session, sign_up: SignUp, now: datetime) -> Stand:
    if sign_up.state is SignUpState.CONFIRMED:
        return Stand.DONE
    if (
        sign_up.state is not SignUpState.MAILED
        or sign_up.mailed_at is None
        or now - sign_up.mailed_at > LASTS
    ):
        return Stand.OLD
    suppressed = suppressions.is_suppressed(session, sign_up.address_hash)
    return Stand.SUPPRESSED if suppressed else Stand.ASKED


def confirm(
    session: Session, token: Token, *, client: str, agent: str, now: datetime, bare: bool = False
) -> Confirmation | None:
    """Grant what was signed up for, with proof of both steps; doing it again changes nothing.

    A `bare` yes lets us learn nothing of what else was typed.
    """
    found = look(session, token, now=now, held=True)
    if found is None or found.stand is not Stand.ASKED:
        return found
    sign_up, network, agent = found.sign_up, visits.network_of(client), agent[:LONGEST_AGENT]
    contact = _contact(session, sign_up, now)
    if not sign_ups.confirm(session, sign_up, contact=contact, network=network, agent=agent, now=now):
        return found
    arrived = Evidence(EventKind.CONSENT_GRANTED.value, now)
    outbox.prove(session, {MessageKey(token.run, token.seq): arrived}, now=now)
    _learn(session, found, {} if bare else found.typed, contact, now)
    proof = _proof(found.form, sign_up, network, agent, now)
    for topic in found.topics:
        _grant(session, found.form, sign_up, contact, topic, proof, now)
    if sign_up.made_contact and sign_up.contact not in {None, contact}:
        _unmake(session, sign_up.contact or 0)
    forms.count(session, found.form.id, "confirmed", now=now)
    return Confirmation(Stand.DONE, sign_up, found.form, found.topics)


def _contact(session: Session, sign_up: SignUp, now: datetime) -> int:
    """Whose address it is: somebody may have come to us with it by another way in the meantime."""
    assert sign_up.address is not None
    known = form_people.known(session, sign_up.address)
    if known is not None:
        return known
    if sign_up.contact is not None and form_people.is_pending(session, sign_up.contact):
        return sign_up.contact
    return form_people.make_pending(session, sign_up.address, sign_up.language, now=now)


def _learn(
    session: Session, found: Confirmation, typed: Mapping[str, Any], contact: int, now: datetime
) -> None:
    """Give the contact its address, and what the page has shown where nothing is known."""
    address, hashed = found.sign_up.address, found.sign_up.address_hash
    assert address is not None
    form_people.settle(session, contact, address, hashed, typed, now=now)
    learnt = {key.removeprefix(ATTRIBUTE): value for key, value in typed.items() if key.startswith(ATTRIBUTE)}
    for known in form_people.attributes_of(session, contact):
        learnt.pop(known, None)
    attributes.learn(session, contact, learnt, at=now, source=Source("form", found.form.key))


def _proof(form: SignUpForm, one: SignUp, network: str, agent: str, now: datetime) -> str:
    first = asked(form.key, one.version, one.id, one.posted_at, one.network, one.page, one.agent)
    return confirmed(first, f"{one.run}.{one.seq}", now, network, agent)


def _grant(
    session: Session,
    form: SignUpForm,
    sign_up: SignUp,
    contact: int,
    topic: Topic,
    proof: str,
    now: datetime,
) -> None:
    state, at = consent.hold(session, ContactId(contact), topic.id, now=now)
    left_at = shared_addresses.left_by_another(session, ContactId(contact), topic.id)
    if state is ConsentState.GRANTED and left_at is None:
        return
    at = shared_addresses.after(left_at, at)
    wording = consent.add_wording(
        session, forms.wording_key(form.id, topic.id), sign_up.language, sign_up.topics[topic.id], now=now
    )
    how = Provenance(at, "form", proof, wording)
    consent.append(session, ContactId(contact), topic.id, ConsentState.GRANTED, how, now=now)
    fact = Fact(
        EventKind.CONSENT_GRANTED,
        at,
        f"sign-up:{sign_up.id}:{topic.id}",
        contact,
        form_people.customer_of(session, contact),
        sign_up.run,
        sign_up.seq,
        "web",
        detail={"topic": topic.id, "how": f"form {form.key}, confirmed"},
    )
    history.record(session, fact)


def _unmake(session: Session, contact: int) -> None:
    """Delete a contact that only a form made; one that something else names stays, and stops nobody."""
    try:
        with session.begin_nested():
            form_people.unmake(session, contact)
    except IntegrityError:
        log.warning("an unconfirmed contact is named elsewhere and stays", contact=contact)


def forget_unconfirmed(session: Session, now: datetime) -> int:
    """Let go what nobody confirmed, with the contacts that only a form made; gives how many sign-ups went.

    Of an unconfirmed address only its keyed hash stays: it counts against further mails to it.
    """
    before = now - KEPT
    gone = sign_ups.stale(session, before=before, limit=AT_ONCE)
    for one in gone:
        sign_ups.expire(session, one.id)
        made = one.contact if one.made_contact else None
        if made is not None and not sign_ups.is_awaited(session, made, since=before):
            _unmake(session, made)
    form_limits.tidy(session, now)
    return len(gone) + sign_ups.forget_refused(session, before=before)
