"""lanes: domains' servers, budgets and days; windows and spreading; when a deferred message is tried again

Revision ID: 0013
Revises: 0012
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from campaigns.model.base import Json, Moment

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

BY_LANE = "ix_chunks_run_id_state_account_lane_not_before_number"
OF_CAMPAIGNS = ("spread_minutes", "window_from", "window_to", "window_days", "window_zone")


def upgrade() -> None:
    _campaigns()
    op.add_column(
        "messages",
        sa.Column("not_before", Moment(), comment="when it is tried again; null: it was not deferred"),
    )
    op.add_column(
        "chunks",
        sa.Column("zone", sa.String(length=64), comment="time zone of its recipients; null: the campaign's"),
    )
    op.create_index(BY_LANE, "chunks", ["run_id", "state", "account", "lane", "not_before", "number"])
    _domains()
    _lanes()
    _days()


def _campaigns() -> None:
    minutes = "minutes after midnight; null: at any hour"
    columns: list[sa.Column[Any]] = [
        sa.Column(
            "spread_minutes", sa.Integer(), comment="each recipient has a moment within it; null: not spread"
        ),
        sa.Column("window_from", sa.Integer(), comment=minutes),
        sa.Column("window_to", sa.Integer(), comment=minutes),
        sa.Column(
            "window_days",
            sa.String(length=7),
            server_default="1234567",
            nullable=False,
            comment="1 is Monday",
        ),
        sa.Column(
            "window_zone",
            sa.String(length=9),
            server_default="campaign",
            nullable=False,
            comment="or recipient",
        ),
    ]
    for column in columns:
        op.add_column("campaigns", column)


def _domains() -> None:
    op.create_table(
        "domains",
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("lane", sa.String(length=20), server_default="other", nullable=False),
        sa.Column(
            "mx", sa.Text(), server_default="", nullable=False, comment="names of its mail servers, best first"
        ),
        sa.Column(
            "state",
            sa.String(length=8),
            server_default="unasked",
            nullable=False,
            comment="unasked, taken, doubtful (missing once) or dead (takes no mail)",
        ),
        sa.Column(
            "failures",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="in a row, of whatever kind",
        ),
        sa.Column("checked_at", Moment(), comment="when it was last heard of; null: never"),
        sa.Column("ask_at", Moment(), comment="when to ask; null: not before a campaign wants it again"),
        sa.PrimaryKeyConstraint("domain", name=op.f("pk_domains")),
        comment="what the DNS says of recipients' domains; writer: records/domains",
    )
    op.create_index("ix_domains_ask_at", "domains", ["ask_at"])
    op.create_index("ix_domains_state_domain", "domains", ["state", "domain"])


def _lanes() -> None:
    op.create_table(
        "lanes",
        sa.Column(
            "account", sa.String(length=60), nullable=False, comment="'*': all that say nothing themselves"
        ),
        sa.Column("lane", sa.String(length=20), nullable=False),
        sa.Column("per_minute", sa.Float(), comment="the cap that a person set; null: none"),
        sa.Column("per_day", sa.Integer(), comment="the cap that a person set; null: none"),
        sa.Column("warm_base", sa.Integer(), comment="mails on a warm-up's first day; null: no warm-up"),
        sa.Column("warm_growth", sa.Float(), comment="from day to day; null: no warm-up"),
        sa.Column("warm_target", sa.Integer(), comment="mails a day at its end; null: no warm-up"),
        sa.Column(
            "warm_day", sa.Integer(), server_default="0", nullable=False, comment="of the plan, from 0"
        ),
        sa.Column(
            "warm_date",
            sa.String(length=10),
            server_default="",
            nullable=False,
            comment="UTC date of warm_day",
        ),
        sa.Column(
            "warm_word", sa.Text(), server_default="", nullable=False, comment="what the last day led to"
        ),
        sa.Column("rate", sa.Float(), comment="mails a minute by what servers said; null: the cap"),
        sa.Column("strikes", sa.Integer(), server_default="0", nullable=False, comment="signals in a row"),
        sa.Column("held_until", Moment(), comment="nothing goes before; null: nothing holds it"),
        sa.Column(
            "half_open", sa.Boolean(), server_default="0", nullable=False, comment="a few mails decide"
        ),
        sa.Column(
            "quiet_from", Moment(), comment="since when nothing speaks against us; null: it never did"
        ),
        sa.Column("slow", sa.Float(), comment="mails a minute at most for a while; null: no such rule holds"),
        sa.Column("slow_until", Moment(), comment="how long; null: no such rule holds"),
        sa.Column("open_at", Moment(), comment="when the next mails may be claimed; null: at once"),
        sa.Column(
            "rule", sa.Text(), server_default="", nullable=False, comment="what slowed or held it last"
        ),
        sa.Column("sample", sa.Text(), server_default="", nullable=False, comment="what a server said then"),
        sa.Column(
            "tallies", Json, server_default="{}", nullable=False, comment="matches of each rule lately"
        ),
        sa.Column(
            "day",
            sa.String(length=10),
            server_default="",
            nullable=False,
            comment="UTC date that `taken` is of",
        ),
        sa.Column(
            "taken", sa.Integer(), server_default="0", nullable=False, comment="of the day's cap, by claims"
        ),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("account", "lane", name=op.f("pk_lanes")),
        comment="how each lane is, where anything was ever set or said; writer: records/lanes",
    )


def _days() -> None:
    op.create_table(
        "lane_days",
        sa.Column("account", sa.String(length=60), nullable=False),
        sa.Column("lane", sa.String(length=20), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False, comment="UTC date"),
        sa.Column("sent", sa.Integer(), server_default="0", nullable=False),
        sa.Column("deferred", sa.Integer(), server_default="0", nullable=False, comment="attempts"),
        sa.Column("failed", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "hard", sa.Integer(), server_default="0", nullable=False, comment="of the failed, dead addresses"
        ),
        sa.PrimaryKeyConstraint("account", "lane", "day", name=op.f("pk_lane_days")),
        comment="what went to each lane on each day; writer: records/lanes",
    )
    op.create_table(
        "lane_log",
        sa.Column("at", Moment(), nullable=False),
        sa.Column("account", sa.String(length=60), nullable=False),
        sa.Column("lane", sa.String(length=20), nullable=False),
        sa.Column(
            "actor", sa.String(length=320), nullable=False, comment="a member of staff, or a sender"
        ),
        sa.Column("what", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("at", "account", "lane", name=op.f("pk_lane_log")),
        comment="append-only: who or what held, slowed, opened or capped a lane; writer: records/lanes",
    )


def downgrade() -> None:
    for name in ("lane_log", "lane_days", "lanes", "domains"):
        op.drop_table(name)
    op.drop_index(BY_LANE, table_name="chunks")
    op.drop_column("chunks", "zone")
    op.drop_column("messages", "not_before")
    for name in OF_CAMPAIGNS:
        op.drop_column("campaigns", name)
