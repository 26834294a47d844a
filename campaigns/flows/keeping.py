"""Keep the store in shape as it grows: partitions ahead of need, counts of large runs."""

from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from campaigns.records import partitions
from campaigns.records.reports import counts
from campaigns.records.reports.counts import Counted

log = structlog.get_logger()


def make_partitions(session: Session, now: datetime) -> list[str]:
    """Make the partitions that will soon be needed; gives the new ones. SQLite has none."""
    made = partitions.make_ahead(session, now)
    if made:
        log.info("partitions made", partitions=made)
    return made


def note_news(session: Session, now: datetime) -> None:  # noqa: ARG001 - the shape of a worker's step
    """Mark the large runs that something new is known of."""
    counts.note_news(session)


def count_news(session: Session, now: datetime) -> list[Counted]:
    """Count the large runs that have news; reads for long, writes nothing."""
    return counts.count_news(session, now)


def keep_counts(session: Session, counted: list[Counted], now: datetime) -> None:
    """Keep what was counted, for reports and lists."""
    counts.keep(session, counted, now=now)
