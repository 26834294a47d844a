"""The few expressions that SQLite and PostgreSQL write differently in the statements of an import."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.base import to_microseconds
from campaigns.model.dialect import is_postgres
from campaigns.records.imports import Import


@dataclass(frozen=True, slots=True)
class Dialect:
    """Turns staged values into what the store's columns hold, in SQL."""

    postgres: bool

    def moment(self, micros: str) -> str:
        """A moment, staged as microseconds since 1970."""
        if self.postgres:
            return f"(timestamptz 'epoch' + {micros} * interval '1 microsecond')"
        return micros

    def literal(self, at: datetime) -> str:
        """A moment known beforehand."""
        return f"timestamptz '{at.isoformat()}'" if self.postgres else str(to_microseconds(at))

    def hash(self, row: str) -> str:
        """The keyed hash of a staged row's address: staged in hex for PostgreSQL, made here on SQLite."""
        return f"decode({row}.email_hash, 'hex')" if self.postgres else f"address_hash({row}.email)"

    def profile(self, field: str, staged: str) -> str:
        """A column of the contact."""
        return f"{staged}::date" if self.postgres and field == "birthday" else staged

    def json(self, text: str) -> str:
        """Text as JSON."""
        return f"({text})::jsonb" if self.postgres else text

    def merged(self, old: str, new: str) -> str:
        """A JSON object with the keys of another laid over it."""
        return f"({old} || ({new})::jsonb)" if self.postgres else f"json_patch({old}, {new})"

    def differ(self, old: str, new: str) -> str:
        """Whether laying one JSON object over another changes it."""
        plain = f"({old})" if self.postgres else f"json({old})"
        return f"{self.merged(old, new)} <> {plain}"

    def each(self, objects: str) -> str:
        """The entries of a JSON object, as a table `e`; see `value`."""
        return (
            f"jsonb_each(({objects})::jsonb) AS e(key, value)"
            if self.postgres
            else f"json_each({objects}) AS e"
        )

    def value(self, alias: str) -> str:
        """The value of an entry as the store keeps JSON."""
        if self.postgres:
            return f"{alias}.value"
        # json_each gives SQL values; the store keeps JSON text
        return (
            f"CASE {alias}.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false'"
            f" WHEN 'array' THEN {alias}.value ELSE json_quote({alias}.value) END"
        )

    def entry(self, objects: str, key: str) -> str:
        """The JSON under a key of an object; null if there is none."""
        if self.postgres:
            return f"({objects} -> {key})"
        return f"(SELECT {self.value('o')} FROM json_each({objects}) AS o WHERE o.key = {key})"

    def items(self, lists: str) -> str:
        """The texts of a JSON list, as a table `i` with `value`."""
        if self.postgres:
            return f"jsonb_array_elements_text(({lists})::jsonb) AS i(value)"
        return f"json_each({lists}) AS i"

    def temporary(self, name: str, columns: str) -> list[str]:
        """Make a table for this transaction alone."""
        if self.postgres:
            return [f"CREATE TEMP TABLE IF NOT EXISTS {name} ({columns}) ON COMMIT DROP", f"TRUNCATE {name}"]
        return [f"CREATE TEMP TABLE IF NOT EXISTS {name} ({columns})", f"DELETE FROM {name}"]


def hash_in_sql(session: Session, hash_address: Callable[[str], bytes]) -> bool:
    """Let statements call `address_hash` where the database is in this process; say whether they can.

    It is called while the next part is read by another process, whose time is the dearer.
    """
    if is_postgres(session):
        return False
    driver = session.connection().connection.driver_connection
    assert driver is not None

    def hash_any(address: str | None) -> bytes | None:
        return None if address is None else hash_address(address)

    driver.create_function("address_hash", 1, hash_any, deterministic=True)
    return True


class Statements:
    """Runs an import's statements in the caller's transaction; `:import` and `:actor` are known to each."""

    def __init__(self, session: Session, made_by: Import, **given: object) -> None:
        self.sql = Dialect(is_postgres(session))
        self.session = session
        # as text: it only ever stands within text, or where the database reads it as a number
        self._given = {"import": made_by.id, "actor": made_by.actor, **given}

    def run(self, statement: str, **given: object) -> int:
        """Run a statement; say how many rows it wrote."""
        count: int = self._execute(statement, given).rowcount
        return count

    def make_temporary(self, name: str, columns: str) -> None:
        """Make an empty table for this transaction alone."""
        for statement in self.sql.temporary(name, columns):
            self.run(statement)

    def clear(self, table: str) -> None:
        """Empty a temporary table; on PostgreSQL its deleted rows would be read over and over."""
        self.run(f"TRUNCATE {table}" if self.sql.postgres else f"DELETE FROM {table}")

    def rows(self, statement: str, **given: object) -> list[Any]:
        """Run a query and give its rows."""
        return list(self._execute(statement, given))

    def count(self, statement: str, **given: object) -> int:
        """Run a query of one number."""
        found: int = self._execute(statement, given).scalar_one()
        return found

    def _execute(self, statement: str, given: dict[str, object]) -> Any:
        text = sa.text(statement)
        known = {**self._given, **given}
        return self.session.execute(text, {name: known[name] for name in text.compile().params})
