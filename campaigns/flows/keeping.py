"""Keep the store in shape as it grows: partitions ahead of need."""

from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from campaigns.records import partitions

log = structlog.get_logger()


def make_partitions(session: Session, now: datetime) -> list[str]:
    """Make the partitions that will soon be needed; gives the new ones. SQLite has none."""
    made = partitions.make_ahead(session, now)
    if made:
        log.info("partitions made", partitions=made)
    return made
