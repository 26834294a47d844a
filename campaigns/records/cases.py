"""Cases: what customers raise with service; an open complaint stops promotion (records/gates)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.errors import BadForm, NotAllowed, NotFound
from campaigns.model.customers import customers
from campaigns.model.dialect import changed
from campaigns.model.events import events
from campaigns.model.service import cases
from campaigns.records import history
from campaigns.values import EventKind, Fact, Problem

KINDS = ("request", "complaint", "return", "question")
LONGEST = 2000  #: characters of a subject or an outcome


@dataclass(frozen=True, slots=True)
class Case:
    """Something a customer raised."""

    id: int
    customer: int
    customer_name: str
    contact: int | None
    kind: str
    subject: str
    opened_at: datetime
    closed_at: datetime | None
    owner: int | None


@dataclass(frozen=True, slots=True)
class NewCase:
    """What a case is made of."""

    customer: int
    kind: str  #: one of KINDS
    subject: str
    contact: int | None = None
    owner: int | None = None


def open_case(session: Session, new: NewCase, *, actor: str, now: datetime, once: str | None = None) -> int:
    """Open a case and give its id; the same `once` again gives the case it made before.

    Raises:
        BadForm: the kind is not known, or there is no subject.
    """
    subject = new.subject.strip()
    _check(new.kind, subject)
    if once is not None and (known := _made_by(session, f"case opened:{once}")) is not None:
        return known
    row = {
        "customer_id": new.customer,
        "contact_id": new.contact,
        "kind": new.kind,
        "subject": subject,
        "opened_at": now,
        "owner_id": new.owner,
    }
    made: int = session.execute(sa.insert(cases).values(row).returning(cases.c.id)).scalar_one()
    detail: dict[str, object] = {"case": made, "kind": new.kind, "subject": subject, "by": actor}
    dedupe = f"case opened:{once or made}"
    kind = EventKind.CASE_OPENED
    fact = Fact(kind, now, dedupe, new.contact, new.customer, source="staff", detail=detail)
    if not history.record(session, fact):  # another press of the same button was faster
        session.execute(sa.delete(cases).where(cases.c.id == made))
        return _made_by(session, dedupe) or made
    return made


def _check(kind: str, subject: str) -> None:
    problems = []
    if kind not in KINDS:
        problems.append(Problem("kind", "is not a kind of case.", "Choose one of the list."))
    if not subject or len(subject) > LONGEST:
        problems.append(Problem("subject", "is empty or too long.", "Say in a sentence what it is about."))
    if problems:
        raise BadForm(problems)


def _made_by(session: Session, dedupe: str) -> int | None:
    detail = session.scalar(sa.select(events.c.detail).where(events.c.dedupe == dedupe))
    return None if detail is None else int(detail["case"])


def close_case(session: Session, case: int, *, outcome: str, actor: str, now: datetime) -> Case:
    """Close a case, with what came of it; an already closed one stays as it was.

    Raises:
        NotFound: there is no such case.
        NotAllowed: it was closed before.
    """
    found = get(session, case)
    closing = sa.update(cases).where(cases.c.id == case, cases.c.closed_at.is_(None)).values(closed_at=now)
    if not changed(session, closing):
        raise NotAllowed("This case was closed before.")
    detail: dict[str, object] = {
        "case": case,
        "kind": found.kind,
        "subject": found.subject,
        "outcome": outcome.strip()[:LONGEST],
        "by": actor,
    }
    fact = Fact(
        EventKind.CASE_CLOSED,
        now,
        f"case closed:{case}",
        found.contact,
        found.customer,
        source="staff",
        detail=detail,
    )
    history.record(session, fact)
    return found


def take(session: Session, case: int, owner: int) -> None:
    """Make an open case somebody's own.

    Raises:
        NotAllowed: it is closed, or there is none.
    """
    taking = sa.update(cases).where(cases.c.id == case, cases.c.closed_at.is_(None)).values(owner_id=owner)
    if not changed(session, taking):
        raise NotAllowed("Only an open case can be taken.")


def get(session: Session, case: int) -> Case:
    """Load a case.

    Raises:
        NotFound: there is no such case.
    """
    row = session.execute(_query().where(cases.c.id == case)).one_or_none()
    if row is None:
        raise NotFound(f"There is no case {case}.")
    return _case(row)


def of_customer(session: Session, customer: int, *, only_open: bool = False, limit: int = 50) -> list[Case]:
    """A customer's cases, newest first."""
    query = _query().where(cases.c.customer_id == customer).order_by(cases.c.id.desc()).limit(limit)
    if only_open:
        query = query.where(cases.c.closed_at.is_(None))
    return [_case(row) for row in session.execute(query)]


def listing(
    session: Session, *, closed: bool = False, kind: str | None = None, page: int = 1, size: int = 50
) -> tuple[list[Case], bool]:
    """Open cases, the longest waiting first, or closed ones, last closed first; and whether more follow."""
    which = cases.c.closed_at.is_not(None) if closed else cases.c.closed_at.is_(None)
    c = cases.c
    order = (c.closed_at.desc(), c.id.desc()) if closed else (c.opened_at, c.id)
    chosen = sa.select(c.id).where(which, *([] if kind is None else [c.kind == kind]))
    ids = session.scalars(chosen.order_by(*order).offset((page - 1) * size).limit(size + 1)).all()
    rows = session.execute(_query().where(c.id.in_(ids)).order_by(*order)).all()
    return [_case(row) for row in rows[:size]], len(rows) > size


def counts_open(session: Session) -> dict[str, int]:
    """How many cases of each kind are open."""
    query = sa.select(cases.c.kind, sa.func.count()).where(cases.c.closed_at.is_(None)).group_by(cases.c.kind)
    return {row[0]: row[1] for row in session.execute(query)}


def _query() -> sa.Select[Any]:
    return sa.select(cases, customers.c.name).join(customers, customers.c.id == cases.c.customer_id)


def _case(row: sa.Row[Any]) -> Case:
    return Case(
        id=row.id,
        customer=row.customer_id,
        customer_name=row.name,
        contact=row.contact_id,
        kind=row.kind,
        subject=row.subject,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        owner=row.owner_id,
    )
