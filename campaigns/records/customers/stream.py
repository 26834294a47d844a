"""All that passed between a customer and us, newest first: the history, and the mails that were not sent.

A message that a gate stopped has no event, since nothing happened; but "why did they get nothing?" is asked
here, so those messages stand in the stream beside the events. What contacts said by an import stands in the
ledger alone, and is shown from there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.consent import topics
from campaigns.model.customers import contacts
from campaigns.model.mail import campaigns, links, messages, runs
from campaigns.model.surveys import responses as response_table
from campaigns.records import catalog, history, orders, responses, surveys
from campaigns.records.customers import people
from campaigns.records.history import Event
from campaigns.records.orders import Order
from campaigns.surveys.answers import Answer
from campaigns.surveys.form import Form, QuestionType
from campaigns.values import EventKind, MessageState, Verdict

#: What the stream can be narrowed to; a kind in no group shows only among all.
GROUPS: dict[str, tuple[EventKind, ...]] = {
    "mail": (
        EventKind.SENT, EventKind.FAILED, EventKind.UNKNOWN, EventKind.DELIVERED, EventKind.OPENED,
        EventKind.CLICKED, EventKind.VIEWED, EventKind.BOUNCED, EventKind.COMPLAINED,
        EventKind.DOUBT_SETTLED, EventKind.DELAYED, EventKind.AUTO_REPLIED,
    ),
    "answers": (EventKind.ANSWERED, EventKind.SCORE_CLICKED, EventKind.REPLIED),
    "orders": (EventKind.ORDERED, EventKind.ORDER_CANCELLED, EventKind.ORDER_RETURNED),
    "service": (
        EventKind.CASE_OPENED, EventKind.CASE_CLOSED, EventKind.TASK_CREATED, EventKind.TASK_DONE,
        EventKind.NOTE, EventKind.HELD, EventKind.OWNER_CHANGED,
    ),
    "consent": (
        EventKind.CONSENT_GRANTED, EventKind.CONSENT_WITHDRAWN, EventKind.UNSUBSCRIBED, EventKind.SUPPRESSED,
        EventKind.SUPPRESSION_LIFTED, EventKind.ERASED,
    ),
}  # fmt: skip
MAIL, CONSENT = "mail", "consent"
NOT_PEOPLE = (Verdict.MACHINE.value, Verdict.PRIVACY.value)


class Cursor(NamedTuple):
    """Where a page ended: the last event, unsent message, arrival and imported word shown; 0: none yet."""

    event: int = 0
    run: int = 0
    seq: int = 0
    arrived: int = 0  #: the contact
    said: int = 0  #: by an import: the ledger's line

    def __str__(self) -> str:
        return ".".join(map(str, self))


@dataclass(frozen=True, slots=True)
class Unsent:
    """A message that a gate stopped."""

    at: datetime
    run: int
    seq: int
    contact: int
    gate: str
    topic: str


@dataclass(frozen=True, slots=True)
class Mail:
    """The message that an event is about."""

    state: str
    gate: str | None
    reply: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """The campaign of a run; a deleted one keeps its name."""

    campaign: int
    name: str
    deleted: bool
    topic: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a response says, with the form that gives its words."""

    form: Form
    answers: tuple[Answer, ...]
    products: dict[str, str]  #: names by SKU


#: One line of the stream.
Entry = Event | Unsent


@dataclass(frozen=True, slots=True)
class Page:
    """Some lines of the stream, with the names of all that they speak of."""

    entries: tuple[Entry, ...]
    next: Cursor | None  #: None: this is the end
    contacts: dict[int, str]
    runs: dict[int, Told]
    mails: dict[tuple[int, int], Mail]
    links: dict[tuple[int, int], str]
    topics: dict[int, str]
    orders: dict[str, Order]
    answers: dict[int, Sheet]  #: by response


def stream(
    session: Session,
    customer: int,
    *,
    group: str | None = None,
    only_people: bool = False,
    after: Cursor | None = None,
    limit: int = 40,
) -> Page:
    """Read on in a customer's stream, from the newest or from where the page before ended.

    `group` narrows it to one of GROUPS; `only_people` leaves out what machines and mail proxies did.
    """
    start = after or Cursor()
    kinds = [kind.value for kind in GROUPS[group]] if group else []
    events = history.timeline(
        session,
        customer=customer,
        kinds=kinds,
        without=NOT_PEOPLE if only_people else (),
        before=start.event or None,
        limit=limit + 1,
    )
    unsent = _unsent(session, customer, start, limit + 1) if group in {None, MAIL} else []
    arrived = (
        []
        if group
        else history.arrivals(session, customer=customer, before=start.arrived or None, limit=limit + 1)
    )
    said = (
        history.imported_words(session, customer=customer, before=start.said or None, limit=limit + 1)
        if group in {None, CONSENT}
        else []
    )
    merged = _merge(events, said, arrived, unsent)
    shown = merged[:limit]
    more = len(merged) > limit
    return _page(session, shown, _cursor(start, shown) if more else None)


def _merge(*sorts: Sequence[Entry]) -> list[Entry]:
    """All by moment, newest first; of one moment sort after sort, each in its own order."""
    return sorted(chain(*sorts), key=lambda entry: entry.at, reverse=True)


def _cursor(start: Cursor, shown: Sequence[Entry]) -> Cursor:
    event, run, seq, arrived, said = start
    for entry in shown:
        if isinstance(entry, Unsent):
            run, seq = entry.run, entry.seq
        elif entry.id:
            event = entry.id
        elif entry.kind == EventKind.IMPORTED.value:
            arrived = entry.contact or 0
        else:
            said = int(str(entry.detail["word"]))
    return Cursor(event, run, seq, arrived, said)


def _unsent(session: Session, customer: int, start: Cursor, limit: int) -> list[Unsent]:
    at_customer = sa.select(contacts.c.id).where(contacts.c.customer_id == customer)
    when = sa.func.coalesce(messages.c.at, runs.c.frozen_at, runs.c.opened_at)
    place = (when, messages.c.run_id, messages.c.seq)
    query = (
        sa.select(
            when.label("moment"),
            messages.c.run_id,
            messages.c.seq,
            messages.c.contact_id,
            messages.c.gate,
            topics.c.name.label("topic"),
        )
        .join(runs, runs.c.id == messages.c.run_id)
        .join(topics, topics.c.id == runs.c.topic_id)
        .where(
            messages.c.contact_id.in_(at_customer),
            messages.c.state == MessageState.SKIPPED.value,
            runs.c.kind == "campaign",
        )
        .order_by(*(column.desc() for column in place))
        .limit(limit)
    )
    if start.run:
        last = (
            sa.select(when)
            .join(runs, runs.c.id == messages.c.run_id)
            .where(messages.c.run_id == start.run, messages.c.seq == start.seq)
            .scalar_subquery()
        )
        query = query.where(sa.tuple_(*place) < sa.tuple_(last, start.run, start.seq))
    return [
        Unsent(row.moment, row.run_id, row.seq, row.contact_id, row.gate or "", row.topic)
        for row in session.execute(query)
    ]


def _page(session: Session, shown: Sequence[Entry], following: Cursor | None) -> Page:
    events = [entry for entry in shown if isinstance(entry, Event)]
    of_runs = {entry.run for entry in shown if entry.run is not None}
    whom = {entry.contact for entry in shown if entry.contact is not None}
    keys = [(event.run, event.seq) for event in events if event.run is not None and event.seq is not None]
    return Page(
        entries=tuple(shown),
        next=following,
        contacts=people.names_of(session, sorted(whom)),
        runs=_told(session, sorted(of_runs)),
        mails=_mails(session, list(dict.fromkeys(keys))),
        links=_links(session, events),
        topics={row.id: row.name for row in session.execute(sa.select(topics.c.id, topics.c.name))},
        orders=orders.by_number(session, _numbers(events)),
        answers=_answers(session, events),
    )


def _told(session: Session, of_runs: Sequence[int]) -> dict[int, Told]:
    query = (
        sa.select(runs.c.id, campaigns.c.id, campaigns.c.name, campaigns.c.deleted_at, topics.c.name)
        .select_from(runs)
        .join(campaigns, campaigns.c.id == runs.c.campaign_id)
        .join(topics, topics.c.id == runs.c.topic_id)
        .where(runs.c.id.in_(of_runs))
    )
    return {row[0]: Told(row[1], row[2], row[3] is not None, row[4]) for row in session.execute(query)}


def _mails(session: Session, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Mail]:
    m = messages.c
    query = sa.select(m.run_id, m.seq, m.state, m.gate, m.reply).where(sa.tuple_(m.run_id, m.seq).in_(keys))
    rows = session.execute(query) if keys else ()
    return {(row.run_id, row.seq): Mail(row.state, row.gate, row.reply) for row in rows}


def _links(session: Session, events: Sequence[Event]) -> dict[tuple[int, int], str]:
    keys = {
        (one.run, one.detail["link"]) for one in events if one.run and isinstance(one.detail.get("link"), int)
    }
    query = sa.select(links).where(sa.tuple_(links.c.run_id, links.c.number).in_(sorted(keys, key=str)))
    return {(row.run_id, row.number): row.url for row in session.execute(query)} if keys else {}


def _numbers(events: Sequence[Event]) -> list[str]:
    ordered = {kind.value for kind in GROUPS["orders"]}
    found = [order_number(event) for event in events if event.kind in ordered]
    return [number for number in found if number]


def order_number(event: Event) -> str:
    """The shop's number of the order that an event is about; empty where it names none."""
    named: Any = event.detail.get("order") or event.detail.get("number") or event.detail.get("external_id")
    return str(named or "")


def _answers(session: Session, events: Sequence[Event]) -> dict[int, Sheet]:
    asked = [one.detail.get("response") for one in events if one.kind == EventKind.ANSWERED.value]
    query = sa.select(response_table.c.id, response_table.c.version_id).where(
        response_table.c.id.in_([one for one in asked if isinstance(one, int)])
    )
    return {row.id: _sheet(session, row.id, row.version_id) for row in session.execute(query)}


def _sheet(session: Session, response: int, version: int) -> Sheet:
    form = surveys.form_of(session, version)
    given = responses.answers_of(session, response)
    products = {question.key for question in form.questions if question.type is QuestionType.PRODUCT}
    skus = [sku for answer in given if answer.question in products for sku in answer.choices]
    return Sheet(form, given, catalog.names(session, skus))
