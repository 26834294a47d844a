"""a recurring campaign may end for whoever replies

Revision ID: 0025
Revises: 0024
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column: sa.Column[bool] = sa.Column(
        "until_reply", sa.Boolean(), server_default="0", nullable=False, comment="a reply ends it for them"
    )
    op.add_column("campaigns", column)


def downgrade() -> None:
    op.drop_column("campaigns", "until_reply")
