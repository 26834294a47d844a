"""on PostgreSQL a sent mail changes its rows in place: pages leave room for all of them

Revision ID: 0026
Revises: 0025
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _fill(50, "SET (fillfactor = 50)")


def downgrade() -> None:
    _fill(60, "RESET (fillfactor)")


def _fill(messages: int, activity: str) -> None:
    """Say to how many percent new pages are filled; those that are there stay as they are."""
    if op.get_bind().dialect.name != "postgresql":
        return
    leaves = sa.text("SELECT relid::regclass::text FROM pg_partition_tree('messages') WHERE isleaf")
    for name in op.get_bind().scalars(leaves).all():
        op.execute(f"ALTER TABLE {name} SET (fillfactor = {messages})")
    op.execute(f"ALTER TABLE activity {activity}")
