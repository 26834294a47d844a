"""Every difference between SQLite and PostgreSQL that queries must know.

Bulk writes go to the driver in one statement each; rows never pass through the statement
compiler one by one, which would cost more than the database does.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.base import MICROSECOND, Json, Moment, from_microseconds, to_json, to_microseconds

SQLITE_NOW = "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"
PIECE = 5000  #: rows to the driver at once


def is_postgres(session: Session) -> bool:
    """Tell whether this session speaks to PostgreSQL (else SQLite)."""
    return session.get_bind().dialect.name == "postgresql"


def lock_table(session: Session, table: sa.Table) -> None:
    """Let one writer at a time at a table until the transaction ends; SQLite's writers are alone anyway."""
    if is_postgres(session):
        session.execute(sa.text(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE"))


def database_now(session: Session) -> datetime:
    """The database's clock, which leases are measured by: one clock for all machines."""
    if is_postgres(session):
        moment: datetime = session.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
        return moment
    return from_microseconds(session.execute(sa.text(f"SELECT {SQLITE_NOW}")).scalar_one())


def clock_words(session: Session) -> dict[str, str]:
    """How SQL text says "now", by the database's clock and as moments are stored, and "the later of"."""
    if is_postgres(session):
        return {"now": "clock_timestamp()", "later": "greatest"}
    return {"now": SQLITE_NOW, "later": "max"}


def stored_duration(session: Session, length: timedelta) -> timedelta | int:
    """A length of time by which a stored moment can be moved."""
    return length if is_postgres(session) else length // MICROSECOND


def read_duration(stored: timedelta | int) -> timedelta:
    """The difference of two stored moments."""
    return stored if isinstance(stored, timedelta) else stored * MICROSECOND


def changed(session: Session, statement: sa.UpdateBase) -> int:
    """Run an UPDATE, INSERT or DELETE and give how many rows it touched."""
    result: Any = session.execute(statement)
    return int(result.rowcount)


def insert_many(
    session: Session,
    table: sa.Table,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    conflict: str = "",
) -> int:
    """Insert rows of Python values; `conflict` is an ON CONFLICT clause, SQL as both databases read it.

    Returns how many rows were written or changed. Joins the caller's transaction.
    """
    types = [table.c[name].type for name in columns]
    statement = _insert_statement(session, table, columns, types, conflict)
    written = 0
    for piece in _pieces(rows):
        written += _send(session, statement, types, piece)
    return written


def update_many(
    session: Session,
    table: sa.Table,
    keys: Sequence[str],
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
) -> int:
    """Set `columns` of the rows named by `keys`; each given row holds its keys first, then its values.

    Returns how many rows were found. Joins the caller's transaction.
    """
    names = [*keys, *columns]
    types = [table.c[name].type for name in names]
    if is_postgres(session):
        numbers = {name: f"given.c{at}" for at, name in enumerate(names)}
        sets = ", ".join(f'"{name}" = {numbers[name]}' for name in columns)
        match = " AND ".join(f"{table.name}.{name} = {numbers[name]}" for name in keys)
        statement = f"UPDATE {table.name} SET {sets} FROM {_unnest(session, types)} WHERE {match}"
        return sum(_send(session, statement, types, piece) for piece in _pieces(rows))
    sets = ", ".join(f'"{name}" = ?{at + len(keys) + 1}' for at, name in enumerate(columns))
    match = " AND ".join(f"{name} = ?{at + 1}" for at, name in enumerate(keys))
    statement = f"UPDATE {table.name} SET {sets} WHERE {match}"
    return sum(_send(session, statement, types, piece) for piece in _pieces(rows))


def _insert_statement(
    session: Session, table: sa.Table, columns: Sequence[str], types: Sequence[Any], conflict: str
) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    if is_postgres(session):
        return f"INSERT INTO {table.name} ({names}) SELECT * FROM {_unnest(session, types)} {conflict}"
    marks = ", ".join("?" * len(columns))
    return f"INSERT INTO {table.name} ({names}) VALUES ({marks}) {conflict}"


def _send(session: Session, statement: str, types: Sequence[Any], rows: Sequence[Sequence[Any]]) -> int:
    connection = session.connection()
    if is_postgres(session):
        return connection.exec_driver_sql(statement, _arrays(types, rows)).rowcount
    driver = connection.connection.driver_connection
    assert driver is not None
    values = [
        tuple(_sqlite_value(kind, value) for kind, value in zip(types, row, strict=True)) for row in rows
    ]
    count: int = driver.executemany(statement, values).rowcount
    return max(count, 0)


def _unnest(session: Session, types: Sequence[Any]) -> str:
    dialect = session.get_bind().dialect
    names = [kind.compile(dialect) if kind is not Json else "TEXT" for kind in types]
    arrays = ", ".join(f"%s::{name}[]" for name in names)
    columns = ", ".join(f"c{n}" for n in range(len(types)))
    picks = ", ".join(f"c{n}::jsonb" if kind is Json else f"c{n}" for n, kind in enumerate(types))
    return f"(SELECT {picks} FROM unnest({arrays}) AS u({columns})) AS given({columns})"


def _arrays(types: Sequence[Any], rows: Sequence[Sequence[Any]]) -> tuple[list[Any], ...]:
    columns = zip(*rows, strict=True)
    return tuple(
        [_json(value) for value in column] if kind is Json else list(column)
        for kind, column in zip(types, columns, strict=True)
    )


def _sqlite_value(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, Moment):
        return to_microseconds(value)
    return _json(value) if kind is Json else value


def _json(value: Any) -> str | None:
    return None if value is None else to_json(value)


def _pieces(rows: Iterable[Sequence[Any]]) -> Iterable[list[Sequence[Any]]]:
    piece: list[Sequence[Any]] = []
    for row in rows:
        piece.append(row)
        if len(piece) >= PIECE:
            yield piece
            piece = []
    if piece:
        yield piece


def domain_of(session: Session, address: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
    """What stands after the @ of a normalised address."""
    if is_postgres(session):
        return sa.func.split_part(address, "@", 2)
    return sa.func.substr(address, sa.func.instr(address, "@") + 1)


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
