"""What the database's planner lives on: fresh statistics, and indexes on the attributes that rules ask."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.errors import NotFound
from campaigns.model import commerce, consent, customers, events, surveys
from campaigns.model.customers import attribute_definitions
from campaigns.model.dialect import is_postgres
from campaigns.segments.compile.dialect import speech_of
from campaigns.segments.compile.rows import TABLES, indexed
from campaigns.segments.fields import FieldType, known_fields

#: Tables that segments ask; others are found by their keys.
ASKED = (
    customers.contacts, customers.customers, customers.activity, customers.roles, events.events,
    commerce.orders, commerce.order_lines, consent.consents, surveys.responses, surveys.answers,
)  # fmt: skip
ROWS_READ = 1000  #: of each index, by SQLite: enough to tell a rare value from a common one


def analyze(session: Session) -> None:
    """Refresh the statistics; call it after an import, a purge, or anything else that moved many rows.

    Without them SQLite has been seen to take 5.5 s for a question that takes it 5 ms with them.
    """
    connection = session.connection()
    if is_postgres(session):
        connection.exec_driver_sql("ANALYZE " + ", ".join(table.name for table in ASKED))
        return
    connection.exec_driver_sql(f"PRAGMA analysis_limit = {ROWS_READ}")
    for table in ASKED:
        connection.exec_driver_sql(f"ANALYZE {table.name}")
    # a change of schema makes every other open connection read the new statistics
    connection.exec_driver_sql("CREATE TABLE statistics_changed (id INTEGER)")
    connection.exec_driver_sql("DROP TABLE statistics_changed")


def ensure_index(session: Session, entity: str, key: str) -> bool:
    """Make the index on an attribute, unless it is there; False if none would help (lists, yes and no).

    Writers of the table wait until it is made and the transaction has ended.

    Raises:
        NotFound: no such attribute is defined, or its key cannot be asked by rules.
    """
    row = session.execute(
        sa.select(attribute_definitions.c.id, attribute_definitions.c.type).where(
            attribute_definitions.c.entity == entity, attribute_definitions.c.key == key
        )
    ).one_or_none()
    known = known_fields({(entity, key): FieldType(row.type)}) if row else {}
    field = known.get(f"{entity}.attributes.{key}")
    if row is None or field is None:
        raise NotFound(f"There is no attribute {key!r} of a {entity} that rules can ask.")
    dialect = session.get_bind().dialect
    stored = indexed(field, speech_of(dialect.name))
    if stored is None or stored.right is None:
        return False
    value, right = (_written(part, dialect) for part in (stored.value, stored.right))
    # a hash has no limit to the length of a text, and rules ask texts for equality alone
    method = "USING hash " if is_postgres(session) and field.type is FieldType.TEXT else ""
    name = f"ix_{TABLES[entity].name}_attribute_{row.id}"
    session.connection().exec_driver_sql(
        f"CREATE INDEX IF NOT EXISTS {name} ON {TABLES[entity].name} {method}(({value})) WHERE {right}"
    )
    return True


def _written(expression: sa.ColumnElement[Any], dialect: sa.Dialect) -> str:
    """Write an expression as an index wants it: without the name of its table."""
    return str(
        expression.compile(dialect=dialect, compile_kwargs={"literal_binds": True, "include_table": False})
    )
