"""A customer at a glance: who, value, last contact, consent, what is open, and what marketing plans next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.consent import consent_states, consents, topics
from campaigns.model.customers import activity, contacts
from campaigns.model.events import events
from campaigns.model.mail import campaigns, messages, runs
from campaigns.records import attributes, cases, orders, plans, suppressions, tasks, tracking
from campaigns.records.attributes import Definition
from campaigns.records.cases import Case
from campaigns.records.customers import people
from campaigns.records.customers.people import Address, Contact, Customer, Role
from campaigns.records.orders import Value
from campaigns.records.plans import Planned
from campaigns.records.suppressions import Listing
from campaigns.records.tasks import Task
from campaigns.values import EventKind, MessageState, RunState, TopicClass, Tracking

CONTACTS_SHOWN = 25  #: of a large customer; the rest is counted
PLANS_SHOWN = 8
CHOSE = (EventKind.CONSENT_GRANTED, EventKind.CONSENT_WITHDRAWN)
#: What contacts tell us by themselves, in the order of `Last`.
WORDS = ((EventKind.UNSUBSCRIBED,), CHOSE, (EventKind.REPLIED,), (EventKind.COMPLAINED,))


@dataclass(frozen=True, slots=True)
class Said:
    """A contact's newest word on a topic; `state` is None where they never said one."""

    topic: int
    name: str
    topic_class: TopicClass
    state: str | None
    at: datetime | None
    source: str | None
    actor: str | None
    proof: str | None

    @property
    def mailed(self) -> bool:
        """Consent lets mail of this topic through."""
        if self.topic_class is TopicClass.MARKETING:
            return self.state == "granted"
        return self.topic_class is TopicClass.TRANSACTIONAL or self.state != "withdrawn"


@dataclass(frozen=True, slots=True)
class Trait:
    """A custom attribute, with where its value comes from as far as that is known."""

    key: str
    label: str
    type: str
    value: Any
    at: datetime | None
    source: str | None
    source_ref: str


@dataclass(frozen=True, slots=True)
class Person:
    """A contact at the customer with all that a rep wants to see of them."""

    contact: Contact
    addresses: tuple[Address, ...]
    roles: tuple[Role, ...]
    consent: tuple[Said, ...]
    tracking: Tracking | None  #: how closely they let us look; None: they never said
    suppressed: tuple[Listing, ...]  #: why its mail address is never mailed; empty where it may be
    traits: tuple[Trait, ...]


@dataclass(frozen=True, slots=True)
class Last:
    """The newest moments of all contacts together; opens and clicks only by people."""

    sent_at: datetime | None
    opened_at: datetime | None
    clicked_at: datetime | None
    answered_at: datetime | None
    left_at: datetime | None = None
    chose_at: datetime | None = None  #: on a page of ours: topics, or how closely we may look
    replied_at: datetime | None = None
    complained_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Queued:
    """A message that waits to be sent to one of the contacts."""

    campaign: int
    name: str
    contact: int
    state: RunState
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Summary:
    """All that stands above and beside the stream."""

    customer: Customer
    title: str  #: what to call the customer; never empty
    persons: tuple[Person, ...]
    more_contacts: int
    value: Value
    last: Last
    cases: tuple[Case, ...]  #: open ones
    tasks: tuple[Task, ...]  #: open ones
    held: bool
    queued: tuple[Queued, ...]
    planned: tuple[Planned, ...]
    traits: tuple[Trait, ...]

    @property
    def complaint(self) -> Case | None:
        """An open complaint, which stops promotion."""
        return next((case for case in self.cases if case.kind == "complaint"), None)


def summary(session: Session, customer: int, now: datetime) -> Summary:
    """Sum a customer up.

    Raises:
        NotFound: there is no such customer.
    """
    who = people.get(session, customer)
    shown = people.contacts_at(session, customer, limit=CONTACTS_SHOWN)
    persons = _persons(session, customer, shown)
    count = sa.select(sa.func.count()).where(contacts.c.customer_id == customer)
    own = sum(1 for contact in shown if contact.customer == customer)
    labels = attributes.definitions(session, "customer")
    return Summary(
        customer=who,
        title=who.name or (shown[0].name if shown else who.external_id or f"#{who.id}"),
        persons=persons,
        more_contacts=max(0, (session.scalar(count) or 0) - own),
        value=orders.value(session, customer),
        last=_last(session, customer),
        cases=tuple(cases.of_customer(session, customer, only_open=True)),
        tasks=tuple(tasks.open_of_customer(session, customer)),
        held=who.hold_until is not None and who.hold_until > now,
        queued=tuple(_queued(session, [contact.id for contact in shown])),
        planned=tuple(plans.planned(session, [contact.id for contact in shown], now)),
        traits=_traits(who.attributes, labels, {}),
    )


def _persons(session: Session, customer: int, shown: Sequence[Contact]) -> tuple[Person, ...]:
    ids = [contact.id for contact in shown]
    further = people.addresses_of(session, ids)
    roles = people.roles_at(session, customer, ids)
    said = _consent(session, ids)
    levels = tracking.levels(session, ids)
    listed = suppressions.listed(session, [one.email_hash for one in shown if one.email_hash])
    labels = attributes.definitions(session)
    return tuple(
        Person(
            contact=one,
            addresses=tuple(further.get(one.id, ())),
            roles=tuple(roles.get(one.id, ())),
            consent=tuple(said[one.id]),
            tracking=levels.get(one.id),
            suppressed=tuple(listed.get(one.email_hash or b"", ())),
            traits=_traits(one.attributes, labels, _facts(session, one)),
        )
        for one in shown
    )


def _consent(session: Session, ids: Sequence[int]) -> dict[int, list[Said]]:
    """Every topic for every contact, those without a word too."""
    word = (
        sa.select(consent_states, consents.c.actor, consents.c.proof)
        .join(consents, consents.c.id == consent_states.c.id)
        .where(consent_states.c.contact_id.in_(list(ids)))
    )
    words = {(row.contact_id, row.topic_id): row for row in session.execute(word)} if ids else {}
    known = session.execute(sa.select(topics).order_by(topics.c.topic_class, topics.c.name)).all()
    return {one: [_said(topic, words.get((one, topic.id))) for topic in known] for one in ids}


def _said(topic: sa.Row[Any], word: sa.Row[Any] | None) -> Said:
    return Said(
        topic=topic.id,
        name=topic.name,
        topic_class=TopicClass(topic.topic_class),
        state=word.state if word else None,
        at=word.at if word else None,
        source=word.source if word else None,
        actor=word.actor if word else None,
        proof=word.proof if word else None,
    )


def _facts(session: Session, contact: Contact) -> dict[str, attributes.Known]:
    """The newest fact of each attribute that the contact has."""
    newest: dict[str, attributes.Known] = {}
    for fact in attributes.facts(session, contact.id) if contact.attributes else ():
        newest.setdefault(fact.key, fact)
    return newest


def _traits(
    values: Mapping[str, Any], labels: Mapping[str, Definition], facts: Mapping[str, attributes.Known]
) -> tuple[Trait, ...]:
    found = []
    for key, value in values.items():
        definition, fact = labels.get(key), facts.get(key)
        if fact is not None and fact.value != value:
            fact = None  # the value was set otherwise since
        found.append(
            Trait(
                key=key,
                label=(definition.label if definition else "") or key,
                type=definition.type if definition else "text",
                value=value,
                at=fact.at if fact else None,
                source=fact.source.kind if fact else None,
                source_ref=fact.source.ref if fact else "",
            )
        )
    return tuple(sorted(found, key=lambda trait: trait.label.casefold()))


def _last(session: Session, customer: int) -> Last:
    c = activity.c
    newest = [
        sa.func.max(column)
        for column in (c.last_sent_at, c.last_opened_at, c.last_clicked_at, c.last_answered_at)
    ]
    query = (
        sa.select(*newest)
        .join(contacts, contacts.c.id == c.contact_id)
        .where(contacts.c.customer_id == customer)
    )
    row: Any = session.execute(query).one()
    said = _last_words(session, customer)
    return Last(*row, *(max(filter(None, map(said.get, kinds)), default=None) for kinds in WORDS))


def _last_words(session: Session, customer: int) -> dict[EventKind, datetime]:
    """When the contacts last told us something by themselves; what staff wrote down for them is not it."""
    mine = sa.select(contacts.c.id).where(contacts.c.customer_id == customer)
    query = (
        sa.select(events.c.kind, sa.func.max(events.c.at))
        .where(
            events.c.contact_id.in_(mine),
            events.c.kind.in_([kind.value for kinds in WORDS for kind in kinds]),
            sa.or_(events.c.kind.not_in([kind.value for kind in CHOSE]), events.c.source == "web"),
        )
        .group_by(events.c.kind)
    )
    return {EventKind(kind): at for kind, at in session.execute(query)}


def _queued(session: Session, ids: Sequence[int]) -> list[Queued]:
    waiting = (MessageState.QUEUED.value, MessageState.SENDING.value)
    open_runs = (RunState.OPEN.value, RunState.RUNNING.value, RunState.PAUSED.value)
    query = (
        sa.select(campaigns.c.id, campaigns.c.name, messages.c.contact_id, runs.c.state, runs.c.opened_at)
        .select_from(messages)
        .join(runs, runs.c.id == messages.c.run_id)
        .join(campaigns, campaigns.c.id == runs.c.campaign_id)
        .where(
            messages.c.contact_id.in_(list(ids)),
            messages.c.state.in_(waiting),
            runs.c.state.in_(open_runs),
            runs.c.kind == "campaign",
        )
        .order_by(runs.c.id.desc(), messages.c.contact_id)
        .limit(PLANS_SHOWN)
    )
    rows = session.execute(query) if ids else ()
    return [Queued(row.id, row.name, row.contact_id, RunState(row.state), row.opened_at) for row in rows]
