"""Who is behind a report's numbers: the people of each list, page by page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.customers import contacts
from campaigns.model.events import events
from campaigns.model.mail import messages, runs
from campaigns.model.surveys import responses
from campaigns.records.reports.hits import CLICKS
from campaigns.records.reports.leaving import leavers
from campaigns.values import EventKind, MessageState, Verdict


class PeopleList(StrEnum):
    """Which people of a run."""

    ANSWERED = "answered"  #: posted the survey
    CLICKED = "clicked"  #: a person clicked
    OPENED = "opened"  #: a person opened
    UNSUBSCRIBED = "unsubscribed"  #: left a topic, and did not take it back
    COMPLAINED = "complained"  #: reported it as spam
    BOUNCED = "bounced"  #: the mail came back
    FAILED = "failed"  #: refused when it was sent
    DOUBT = "in-doubt"  #: no answer; may have arrived
    SKIPPED = "not-mailed"  #: a gate stopped it


@dataclass(frozen=True, slots=True)
class Person:
    """One contact of a list."""

    contact: int
    customer: int
    name: str
    address: str  #: where the mail went, or would have
    at: datetime | None  #: the first time; None: it is not an event
    times: int
    why: str  #: the gate, the server's answer; "" where there is nothing to say


#: Lists that the history tells; the others are told by the ledger.
OF_EVENTS: Mapping[PeopleList, tuple[Sequence[str], bool]] = {  #: kinds, and whether only people's count
    PeopleList.CLICKED: (CLICKS, True),
    PeopleList.OPENED: ((EventKind.OPENED.value,), True),
    PeopleList.COMPLAINED: ((EventKind.COMPLAINED.value,), False),
    PeopleList.BOUNCED: ((EventKind.BOUNCED.value,), False),
}
OF_LEDGER = {
    PeopleList.FAILED: MessageState.FAILED,
    PeopleList.DOUBT: MessageState.UNKNOWN,
    PeopleList.SKIPPED: MessageState.SKIPPED,
}


def people(
    session: Session, run: int, which: PeopleList, *, after: int = 0, limit: int = 100
) -> list[Person]:
    """The people of a list by contact id, those after `after`; read on with the last one's id."""
    if which in OF_LEDGER and not _any(session, run, OF_LEDGER[which]):
        return []  # else all messages of the run would be gone through to find none
    found = _told(run, which)
    query = (
        sa.select(
            found, contacts.c.customer_id, contacts.c.given_name, contacts.c.family_name, contacts.c.email
        )
        .join(contacts, contacts.c.id == found.c.contact_id)
        .where(found.c.contact_id > after)
        .order_by(found.c.contact_id)
        .limit(limit)
    )
    return [_person(row) for row in session.execute(query)]


def _told(run: int, which: PeopleList) -> sa.Subquery:
    if which in OF_LEDGER:
        return _told_by_ledger(run, which)
    if which is PeopleList.ANSWERED:
        return _mailed(run, _told_by_responses(run))
    return _mailed(run, leavers(run) if which is PeopleList.UNSUBSCRIBED else _told_by_events(run, which))


def _any(session: Session, run: int, state: MessageState) -> bool:
    """Tell by the run's own counts whether it has messages of a state."""
    counted = {
        MessageState.FAILED: runs.c.failed,
        MessageState.UNKNOWN: runs.c.unknown,
        MessageState.SKIPPED: runs.c.audience - runs.c.mailable + runs.c.skipped,
    }
    return bool(session.scalar(sa.select(counted[state]).where(runs.c.id == run)))


def _told_by_events(run: int, which: PeopleList) -> sa.Subquery:
    kinds, only_people = OF_EVENTS[which]
    status = events.c.detail["status"].as_string()
    said = events.c.detail["diagnostic"].as_string()
    query = (
        sa.select(
            events.c.contact_id,
            sa.func.min(events.c.seq).label("seq"),
            sa.func.min(events.c.at).label("at"),
            sa.func.count().label("times"),
            sa.func.max(sa.func.coalesce(status, "") + " " + sa.func.coalesce(said, "")).label("why"),
        )
        .where(events.c.run_id == run, events.c.kind.in_(kinds), events.c.contact_id.is_not(None))
        .group_by(events.c.contact_id)
    )
    if only_people:
        query = query.where(events.c.verdict == Verdict.HUMAN.value)
    return query.subquery()


def _told_by_responses(run: int) -> sa.Subquery:
    c = responses.c
    return (
        sa.select(
            c.contact_id,
            sa.func.min(c.seq).label("seq"),
            sa.func.max(c.posted_at).label("at"),
            sa.func.count().label("times"),
            sa.literal("").label("why"),
        )
        .where(c.run_id == run, c.posted)
        .group_by(c.contact_id)
        .subquery()
    )


def _mailed(run: int, counted: sa.Subquery) -> sa.Subquery:
    """Put the address of the message beside each contact."""
    at = sa.and_(messages.c.run_id == run, messages.c.seq == counted.c.seq)
    return sa.select(counted, messages.c.address).outerjoin(messages, at).subquery()


def _told_by_ledger(run: int, which: PeopleList) -> sa.Subquery:
    why = sa.func.coalesce(messages.c.gate, messages.c.reply, "")
    return (
        sa.select(
            messages.c.contact_id,
            messages.c.seq,
            messages.c.at,
            sa.literal(1).label("times"),
            why.label("why"),
            messages.c.address,
        )
        .where(messages.c.run_id == run, messages.c.state == OF_LEDGER[which].value)
        .subquery()
    )


def _person(row: Any) -> Person:
    return Person(
        contact=row.contact_id,
        customer=row.customer_id,
        name=" ".join(part for part in (row.given_name, row.family_name) if part),
        address=row.address or row.email or "",
        at=row.at,
        times=row.times,
        why=(row.why or "").strip(),
    )
