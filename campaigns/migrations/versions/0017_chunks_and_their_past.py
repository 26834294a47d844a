"""chunks say what of their lane's budget they hold, when one of theirs was taken, how many were refused for us

Revision ID: 0017
Revises: 0016
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from campaigns.model.base import Moment

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    columns: list[sa.Column[Any]] = [
        sa.Column("granted", sa.Integer(), comment="of its lane's budget, while claimed; null: all may go"),
        sa.Column("taken_at", Moment(), comment="when a mail of it was last taken; null: none was"),
        sa.Column(
            "refused",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="for us, since one was taken",
        ),
    ]
    for column in columns:
        op.add_column("chunks", column)


def downgrade() -> None:
    for name in ("refused", "taken_at", "granted"):
        op.drop_column("chunks", name)
