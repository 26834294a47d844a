"""Sign-up forms: what each offers, who asked by it, how often it was used, and what limits it."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from campaigns.model.base import Id, Json, Moment, Ref, metadata

forms = Table(
    "forms",
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", String(60), nullable=False, unique=True, comment="stands in the address of its page"),
    Column("name", Text, nullable=False),
    Column("is_on", Boolean, nullable=False, server_default="0"),
    Column("version", Integer, nullable=False, comment="counts the edits"),
    Column("spec", Json, nullable=False, comment="what it offers, asks and says; campaigns/forms/spec"),
    Column("sender_id", Ref, ForeignKey("senders.id"), nullable=False),
    Column("template_id", Ref, ForeignKey("templates.id"), nullable=False, comment="the confirmation mail"),
    Column(
        "campaign_id", Ref, ForeignKey("campaigns.id"), comment="whose runs its mails are; null: none yet"
    ),
    Column("halted_until", Moment, comment="too few confirm: no mail until then; null: it was never halted"),
    Column("created_by", String(320), nullable=False, server_default=""),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("archived_at", Moment, comment="null: it is in use"),
    comment="writer: records/forms",
)

sign_ups = Table(
    "sign_ups",
    metadata,
    Column("id", Id, primary_key=True),
    Column("form_id", Ref, ForeignKey("forms.id"), nullable=False),
    Column("version", Integer, nullable=False, comment="of the form that was shown"),
    Column("state", String(10), nullable=False, comment="posted, mailed, confirmed, refused or expired"),
    Column("reason", String(30), nullable=False, server_default="", comment="why it was refused"),
    Column("address", String(320), comment="normalised; null once it is not needed any more"),
    Column("masked", String(320), nullable=False, comment="what people of ours may see of the address"),
    Column("address_hash", LargeBinary(16), nullable=False, comment="keyed hash, as of suppressions"),
    Column("flags", String(60), nullable=False, server_default="", comment="role, disposable, plain, api"),
    Column("topics", Json, nullable=False, comment="exactly what was shown of each topic asked for, by id"),
    Column("fields", Json, nullable=False, server_default="{}", comment="what else was typed; hostile"),
    Column("language", String(20), nullable=False),
    Column("page", Text, nullable=False, server_default="", comment="where the form stood; hostile"),
    Column("network", String(50), nullable=False, comment="of who posted: the IP address, cut short"),
    Column("agent", Text, nullable=False, server_default="", comment="hostile"),
    Column("posted_at", Moment, nullable=False),
    Column("contact_id", Ref, comment="null: there is none, or it is gone"),
    Column("made_contact", Boolean, nullable=False, server_default="0"),
    Column("run_id", Ref, comment="of the confirmation mail; null: none was written"),
    Column("seq", Integer, comment="of the confirmation mail; null: none was written"),
    Column("mailed_at", Moment, comment="when that mail was put into the outbox; null: none was"),
    Column("confirmed_at", Moment, comment="null: not confirmed"),
    Column("confirmed_network", String(50), comment="null: not confirmed"),
    Column("confirmed_agent", Text, comment="null: not confirmed"),
    Index("ix_sign_ups_address_hash", "address_hash"),
    Index("ix_sign_ups_state_posted_at", "state", "posted_at"),
    Index("ix_sign_ups_form_id_mailed_at", "form_id", "mailed_at"),
    Index("ix_sign_ups_contact_id", "contact_id"),
    Index("uq_sign_ups_run_id_seq", "run_id", "seq", unique=True),
    comment="who asked by a form to hear from us, and what became of it; writer: records/sign_ups",
)

form_counts = Table(
    "form_counts",
    metadata,
    Column("form_id", Ref, ForeignKey("forms.id"), primary_key=True, autoincrement=False),
    Column("day", String(10), primary_key=True),
    Column("what", String(30), primary_key=True, comment="shown, posted, confirmed, or why it was refused"),
    Column("count", Integer, nullable=False),
    comment="how a form was used; writer: records/forms",
)

form_limits = Table(
    "form_limits",
    metadata,
    Column("key", LargeBinary(16), primary_key=True, comment="keyed hash of what is counted"),
    Column("count", Integer, nullable=False),
    Column("ends_at", Moment, nullable=False, comment="counted anew from then on"),
    Index("ix_form_limits_ends_at", "ends_at"),
    comment="how often a network, a form or a page's stamp was used lately; writer: records/form_limits",
)
