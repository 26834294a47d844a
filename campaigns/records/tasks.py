"""Tasks: work items that reps do for customers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.errors import BadForm, NotAllowed, NotFound
from campaigns.model.customers import customers
from campaigns.model.dialect import changed, insert_many
from campaigns.model.service import tasks
from campaigns.records import history
from campaigns.values import EventKind, Fact, Problem

LONGEST_TITLE = 500
#: Dated ones first, the earliest due on top; then the oldest.
_URGENCY = (tasks.c.due_at.is_(None), tasks.c.due_at, tasks.c.id)


@dataclass(frozen=True, slots=True)
class Task:
    """One work item."""

    id: int
    customer: int
    contact: int | None
    title: str
    reason: str
    due_at: datetime | None
    done_at: datetime | None
    owner: int | None
    created_at: datetime
    customer_name: str = ""


@dataclass(frozen=True, slots=True)
class NewTask:
    """What a task is made of; the same `dedupe` makes one task, however often its cause comes."""

    customer: int
    contact: int | None
    title: str
    reason: str
    owner: int | None
    due_at: datetime | None = None
    dedupe: str | None = None


def add(session: Session, new: NewTask, *, now: datetime) -> bool:
    """Write a task down; False if its cause has made one before."""
    columns = (
        "customer_id", "contact_id", "title", "reason", "owner_id", "due_at", "created_at", "dedupe"
    )  # fmt: skip
    row = (
        new.customer, new.contact, new.title, new.reason, new.owner, new.due_at, now, new.dedupe
    )  # fmt: skip
    return insert_many(session, tasks, columns, [row], conflict="ON CONFLICT (dedupe) DO NOTHING") == 1


def create(session: Session, new: NewTask, *, actor: str, now: datetime) -> bool:
    """Write a task of a person's down, with its event; False if its cause has made one before.

    Raises:
        BadForm: it has no title.
    """
    if not new.title.strip() or len(new.title) > LONGEST_TITLE:
        raise BadForm([Problem("title", "is empty or too long.", "Say in a few words what is to be done.")])
    if not add(session, new, now=now):
        return False
    detail: dict[str, object] = {"title": new.title, "owner": new.owner, "by": actor}
    dedupe = f"task:{new.dedupe or f'{new.customer}:{now.isoformat()}'}"
    kind = EventKind.TASK_CREATED
    history.record(session, Fact(kind, now, dedupe, new.contact, new.customer, source="staff", detail=detail))
    return True


def finish(session: Session, task: int, *, actor: str, now: datetime, outcome: str = "") -> Task:
    """Mark a task as done, with its event.

    Raises:
        NotFound: there is no such task.
        NotAllowed: it was done before.
    """
    found = get(session, task)
    doing = sa.update(tasks).where(tasks.c.id == task, tasks.c.done_at.is_(None)).values(done_at=now)
    if not changed(session, doing):
        raise NotAllowed("This task was done before.")
    detail: dict[str, object] = {"title": found.title, "by": actor}
    if outcome.strip():
        detail["outcome"] = outcome.strip()[:LONGEST_TITLE]
    done = Fact(
        EventKind.TASK_DONE,
        now,
        f"task done:{task}",
        found.contact,
        found.customer,
        source="staff",
        detail=detail,
    )
    history.record(session, done)
    return found


def take(session: Session, task: int, owner: int) -> None:
    """Make an open task that nobody has somebody's own.

    Raises:
        NotAllowed: it is done, or somebody has it, or there is none.
    """
    free = sa.and_(tasks.c.owner_id.is_(None), tasks.c.done_at.is_(None))
    if not changed(session, sa.update(tasks).where(tasks.c.id == task, free).values(owner_id=owner)):
        raise NotAllowed("Somebody has taken this task, or it is done.")


def get(session: Session, task: int) -> Task:
    """Load a task.

    Raises:
        NotFound: there is no such task.
    """
    row = session.execute(_query().where(tasks.c.id == task)).one_or_none()
    if row is None:
        raise NotFound(f"There is no task {task}.")
    return _task(row)


def of_customer(session: Session, customer: int) -> list[Task]:
    """A customer's tasks, newest first."""
    query = _query().where(tasks.c.customer_id == customer).order_by(tasks.c.id.desc())
    return [_task(row) for row in session.execute(query)]


def open_of_customer(session: Session, customer: int, *, limit: int = 50) -> list[Task]:
    """A customer's open tasks, the most urgent first."""
    query = _query().where(tasks.c.customer_id == customer, tasks.c.done_at.is_(None))
    return [_task(row) for row in session.execute(query.order_by(*_URGENCY).limit(limit))]


def listing(
    session: Session, *, owner: int | None, done: bool = False, page: int = 1, size: int = 50
) -> tuple[list[Task], bool]:
    """Tasks of one of us, or (None) those that are nobody's: open ones by urgency, or done ones by when.

    Says too whether more follow.
    """
    c = tasks.c
    whose = c.owner_id == owner if owner is not None else c.owner_id.is_(None)
    order = (c.done_at.desc(), c.id.desc()) if done else _URGENCY
    chosen = sa.select(c.id).where(whose, c.done_at.is_not(None) if done else c.done_at.is_(None))
    ids = session.scalars(chosen.order_by(*order).offset((page - 1) * size).limit(size + 1)).all()
    rows = session.execute(_query().where(c.id.in_(ids)).order_by(*order)).all()
    return [_task(row) for row in rows[:size]], len(rows) > size


def count_open(session: Session, owner: int | None) -> int:
    """How many open tasks one of us has, or (None) how many are nobody's."""
    whose = tasks.c.owner_id == owner if owner is not None else tasks.c.owner_id.is_(None)
    return session.scalar(sa.select(sa.func.count()).where(whose, tasks.c.done_at.is_(None))) or 0


def _query() -> sa.Select[Any]:
    return sa.select(tasks, customers.c.name).join(customers, customers.c.id == tasks.c.customer_id)


def _task(row: sa.Row[Any]) -> Task:
    return Task(
        id=row.id,
        customer=row.customer_id,
        contact=row.contact_id,
        title=row.title,
        reason=row.reason,
        due_at=row.due_at,
        done_at=row.done_at,
        owner=row.owner_id,
        created_at=row.created_at,
        customer_name=row.name.strip(),
    )
