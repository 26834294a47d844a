"""How raw events and hits go when they are old; nothing here touches consent, suppressions or the ledger.

On PostgreSQL a month of events is one partition, dropped at once. What stands elsewhere (SQLite, the default
partition, hits, the keys of dropped events) is deleted in small batches, each a transaction of its caller's.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.base import Moment
from campaigns.model.dialect import changed, is_postgres, update_many
from campaigns.model.events import events, hits
from campaigns.model.mail import campaigns
from campaigns.records import partitions
from campaigns.tracking.bursts import network
from campaigns.values import EventKind

BATCH = 5000
#: Old rows of a table, by place; `old` says which. On both the oldest are found without a pass over all.
_SOME = "DELETE FROM {table} WHERE {place} IN (SELECT {place} FROM {table} WHERE {old} LIMIT {count})"
_SOME_BY_PLACE = (
    "DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {old} LIMIT {count}))"
)


@dataclass(frozen=True, slots=True)
class Old:
    """What is older than a moment."""

    before: datetime
    months: tuple[date, ...]  #: partitions that can be dropped
    events: int
    hits: int


def cutoff(now: datetime, months: int) -> datetime:
    """Give the start of the oldest month that is kept: the running one and so many whole ones before it."""
    count = now.year * 12 + now.month - 1 - months
    return datetime(count // 12, count % 12 + 1, 1, tzinfo=UTC)


def old(session: Session, before: datetime) -> Old:
    """Count what is older than a moment."""
    months: list[date] = []
    if is_postgres(session):
        months = [month for month in partitions.months(session) if month < before.date()]
    counted = [
        sa.select(sa.func.count()).select_from(table).where(table.c.at < before) for table in (events, hits)
    ]
    return Old(before, tuple(months), *(session.execute(query).scalar_one() for query in counted))


def longest_cap(session: Session) -> int:
    """The most days that a campaign's frequency cap looks back; 0 without any."""
    return session.scalar(sa.select(sa.func.max(campaigns.c.cap_days))) or 0


def cut_addresses(session: Session, before: datetime, *, after: int = 0) -> tuple[int, int | None]:
    """Cut the addresses of some old hits to their networks; gives how many, and the last hit looked at.

    Goes by the hits' ids, from `after` on; None: there are no more.
    """
    c = hits.c
    query = sa.select(c.id, c.address).where(c.id > after, c.at < before).order_by(c.id).limit(BATCH)
    rows = session.execute(query).all()
    cut = [(row.id, short) for row in rows if (short := network(row.address)) != row.address]
    update_many(session, hits, ("id",), ("address",), cut)
    return len(cut), rows[-1].id if rows else None


def whole_addresses(session: Session, before: datetime) -> int:
    """How many hits of before a moment have addresses that are not cut."""
    c = hits.c
    whole = sa.and_(c.at < before, c.address != "", c.address.not_like("%/%"))
    return session.scalar(sa.select(sa.func.count()).select_from(hits).where(whole)) or 0


def delete_some(session: Session, before: datetime) -> int:
    """Delete a batch of what is older than a moment and in no month of its own; 0 when nothing is left."""
    if is_postgres(session):
        tables = ("events_default", "hits", "event_keys")
        return next((n for table in tables if (n := _delete(session, _SOME_BY_PLACE, table, before))), 0)
    for kind in EventKind:  # the index on events is by kind first
        if gone := _delete(session, _SOME, "events", before, f"kind = '{kind.value}' AND "):
            return gone
    return _delete(session, _SOME, "hits", before)


def _delete(session: Session, statement: str, table: str, before: datetime, which: str = "") -> int:
    text = statement.format(table=table, place="id", old=f"{which}at < :before", count=BATCH)
    moment = sa.bindparam("before", before, type_=Moment())
    return changed(session, sa.text(text).bindparams(moment))  # type: ignore[arg-type] # text has a rowcount too
