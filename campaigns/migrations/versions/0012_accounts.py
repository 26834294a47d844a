"""several accounts, each with a queue of its own

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

from campaigns.model.base import Moment

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

BY_LANE = "ix_chunks_state_lane_run_id_number"
BY_ACCOUNT = "ix_chunks_state_account_lane_run_id_number"
DUE = "ix_chunks_run_id_state_account_not_before_number"


def upgrade() -> None:
    op.add_column(
        "chunks",
        sa.Column(
            "account",
            sa.String(length=60),
            server_default="main",
            nullable=False,
            comment="whose queue it waits in; writer: records/routes",
        ),
    )
    op.drop_index(BY_LANE, table_name="chunks")
    op.create_index(BY_ACCOUNT, "chunks", ["state", "account", "lane", "run_id", "number"])
    op.create_index(DUE, "chunks", ["run_id", "state", "account", "not_before", "number"])
    _accounts()
    _account_uses()


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("name", sa.String(length=60), nullable=False, comment="as the accounts file names it"),
        sa.Column(
            "failing_since", Moment(), comment="first failure after which nothing went out; null: it works"
        ),
        sa.Column(
            "failures", sa.Integer(), server_default="0", nullable=False, comment="in a row, since then"
        ),
        sa.Column(
            "busy",
            sa.Boolean(),
            server_default="0",
            nullable=False,
            comment="it asked to be left alone",
        ),
        sa.Column("closed_until", Moment(), comment="nothing is claimed for it before; null: open"),
        sa.Column(
            "probed_at", Moment(), comment="when a try succeeded after the last failure; null: none did"
        ),
        sa.Column(
            "sample", sa.Text(), server_default="", nullable=False, comment="what the other side said last"
        ),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_accounts")),
        comment="how each account is, where it ever was not well; writer: records/accounts",
    )


def _account_uses() -> None:
    op.create_table(
        "account_uses",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account", sa.String(length=60), nullable=False),
        sa.Column("at", Moment(), nullable=False, comment="when a chunk was settled"),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("deferred", sa.Integer(), nullable=False),
        sa.Column("unknown", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_uses")),
        comment="what each account sent lately, a row a chunk; kept two days; writer: records/accounts",
    )
    op.create_index("ix_account_uses_account_at", "account_uses", ["account", "at"])
    op.create_index("ix_account_uses_at", "account_uses", ["at"])


def downgrade() -> None:
    op.drop_table("account_uses")
    op.drop_table("accounts")
    op.drop_index(DUE, table_name="chunks")
    op.drop_index(BY_ACCOUNT, table_name="chunks")
    op.drop_column("chunks", "account")
    op.create_index(BY_LANE, "chunks", ["state", "lane", "run_id", "number"])
