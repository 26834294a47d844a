"""A first load into a store that is as good as empty: indexes and foreign keys at the end.

An index built once over a full table costs half of one that grows row by row at random, and PostgreSQL
checks a foreign key row by row with a locking query each. All of it is one transaction, so a killed load
leaves the store as it was, indexes and all.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from campaigns.model.dialect import is_postgres

SORT_KIB = 8_192  #: SQLite sorts so much at once: what fits the processor's cache is a fifth quicker
SORTERS = 2  #: threads that sort for SQLite while it reads on
LEAST_ROWS = 20_000  #: fewer are quicker done the plain way
PATIENCE = "2s"  #: how long others may hold the tables before the plain way is taken
_TABLES = ("contacts", "customers", "consents")
_INDEXES = sa.text(
    "SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition"
    " FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace"
    " WHERE n.nspname = current_schema() AND t.relname = ANY(:tables) AND NOT i.indisunique"
    " ORDER BY 1"
)
#: On SQLite those that grow at random. The others grow at their end, or at a few places that stay in memory,
#: while the next parts are read: at the end of the load nothing else would be done meanwhile.
_SQLITE_INDEXES = sa.text(
    "SELECT name, sql AS definition FROM sqlite_schema WHERE type = 'index' AND sql LIKE 'CREATE INDEX%'"
    " AND tbl_name IN ('contacts', 'customers') AND name NOT IN ('ix_contacts_customer_id',"
    " 'ix_customers_owner_id', 'ix_contacts_country_city', 'ix_contacts_tracking') ORDER BY name"
)
_KEYS = sa.text(
    "SELECT c.conrelid::regclass::text AS owner, c.conname AS name, pg_get_constraintdef(c.oid) AS definition"
    " FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid"
    " JOIN pg_namespace n ON n.oid = t.relnamespace"
    " WHERE n.nspname = current_schema() AND t.relname = ANY(:tables) AND c.contype = 'f'"
    " ORDER BY 1, 2"
)


class Later:
    """What is still to be built, by name; whoever needs some of it now says so."""

    def __init__(self, session: Session, statements: dict[str, str]) -> None:
        self._session = session
        self._statements = statements

    def need(self, name: str) -> None:
        """Build an index now, if it is not there."""
        if statement := self._statements.pop(name, None):
            self._session.connection().exec_driver_sql(statement)

    def build(self) -> None:
        """Build all the rest: foreign keys last, which ask the indexes."""
        if self._statements and not is_postgres(self._session):
            for setting in (f"cache_size = -{SORT_KIB}", f"threads = {SORTERS}"):
                self._session.connection().exec_driver_sql(f"PRAGMA {setting}")
        for name in list(self._statements):
            self.need(name)


@contextmanager
def first_load(session: Session, expected: int) -> Iterator[Later]:
    """Take the costs of indexes and foreign keys at the end, if the store is as good as empty."""
    plain = expected < LEAST_ROWS or _is_filled(session, expected // 10)
    later = Later(session, {} if plain else _lay_down(session))
    yield later
    later.build()


def _is_filled(session: Session, limit: int) -> bool:
    return any(
        session.execute(
            sa.text(f"SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT {limit + 1}) AS t")
        ).scalar_one()
        > limit
        for table in _TABLES
    )


def _lay_down(session: Session) -> dict[str, str]:
    """Drop what can be built later; say how to build it. Nothing is, if others hold the tables."""
    given = {"tables": list(_TABLES)}
    postgres = is_postgres(session)
    indexes = (session.execute(_INDEXES, given) if postgres else session.execute(_SQLITE_INDEXES)).all()
    keys = session.execute(_KEYS, given).all() if postgres else []
    drop = [f'ALTER TABLE {key.owner} DROP CONSTRAINT "{key.name}"' for key in keys]
    drop += [f"DROP INDEX {index.name}" for index in indexes]
    if postgres:
        drop = [f"SET LOCAL lock_timeout = '{PATIENCE}'", *drop, "SET LOCAL lock_timeout = DEFAULT"]
    try:
        with session.begin_nested():
            for statement in drop:
                session.connection().exec_driver_sql(statement)
    except DBAPIError:  # somebody works there, or the tables are another's: then the plain way
        return {}
    cures = {str(index.name): str(index.definition) for index in indexes}
    for key in keys:
        cures[str(key.name)] = f'ALTER TABLE {key.owner} ADD CONSTRAINT "{key.name}" {key.definition}'
    return cures
