"""the counts of large and of old runs are kept

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op
from campaigns.model.base import Json
from campaigns.model.base import Moment

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "run_figures",
        sa.Column("run_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", Moment(), nullable=False, comment="when it was counted"),
        sa.Column(
            "news",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="how often something new was heard; of run 0: newest event of the last look",
        ),
        sa.Column(
            "counted",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="how much of the news was counted; of run 0: events read up to here",
        ),
        sa.Column(
            "final",
            sa.Boolean(),
            server_default="0",
            nullable=False,
            comment="its events may be gone; never changed",
        ),
        sa.Column("figures", Json, nullable=False, comment="all that a report counts"),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run_figures")),
        comment="projection of messages and events for large and for old runs; writer: records/reports/counts",
    )


def downgrade() -> None:
    op.drop_table("run_figures")
