"""Which processes live, what each serves, and by which accounts file: each says so now and then."""

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.accounts import serving
from campaigns.model.dialect import database_now, insert_many

SENDER, WORKER = "sender", "worker"
EVERY = timedelta(seconds=20)  #: how far apart a process says that it lives
PATIENCE = timedelta(
    seconds=90
)  #: after so long in silence it is taken for dead; a busy store may hold it up
FORGOTTEN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Alive:
    """One process."""

    process: str  #: its machine and number
    door: str  #: SENDER or WORKER
    account: str  #: that a sender serves; empty: none
    routing: str  #: names what the accounts file said when it started (Routing.digest)


def attend(session: Session, one: Alive) -> None:
    """Say that a process lives."""
    now = database_now(session)
    columns = ("process", "door", "account", "routing", "seen_at")
    newest = ", ".join(f"{name} = excluded.{name}" for name in columns[1:])
    row = (one.process, one.door, one.account, one.routing, now)
    insert_many(session, serving, columns, [row], conflict=f"ON CONFLICT (process) DO UPDATE SET {newest}")
    session.execute(sa.delete(serving).where(serving.c.seen_at < now - FORGOTTEN))


def leave(session: Session, process: str) -> None:
    """Say that a process ends."""
    session.execute(sa.delete(serving).where(serving.c.process == process))


def alive(session: Session) -> list[Alive]:
    """Every process that was heard of lately, by its door, its account and its name."""
    c = serving.c
    query = (
        sa.select(c.process, c.door, c.account, c.routing)
        .where(c.seen_at > database_now(session) - PATIENCE)
        .order_by(c.door, c.account, c.process)
    )
    return [Alive(*row) for row in session.execute(query)]
