"""the words that are a no are found by an index of their own

Revision ID: 0021
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    no = sa.text("state = 'withdrawn'")
    op.create_index(
        "ix_consents_withdrawn",
        "consents",
        ["topic_id", "contact_id"],
        sqlite_where=no,
        postgresql_where=no,
    )


def downgrade() -> None:
    op.drop_index("ix_consents_withdrawn", table_name="consents")
