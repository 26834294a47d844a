"""Every difference between SQLite and PostgreSQL that queries must know.

Bulk writes go to the driver in one statement each; rows never pass through the statement
compiler one by one, which would cost more than the database does.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.base import MICROSECOND, Json, Moment, from_microseconds, to_json, to_microseconds

SQLITE_NOW = "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"
PIECE = 5000  #: rows to the driver at once
PLAIN = (sa.Integer, sa.String, sa.Boolean, sa.Float, Moment)  #: what JSON can carry into SQLite
FEW, MANY = 20, 2000  #: between them rows reach SQLite in one step


def is_postgres(session: Session) -> bool:
    """Tell whether this session speaks to PostgreSQL (else SQLite)."""
    return session.get_bind().dialect.name == "postgresql"


def lock_table(session: Session, table: sa.Table) -> None:
    """Let one writer at a time at a table until the transaction ends; SQLite's writers are alone anyway."""
    if is_postgres(session):
        session.execute(sa.text(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE"))


def is_alone(session: Session, work: str) -> bool:
    """Tell whether nobody else does this work, and keep others from it until the transaction ends.

    It never waits: on PostgreSQL another's turn is said to be another's. SQLite's writers are alone anyway.
    """
    if not is_postgres(session):
        return True
    alone = sa.select(sa.func.pg_try_advisory_xact_lock(sa.func.hashtextextended(work, 0)))
    return bool(session.scalar(alone))


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
    names = ", ".join(f'"{name}"' for name in columns)
    if is_postgres(session):
        statement = f"INSERT INTO {table.name} ({names}) SELECT * FROM {_unnest(session, types)} {conflict}"
        return sum(_send(session, statement, types, piece) for piece in _pieces(rows))
    marks = ", ".join("?" * len(columns))
    one_by_one = f"INSERT INTO {table.name} ({names}) VALUES ({marks}) {conflict}"
    picks = ", ".join(f"value->>{at}" for at in range(len(columns)))
    at_once = f"INSERT INTO {table.name} ({names}) SELECT {picks} FROM json_each(?1) WHERE true {conflict}"
    return sum(_send_sqlite(session, types, piece, one_by_one, at_once) for piece in _pieces(rows))


def insert_once(
    session: Session,
    table: sa.Table,
    keys: sa.Table,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
) -> int:
    """Insert those rows whose `dedupe` is not there yet; no two of them may have the same.

    PostgreSQL has no unique key over all partitions of a table: there `keys` holds it.
    """
    if not is_postgres(session):
        return insert_many(session, table, columns, rows, conflict="ON CONFLICT (dedupe) DO NOTHING")
    types = [table.c[name].type for name in columns]
    names = ", ".join(f'"{name}"' for name in columns)
    given = f"(SELECT * FROM {_unnest(session, types)}) AS given({names})"
    picks = ", ".join(f'given."{name}"' for name in columns)
    statement = (
        f"WITH given AS MATERIALIZED (SELECT * FROM {given}), new AS"
        f" (INSERT INTO {keys.name} (dedupe, event_id, at)"
        f" SELECT dedupe, nextval('{table.name}_id_seq'), at FROM given ON CONFLICT DO NOTHING"
        f" RETURNING dedupe, event_id) INSERT INTO {table.name} (id, {names})"
        f" SELECT new.event_id, {picks} FROM new JOIN given ON given.dedupe = new.dedupe"
    )
    return sum(_send(session, statement, types, piece) for piece in _pieces(rows))


def large_sorts(session: Session) -> None:
    """Let PostgreSQL sort and join a whole audience in memory, until the transaction ends."""
    if is_postgres(session):
        session.execute(sa.text("SET LOCAL work_mem = '192MB'"))
        session.execute(sa.text("SET LOCAL jit = off"))  # compiling would take longer than it saves


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
        statement = _update_given(session, table, keys, names, types)
        return sum(_send(session, statement, types, piece) for piece in _pieces(rows))
    sets = ", ".join(f'"{name}" = ?{at + len(keys) + 1}' for at, name in enumerate(columns))
    match = " AND ".join(f"{name} = ?{at + 1}" for at, name in enumerate(keys))
    one_by_one = f"UPDATE {table.name} SET {sets} WHERE {match}"
    given = ", ".join(f"value->>{at} AS c{at}" for at in range(len(names)))
    sets = ", ".join(f'"{name}" = c{at + len(keys)}' for at, name in enumerate(columns))
    match = " AND ".join(f"{table.name}.{name} = c{at}" for at, name in enumerate(keys))
    at_once = f"UPDATE {table.name} SET {sets} FROM (SELECT {given} FROM json_each(?1)) WHERE {match}"
    return sum(_send_sqlite(session, types, piece, one_by_one, at_once) for piece in _pieces(rows))


def update_stretch(
    session: Session,
    table: sa.Table,
    within: tuple[str, int],
    key: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
) -> int:
    """Set `columns` of rows that lie together in a group, which `within` names by a number.

    Otherwise as `update_many`. Rather than look a thousand rows up PostgreSQL would read the whole table: it
    is told between which numbers they lie, and not to pass through them again and again where it takes them
    for a few.
    """
    group, value = within
    if not rows:
        return 0
    if not is_postgres(session):
        whole = [(value, *row) for row in rows]
        return update_many(session, table, (group, key), columns, whole)
    names = [key, *columns]
    types = [table.c[name].type for name in names]
    numbers = [row[0] for row in rows]
    stretch = f"{table.name}.{key} BETWEEN {min(numbers):d} AND {max(numbers):d}"
    statement = _update_given(session, table, (key,), names, types)
    session.execute(sa.text("SET LOCAL enable_nestloop = off"))
    found = _send(session, f"{statement} AND {table.name}.{group} = {value:d} AND {stretch}", types, rows)
    session.execute(sa.text("SET LOCAL enable_nestloop = on"))
    return found


def _update_given(
    session: Session, table: sa.Table, keys: Sequence[str], names: Sequence[str], types: Sequence[Any]
) -> str:
    """PostgreSQL's UPDATE of the rows that stand beside the given ones."""
    numbers = {name: f"given.c{at}" for at, name in enumerate(names)}
    sets = ", ".join(f'"{name}" = {number}' for name, number in numbers.items() if name not in keys)
    match = " AND ".join(f"{table.name}.{name} = {numbers[name]}" for name in keys)
    return f"UPDATE {table.name} SET {sets} FROM {_unnest(session, types)} WHERE {match}"


def rows_at_once(session: Session, query: sa.Select[Any]) -> list[Any]:
    """The rows of a query, in no order.

    On SQLite they come as one: a driver that gives up the interpreter lock at each row would wait for it as
    often, while another thread is busy.
    """
    if is_postgres(session):
        return list(session.execute(query).all())
    inner = query.subquery()
    columns = [
        sa.func.json(c) if isinstance(c.type, sa.JSON) else sa.type_coerce(c, sa.Text) for c in inner.c
    ]
    text = session.scalar(sa.select(sa.func.json_group_array(sa.func.json_array(*columns), type_=sa.Text)))
    moments = [at for at, column in enumerate(inner.c) if isinstance(column.type, Moment)]
    rows: list[Any] = json.loads(text or "[]")
    for row in rows if moments else ():
        for at in moments:
            row[at] = None if row[at] is None else from_microseconds(row[at])
    return rows


def given(session: Session, types: Sequence[Any], rows: Sequence[Sequence[Any]]) -> sa.CTE:
    """Rows to join a query with, in columns c0, c1 …; one parameter or a few, however many rows they are."""
    numbers = range(len(types))
    if is_postgres(session):
        dialect = session.get_bind().dialect
        arrays = (f"CAST(:c{n} AS {kind.compile(dialect)}[])" for n, kind in enumerate(types))
        names = ", ".join(f"c{n}" for n in numbers)
        text = sa.text(f"SELECT {names} FROM unnest({', '.join(arrays)}) AS u({names})")
        values: dict[str, Any] = {f"c{n}": [row[n] for row in rows] for n in numbers}
    else:
        picks = ", ".join(f"value->>{n} AS c{n}" for n in numbers)
        text = sa.text(f"SELECT {picks} FROM json_each(:rows)")
        values = {"rows": to_json(_sqlite_values(types, rows)) if rows else "[]"}
    columns = {f"c{n}": kind for n, kind in enumerate(types)}
    return text.bindparams(**values).columns(**columns).cte("given")


def _send(session: Session, statement: str, types: Sequence[Any], rows: Sequence[Sequence[Any]]) -> int:
    return session.connection().exec_driver_sql(statement, _arrays(types, rows)).rowcount


def _send_sqlite(
    session: Session, types: Sequence[Any], rows: Sequence[Sequence[Any]], one_by_one: str, at_once: str
) -> int:
    """Up to some thousand rows go in one step, for the reason told at `rows_at_once`.

    More are a load that has the process to itself: one by one they cost a third less.
    """
    driver = session.connection().connection.driver_connection
    assert driver is not None
    values = _sqlite_values(types, rows)
    text = to_json(values) if FEW <= len(rows) <= MANY and _fit_json(types) else ""
    # JSON cannot carry a NUL into SQLite
    if not text or "\\u0000" in text:
        count: int = driver.executemany(one_by_one, values).rowcount
    else:
        count = driver.execute(at_once, [text]).rowcount
    return max(count, 0)


def _fit_json(types: Sequence[Any]) -> bool:
    return all(kind is Json or isinstance(kind, PLAIN) for kind in types)


def _sqlite_values(types: Sequence[Any], rows: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Column by column: a look at the type costs more than most values."""
    columns: list[list[Any]] = []
    for kind, column in zip(types, zip(*rows, strict=True), strict=True):
        if isinstance(kind, Moment):
            columns.append([None if value is None else to_microseconds(value) for value in column])
        elif kind is Json:
            columns.append([_json(value) for value in column])
        else:
            columns.append(list(column))
    return list(zip(*columns, strict=True))


def _unnest(session: Session, types: Sequence[Any]) -> str:
    dialect = session.get_bind().dialect
    names = [kind.compile(dialect) if kind is not Json else "TEXT" for kind in types]
    arrays = ", ".join(f"%s::{name}[]" for name in names)
    columns = ", ".join(f"c{n}" for n in range(len(types)))
    picks = ", ".join(f"c{n}::jsonb" if kind is Json else f"c{n}" for n, kind in enumerate(types))
    return f"(SELECT {picks} FROM unnest({arrays}) AS u({columns})) AS given({columns})"


def _arrays(types: Sequence[Any], rows: Sequence[Sequence[Any]]) -> tuple[Any, ...]:
    return tuple(_array(kind, column) for kind, column in zip(types, zip(*rows, strict=True), strict=True))


def _array(kind: Any, column: Sequence[Any]) -> str | list[Any]:
    """A column as PostgreSQL writes arrays, ten times as quick as the driver does.

    JSON's list is such a literal already, but for its brackets and its names of control characters.
    """
    if isinstance(kind, Moment):
        values: list[Any] = [None if value is None else str(value) for value in column]
    else:
        values = [_json(value) for value in column] if kind is Json else list(column)
    if kind is Json or isinstance(kind, PLAIN):
        text = to_json(values)
        if "\\" not in text.replace("\\\\", "").replace('\\"', ""):
            return "{" + text[1:-1] + "}"
    return values


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


def rows_among(session: Session, statement: str, ids: Sequence[int], *, index: str) -> list[Any]:
    """Ask for rows by many ids, in one statement of the driver's: `{ids}` in it stands for the ids.

    `{by}` stands after the table, where SQLite must be told which index to use. Compiling an IN of hundreds
    costs more than the look-up.
    """
    connection = session.connection()
    if is_postgres(session):
        asked = connection.exec_driver_sql(statement.format(ids="= ANY(%s)", by=""), (list(ids),))
    else:
        asked = connection.exec_driver_sql(
            statement.format(ids="IN (SELECT value FROM json_each(?))", by=f"INDEXED BY {index}"),
            (json.dumps(list(ids)),),
        )
    return list(asked)
