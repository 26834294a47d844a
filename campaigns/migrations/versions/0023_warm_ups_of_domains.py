"""sending domains are warmed up lane by lane

Revision ID: 0023
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "domain_warm_ups",
        sa.Column(
            "account", sa.String(length=60), nullable=False, comment="'*': all that say nothing themselves"
        ),
        sa.Column("domain", sa.String(length=255), nullable=False, comment="of senders' addresses"),
        sa.Column("base", sa.Integer(), nullable=False, comment="mails to a lane on the first day"),
        sa.Column("growth", sa.Float(), nullable=False, comment="from day to day"),
        sa.Column("target", sa.Integer(), nullable=False, comment="mails to a lane a day at its end"),
        sa.PrimaryKeyConstraint("account", "domain", name=op.f("pk_domain_warm_ups")),
        comment="sending domains that are new, and how they are warmed up; writer: records/lanes",
    )
    op.create_table(
        "domain_lanes",
        sa.Column("account", sa.String(length=60), nullable=False),
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("lane", sa.String(length=20), nullable=False),
        _count("day", "of the plan, from 0"),
        sa.Column(
            "date", sa.String(length=10), nullable=False, comment="UTC date of `day`, and of the figures"
        ),
        sa.Column("word", sa.Text(), server_default="", nullable=False, comment="what the last day led to"),
        _count("taken", "of the day's cap, by claims"),
        _date("taken_on", "UTC date of `taken`"),
        _count("sent"),
        _count("deferred", "attempts"),
        _count("hard", "dead addresses"),
        _date("sent_on", "UTC date of the last one sent"),
        sa.PrimaryKeyConstraint("account", "domain", "lane", name=op.f("pk_domain_lanes")),
        comment="where the warm-up of a sending domain stands in each lane; writer: records/lanes",
    )


def downgrade() -> None:
    op.drop_table("domain_lanes")
    op.drop_table("domain_warm_ups")


def _count(name: str, comment: str | None = None) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), server_default="0", nullable=False, comment=comment)


def _date(name: str, comment: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=10), server_default="", nullable=False, comment=comment)
