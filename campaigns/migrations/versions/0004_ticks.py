"""when each of the worker's ticks last succeeded

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from campaigns.model.base import Moment

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ticks",
        sa.Column("name", sa.String(length=30), nullable=False),
        sa.Column("every_seconds", sa.Float(), nullable=False, comment="how far apart they are meant to be"),
        sa.Column(
            "done_at", Moment(), nullable=False, comment="by the database's clock: when one last succeeded"
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_ticks")),
        comment="whether a worker lives; writer: records/ticks",
    )


def downgrade() -> None:
    op.drop_table("ticks")
