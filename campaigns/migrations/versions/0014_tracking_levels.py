"""levels of tracking, and verdicts that can be given again

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op
from campaigns.model.base import Json, Moment

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
#: What their events say of hits that were judged before; of others the next judging knows.
KNOWN = """
UPDATE hits SET verdict = (SELECT events.verdict FROM events WHERE events.dedupe = 'hit:' || hits.id)
WHERE judged
"""
KNOWN_ON_POSTGRES = """
UPDATE hits SET verdict = events.verdict FROM event_keys JOIN events
ON events.id = event_keys.event_id AND events.at = event_keys.at
WHERE event_keys.dedupe = 'hit:' || hits.id AND hits.judged
"""


def upgrade() -> None:
    op.add_column(
        "contacts",
        sa.Column(
            "tracking",
            sa.String(length=10),
            comment="individual, aggregate or off; null: as the installation does; writer: records/tracking",
        ),
    )
    few = sa.text("tracking IS NOT NULL")
    op.create_index(
        "ix_contacts_tracking", "contacts", ["id", "tracking"], sqlite_where=few, postgresql_where=few
    )
    _choices()
    op.add_column(
        "hits",
        sa.Column(
            "verdict",
            sa.String(length=8),
            comment="that its event has; null: no event; writer: records/hits",
        ),
    )
    op.add_column(
        "hits",
        sa.Column(
            "crowd",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="other recipients of the domain whose mails the same address followed within a minute",
        ),
    )
    op.drop_index("ix_hits_run_id_seq", table_name="hits")
    op.create_index("ix_hits_run_id_seq_id", "hits", ["run_id", "seq", "id"])
    op.execute(KNOWN if op.get_bind().dialect.name == "sqlite" else KNOWN_ON_POSTGRES)
    _counts()
    _rounds()


def _choices() -> None:
    op.create_table(
        "tracking_choices",
        sa.Column("id", ID, nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.String(length=10), nullable=False, comment="individual, aggregate or off"),
        sa.Column("at", Moment(), nullable=False, comment="when they said it"),
        sa.Column("source", sa.String(length=30), nullable=False, comment="preferences or staff"),
        sa.Column("wording_id", sa.BigInteger(), comment="what was shown; null where nothing was"),
        sa.Column("proof", sa.Text(), server_default="", nullable=False, comment="where it can be looked up"),
        sa.Column(
            "actor",
            sa.String(length=320),
            server_default="",
            nullable=False,
            comment="contact, or a member of staff",
        ),
        sa.Column("recorded_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_tracking_choices_contact_id_contacts")
        ),
        sa.ForeignKeyConstraint(
            ["wording_id"], ["wordings.id"], name=op.f("fk_tracking_choices_wording_id_wordings")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tracking_choices")),
        comment="append-only: what contacts said to being tracked; contacts.tracking holds the newest",
    )
    op.create_index("ix_tracking_choices_contact_id_at_id", "tracking_choices", ["contact_id", "at", "id"])


def _counts() -> None:
    op.create_table(
        "hit_counts",
        sa.Column("run_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False, comment="open, click, view or score"),
        sa.Column(
            "link",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="-1: neither click nor score",
        ),
        sa.Column(
            "verdict",
            sa.String(length=8),
            nullable=False,
            comment="of each by itself; nothing is kept to judge again",
        ),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "kind", "link", "verdict", name=op.f("pk_hit_counts")),
        comment="hits of contacts who are not tracked one by one: nobody can tell whose; writer: records/hits",
    )


def _rounds() -> None:
    op.create_table(
        "verdict_rounds",
        sa.Column("id", ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="of the rules"),
        sa.Column("since", Moment(), comment="hits from then on; null: all"),
        sa.Column(
            "until_id", sa.BigInteger(), nullable=False, comment="the last hit there was when it began"
        ),
        sa.Column(
            "done_id",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="hits up to this one are judged again",
        ),
        sa.Column(
            "judged",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="hits that were judged again",
        ),
        sa.Column(
            "changed",
            Json,
            server_default="{}",
            nullable=False,
            comment="how many, by 'machine to human'",
        ),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("finished_at", Moment(), comment="null: not yet"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdict_rounds")),
        comment="rounds in which all hits are judged again; writer: records/rounds",
    )


def downgrade() -> None:
    op.drop_table("verdict_rounds")
    op.drop_table("hit_counts")
    op.drop_index("ix_hits_run_id_seq_id", table_name="hits")
    op.create_index("ix_hits_run_id_seq", "hits", ["run_id", "seq"])
    op.drop_column("hits", "crowd")
    op.drop_column("hits", "verdict")
    op.drop_table("tracking_choices")
    op.drop_index("ix_contacts_tracking", table_name="contacts")
    op.drop_column("contacts", "tracking")
