"""Parts of a query that SQLite and PostgreSQL write in ways of their own."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.base import Moment, to_microseconds
from campaigns.model.dialect import is_postgres


def in_bytes(
    session: Session, column: sa.ColumnElement[Any], least: Any, beyond: Any
) -> sa.ColumnElement[bool]:
    """A range of texts, so that an index answers it; PostgreSQL's by bytes, whatever its collation."""
    if is_postgres(session):
        at_least = column.op("~>=~", is_comparison=True)(least)
        return sa.and_(at_least, column.op("~<~", is_comparison=True)(beyond))
    return sa.and_(column >= least, column < beyond)


def domain_of(session: Session, address: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """What stands after the @ of a normalised address."""
    if is_postgres(session):
        return sa.func.split_part(address, "@", 2)
    return sa.func.substr(address, sa.func.instr(address, "@") + 1)


def is_beyond_ascii(session: Session, text: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Whether a text has signs beyond ASCII; both databases hold UTF-8."""
    octets = (
        sa.func.octet_length(text) if is_postgres(session) else sa.func.length(sa.cast(text, sa.LargeBinary))
    )
    return octets != sa.func.length(text)


def hours_after(
    session: Session, moment: sa.ColumnElement[datetime], start: datetime
) -> sa.ColumnElement[int]:
    """Whole hours from `start` to a later moment."""
    if is_postgres(session):
        since = sa.func.extract("epoch", moment - sa.literal(start, Moment()))
        return sa.cast(sa.func.floor(since / 3600), sa.Integer)
    hour = 3_600_000_000  # microseconds
    stored = sa.type_coerce(moment, sa.BigInteger)
    return (stored - to_microseconds(start)) // hour
