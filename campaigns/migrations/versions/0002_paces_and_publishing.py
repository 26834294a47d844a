"""paces shared by all senders, and what of the queue stands in a broker

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from campaigns.model.base import Moment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "paces",
        sa.Column("name", sa.String(length=200), nullable=False, comment="an account whose limit all senders share"),
        sa.Column(
            "free_at", Moment(), nullable=False, comment="by the database's clock: what is reserved ends here"
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_paces")),
        comment="how fast each account is used (GCRA); writer: records/pace",
    )
    op.add_column(
        "chunks",
        sa.Column(
            "published_until",
            Moment(),
            nullable=True,
            comment="by the database's clock: a broker holds its number till then; null: none does",
        ),
    )


def downgrade() -> None:
    op.drop_column("chunks", "published_until")
    op.drop_table("paces")
