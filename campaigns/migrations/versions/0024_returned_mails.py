"""bounces as they came, to be read again when the rules improve

Revision ID: 0024
Revises: 0023
"""

import sqlalchemy as sa
from alembic import op

from campaigns.model.base import Id, Moment, Ref

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    what = "bounces as they came, for better rules to read; kept 30 days; writer: records/returned_mails"
    op.create_table(
        "returned_mails",
        sa.Column("id", Id, nullable=False),
        sa.Column("digest", sa.String(length=24), nullable=False, comment="of the mail, as its event's"),
        sa.Column("at", Moment(), nullable=False, comment="when it came"),
        sa.Column("contact_id", Ref, nullable=False),
        sa.Column("run_id", Ref, nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("sort", sa.String(length=30), nullable=False, comment="the class that it was taken for"),
        sa.Column("hard", sa.Boolean(), nullable=False),
        sa.Column("rules", sa.Integer(), nullable=False, comment="version of the rules that said so"),
        sa.Column("raw", sa.LargeBinary(), nullable=False, comment="its beginning, compressed; foreign"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_returned_mails")),
        comment=what,
    )
    op.create_index("uq_returned_mails_digest", "returned_mails", ["digest"], unique=True)
    op.create_index("ix_returned_mails_at", "returned_mails", ["at"])
    op.create_index("ix_returned_mails_contact_id", "returned_mails", ["contact_id"])


def downgrade() -> None:
    op.drop_table("returned_mails")
