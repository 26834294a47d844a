"""Dates as mails and HTTP answers write them."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def read_date(text: str) -> datetime | None:
    """Read a date; one without a zone is in UTC. None: it is none.

    Source: RFC 5322 §3.3, RFC 9110 §5.6.7.
    """
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
