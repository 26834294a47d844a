"""sign-up forms

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op
from campaigns.model.base import Id, Json, Moment

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "forms",
        sa.Column("id", Id, nullable=False),
        sa.Column("key", sa.String(length=60), nullable=False, comment="stands in the address of its page"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_on", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="counts the edits"),
        sa.Column(
            "spec", Json, nullable=False, comment="what it offers, asks and says; campaigns/forms/spec"
        ),
        sa.Column("sender_id", sa.BigInteger(), nullable=False),
        sa.Column("template_id", sa.BigInteger(), nullable=False, comment="the confirmation mail"),
        sa.Column(
            "campaign_id", sa.BigInteger(), nullable=True, comment="whose runs its mails are; null: none yet"
        ),
        sa.Column(
            "halted_until",
            Moment(),
            nullable=True,
            comment="too few confirm: no mail until then; null: it was never halted",
        ),
        sa.Column("created_by", sa.String(length=320), server_default="", nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.Column("archived_at", Moment(), nullable=True, comment="null: it is in use"),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_forms_campaign_id_campaigns")
        ),
        sa.ForeignKeyConstraint(["sender_id"], ["senders.id"], name=op.f("fk_forms_sender_id_senders")),
        sa.ForeignKeyConstraint(
            ["template_id"], ["templates.id"], name=op.f("fk_forms_template_id_templates")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_forms")),
        sa.UniqueConstraint("key", name=op.f("uq_forms_key")),
        comment="writer: records/forms",
    )
    op.create_table(
        "sign_ups",
        sa.Column("id", Id, nullable=False),
        sa.Column("form_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="of the form that was shown"),
        sa.Column(
            "state",
            sa.String(length=10),
            nullable=False,
            comment="posted, mailed, confirmed, refused or expired",
        ),
        sa.Column(
            "reason", sa.String(length=30), server_default="", nullable=False, comment="why it was refused"
        ),
        sa.Column(
            "address",
            sa.String(length=320),
            nullable=True,
            comment="normalised; null once it is not needed any more",
        ),
        sa.Column(
            "masked",
            sa.String(length=320),
            nullable=False,
            comment="what people of ours may see of the address",
        ),
        sa.Column(
            "address_hash",
            sa.LargeBinary(length=16),
            nullable=False,
            comment="keyed hash, as of suppressions",
        ),
        sa.Column(
            "flags",
            sa.String(length=60),
            server_default="",
            nullable=False,
            comment="role, disposable, plain, api",
        ),
        sa.Column(
            "topics", Json, nullable=False, comment="exactly what was shown of each topic asked for, by id"
        ),
        sa.Column(
            "fields", Json, server_default="{}", nullable=False, comment="what else was typed; hostile"
        ),
        sa.Column("language", sa.String(length=20), nullable=False),
        sa.Column(
            "page", sa.Text(), server_default="", nullable=False, comment="where the form stood; hostile"
        ),
        sa.Column(
            "network",
            sa.String(length=50),
            nullable=False,
            comment="of who posted: the IP address, cut short",
        ),
        sa.Column("agent", sa.Text(), server_default="", nullable=False, comment="hostile"),
        sa.Column("posted_at", Moment(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=True, comment="null: there is none, or it is gone"),
        sa.Column("made_contact", sa.Boolean(), server_default="0", nullable=False),
        sa.Column(
            "run_id",
            sa.BigInteger(),
            nullable=True,
            comment="of the confirmation mail; null: none was written",
        ),
        sa.Column(
            "seq", sa.Integer(), nullable=True, comment="of the confirmation mail; null: none was written"
        ),
        sa.Column(
            "mailed_at",
            Moment(),
            nullable=True,
            comment="when that mail was put into the outbox; null: none was",
        ),
        sa.Column("confirmed_at", Moment(), nullable=True, comment="null: not confirmed"),
        sa.Column("confirmed_network", sa.String(length=50), nullable=True, comment="null: not confirmed"),
        sa.Column("confirmed_agent", sa.Text(), nullable=True, comment="null: not confirmed"),
        sa.ForeignKeyConstraint(["form_id"], ["forms.id"], name=op.f("fk_sign_ups_form_id_forms")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_ups")),
        comment="who asked by a form to hear from us, and what became of it; writer: records/sign_ups",
    )
    op.create_index("ix_sign_ups_address_hash", "sign_ups", ["address_hash"], unique=False)
    op.create_index("ix_sign_ups_contact_id", "sign_ups", ["contact_id"], unique=False)
    op.create_index("ix_sign_ups_form_id_mailed_at", "sign_ups", ["form_id", "mailed_at"], unique=False)
    op.create_index("ix_sign_ups_state_posted_at", "sign_ups", ["state", "posted_at"], unique=False)
    op.create_index("uq_sign_ups_run_id_seq", "sign_ups", ["run_id", "seq"], unique=True)
    op.create_table(
        "form_counts",
        sa.Column("form_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column(
            "what",
            sa.String(length=30),
            nullable=False,
            comment="shown, posted, confirmed, or why it was refused",
        ),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["form_id"], ["forms.id"], name=op.f("fk_form_counts_form_id_forms")),
        sa.PrimaryKeyConstraint("form_id", "day", "what", name=op.f("pk_form_counts")),
        comment="how a form was used; writer: records/forms",
    )
    op.create_table(
        "form_limits",
        sa.Column("key", sa.LargeBinary(length=16), nullable=False, comment="keyed hash of what is counted"),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("ends_at", Moment(), nullable=False, comment="counted anew from then on"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_form_limits")),
        comment="how often a network, a form or a page's stamp was used lately; writer: records/form_limits",
    )
    op.create_index("ix_form_limits_ends_at", "form_limits", ["ends_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_form_limits_ends_at", table_name="form_limits")
    op.drop_table("form_limits")
    op.drop_table("form_counts")
    op.drop_index("uq_sign_ups_run_id_seq", table_name="sign_ups")
    op.drop_index("ix_sign_ups_state_posted_at", table_name="sign_ups")
    op.drop_index("ix_sign_ups_form_id_mailed_at", table_name="sign_ups")
    op.drop_index("ix_sign_ups_contact_id", table_name="sign_ups")
    op.drop_index("ix_sign_ups_address_hash", table_name="sign_ups")
    op.drop_table("sign_ups")
    op.drop_table("forms")
