"""which processes live, what each serves, and by which accounts file

Revision ID: 0022
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

from campaigns.model.base import Moment

revision = "0022"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    account = "that a sender serves; empty: none"
    routing = "names what the accounts file said when it started; a keyed hash"
    op.create_table(
        "serving",
        sa.Column("process", sa.String(length=100), nullable=False, comment="its machine and number"),
        sa.Column("door", sa.String(length=20), nullable=False, comment="sender or worker"),
        sa.Column("account", sa.String(length=60), server_default="", nullable=False, comment=account),
        sa.Column("routing", sa.String(length=16), nullable=False, comment=routing),
        sa.Column("seen_at", Moment(), nullable=False, comment="by the database's clock"),
        sa.PrimaryKeyConstraint("process", name=op.f("pk_serving")),
        comment="which processes live; writer: records/serving",
    )


def downgrade() -> None:
    op.drop_table("serving")
