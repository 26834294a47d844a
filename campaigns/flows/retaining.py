"""Let old raw events go; every number of every report stays.

The caller (a command) gives each step a transaction of its own: the counts of the runs concerned are made
final first, then months are dropped, then what is left is deleted batch by batch.
"""

from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from campaigns.errors import NotAllowed
from campaigns.records import partitions, retention, webhooks
from campaigns.records.reports import counts
from campaigns.records.reports.counts import Counted
from campaigns.records.retention import Old


def plan(session: Session, months: int, now: datetime) -> tuple[Old, list[int]]:
    """What is older than so many whole months, and the runs whose counts must be made final before.

    Raises:
        NotAllowed: a frequency cap looks back further than that.
    """
    before = retention.cutoff(now, months)
    days = retention.longest_cap(session)
    if now - timedelta(days=days) < before:
        raise NotAllowed(
            f"A campaign's frequency cap looks back {days} days; keep events for at least"
            f" {days // 28 + 1} months, or shorten the cap."
        )
    return retention.old(session, before), counts.open_before(session, before)


def count(session: Session, run: int) -> Counted:
    """Count a run for the last time; reads only."""
    return counts.count_last(session, run)


def close(session: Session, counted: Counted, now: datetime) -> None:
    """Make a run's counts final: from now on its report reads them."""
    counts.close(session, [counted], now=now)


def drop(session: Session, month: date) -> None:
    """Drop a month of events (PostgreSQL)."""
    partitions.drop_month(session, month)


def delete_some(session: Session, old: Old) -> int:
    """Delete a batch of what has no month of its own; 0 when nothing is left."""
    return retention.delete_some(session, old.before)


def whole_addresses(session: Session, days: int, now: datetime) -> int:
    """How many hits older than so many days have whole addresses."""
    return retention.whole_addresses(session, now - timedelta(days=days))


def cut_addresses(session: Session, days: int, now: datetime, *, after: int) -> tuple[int, int | None]:
    """Cut a batch of them to their networks; gives how many, and where to go on; None: it is done."""
    return retention.cut_addresses(session, now - timedelta(days=days), after=after)


def old_calls(session: Session, days: int, now: datetime) -> int:
    """How many calls of providers are older than so many days, and read."""
    return webhooks.how_many_old(session, now - timedelta(days=days))


def forget_calls(session: Session, days: int, now: datetime) -> int:
    """Delete a batch of them, with the memory of their events; 0 when nothing is left."""
    return webhooks.forget_some(session, now - timedelta(days=days))
