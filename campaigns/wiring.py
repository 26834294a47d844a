"""Settings become an engine, sessions and backends; nothing else makes them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session, sessionmaker

MIGRATIONS = Path(__file__).parent / "migrations"
#: What every SQLite connection is told. FULL: a power cut cannot undo a claim that mail has followed.
PRAGMAS = {
    "journal_mode": "WAL",
    "synchronous": "FULL",
    "foreign_keys": "ON",
    "busy_timeout": "15000",
    "temp_store": "MEMORY",
    "cache_size": "-65536",
    "mmap_size": "268435456",
}


@dataclass(frozen=True, slots=True)
class Stores:
    """The store's doors: `sessions` to write, `readers` to read without holding up a writer."""

    engine: Engine
    sessions: sessionmaker[Session]
    readers: sessionmaker[Session]


def open_stores(database_url: str) -> Stores:
    """Open the store; nothing is created or migrated (see `migrate`)."""
    engine = open_engine(database_url)
    reading = engine.execution_options(reading=True)
    return Stores(
        engine=engine,
        sessions=sessionmaker(engine, expire_on_commit=False),
        readers=sessionmaker(reading, expire_on_commit=False),
    )


def open_engine(database_url: str) -> Engine:
    """Make the engine for a URL; PostgreSQL always by psycopg 3."""
    url = sa.make_url(database_url)
    if url.get_backend_name() == "postgresql":
        return sa.create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    engine = sa.create_engine(url, connect_args={"check_same_thread": False})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by its own rules
    cursor = connection.cursor()
    for name, value in PRAGMAS.items():
        cursor.execute(f"PRAGMA {name}={value}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at once in a writing transaction, so that it cannot fail half-way."""
    options = connection.get_execution_options()
    plain = ("BEGIN",) if options.get("reading", False) else ("BEGIN IMMEDIATE",)
    for statement in options.get("begin_by", plain):
        connection.exec_driver_sql(statement)


def migrate(database_url: str, revision: str = "head") -> None:
    """Bring the store's tables to a revision; safe to call at every start."""
    command.upgrade(migration_config(database_url), revision)


def migration_config(database_url: str) -> Config:
    """Give alembic its settings without a file of its own."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["database_url"] = database_url
    return config
