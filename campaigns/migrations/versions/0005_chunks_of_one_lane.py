"""chunks of one lane

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "chunks",
        sa.Column(
            "lane",
            sa.String(length=20),
            server_default="other",
            nullable=False,
            comment="the mailbox provider of all its messages",
        ),
    )


def downgrade() -> None:
    op.drop_column("chunks", "lane")
