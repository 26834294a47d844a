"""on PostgreSQL messages are divided by run and events by month; one index of messages less

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

EVENT_INDEXES = {
    "ix_events_contact_id_kind_at": ["contact_id", "kind", "at"],
    "ix_events_customer_id_at": ["customer_id", "at"],
    "ix_events_kind_at_contact_id_verdict": ["kind", "at", "contact_id", "verdict"],
    "ix_events_run_id_kind": ["run_id", "kind"],
}
CONSENTS = "ix_consents_topic_id_contact_id_at"


def upgrade() -> None:
    op.drop_index("ix_messages_contact_id", table_name="messages")
    op.drop_index("uq_messages_run_id_contact_id", table_name="messages")
    op.drop_index(CONSENTS, table_name="consents")
    op.create_index(f"{CONSENTS}_id", "consents", ["topic_id", "contact_id", "at", "id"])
    if op.get_bind().dialect.name == "postgresql":
        _divide()
    op.create_index("uq_messages_contact_id_run_id", "messages", ["contact_id", "run_id"], unique=True)


def downgrade() -> None:
    op.drop_index("uq_messages_contact_id_run_id", table_name="messages")
    if op.get_bind().dialect.name == "postgresql":
        _put_together()
    op.drop_index(f"{CONSENTS}_id", table_name="consents")
    op.create_index(CONSENTS, "consents", ["topic_id", "contact_id", "at"])
    op.create_index("uq_messages_run_id_contact_id", "messages", ["run_id", "contact_id"], unique=True)
    op.create_index("ix_messages_contact_id", "messages", ["contact_id"])


def _divide() -> None:
    """Put both tables' rows into partitioned ones, in the default partitions: those are made as time goes on."""
    op.create_table(
        "event_keys",
        sa.Column("dedupe", sa.String(length=120), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("dedupe", name=op.f("pk_event_keys")),
        comment="which events there are, over all months; writer: records/history",
    )
    op.create_index("ix_event_keys_at", "event_keys", ["at"], postgresql_using="brin")
    op.execute("INSERT INTO event_keys SELECT dedupe, id, at FROM events")
    op.drop_constraint("uq_events_dedupe", "events")
    _drop_event_indexes()
    _replace("messages", "PARTITION BY RANGE (run_id)", "run_id, seq", "WITH (fillfactor = 60)")
    _replace("events", "PARTITION BY RANGE (at)", "id, at", "")
    _make_event_indexes()
    _index_addresses()


def _put_together() -> None:
    _drop_event_indexes()
    _replace("messages", "", "run_id, seq", "")
    _replace("events", "", "id", "")
    op.create_unique_constraint("uq_events_dedupe", "events", ["dedupe"])
    _make_event_indexes()
    _index_addresses()
    op.drop_table("event_keys")


def _replace(table: str, divided: str, key: str, storage: str) -> None:
    """Make the table anew, divided or not, with all rows and their comments."""
    comment = op.get_bind().scalar(sa.text(f"SELECT obj_description('{table}'::regclass)"))
    op.execute(f"ALTER TABLE {table} RENAME TO {table}_before")
    op.execute(f"ALTER TABLE {table}_before DROP CONSTRAINT pk_{table} CASCADE")
    op.execute(f"DROP INDEX IF EXISTS uq_{table}_run_id_address")
    op.execute(f"CREATE TABLE {table} (LIKE {table}_before INCLUDING DEFAULTS INCLUDING COMMENTS) {divided}")
    if divided:
        op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT {storage}")
    if table == "events":
        op.execute("ALTER SEQUENCE events_id_seq OWNED BY events.id")
    op.execute(f"INSERT INTO {table} SELECT * FROM {table}_before")
    op.execute(f"DROP TABLE {table}_before")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT pk_{table} PRIMARY KEY ({key})")
    op.create_table_comment(table, comment) if comment else None


def _index_addresses() -> None:
    op.create_index("uq_messages_run_id_address", "messages", ["run_id", "address"], unique=True)


def _make_event_indexes() -> None:
    for name, columns in EVENT_INDEXES.items():
        op.create_index(name, "events", columns)


def _drop_event_indexes() -> None:
    for name in EVENT_INDEXES:
        op.drop_index(name, table_name="events")
