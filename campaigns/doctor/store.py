"""The database: does it answer, is it new enough, does it keep what it says it kept, are its tables ours."""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from campaigns.clock import utc_now
from campaigns.config import ELSEWHERE
from campaigns.doctor.findings import Finding, bad, ok, warn
from campaigns.doctor.holders import describe, holder, is_stopped
from campaigns.records import ticks
from campaigns.wiring import Stores, migration_config, open_stores

POSTGRES_WANTED = 140000
SQLITE_WANTED = (3, 38, 0)
SKEW, MUCH_SKEW = timedelta(seconds=2), timedelta(seconds=30)
WRITING = "Give Postroom's database user the right to write and to create tables; look for a full disk."
TABLES, MIGRATE = "database: tables", "Run: postroom migrate"
KEEPS = "a power cut could take back what mail has followed, and people would be mailed twice"


def examine_store(database_url: str) -> Iterator[Finding]:
    """Look at the database; nothing is created, and what is written is taken back."""
    if is_missing(database_url):
        yield _missing(database_url)
        return
    stores = open_stores(database_url)
    try:
        yield from _examine(stores)
    finally:
        stores.engine.dispose()


def examine_opening(database_url: str, *, patient: bool = False) -> Finding:
    """Judge whether a command can work with this store, by as little as that takes; nothing is created.

    Args:
        database_url: names the store.
        patient: whether one that is only away will do.

    """
    if is_missing(database_url):
        return _missing(database_url)
    stores = open_stores(database_url)
    try:
        with stores.readers() as session:
            return examine_schema(session)
    except SQLAlchemyError as error:
        if patient and isinstance(error, OperationalError):
            return ok("database", said(error))
        return _unreadable(stores, error)
    finally:
        stores.engine.dispose()


def _missing(database_url: str) -> Finding:
    return bad("database", f"there is no {sa.make_url(database_url).database}", ELSEWHERE)


def _unreadable(stores: Stores, error: SQLAlchemyError) -> Finding:
    url = stores.engine.url
    if url.get_backend_name() != "sqlite":
        cure = "Start it, and check POSTROOM_DATABASE_URL: host, port, name, user and password."
        return bad("database", said(error), cure)
    if isinstance(error, OperationalError):
        cure = f"Let user {os.geteuid()} read and write it and its folder; look for a full disk."
    else:
        cure = "Restore it from a backup, or name another folder: POSTROOM_DATA=FOLDER"
    return bad("database", f"{url.database}: {said(error)}", cure)


def is_missing(database_url: str) -> bool:
    """Tell whether opening this store would make a new, empty file."""
    url = sa.make_url(database_url)
    return url.get_backend_name() == "sqlite" and not Path(url.database or "").exists()


def _examine(stores: Stores) -> Iterator[Finding]:
    try:
        with stores.readers() as session:
            yield examine_version(session)
            yield from examine_durability(session)
            yield examine_clock(session)
            schema = examine_schema(session)
            yield schema
            yield from examine_worker(session)
        yield examine_writing(stores)
    except SQLAlchemyError as error:
        yield _unreadable(stores, error)


def examine_version(session: Session) -> Finding:
    """Judge whether the database knows all that is asked of it."""
    check = "database: version"
    if _is_sqlite(session):
        text = str(session.execute(sa.text("SELECT sqlite_version()")).scalar_one())
        enough = tuple(int(part) for part in text.split(".")) >= SQLITE_WANTED
        cure = f"Use a Python with SQLite {'.'.join(map(str, SQLITE_WANTED))} or newer."
        return ok(check, f"SQLite {text}") if enough else bad(check, f"SQLite {text}", cure)
    number = int(session.execute(sa.text("SHOW server_version_num")).scalar_one())
    text = f"PostgreSQL {number // 10000}.{number % 10000}"
    if number < POSTGRES_WANTED:
        return bad(check, text, f"Use PostgreSQL {POSTGRES_WANTED // 10000} or newer.")
    return ok(check, text)


def examine_durability(session: Session) -> Iterator[Finding]:
    """Judge whether a commit survives a power cut."""
    if _is_sqlite(session):
        journal = str(session.execute(sa.text("PRAGMA journal_mode")).scalar_one())
        synchronous = int(session.execute(sa.text("PRAGMA synchronous")).scalar_one())
        cure = "Put the file on a local disk where SQLite can share memory."
        yield _must(
            "database: journal_mode", journal, {"wal"}, "readers and writers would wait for each other", cure
        )
        cure = "Let nothing else set PRAGMA synchronous."
        yield _must("database: synchronous", str(synchronous), {"2", "3"}, KEEPS, cure)
        return
    for name, good in (
        ("fsync", {"on"}),
        ("full_page_writes", {"on"}),
        ("synchronous_commit", {"on", "local", "remote_write", "remote_apply"}),
    ):
        value = str(session.execute(sa.text(f"SHOW {name}")).scalar_one())
        cure = f"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf();"
        yield _must(f"database: {name}", value, good, KEEPS, cure)


def _must(check: str, value: str, good: set[str], why: str, cure: str) -> Finding:
    return ok(check, value) if value in good else bad(check, f"{value}: {why}", cure)


def examine_clock(session: Session) -> Finding:
    """Compare the database's clock, by which leases run out, with ours."""
    if _is_sqlite(session):
        return ok("clock: database", "it is this machine's")
    before = utc_now()
    theirs = session.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
    after = utc_now()
    return judge_clock(theirs, before, after)


def judge_clock(theirs: datetime, before: datetime, after: datetime) -> Finding:
    """Judge a clock that was read between two looks at ours; what the question took is no fault of it."""
    apart = max(before - theirs, theirs - after, timedelta(0))
    found = f"{apart.total_seconds():.1f} s apart from this machine's"
    cure = "Let both machines keep time by NTP (chrony, systemd-timesyncd)."
    if apart > MUCH_SKEW:
        return bad("clock: database", found, cure)
    return warn("clock: database", found, cure) if apart > SKEW else ok("clock: database", found)


def examine_schema(session: Session) -> Finding:
    """Judge whether the tables are those of this program."""
    check, now = TABLES, revisions(session)
    if now == known_heads():
        return ok(check, f"at {', '.join(sorted(now))}, the newest")
    if is_newer(now):
        found = f"at {', '.join(sorted(now))}, which this program does not know"
        return bad(check, found, "Run the newer program, or restore the backup made before it ran.")
    found = f"at {', '.join(sorted(now)) or 'nothing'}, not {', '.join(sorted(known_heads()))}"
    return bad(check, found, MIGRATE)


def revisions(session: Session) -> frozenset[str]:
    """The revisions that the store is at."""
    return frozenset(MigrationContext.configure(session.connection()).get_current_heads())


def is_newer(now: frozenset[str]) -> bool:
    """Tell whether a newer program has been at the tables that are at these revisions."""
    return not now <= known_revisions()


@cache
def known_heads() -> frozenset[str]:
    """The newest revisions that this program knows: one."""
    return frozenset(_scripts().get_heads())


@cache
def known_revisions() -> frozenset[str]:
    """All revisions that this program knows."""
    return frozenset(script.revision for script in _scripts().walk_revisions())


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(migration_config("sqlite://"))


def examine_worker(session: Session) -> Iterator[Finding]:
    """Judge whether a worker lives, by when each of its ticks last succeeded."""
    if revisions(session) != known_heads():
        return
    cure = "Start one: postroom worker (or postroom run), and look at its log."
    known = ticks.ages(session)
    if not known:
        yield warn("worker", "none has ever run", cure)
    for tick in known:
        found = f"succeeded {tick.age.total_seconds():.0f} s ago"
        name = f"worker: {tick.name}"
        yield warn(name, found, cure) if tick.late else ok(name, found)


def examine_writing(stores: Stores) -> Finding:
    """Write something and take it back."""
    try:
        with stores.sessions() as session:
            session.execute(sa.text("CREATE TABLE doctor_was_here (n INTEGER)"))
            session.execute(sa.text("INSERT INTO doctor_was_here VALUES (1)"))  # and never committed
    except SQLAlchemyError as error:
        return _locked(stores) or bad("database: writeable", said(error), WRITING)
    return ok("database: writeable", "yes")


def _locked(stores: Stores) -> Finding | None:
    """On SQLite one process may keep all others from writing, for as long as it is stopped."""
    database = stores.engine.url.database
    if stores.engine.dialect.name != "sqlite" or not database:
        return None
    pid = holder(Path(database))
    if pid is None:
        return None
    check, found = "database: writeable", f"{describe(pid)} keeps everybody else from writing"
    if not is_stopped(pid):
        return warn(check, found, "Wait until it is done, or end it.")
    cure = f"kill -CONT {pid} lets it go on; kill -9 {pid} ends it, and its journal says what it had begun."
    return bad(check, f"{found}: it is stopped", cure)


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def said(error: SQLAlchemyError) -> str:
    """Give the driver's words, without the statement."""
    return " ".join(str(getattr(error, "orig", None) or error).split())[:300]
