"""How PostgreSQL divides the two large tables: events by month, messages by run.

A large run has a partition of its own; the small ones of a stretch of runs share one. What fits in none
stands in a default partition, so that nothing fails because a partition was not made ahead. A new partition
is made beside the table and then attached, which stops nobody from writing. SQLite divides nothing.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from campaigns.model.dialect import is_postgres
from campaigns.model.events import events
from campaigns.model.mail import messages, runs

STRETCH = 256  #: runs whose small ones share a partition
LARGE = 100_000  #: members from which a run has a partition of its own
KNOWN = 5000  #: members from which the planner must know of a run: it has more than a few chunks
MONTHS_BEHIND, MONTHS_AHEAD = 12, 2
#: Room for the next state of all rows of a page: a chunk settles them together.
STORAGE = {"messages": "WITH (fillfactor = 50)", "events": ""}
DIVIDED = ("events", "messages")
PATIENCE = "5s"  #: to attach, when somebody reads the default partition for long
#: To make one ahead. Less than the second after which PostgreSQL looks for a ring of those who wait: we have
#: given way before, and whoever has read the table and goes on to write it does not fail for us.
GIVE_WAY = "300ms"
HELD = frozenset({"55P03", "40P01"})  #: what PostgreSQL says then, or where two wait for each other


@dataclass(frozen=True, slots=True)
class Part:
    """A partition and what it holds: from a bound, up to another."""

    table: str
    name: str
    key: str
    first: object
    end: object


def make_ahead(session: Session, now: datetime, tables: Collection[str] = DIVIDED) -> list[str]:
    """Make the partitions that events and runs will soon need; gives the names of the new ones.

    Where somebody writes or reads for long, nobody is kept waiting for it: what is missing then is for the
    next call. Where others write and read, each table wants a transaction of its own: whoever holds one
    default partition and waits for the other's is in the way of those who took them in the other order.
    """
    if not is_postgres(session):
        return []
    newest = session.scalar(sa.select(sa.func.max(runs.c.id))) or 0
    wanted = [_month_part(month) for month in _months_around(now.date())]
    wanted += [_stretch_part(newest), _stretch_part(newest + STRETCH)]
    missing = [part for part in wanted if part.table in tables and not _is_there(session, part.name)]

    def in_time(part: Part) -> bool:
        return _is_done_in_time(session, GIVE_WAY, lambda: _make(session, part))

    return [part.name for part in takewhile(in_time, missing)]


def _months_around(today: date) -> list[date]:
    months = [today.replace(day=1)]
    for _ in range(MONTHS_BEHIND):
        months.insert(0, (months[0] - timedelta(days=1)).replace(day=1))
    for _ in range(MONTHS_AHEAD):
        months.append(next_month(months[-1]))
    return months


def next_month(month: date) -> date:
    """Give the first day of the month after this one."""
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)


def _month_part(month: date) -> Part:
    start, end = (datetime(m.year, m.month, 1, tzinfo=UTC) for m in (month, next_month(month)))
    return Part("events", f"events_{month:%Y_%m}", "at", start, end)


def _stretch_part(run: int) -> Part:
    first = run // STRETCH * STRETCH
    return Part("messages", f"messages_from_{first}", "run_id", first, first + STRETCH)


def _is_there(session: Session, name: str) -> bool:
    return session.scalar(sa.select(sa.func.to_regclass(name).is_not(None))) is True


def _is_done_in_time(session: Session, patience: str, do: Callable[[], None]) -> bool:
    """Do something, unless somebody holds a table for too long; then we do not hold it either."""
    _run(session, f"SET LOCAL lock_timeout = '{patience}'")
    done = True
    try:
        with session.begin_nested():
            do()
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) not in HELD:
            raise
        done = False
    _run(session, "SET LOCAL lock_timeout = DEFAULT")
    return done


def _make(session: Session, part: Part) -> None:
    """Make a partition, and put into it what of it stands in the default one."""
    if _is_there(session, part.name):
        return
    # writers wait here: a row that had chosen the default partition before would be refused by it after.
    # So do other workers.
    _run(session, f"LOCK TABLE ONLY {part.table} IN SHARE ROW EXCLUSIVE MODE")
    if _is_there(session, part.name):
        return
    divided = "PARTITION BY LIST (run_id)" if part.table == "messages" else ""
    _run(session, f"CREATE TABLE {part.name} (LIKE {part.table} INCLUDING DEFAULTS) {divided}")
    if divided:
        shared = f"CREATE TABLE {part.name}_small PARTITION OF {part.name} DEFAULT"
        _run(session, f"{shared} {STORAGE[part.table]}")
    bounds = {"first": part.first, "end": part.end}
    stray = f"FROM {part.table}_default WHERE {part.key} >= :first AND {part.key} < :end"
    if session.execute(sa.text(f"SELECT 1 {stray} LIMIT 1"), bounds).one_or_none():
        # readers wait here: one who had planned without the new partition would find these rows nowhere
        _run(session, f"LOCK TABLE ONLY {part.table} IN ACCESS EXCLUSIVE MODE")
        session.execute(
            sa.text(
                f"WITH moved AS (DELETE {stray} RETURNING *) INSERT INTO {part.name} SELECT * FROM moved"
            ),
            bounds,
        )
    limits = f"FROM ('{part.first}') TO ('{part.end}')"
    _run(session, f"ALTER TABLE {part.table} ATTACH PARTITION {part.name} FOR VALUES {limits}")


def _run(session: Session, statement: str) -> None:
    session.execute(sa.text(statement))


@contextmanager
def apart(session: Session, run: int, members: sa.Select[tuple[int]]) -> Iterator[sa.Table]:
    """Give the table to write a run's messages into: for a large run on PostgreSQL one of its own.

    That is filled without indexes, which are built at the end, and then becomes a partition: that is twice
    as quick. Whoever sends or reads meanwhile is not held up.

    Raises:
        OperationalError: the shared partition is yet to be made, and somebody holds the table for long.
    """
    few = sa.select(members.limit(LARGE).subquery().c[0]).subquery()
    counted = sa.select(sa.func.count()).select_from(few)
    count = session.execute(counted).scalar_one() if is_postgres(session) else 0
    if count < LARGE:
        yield messages
        if count >= KNOWN:
            _measure_shared(session, run)
        return
    stretch = _stretch_part(run)
    _run(session, f"SET LOCAL lock_timeout = '{GIVE_WAY}'")  # the freeze is tried again, in a moment
    _make(session, stretch)
    _run(session, "SET LOCAL lock_timeout = DEFAULT")
    own = messages.to_metadata(sa.MetaData(), name=f"messages_run_{run}")
    _run(session, f"CREATE TABLE {own.name} (LIKE messages INCLUDING DEFAULTS) {STORAGE['messages']}")
    yield own
    _finish(session, own, run)
    _attach(session, own.name, stretch.name, run)


def _finish(session: Session, own: sa.Table, run: int) -> None:
    """Index and measure a full table, and promise what it holds, so that nobody has to look."""
    connection = session.connection()
    _run(session, "SET LOCAL maintenance_work_mem = '256MB'")
    _run(session, f"ALTER TABLE {own.name} ADD PRIMARY KEY (run_id, seq)")
    for number, index in enumerate(sorted(own.indexes, key=lambda index: str(index.name)), start=1):
        columns = [own.c[column.name] for column in index.columns]
        sa.Index(f"{own.name}_{number}", *columns, unique=index.unique).create(connection)
    _run(session, f"ALTER TABLE {own.name} ADD CONSTRAINT one_run CHECK (run_id = {run})")
    _run(session, f"ANALYZE {own.name}")


def _measure_shared(session: Session, run: int) -> None:
    """Let the planner know of a run among others: where it takes it for empty, each chunk reads all of it.

    Without it the run is sent all the same: nobody waits for whoever cleans the table up.
    """
    where = sa.text("SELECT tableoid::regclass::text FROM messages WHERE run_id = :run LIMIT 1")
    if (shared := session.scalar(where, {"run": run})) is not None:
        _is_done_in_time(session, PATIENCE, lambda: _run(session, f"ANALYZE {shared} (run_id, seq)"))


def _attach(session: Session, name: str, stretch: str, run: int) -> None:
    """Make a table a partition; where somebody holds the shared one for too long, its rows go there."""
    attach = f"ALTER TABLE {stretch} ATTACH PARTITION {name} FOR VALUES IN ({run})"
    if _is_done_in_time(session, PATIENCE, lambda: _run(session, attach)):
        _run(session, f"ALTER TABLE {name} DROP CONSTRAINT one_run")
    else:
        _run(session, f"INSERT INTO messages SELECT * FROM {name}")
        _run(session, f"DROP TABLE {name}")


def months(session: Session) -> list[date]:
    """The months that have a partition of events, oldest first."""
    names = session.scalars(
        sa.text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'events'::regclass")
    )
    return sorted(
        date(int(name[-7:-3]), int(name[-2:]), 1) for name in names if name != f"{events.name}_default"
    )


def drop_month(session: Session, month: date) -> None:
    """Drop a month's events; takes no longer for more of them, and stops writers for that moment."""
    _run(session, f"SET LOCAL lock_timeout = '{PATIENCE}'")
    _run(session, f"DROP TABLE {_month_part(month).name}")
