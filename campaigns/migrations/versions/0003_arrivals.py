"""that an import made a contact is told by the contact's row alone, no longer by an event beside it

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    change = "json_extract(detail, '$.change')"
    if op.get_bind().dialect.name == "postgresql":
        change = "detail ->> 'change'"
    op.execute(sa.text(f"DELETE FROM events WHERE kind = 'imported' AND {change} = 'new'"))


def downgrade() -> None:
    detail = '\'{"import": \' || import_id || \', "line": \' || import_line || \', "change": "new"}\''
    if op.get_bind().dialect.name == "postgresql":
        detail = f"({detail})::jsonb"
    op.execute(
        sa.text(
            "INSERT INTO events (at, kind, contact_id, customer_id, verdict, source, dedupe, detail)"
            " SELECT created_at, 'imported', id, customer_id, 'unknown', 'import',"
            f" 'import:' || import_id || ':' || id, {detail} FROM contacts"
            " WHERE import_id IS NOT NULL"
        )
    )
