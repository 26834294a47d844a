"""Settings become an engine, sessions and backends; nothing else makes them."""

import fcntl
import gc
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session, sessionmaker

from campaigns import logs, metrics
from campaigns.clock import utc_now
from campaigns.config import Settings
from campaigns.delivery.accounts import read_accounts
from campaigns.delivery.backend import Backend, open_account, open_backend
from campaigns.delivery.dkim_keys import Vault
from campaigns.delivery.journal import Journal, new_owner
from campaigns.delivery.routes import Routing, plain
from campaigns.flows.attending import Attendance
from campaigns.flows.sending import Postbox
from campaigns.mailing import Identities, Signing
from campaigns.records.serving import Alive
from campaigns.tracking.tokens import Keyring
from campaigns.values import MAIN, Account

MIGRATIONS = Path(__file__).parent / "migrations"
#: What every SQLite connection is told. FULL: a power cut cannot undo a claim that mail has followed.
#: Pages of 8 KiB take an eighth off the CPU time of merging a large import; a file keeps the size that it was
#: made with.
PRAGMAS = {
    "page_size": "8192",
    "journal_mode": "WAL",
    "synchronous": "FULL",
    "foreign_keys": "ON",
    "busy_timeout": "15000",
    "temp_store": "MEMORY",
    "cache_size": "-65536",
    "mmap_size": "268435456",
}


#: Counts of new objects, and of younger rounds, between the rounds of a sender's garbage collector.
SELDOM = (50_000, 20, 50)


#: What every PostgreSQL connection asks for. A commit that was answered must outlive the server: mail follows
#: claims. A process that is frozen within a transaction must not hold its locks for ever.
POSTGRES = """SELECT set_config('idle_in_transaction_session_timeout', '2min', false),
    CASE current_setting('synchronous_commit') WHEN 'off'
    THEN set_config('synchronous_commit', 'on', false) END"""


#: How soon a connection to a database that vanished is given up, instead of after hours: what was to be
#: written is tried again on a new one. The URL may say otherwise.
VANISHED = {
    "connect_timeout": "10",
    "keepalives_idle": "20",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "50000",
}


@dataclass(frozen=True, slots=True)
class Stores:
    """The store's doors: `sessions` to write, `readers` to read without holding up a writer."""

    engine: Engine
    sessions: sessionmaker[Session]
    readers: sessionmaker[Session]


def enter(settings: Settings, door: str) -> None:
    """Let this process log and count by its door's name; called once, before it does anything."""
    logs.configure(door=door)
    logs.name_addresses_by(settings.secret)
    metrics.keep(settings.data, door)


def open_stores(database_url: str, **pragmas: str) -> Stores:
    """Open the store; nothing is created or migrated (see `migrate`).

    `pragmas` are what SQLite is told otherwise than PRAGMAS say.
    """
    engine = open_engine(database_url, **pragmas)
    reading = engine.execution_options(reading=True)
    return Stores(
        engine=engine,
        sessions=sessionmaker(engine, expire_on_commit=False),
        readers=sessionmaker(reading, expire_on_commit=False),
    )


def open_engine(database_url: str, **pragmas: str) -> Engine:
    """Make the engine for a URL; PostgreSQL always by psycopg 3."""
    url = sa.make_url(database_url)
    if url.get_backend_name() == "postgresql":
        driven = url.set(drivername="postgresql+psycopg")
        given = {name: value for name, value in VANISHED.items() if name not in url.query}
        engine = sa.create_engine(driven, pool_pre_ping=True, hide_parameters=True, connect_args=given)
        event.listen(engine, "connect", _prepare_postgres)
        return engine
    engine = sa.create_engine(url, connect_args={"check_same_thread": False}, hide_parameters=True)
    event.listen(engine, "connect", partial(_prepare_sqlite, PRAGMAS | pragmas))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_postgres(connection: Any, _record: object) -> None:
    connection.autocommit = True
    connection.execute(POSTGRES)
    connection.autocommit = False


def _prepare_sqlite(pragmas: Mapping[str, str], connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by its own rules
    cursor = connection.cursor()
    for name, value in pragmas.items():
        cursor.execute(f"PRAGMA {name}={value}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at once in a writing transaction, so that it cannot fail half-way."""
    options = connection.get_execution_options()
    plain = ("BEGIN",) if options.get("reading", False) else ("BEGIN IMMEDIATE",)
    for statement in options.get("begin_by", plain):
        connection.exec_driver_sql(statement)


def routing_of(settings: Settings, env: Mapping[str, str] = os.environ) -> Routing:
    """The accounts and routes of this installation; without an accounts file the SMTP account takes all.

    Raises:
        BadSettings: with all that does not hold in the accounts file.
    """
    if settings.accounts_file is not None:
        return read_accounts(settings.accounts_file, env)
    return plain(Account(MAIN, "smtp", {"url": settings.smtp_url}, settings.rate))


def attendance(
    settings: Settings, stores: Stores, routing: Routing, door: str, account: str = ""
) -> Attendance:
    """Let this process be known to live; one that forks calls it in each child."""
    return Attendance(stores.sessions, Alive(new_owner(), door, account, routing.digest(settings.secret)))


def open_backend_of(settings: Settings, account: Account) -> Backend:
    """Make an account's backend; nothing is connected before the first mail.

    Raises:
        BadSettings: it does not hold what its kind needs.
    """
    limits = {"connections": settings.smtp_connections, "per_connection": settings.smtp_per_connection}
    if settings.accounts_file is None:
        return open_backend(settings.smtp_url, **limits, cafile=settings.smtp_cafile)
    return open_account(account, **limits, cafile=settings.smtp_cafile)


def open_postbox(
    settings: Settings, stores: Stores, stopped: Callable[[], bool], account: Account | None = None
) -> Postbox:
    """Make what one sender process works with; a process that forks calls it in each child.

    The process's garbage collector is told to look up seldom: sending makes much that lives for a chunk.

    Raises:
        OSError: the journal cannot be made; without it nothing may be sent.
    """
    gc.freeze()
    gc.set_threshold(*SELDOM)
    account = account or routing_of(settings).accounts[MAIN]
    backend = open_backend_of(settings, account)
    is_signed = backend.capabilities.own_signature  # who writes a mail anew has no use for our signature
    return Postbox(
        sessions=stores.sessions,
        readers=stores.readers,
        backend=backend,
        signing=Signing(Keyring(settings.secret), settings.public_url, settings.tracking),
        secret=settings.secret,
        journal=Journal(settings.journals, new_owner(), settings.journal_sync),
        clock=utc_now,
        identities=Identities(Vault(settings.secret)) if is_signed else None,
        stopped=stopped,
        account=account.name,
        rate=account.rate,
    )


def migrate(database_url: str, revision: str = "head") -> None:
    """Bring the store's tables to a revision; safe to call at every start, on many machines at once."""
    with _one_at_a_time(database_url):
        command.upgrade(migration_config(database_url), revision)


@contextmanager
def _one_at_a_time(database_url: str) -> Iterator[None]:
    """Wait until nobody else migrates this store."""
    url = sa.make_url(database_url)
    if url.get_backend_name() == "sqlite":
        folder = os.open(Path(url.database or "").absolute().parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)
        return
    engine = open_engine(database_url)
    try:
        with engine.begin() as connection:
            # this connection is idle for as long as the longest migration takes
            connection.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended('migrate', 0))"))
            yield
    finally:
        engine.dispose()


def migration_config(database_url: str) -> Config:
    """Give alembic its settings without a file of its own."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["database_url"] = database_url
    return config
