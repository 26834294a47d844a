"""webhooks

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op
from campaigns.model.base import Moment

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "webhook_calls",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False, comment="of the account: ses, postmark …"),
        sa.Column("at", Moment(), nullable=False, comment="when it came"),
        sa.Column(
            "name",
            sa.String(length=32),
            nullable=False,
            comment="digest of what names this call: a repeat has the same",
        ),
        sa.Column(
            "digest",
            sa.String(length=32),
            nullable=False,
            comment="of the body: a replay of a name has another",
        ),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="as it came; foreign"),
        sa.Column("state", sa.String(length=10), nullable=False, comment="waiting, read or unreadable"),
        sa.Column("due_at", Moment(), nullable=False, comment="of one that waits: not before"),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("problem", sa.Text(), comment="null: none; why it is unreadable, or waits longer"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_calls")),
        comment="stored before they are answered; writer: records/webhooks",
    )
    op.create_index("uq_webhook_calls_account_name", "webhook_calls", ["account", "name"], unique=True)
    op.create_index("ix_webhook_calls_state_due_at", "webhook_calls", ["state", "due_at"])
    op.create_index("ix_webhook_calls_at", "webhook_calls", ["at"])
    op.create_table(
        "webhook_events",
        sa.Column(
            "key",
            sa.String(length=32),
            nullable=False,
            comment="digest of account and the provider's event id",
        ),
        sa.Column("call_id", sa.BigInteger(), nullable=False, comment="the call that brought it first"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_webhook_events")),
        comment="events that were taken: the same again changes nothing; writer: records/webhooks",
    )
    op.create_index("ix_webhook_events_call_id", "webhook_events", ["call_id"])
    op.create_table(
        "webhook_counts",
        sa.Column("day", sa.String(length=10), nullable=False, comment="UTC date"),
        sa.Column("account", sa.String(length=60), nullable=False),
        sa.Column(
            "what",
            sa.String(length=20),
            nullable=False,
            comment="call, refused, or what became of an event",
        ),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("day", "account", "what", name=op.f("pk_webhook_counts")),
        comment="writer: records/webhooks",
    )


def downgrade() -> None:
    op.drop_table("webhook_counts")
    op.drop_table("webhook_events")
    op.drop_table("webhook_calls")
