"""Keep the store in shape as it grows and ages: partitions, counts of large runs, lifecycle stages."""

from collections.abc import Sequence
from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from campaigns.records import partitions, stages
from campaigns.records.reports import counts
from campaigns.records.reports.counts import Counted
from campaigns.records.stages import Move

log = structlog.get_logger()


#: What PostgreSQL divides; one in a transaction.
DIVIDED = partitions.DIVIDED


def make_partitions(session: Session, now: datetime, table: str) -> list[str]:
    """Make the partitions of a table that will soon be needed; gives the new ones. SQLite has none."""
    made = partitions.make_ahead(session, now, (table,))
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


def stages_due(session: Session, now: datetime) -> list[Move]:
    """Find the customers whose lifecycle stage is another by now; reads for long, writes nothing."""
    return stages.due(session, now)


def move_stages(session: Session, moves: Sequence[Move], now: datetime) -> int:
    """Write some of these stages down."""
    return stages.move(session, moves, now=now)
