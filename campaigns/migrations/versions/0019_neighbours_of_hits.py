"""what followed links is found by its address, and so are machines

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create("ix_hits_address_at", ["address", "at"], "judged IS {true} AND kind != 'open'")
    _create("ix_hits_of_machines", ["address"], "verdict = 'machine' AND kind = 'click'")


def downgrade() -> None:
    op.drop_index("ix_hits_of_machines", table_name="hits")
    op.drop_index("ix_hits_address_at", table_name="hits")


def _create(name: str, columns: list[str], where: str) -> None:
    op.create_index(
        name,
        "hits",
        columns,
        sqlite_where=sa.text(where.format(true="1")),
        postgresql_where=sa.text(where.format(true="true")),
        postgresql_ops={"address": "varchar_pattern_ops"},
    )
