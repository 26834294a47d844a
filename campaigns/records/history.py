"""The history: the only writer of events and of the activity projection.

Events are appended once (their dedupe key makes a repeat harmless) and never changed, except for what rules
read in something raw that is kept beside them and can be read again: a hit's verdict, a bounce's class.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.consent import consents
from campaigns.model.customers import activity, contacts
from campaigns.model.dialect import insert_many, insert_once, is_postgres
from campaigns.model.events import event_keys, events
from campaigns.values import WORDS, EventKind, Fact, Judgement, Verdict

COLUMNS = [
    "at",
    "kind",
    "contact_id",
    "customer_id",
    "run_id",
    "seq",
    "verdict",
    "verdict_version",
    "source",
    "dedupe",
    "detail",
]
#: Which column of `activity` an event moves; opens and clicks count only when a person made them.
PROJECTED = {
    EventKind.SENT: "last_sent_at",
    EventKind.OPENED: "last_opened_at",
    EventKind.CLICKED: "last_clicked_at",
    EventKind.SCORE_CLICKED: "last_clicked_at",
    EventKind.ANSWERED: "last_answered_at",
    EventKind.ORDERED: "last_ordered_at",
}
#: How the ledger's rows become events; see `record_sent`.
SENT_COLUMNS = "at, kind, contact_id, customer_id, run_id, seq, source, dedupe"
SENT_VALUES = (
    "m.at, 'sent', m.contact_id, c.customer_id, m.run_id, m.seq, 'sender',"
    " 'sent:' || m.run_id || ':' || m.seq"
)
SENT_ROWS = (
    "FROM messages m LEFT JOIN contacts c ON c.id = m.contact_id"
    " WHERE m.run_id = :run AND m.seq BETWEEN :first AND :last AND m.state = 'sent'"
)
OF_PEOPLE = {EventKind.OPENED, EventKind.CLICKED, EventKind.SCORE_CLICKED}
#: What is said on pages of ours, and how their events call that.
POSTED = (EventKind.UNSUBSCRIBED, EventKind.CONSENT_GRANTED, EventKind.CONSENT_WITHDRAWN)
PAGES = ("page", "preferences page")
IMPORTED_WORDS = {state.value: kind for kind, state in WORDS.items()}


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the history, as pages read it."""

    id: int  #: 0: an arrival, or a word by an import, which no row of its own tells of
    at: datetime
    kind: str
    contact: int | None
    customer: int | None
    run: int | None
    seq: int | None
    verdict: str
    source: str
    detail: dict[str, object]


def record(session: Session, fact: Fact) -> bool:
    """Append one event; False if it is there already."""
    return record_many(session, [fact]) == 1


def record_many(session: Session, facts: Iterable[Fact], *, version: int = 0) -> int:
    """Append events and move the activity projection; those already there are passed over.

    `version` is that of the rules that gave the verdicts, 0 where none did. Returns how many were new.
    """
    by_key: dict[str, Fact] = {}
    for fact in facts:
        by_key.setdefault(fact.dedupe, fact)
    kept = list(by_key.values())
    rows = (
        (
            f.at,
            f.kind.value,
            f.contact,
            f.customer,
            f.run,
            f.seq,
            f.verdict.value,
            version,
            f.source,
            f.dedupe,
            f.detail,
        )
        for f in kept
    )
    written = insert_once(session, events, event_keys, COLUMNS, rows)
    project(session, kept)
    return written


def record_sent(session: Session, run: int, first: int, last: int) -> None:
    """Append that a stretch of a run's messages was sent, for all of it that the ledger calls sent.

    Only for a stretch of which nothing was recorded before: no key is asked, since the ledger itself lets a
    message be sent but once. The database makes the rows of its own; none of them passes through us.
    """
    given = {"run": run, "first": first, "last": last}
    session.execute(sa.text(f"INSERT INTO events ({SENT_COLUMNS}) SELECT {SENT_VALUES} {SENT_ROWS}"), given)
    earlier = "greatest(activity.last_sent_at, excluded.last_sent_at)"
    if not is_postgres(session):
        earlier = "max(coalesce(activity.last_sent_at, excluded.last_sent_at), excluded.last_sent_at)"
    session.execute(
        sa.text(
            f"INSERT INTO activity (contact_id, last_sent_at) SELECT m.contact_id, m.at {SENT_ROWS}"
            # in the order of contacts: two writers with some in common must not wait in a ring
            f" ORDER BY m.contact_id ON CONFLICT (contact_id) DO UPDATE SET last_sent_at = {earlier}"
        ),
        given,
    )


def project(session: Session, facts: Iterable[Fact]) -> None:
    """Move each contact's newest moments forward; never back, so a repeat changes nothing."""
    newest: dict[int, dict[str, datetime]] = {}
    for fact in facts:
        column = PROJECTED.get(fact.kind)
        if column is None or fact.contact is None:
            continue
        if fact.kind in OF_PEOPLE and fact.verdict is not Verdict.HUMAN:
            continue
        seen = newest.setdefault(fact.contact, {})
        seen[column] = max(fact.at, seen.get(column, fact.at))
    if newest:
        _advance(session, newest)


def _advance(session: Session, newest: dict[int, dict[str, datetime]]) -> None:
    """One statement, in the order of contacts: two writers with some in common must not wait in a ring."""
    columns = sorted({column for seen in newest.values() for column in seen})
    rows = [(contact, *[newest[contact].get(column) for column in columns]) for contact in sorted(newest)]
    larger = "greatest(activity.{0}, excluded.{0})"
    if not is_postgres(session):
        larger = "max(coalesce(activity.{0}, excluded.{0}), coalesce(excluded.{0}, activity.{0}))"
    sets = ", ".join(f"{column} = {larger.format(column)}" for column in columns)
    insert_many(
        session,
        activity,
        ("contact_id", *columns),
        rows,
        conflict=f"ON CONFLICT (contact_id) DO UPDATE SET {sets}",
    )


def rejudge(session: Session, dedupe: str, judgement: Judgement, detail: dict[str, object]) -> None:
    """Put a newer verdict on an event, with its reasons in the detail; what happened stays as it was."""
    values = {"verdict": judgement.verdict.value, "verdict_version": judgement.version, "detail": detail}
    session.execute(sa.update(events).where(_this(session, dedupe)).values(values))


def reread(session: Session, dedupe: str, detail: dict[str, object]) -> None:
    """Put on a bounce what newer rules read in its mail, so that every count goes by that."""
    session.execute(sa.update(events).where(_this(session, dedupe)).values(detail=detail))


def disown(session: Session, dedupe: str) -> None:
    """Take a bounce away whose mail is none by newer rules; the same mail still makes no second one."""
    session.execute(sa.delete(events).where(_this(session, dedupe)))


def _this(session: Session, dedupe: str) -> sa.ColumnElement[bool]:
    """The event of a key."""
    if not is_postgres(session):
        return events.c.dedupe == dedupe
    key = sa.select(event_keys.c.event_id, event_keys.c.at).where(event_keys.c.dedupe == dedupe)
    found = session.execute(key).one_or_none()
    if found is None:
        return sa.false()
    return sa.and_(events.c.id == found.event_id, events.c.at == found.at)


def take_back(session: Session, facts: Iterable[Fact]) -> None:
    """Move activity back where it rests on these facts, which are no person's by a newer verdict."""
    for fact in facts:
        column = activity.c.get(PROJECTED.get(fact.kind, "")) if fact.kind in OF_PEOPLE else None
        if column is None:
            continue
        alike = [kind.value for kind, name in PROJECTED.items() if name == column.name]
        newest = sa.select(sa.func.max(events.c.at)).where(
            events.c.contact_id == fact.contact,
            events.c.kind.in_(alike),
            events.c.verdict == Verdict.HUMAN.value,
        )
        mine = sa.and_(activity.c.contact_id == fact.contact, column == fact.at)
        session.execute(sa.update(activity).where(mine).values({column: newest.scalar_subquery()}))


def posted_among(session: Session, keys: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """The messages among these (run, seq) from which a page of ours was posted: a person was there.

    Leaving in one click, which mail programs do by themselves, is none.
    """
    found: set[tuple[int, int]] = set()
    how = events.c.detail["how"].as_string()
    for at in range(0, len(keys), 400):
        piece = keys[at : at + 400]
        query = sa.select(events.c.run_id, events.c.seq).where(
            events.c.run_id.in_({run for run, _ in piece}),
            events.c.kind.in_([kind.value for kind in POSTED]),
            sa.tuple_(events.c.run_id, events.c.seq).in_(piece),
            how.in_(PAGES),
        )
        found.update((row.run_id, row.seq) for row in session.execute(query))
    return found


def timeline(
    session: Session,
    *,
    customer: int | None = None,
    contact: int | None = None,
    kinds: Sequence[str] = (),
    without: Sequence[str] = (),
    before: int | None = None,
    limit: int = 50,
) -> list[Event]:
    """The history of a customer (and of all contacts at it) or of one contact, newest first.

    `before` is the id of the last event seen, to read on; `without` names verdicts that are left out. Empty
    when nothing happened.
    """
    conditions: list[sa.ColumnElement[bool]] = []
    if kinds:
        conditions.append(events.c.kind.in_(kinds))
    if without:
        conditions.append(events.c.verdict.not_in(without))
    if before is not None:
        last = sa.select(events.c.at, events.c.id).where(events.c.id == before).subquery()
        conditions.append(
            sa.or_(
                events.c.at < sa.select(last.c.at).scalar_subquery(),
                sa.and_(events.c.at == sa.select(last.c.at).scalar_subquery(), events.c.id < before),
            )
        )
    ways = _whose(session, customer, contact)
    parts = [_newest(events, limit).where(way, *conditions) for way in ways]
    both = sa.union_all(*[sa.select(part.subquery()) for part in parts]).subquery()
    return [_event(row) for row in session.execute(_newest(both, limit))]


def _newest(source: sa.FromClause, limit: int) -> sa.Select[Any]:
    return sa.select(source).order_by(source.c.at.desc(), source.c.id.desc()).limit(limit)


def _whose(session: Session, customer: int | None, contact: int | None) -> list[sa.ColumnElement[bool]]:
    """Ways that do not overlap to what happened to somebody, each answered by an index of its own."""
    mine: sa.ColumnElement[bool] = sa.true() if contact is None else events.c.contact_id == contact
    if customer is None:
        return [mine]
    people = list(session.scalars(sa.select(contacts.c.id).where(contacts.c.customer_id == customer)))
    elsewhere = sa.and_(
        events.c.contact_id.in_(people), events.c.customer_id.is_distinct_from(customer), mine
    )
    return [sa.and_(events.c.customer_id == customer, mine), elsewhere]


def arrivals(session: Session, *, customer: int, before: int | None = None, limit: int = 50) -> list[Event]:
    """The contacts at a customer that came in by an import, newest first: each event-like, without an id.

    Only the contact's own row tells of it: a million events that nobody asks for would cost a fifth of a
    million-row import. `before` is the contact whose arrival was the last that was seen.
    """
    c = contacts.c
    query = (
        sa.select(c.id, c.customer_id, c.created_at, c.import_id, c.import_line)
        .where(c.customer_id == customer, c.import_id.is_not(None))
        .order_by(c.created_at.desc(), c.id.desc())
        .limit(limit)
    )
    if before is not None:
        last = sa.select(c.created_at).where(c.id == before).scalar_subquery()
        query = query.where(sa.tuple_(c.created_at, c.id) < sa.tuple_(last, before))
    return [_arrival(*row) for row in session.execute(query)]


def imported_words(
    session: Session, *, customer: int, before: int | None = None, limit: int = 50
) -> list[Event]:
    """What contacts at a customer said of topics by an import, newest first: event-like, without an id.

    Only the ledger tells of it. `before` is its line that was the last that was seen.
    """
    c = consents.c
    query = (
        sa.select(c.id, c.contact_id, c.topic_id, c.state, c.at)
        .join(contacts, contacts.c.id == c.contact_id)
        .where(contacts.c.customer_id == customer, c.source == "import", c.state.in_(IMPORTED_WORDS))
        .order_by(c.at.desc(), c.id.desc())
        .limit(limit)
    )
    if before is not None:
        last = sa.select(c.at).where(c.id == before).scalar_subquery()
        query = query.where(sa.tuple_(c.at, c.id) < sa.tuple_(last, before))
    return [_word(customer, *row) for row in session.execute(query)]


def _word(customer: int, number: int, contact: int, topic: int, state: str, at: datetime) -> Event:
    detail: dict[str, object] = {"topic": topic, "how": "import", "word": number}
    kind, unknown = IMPORTED_WORDS[state].value, Verdict.UNKNOWN.value
    return Event(0, at, kind, contact, customer, None, None, unknown, "import", detail)


def _arrival(contact: int, customer: int, at: datetime, made_by: int, line: int) -> Event:
    detail = {"import": made_by, "line": line, "change": "new"}
    unknown = Verdict.UNKNOWN.value
    return Event(0, at, EventKind.IMPORTED.value, contact, customer, None, None, unknown, "import", detail)


def _event(row: sa.Row[tuple[object, ...]]) -> Event:
    return Event(
        row.id,
        row.at,
        row.kind,
        row.contact_id,
        row.customer_id,
        row.run_id,
        row.seq,
        row.verdict,
        row.source,
        row.detail,
    )
