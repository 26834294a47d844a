"""lanes start with caps, limit what is under way at once, and remember refusals that tell nothing

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

from campaigns.model.base import Json, Moment, Ref

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    most = "mails under way at once, 0: no limit; null: nobody set any"
    starts = "where nobody set any, the caps hold that a lane starts with (delivery/lanes)"
    columns: list[sa.Column[bool] | sa.Column[int]] = [
        sa.Column("connections", sa.Integer(), comment=most),
        sa.Column("starts", sa.Boolean(), server_default="0", nullable=False, comment=starts),
    ]
    for column in columns:
        op.add_column("lanes", column)
    _comment("the cap that a person set, 0: no cap; null: nobody set any")
    op.create_table(
        "lane_refusals",
        sa.Column("run_id", Ref, autoincrement=False, nullable=False),
        sa.Column("account", sa.String(length=60), nullable=False),
        sa.Column("lane", sa.String(length=20), nullable=False),
        sa.Column(
            "words",
            sa.String(length=200),
            nullable=False,
            comment="what was said, without addresses and numbers",
        ),
        sa.Column("at", Moment(), nullable=False, comment="when it was said last"),
        sa.Column(
            "seqs", Json, nullable=False, comment="of the messages that were told so; a few are enough"
        ),
        sa.PrimaryKeyConstraint("run_id", "account", "lane", "words", name=op.f("pk_lane_refusals")),
        comment="refusals that tell nothing, where nothing was taken; kept a day; writer: records/lanes",
    )


def downgrade() -> None:
    op.execute("UPDATE lanes SET per_minute = NULL WHERE per_minute = 0")  # older releases divide by it
    op.drop_table("lane_refusals")
    _comment("the cap that a person set; null: none")
    for name in ("starts", "connections"):
        op.drop_column("lanes", name)


def _comment(words: str) -> None:
    if op.get_bind().dialect.name == "postgresql":  # SQLite keeps no comments
        op.alter_column("lanes", "per_minute", existing_type=sa.Float(), comment=words)
