"""keys that sign for a domain

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op
from campaigns.model.base import Moment

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dkim_keys",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("domain", sa.String(length=253), nullable=False, comment="as A-labels, in small letters"),
        sa.Column("selector", sa.String(length=63), nullable=False),
        sa.Column("algorithm", sa.String(length=10), nullable=False, comment="rsa or ed25519"),
        sa.Column("public", sa.Text(), nullable=False, comment="as its DNS record carries it"),
        sa.Column(
            "sealed",
            sa.LargeBinary(),
            nullable=False,
            comment="the private key, encrypted by the installation's secret; empty once it is retired",
        ),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column(
            "active_from", Moment(), comment="null: its DNS record was not seen yet; it does not sign"
        ),
        sa.Column("retired_at", Moment(), comment="null: it is not retired"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dkim_keys")),
        comment="writer: records/dkim_keys",
    )
    op.create_index("uq_dkim_keys_domain_selector", "dkim_keys", ["domain", "selector"], unique=True)


def downgrade() -> None:
    op.drop_index("uq_dkim_keys_domain_selector", table_name="dkim_keys")
    op.drop_table("dkim_keys")
