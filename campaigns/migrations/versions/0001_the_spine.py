"""the spine

Revision ID: 0001
Revises: nothing
"""

import sqlalchemy as sa
from alembic import op
from campaigns.model.base import Id
from campaigns.model.base import Json
from campaigns.model.base import Moment

#: The newest word of each contact on each topic; of two at one moment, the later entered.
CONSENT_STATES = """
CREATE VIEW consent_states AS
SELECT c.id, c.contact_id, c.topic_id, c.state, c.at, c.source
FROM consents c
WHERE NOT EXISTS (
    SELECT 1 FROM consents n
    WHERE n.topic_id = c.topic_id AND n.contact_id = c.contact_id
      AND (n.at > c.at OR (n.at = c.at AND n.id > c.id))
)
"""

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "activity",
        sa.Column("contact_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_sent_at", Moment(), nullable=True, comment="null: never"),
        sa.Column("last_opened_at", Moment(), nullable=True, comment="by a person; null: never"),
        sa.Column("last_clicked_at", Moment(), nullable=True, comment="by a person; null: never"),
        sa.Column("last_answered_at", Moment(), nullable=True, comment="null: never"),
        sa.Column("last_ordered_at", Moment(), nullable=True, comment="null: never"),
        sa.PrimaryKeyConstraint("contact_id", name=op.f("pk_activity")),
        comment="projection of events, for 'nothing since'; writer: records/history",
    )
    op.create_table(
        "attribute_definitions",
        sa.Column("id", Id, nullable=False),
        sa.Column("entity", sa.String(length=10), nullable=False, comment="contact or customer"),
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column(
            "type",
            sa.String(length=10),
            nullable=False,
            comment="text, number, boolean, date, moment or list",
        ),
        sa.Column("label", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "personal", sa.Boolean(), server_default="1", nullable=False, comment="erased with the contact"
        ),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attribute_definitions")),
    )
    op.create_index(
        "uq_attribute_definitions_entity_key", "attribute_definitions", ["entity", "key"], unique=True
    )

    op.create_table(
        "chunks",
        sa.Column("run_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_seq", sa.Integer(), nullable=False),
        sa.Column("last_seq", sa.Integer(), nullable=False, comment="inclusive"),
        sa.Column("state", sa.String(length=8), nullable=False, comment="ready, claimed or done"),
        sa.Column(
            "owner", sa.String(length=100), nullable=True, comment="which sender holds it; null: nobody"
        ),
        sa.Column(
            "lease_until", Moment(), nullable=True, comment="by the database's clock; null: nobody holds it"
        ),
        sa.Column(
            "fence",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="counts claims; a write with an older fence is refused",
        ),
        sa.Column(
            "not_before",
            Moment(),
            nullable=True,
            comment="when deferred messages are due again; null: at once",
        ),
        sa.PrimaryKeyConstraint("run_id", "number", name=op.f("pk_chunks")),
    )
    op.create_index("ix_chunks_state_not_before", "chunks", ["state", "not_before"], unique=False)

    op.create_table(
        "customers",
        sa.Column("id", Id, nullable=False),
        sa.Column(
            "external_id",
            sa.String(length=200),
            nullable=True,
            comment="the id in the system the customer came from, if any",
        ),
        sa.Column(
            "kind",
            sa.String(length=20),
            server_default="person",
            nullable=False,
            comment="person, household or organisation",
        ),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "owner_id",
            sa.BigInteger(),
            nullable=True,
            comment="the rep (staff) who looks after this customer, if any",
        ),
        sa.Column(
            "stage",
            sa.String(length=30),
            server_default="prospect",
            nullable=False,
            comment="lifecycle stage",
        ),
        sa.Column("country", sa.String(length=2), nullable=True, comment="ISO 3166-1, where known"),
        sa.Column("region", sa.Text(), nullable=True, comment="where known"),
        sa.Column("city", sa.Text(), nullable=True, comment="where known"),
        sa.Column(
            "attributes", Json, server_default="{}", nullable=False, comment="typed by attribute_definitions"
        ),
        sa.Column(
            "hold_until",
            Moment(),
            nullable=True,
            comment="a rep asked marketing to wait until then; writer: records/customers.hold",
        ),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customers")),
        sa.UniqueConstraint("external_id", name=op.f("uq_customers_external_id")),
    )
    op.create_index(
        "ix_customers_name", "customers", ["name"], unique=False, postgresql_ops={"name": "text_pattern_ops"}
    )
    op.create_index("ix_customers_owner_id", "customers", ["owner_id"], unique=False)

    op.create_table(
        "events",
        sa.Column("id", Id, nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column(
            "contact_id", sa.BigInteger(), nullable=True, comment="null: about the customer as a whole"
        ),
        sa.Column("customer_id", sa.BigInteger(), nullable=True, comment="null: not known when it happened"),
        sa.Column("run_id", sa.BigInteger(), nullable=True, comment="null: not about a message"),
        sa.Column("seq", sa.Integer(), nullable=True, comment="null: not about a message"),
        sa.Column(
            "verdict",
            sa.String(length=8),
            server_default="unknown",
            nullable=False,
            comment="projection; recomputable; writer: records/history.judge",
        ),
        sa.Column(
            "verdict_version",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="of the rules that gave the verdict; 0: none did",
        ),
        sa.Column("source", sa.String(length=30), server_default="", nullable=False),
        sa.Column(
            "dedupe",
            sa.String(length=120),
            nullable=False,
            comment="a second event of this key is the same event",
        ),
        sa.Column("detail", Json, server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("dedupe", name=op.f("uq_events_dedupe")),
        comment="append-only, except for the verdict",
    )
    op.create_index("ix_events_contact_id_kind_at", "events", ["contact_id", "kind", "at"], unique=False)
    op.create_index("ix_events_customer_id_at", "events", ["customer_id", "at"], unique=False)
    op.create_index(
        "ix_events_kind_at_contact_id_verdict",
        "events",
        ["kind", "at", "contact_id", "verdict"],
        unique=False,
    )
    op.create_index("ix_events_run_id_kind", "events", ["run_id", "kind"], unique=False)

    op.create_table(
        "hits",
        sa.Column("id", Id, nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False, comment="open, click, view or score"),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "link", sa.Integer(), nullable=True, comment="of a score its value; null: neither click nor score"
        ),
        sa.Column("method", sa.String(length=8), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False, comment="IP address; cut by retention"),
        sa.Column(
            "headers",
            sa.Text(),
            nullable=False,
            comment="names of the headers that browsers send, comma-separated",
        ),
        sa.Column(
            "judged",
            sa.Boolean(),
            server_default="0",
            nullable=False,
            comment="has its event; writer: records/hits",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hits")),
        comment="raw requests; events are judged from them and can be judged again",
    )
    op.create_index("ix_hits_judged", "hits", ["judged", "id"], unique=False)
    op.create_index("ix_hits_run_id_seq", "hits", ["run_id", "seq"], unique=False)

    op.create_table(
        "imports",
        sa.Column("id", Id, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False, comment="contacts or orders"),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("mapping", Json, nullable=False),
        sa.Column("counts", Json, server_default="{}", nullable=False),
        sa.Column("actor", sa.String(length=320), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column(
            "finished_at",
            Moment(),
            nullable=True,
            comment="null: running, or stopped half-way (nothing was merged then)",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
    op.create_table(
        "links",
        sa.Column("run_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("language", sa.String(length=20), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "number", name=op.f("pk_links")),
    )
    op.create_table(
        "messages",
        sa.Column("run_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "seq",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="from 1; those that a gate stopped at the freeze come last",
        ),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "address",
            sa.String(length=320),
            nullable=True,
            comment="where it goes; null where a gate stopped it at the freeze",
        ),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("gate", sa.String(length=30), nullable=True, comment="why skipped; null otherwise"),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("at", Moment(), nullable=True, comment="when the state was settled; null while queued"),
        sa.Column(
            "reply", sa.Text(), nullable=True, comment="the backend's last word; null while there is none"
        ),
        sa.PrimaryKeyConstraint("run_id", "seq", name=op.f("pk_messages")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_messages_contact_id", "messages", ["contact_id"], unique=False)
    op.create_index("uq_messages_run_id_address", "messages", ["run_id", "address"], unique=True)
    op.create_index("uq_messages_run_id_contact_id", "messages", ["run_id", "contact_id"], unique=True)

    op.create_table(
        "products",
        sa.Column("id", Id, nullable=False),
        sa.Column("sku", sa.String(length=100), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("category", sa.String(length=100), server_default="", nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=True, comment="null: not on sale"),
        sa.Column("currency", sa.String(length=3), server_default="EUR", nullable=False),
        sa.Column("url", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
        sa.UniqueConstraint("sku", name=op.f("uq_products_sku")),
    )
    op.create_table(
        "segments",
        sa.Column("id", Id, nullable=False),
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("archived_at", Moment(), nullable=True, comment="null: offered for new campaigns"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segments")),
        sa.UniqueConstraint("key", name=op.f("uq_segments_key")),
    )
    op.create_table(
        "senders",
        sa.Column("id", Id, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("reply_to", sa.String(length=320), nullable=True, comment="null: answers go to address"),
        sa.Column("bounce_domain", sa.String(length=255), nullable=False),
        sa.Column("postal_address", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_senders")),
    )
    op.create_table(
        "staff",
        sa.Column("id", Id, nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("roles", Json, nullable=False, comment="list of marketing, sales, service, admin"),
        sa.Column("locale", sa.String(length=20), nullable=True, comment="null: as the browser says"),
        sa.Column("active", sa.Boolean(), server_default="1", nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("email", name=op.f("uq_staff_email")),
    )
    op.create_table(
        "strays",
        sa.Column("day", sa.String(length=10), nullable=False, comment="UTC date"),
        sa.Column(
            "what",
            sa.String(length=20),
            nullable=False,
            comment="open, click, view, unsubscribe, preferences, survey, return",
        ),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "what", name=op.f("pk_strays")),
        comment="requests with an unknown or forged token, counted",
    )
    op.create_table(
        "suppressions",
        sa.Column("id", Id, nullable=False),
        sa.Column(
            "address_hash",
            sa.LargeBinary(length=16),
            nullable=False,
            comment="keyed hash of the normalised address",
        ),
        sa.Column(
            "reason",
            sa.String(length=30),
            nullable=False,
            comment="hard bounce, complaint, request, erasure, import",
        ),
        sa.Column("evidence", Json, server_default="{}", nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("actor", sa.String(length=320), server_default="", nullable=False),
        sa.Column("lifted_at", Moment(), nullable=True, comment="null: in force"),
        sa.Column("lifted_by", sa.String(length=320), nullable=True, comment="null: in force"),
        sa.Column("lifted_reason", sa.Text(), nullable=True, comment="null: in force"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppressions")),
    )
    op.create_index("ix_suppressions_address_hash", "suppressions", ["address_hash"], unique=False)

    op.create_table(
        "surveys",
        sa.Column("id", Id, nullable=False),
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("archived_at", Moment(), nullable=True, comment="null: offered for new campaigns"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_surveys")),
        sa.UniqueConstraint("key", name=op.f("uq_surveys_key")),
    )
    op.create_table(
        "templates",
        sa.Column("id", Id, nullable=False),
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("archived_at", Moment(), nullable=True, comment="null: offered for new campaigns"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_templates")),
        sa.UniqueConstraint("key", name=op.f("uq_templates_key")),
    )
    op.create_table(
        "topics",
        sa.Column("id", Id, nullable=False),
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "topic_class", sa.String(length=20), nullable=False, comment="marketing, service or transactional"
        ),
        sa.Column(
            "public",
            sa.Boolean(),
            server_default="1",
            nullable=False,
            comment="shown on the preferences page",
        ),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_topics")),
        sa.UniqueConstraint("key", name=op.f("uq_topics_key")),
    )
    op.create_table(
        "wordings",
        sa.Column("id", Id, nullable=False),
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(length=20), nullable=False),
        sa.Column("text", sa.Text(), nullable=False, comment="exactly what was shown"),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wordings")),
    )
    op.create_index(
        "uq_wordings_key_version_language", "wordings", ["key", "version", "language"], unique=True
    )

    op.create_table(
        "workers",
        sa.Column("name", sa.String(length=100), nullable=False, comment="host, pid and a random part"),
        sa.Column("role", sa.String(length=20), nullable=False, comment="ticks, sender or hits"),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("seen_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_workers")),
    )
    op.create_table(
        "campaigns",
        sa.Column("id", Id, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=24), server_default="draft", nullable=False),
        sa.Column("topic_id", sa.BigInteger(), nullable=True, comment="null while drafted"),
        sa.Column("segment_id", sa.BigInteger(), nullable=True, comment="null while drafted"),
        sa.Column("template_id", sa.BigInteger(), nullable=True, comment="null while drafted"),
        sa.Column("sender_id", sa.BigInteger(), nullable=True, comment="null while drafted"),
        sa.Column("survey_id", sa.BigInteger(), nullable=True, comment="null: the mail invites to no survey"),
        sa.Column(
            "schedule",
            sa.String(length=10),
            server_default="now",
            nullable=False,
            comment="now, at or recurring",
        ),
        sa.Column("starts_at", Moment(), nullable=True, comment="schedule 'at': when; null otherwise"),
        sa.Column(
            "cron",
            sa.String(length=100),
            nullable=True,
            comment="schedule 'recurring': five fields; null otherwise",
        ),
        sa.Column("time_zone", sa.String(length=64), server_default="UTC", nullable=False),
        sa.Column("due_at", Moment(), nullable=True, comment="when the next run opens; null: nothing is due"),
        sa.Column(
            "occurrence",
            sa.String(length=40),
            nullable=True,
            comment="name of the run due at due_at: local time without offset",
        ),
        sa.Column("ends_at", Moment(), nullable=True, comment="recurring: no run after this; null: no end"),
        sa.Column(
            "send_within_hours",
            sa.Integer(),
            server_default="72",
            nullable=False,
            comment="a message not sent by then is skipped as expired",
        ),
        sa.Column(
            "per_minute", sa.Integer(), nullable=True, comment="throttle; null: as fast as the backend takes"
        ),
        sa.Column("hold_out_percent", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "cap_count",
            sa.Integer(),
            nullable=True,
            comment="at most so many messages of marketing ...; null: no cap",
        ),
        sa.Column("cap_days", sa.Integer(), nullable=True, comment="... in so many days; null: no cap"),
        sa.Column("tracking", sa.Boolean(), server_default="1", nullable=False, comment="links and pixel"),
        sa.Column("goal", sa.Text(), server_default="", nullable=False),
        sa.Column("created_by", sa.String(length=320), server_default="", nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.Column(
            "deleted_at",
            Moment(),
            nullable=True,
            comment="hidden since; its runs and history stay, so unsubscribe keeps working",
        ),
        sa.ForeignKeyConstraint(
            ["segment_id"], ["segments.id"], name=op.f("fk_campaigns_segment_id_segments")
        ),
        sa.ForeignKeyConstraint(["sender_id"], ["senders.id"], name=op.f("fk_campaigns_sender_id_senders")),
        sa.ForeignKeyConstraint(["survey_id"], ["surveys.id"], name=op.f("fk_campaigns_survey_id_surveys")),
        sa.ForeignKeyConstraint(
            ["template_id"], ["templates.id"], name=op.f("fk_campaigns_template_id_templates")
        ),
        sa.ForeignKeyConstraint(["topic_id"], ["topics.id"], name=op.f("fk_campaigns_topic_id_topics")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
    )
    op.create_index("ix_campaigns_due_at", "campaigns", ["due_at"], unique=False)

    op.create_table(
        "cases",
        sa.Column("id", Id, nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=True, comment="who raised it, where known"),
        sa.Column(
            "kind", sa.String(length=12), nullable=False, comment="request, complaint, return or question"
        ),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("opened_at", Moment(), nullable=False),
        sa.Column(
            "closed_at", Moment(), nullable=True, comment="null: open; an open complaint stops promotion"
        ),
        sa.Column("owner_id", sa.BigInteger(), nullable=True, comment="the agent (staff), if taken"),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_cases_customer_id_customers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
    )
    op.create_index("ix_cases_closed_at_opened_at", "cases", ["closed_at", "opened_at"], unique=False)
    op.create_index("ix_cases_customer_id", "cases", ["customer_id"], unique=False)

    op.create_table(
        "contacts",
        sa.Column("id", Id, nullable=False),
        sa.Column(
            "customer_id", sa.BigInteger(), nullable=False, comment="the customer this person is at first"
        ),
        sa.Column(
            "external_id",
            sa.String(length=200),
            nullable=True,
            comment="the id in the system the contact came from, if any",
        ),
        sa.Column(
            "email",
            sa.String(length=320),
            nullable=True,
            comment="primary address, normalised; null where there is none",
        ),
        sa.Column(
            "email_hash",
            sa.LargeBinary(length=16),
            nullable=True,
            comment="keyed hash of email, to meet suppressions in SQL",
        ),
        sa.Column(
            "phone",
            sa.String(length=32),
            nullable=True,
            comment="primary phone, E.164; null where there is none",
        ),
        sa.Column("given_name", sa.Text(), nullable=True, comment="null where not known"),
        sa.Column("family_name", sa.Text(), nullable=True, comment="null where not known"),
        sa.Column("salutation", sa.Text(), nullable=True, comment="how to greet, if they said"),
        sa.Column(
            "locale",
            sa.String(length=20),
            nullable=True,
            comment="BCP 47 tag; null: the installation's default",
        ),
        sa.Column(
            "time_zone",
            sa.String(length=64),
            nullable=True,
            comment="IANA name; null: the installation's default",
        ),
        sa.Column("country", sa.String(length=2), nullable=True, comment="ISO 3166-1, where known"),
        sa.Column("region", sa.Text(), nullable=True, comment="where known"),
        sa.Column("city", sa.Text(), nullable=True, comment="where known"),
        sa.Column("birthday", sa.Date(), nullable=True, comment="where known"),
        sa.Column(
            "attributes",
            Json,
            server_default="{}",
            nullable=False,
            comment="typed by attribute_definitions; projection of attribute_facts where surveyed",
        ),
        sa.Column(
            "source",
            sa.String(length=50),
            server_default="",
            nullable=False,
            comment="what made this contact: import, form, staff",
        ),
        sa.Column(
            "import_id",
            sa.BigInteger(),
            nullable=True,
            comment="the import that made this contact, if one did",
        ),
        sa.Column("import_line", sa.Integer(), nullable=True, comment="the line of that import"),
        sa.Column(
            "erased_at",
            Moment(),
            nullable=True,
            comment="when the contact was forgotten; all personal columns are null then",
        ),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_contacts_customer_id_customers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contacts")),
        sa.UniqueConstraint("external_id", name=op.f("uq_contacts_external_id")),
    )
    op.create_index("ix_contacts_country_city", "contacts", ["country", "city"], unique=False)
    op.create_index("ix_contacts_customer_id", "contacts", ["customer_id"], unique=False)
    op.create_index(
        "ix_contacts_email",
        "contacts",
        ["email"],
        unique=False,
        postgresql_ops={"email": "varchar_pattern_ops"},
    )
    op.create_index(
        "ix_contacts_family_name",
        "contacts",
        ["family_name"],
        unique=False,
        postgresql_ops={"family_name": "text_pattern_ops"},
    )
    op.create_index("ix_contacts_phone", "contacts", ["phone"], unique=False)

    op.create_table(
        "orders",
        sa.Column("id", Id, nullable=False),
        sa.Column("external_id", sa.String(length=200), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=True, comment="who ordered, where known"),
        sa.Column(
            "status",
            sa.String(length=12),
            nullable=False,
            comment="placed, paid, shipped, cancelled or returned",
        ),
        sa.Column("placed_at", Moment(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), server_default="EUR", nullable=False),
        sa.Column("import_id", sa.BigInteger(), nullable=True, comment="null: not by an import"),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_orders_customer_id_customers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("external_id", name=op.f("uq_orders_external_id")),
    )
    op.create_index("ix_orders_contact_id", "orders", ["contact_id"], unique=False)
    op.create_index("ix_orders_customer_id_placed_at", "orders", ["customer_id", "placed_at"], unique=False)
    op.create_index("ix_orders_placed_at", "orders", ["placed_at"], unique=False)

    op.create_table(
        "segment_versions",
        sa.Column("id", Id, nullable=False),
        sa.Column("segment_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("rule", Json, nullable=False),
        sa.Column("author", sa.String(length=320), server_default="", nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["segment_id"], ["segments.id"], name=op.f("fk_segment_versions_segment_id_segments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_segment_versions")),
    )
    op.create_index(
        "uq_segment_versions_segment_id_version", "segment_versions", ["segment_id", "version"], unique=True
    )

    op.create_table(
        "survey_versions",
        sa.Column("id", Id, nullable=False),
        sa.Column("survey_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("form", Json, nullable=False),
        sa.Column("author", sa.String(length=320), server_default="", nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["survey_id"], ["surveys.id"], name=op.f("fk_survey_versions_survey_id_surveys")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_survey_versions")),
    )
    op.create_index(
        "uq_survey_versions_survey_id_version", "survey_versions", ["survey_id", "version"], unique=True
    )

    op.create_table(
        "tasks",
        sa.Column("id", Id, nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "contact_id", sa.BigInteger(), nullable=True, comment="about whom, where it is about one person"
        ),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False, comment="what called for it"),
        sa.Column("due_at", Moment(), nullable=True, comment="null: no date"),
        sa.Column("done_at", Moment(), nullable=True, comment="null: open"),
        sa.Column("owner_id", sa.BigInteger(), nullable=True, comment="the rep (staff), if given"),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column(
            "dedupe",
            sa.String(length=120),
            nullable=True,
            comment="the same cause makes one task; null for those made by hand",
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_tasks_customer_id_customers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
        sa.UniqueConstraint("dedupe", name=op.f("uq_tasks_dedupe")),
    )
    op.create_index("ix_tasks_customer_id", "tasks", ["customer_id"], unique=False)
    op.create_index("ix_tasks_owner_id_done_at", "tasks", ["owner_id", "done_at"], unique=False)

    op.create_table(
        "template_versions",
        sa.Column("id", Id, nullable=False),
        sa.Column("template_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("author", sa.String(length=320), server_default="", nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["template_id"], ["templates.id"], name=op.f("fk_template_versions_template_id_templates")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_template_versions")),
    )
    op.create_index(
        "uq_template_versions_template_id_version",
        "template_versions",
        ["template_id", "version"],
        unique=True,
    )

    op.create_table(
        "addresses",
        sa.Column("id", Id, nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False, comment="email or phone"),
        sa.Column("value", sa.String(length=320), nullable=False, comment="normalised: address, or E.164"),
        sa.Column(
            "label", sa.String(length=50), server_default="", nullable=False, comment="home, work, ..."
        ),
        sa.Column("created_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_addresses_contact_id_contacts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_addresses")),
        comment="addresses and phones beyond the primary ones that stand on the contact",
    )
    op.create_index("ix_addresses_value", "addresses", ["value"], unique=False)
    op.create_index(
        "uq_addresses_contact_id_kind_value", "addresses", ["contact_id", "kind", "value"], unique=True
    )

    op.create_table(
        "attribute_facts",
        sa.Column("id", Id, nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(length=60), nullable=False),
        sa.Column("value", Json, nullable=True, comment="null: the contact took the value back"),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("source", sa.String(length=50), nullable=False, comment="survey, import, staff"),
        sa.Column("source_ref", sa.Text(), server_default="", nullable=False, comment="which one"),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_attribute_facts_contact_id_contacts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attribute_facts")),
        comment="append-only: every dated, sourced value; contacts.attributes holds the newest",
    )
    op.create_index(
        "ix_attribute_facts_contact_id_key_at", "attribute_facts", ["contact_id", "key", "at"], unique=False
    )

    op.create_table(
        "campaign_log",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("actor", sa.String(length=320), nullable=False, comment="a member of staff, or the worker"),
        sa.Column("what", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_campaign_log_campaign_id_campaigns")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_log")),
        comment="append-only: who scheduled, paused, resumed, cancelled, and how runs ended",
    )
    op.create_index("ix_campaign_log_campaign_id", "campaign_log", ["campaign_id"], unique=False)

    op.create_table(
        "consents",
        sa.Column("id", Id, nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("topic_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False, comment="granted, pending or withdrawn"),
        sa.Column("at", Moment(), nullable=False, comment="when they said it"),
        sa.Column(
            "source",
            sa.String(length=30),
            nullable=False,
            comment="import, form, preferences, unsubscribe, survey, staff, complaint",
        ),
        sa.Column(
            "wording_id",
            sa.BigInteger(),
            nullable=True,
            comment="what was shown; null where the source shows none or it is not known",
        ),
        sa.Column("proof", sa.Text(), server_default="", nullable=False, comment="where it can be looked up"),
        sa.Column(
            "actor",
            sa.String(length=320),
            server_default="",
            nullable=False,
            comment="who entered it: contact, or a member of staff",
        ),
        sa.Column("recorded_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_consents_contact_id_contacts")
        ),
        sa.ForeignKeyConstraint(["topic_id"], ["topics.id"], name=op.f("fk_consents_topic_id_topics")),
        sa.ForeignKeyConstraint(
            ["wording_id"], ["wordings.id"], name=op.f("fk_consents_wording_id_wordings")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
        comment="append-only; the current state is the view consent_states",
    )
    op.create_index("ix_consents_contact_id", "consents", ["contact_id"], unique=False)
    op.create_index(
        "ix_consents_topic_id_contact_id_at", "consents", ["topic_id", "contact_id", "at"], unique=False
    )

    op.create_table(
        "order_lines",
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False, comment="for the whole line"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_order_lines_order_id_orders")),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_order_lines_product_id_products")
        ),
        sa.PrimaryKeyConstraint("order_id", "number", name=op.f("pk_order_lines")),
    )
    op.create_index("ix_order_lines_product_id", "order_lines", ["product_id"], unique=False)

    op.create_table(
        "responses",
        sa.Column("id", Id, nullable=False),
        sa.Column("survey_id", sa.BigInteger(), nullable=False),
        sa.Column("version_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "run_id", sa.BigInteger(), server_default="0", nullable=False, comment="0: not by a campaign"
        ),
        sa.Column("seq", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "posted",
            sa.Boolean(),
            server_default="0",
            nullable=False,
            comment="0: only a score was clicked in the mail; provisional",
        ),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("posted_at", Moment(), nullable=True, comment="null: provisional"),
        sa.Column("language", sa.String(length=20), server_default="en", nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("fk_responses_contact_id_contacts")
        ),
        sa.ForeignKeyConstraint(["survey_id"], ["surveys.id"], name=op.f("fk_responses_survey_id_surveys")),
        sa.ForeignKeyConstraint(
            ["version_id"], ["survey_versions.id"], name=op.f("fk_responses_version_id_survey_versions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_responses")),
    )
    op.create_index("ix_responses_contact_id", "responses", ["contact_id"], unique=False)
    op.create_index(
        "uq_responses_survey_id_contact_id_run_id",
        "responses",
        ["survey_id", "contact_id", "run_id"],
        unique=True,
    )

    op.create_table(
        "roles",
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "role",
            sa.String(length=50),
            nullable=False,
            comment="economic buyer, decider, evaluator, influencer, gatekeeper, user, champion, or a title",
        ),
        sa.Column("since", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_roles_contact_id_contacts")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_roles_customer_id_customers")
        ),
        sa.PrimaryKeyConstraint("contact_id", "customer_id", "role", name=op.f("pk_roles")),
    )
    op.create_index("ix_roles_customer_id", "roles", ["customer_id"], unique=False)

    op.create_table(
        "runs",
        sa.Column("id", Id, nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "occurrence",
            sa.String(length=40),
            nullable=False,
            comment="local time without offset; 'test' runs count up",
        ),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column(
            "kind",
            sa.String(length=10),
            server_default="campaign",
            nullable=False,
            comment="campaign or test",
        ),
        sa.Column("topic_id", sa.BigInteger(), nullable=False),
        sa.Column("sender_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "template_version_id", sa.BigInteger(), nullable=False, comment="pinned when the run opened"
        ),
        sa.Column(
            "segment_version_id",
            sa.BigInteger(),
            nullable=True,
            comment="pinned when the run opened; null for a test",
        ),
        sa.Column(
            "survey_version_id",
            sa.BigInteger(),
            nullable=True,
            comment="pinned when the run opened; null: no survey",
        ),
        sa.Column("tracking", sa.Boolean(), server_default="1", nullable=False),
        sa.Column("per_minute", sa.Integer(), nullable=True, comment="throttle; null: none"),
        sa.Column(
            "audience",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="contacts in the segment at the freeze",
        ),
        sa.Column(
            "mailable",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="of them, those that no gate stopped",
        ),
        sa.Column(
            "sent",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="projection; writer: records/outbox",
        ),
        sa.Column(
            "failed",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="projection; writer: records/outbox",
        ),
        sa.Column(
            "skipped",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="after the freeze; projection; writer: records/outbox",
        ),
        sa.Column(
            "unknown",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="projection; writer: records/outbox",
        ),
        sa.Column("opened_at", Moment(), nullable=False),
        sa.Column("frozen_at", Moment(), nullable=True, comment="null: the audience is not frozen yet"),
        sa.Column("expires_at", Moment(), nullable=False, comment="messages not sent by then are skipped"),
        sa.Column("finished_at", Moment(), nullable=True, comment="null: not finished"),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_runs_campaign_id_campaigns")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_index("ix_runs_state", "runs", ["state"], unique=False)
    op.create_index("uq_runs_campaign_id_occurrence", "runs", ["campaign_id", "occurrence"], unique=True)

    op.create_table(
        "template_bodies",
        sa.Column("id", Id, nullable=False),
        sa.Column("version_id", sa.BigInteger(), nullable=False),
        sa.Column("language", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False, comment="mjml, html or text"),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("preheader", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column(
            "text", sa.Text(), nullable=False, comment="the written text part; empty: made from the HTML"
        ),
        sa.Column("compiled_html", sa.Text(), nullable=True, comment="null: a plain letter"),
        sa.Column("compiled_text", sa.Text(), nullable=False),
        sa.Column("compiled_subject", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["template_versions.id"],
            name=op.f("fk_template_bodies_version_id_template_versions"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_template_bodies")),
    )
    op.create_index(
        "uq_template_bodies_version_id_language", "template_bodies", ["version_id", "language"], unique=True
    )

    op.create_table(
        "answers",
        sa.Column("id", Id, nullable=False),
        sa.Column("response_id", sa.BigInteger(), nullable=False),
        sa.Column("survey_id", sa.BigInteger(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column("question", sa.String(length=60), nullable=False, comment="the question's key"),
        sa.Column(
            "choice",
            sa.Text(),
            nullable=True,
            comment="single, multiple, product: one row for each choice; null otherwise",
        ),
        sa.Column("number", sa.Float(), nullable=True, comment="scale; null otherwise"),
        sa.Column("text", sa.Text(), nullable=True, comment="text; null otherwise"),
        sa.Column("at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(
            ["response_id"], ["responses.id"], name=op.f("fk_answers_response_id_responses")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answers")),
        comment="answers of posted responses only",
    )
    op.create_index("ix_answers_response_id", "answers", ["response_id"], unique=False)
    op.create_index("ix_answers_survey_id_question", "answers", ["survey_id", "question"], unique=False)

    op.create_table(
        "run_gates",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("gate", sa.String(length=30), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_gates_run_id_runs")),
        sa.PrimaryKeyConstraint("run_id", "gate", name=op.f("pk_run_gates")),
        comment="how many each gate stopped at the freeze; writer: records/audience",
    )
    op.execute(CONSENT_STATES)


def downgrade() -> None:
    op.execute("DROP VIEW consent_states")
    op.drop_table("run_gates")
    op.drop_index("ix_answers_survey_id_question", table_name="answers")
    op.drop_index("ix_answers_response_id", table_name="answers")

    op.drop_table("answers")
    op.drop_index("uq_template_bodies_version_id_language", table_name="template_bodies")

    op.drop_table("template_bodies")
    op.drop_index("uq_runs_campaign_id_occurrence", table_name="runs")
    op.drop_index("ix_runs_state", table_name="runs")

    op.drop_table("runs")
    op.drop_index("ix_roles_customer_id", table_name="roles")

    op.drop_table("roles")
    op.drop_index("uq_responses_survey_id_contact_id_run_id", table_name="responses")
    op.drop_index("ix_responses_contact_id", table_name="responses")

    op.drop_table("responses")
    op.drop_index("ix_order_lines_product_id", table_name="order_lines")

    op.drop_table("order_lines")
    op.drop_index("ix_consents_topic_id_contact_id_at", table_name="consents")
    op.drop_index("ix_consents_contact_id", table_name="consents")

    op.drop_table("consents")
    op.drop_index("ix_campaign_log_campaign_id", table_name="campaign_log")

    op.drop_table("campaign_log")
    op.drop_index("ix_attribute_facts_contact_id_key_at", table_name="attribute_facts")

    op.drop_table("attribute_facts")
    op.drop_index("uq_addresses_contact_id_kind_value", table_name="addresses")
    op.drop_index("ix_addresses_value", table_name="addresses")

    op.drop_table("addresses")
    op.drop_index("uq_template_versions_template_id_version", table_name="template_versions")

    op.drop_table("template_versions")
    op.drop_index("ix_tasks_owner_id_done_at", table_name="tasks")
    op.drop_index("ix_tasks_customer_id", table_name="tasks")

    op.drop_table("tasks")
    op.drop_index("uq_survey_versions_survey_id_version", table_name="survey_versions")

    op.drop_table("survey_versions")
    op.drop_index("uq_segment_versions_segment_id_version", table_name="segment_versions")

    op.drop_table("segment_versions")
    op.drop_index("ix_orders_placed_at", table_name="orders")
    op.drop_index("ix_orders_customer_id_placed_at", table_name="orders")
    op.drop_index("ix_orders_contact_id", table_name="orders")

    op.drop_table("orders")
    op.drop_index("ix_contacts_phone", table_name="contacts")
    op.drop_index("ix_contacts_family_name", "contacts", postgresql_ops={"family_name": "text_pattern_ops"})
    op.drop_index("ix_contacts_email", "contacts", postgresql_ops={"email": "varchar_pattern_ops"})
    op.drop_index("ix_contacts_customer_id", table_name="contacts")
    op.drop_index("ix_contacts_country_city", table_name="contacts")

    op.drop_table("contacts")
    op.drop_index("ix_cases_customer_id", table_name="cases")
    op.drop_index("ix_cases_closed_at_opened_at", table_name="cases")

    op.drop_table("cases")
    op.drop_index("ix_campaigns_due_at", table_name="campaigns")

    op.drop_table("campaigns")
    op.drop_table("workers")
    op.drop_index("uq_wordings_key_version_language", table_name="wordings")

    op.drop_table("wordings")
    op.drop_table("topics")
    op.drop_table("templates")
    op.drop_table("surveys")
    op.drop_index("ix_suppressions_address_hash", table_name="suppressions")

    op.drop_table("suppressions")
    op.drop_table("strays")
    op.drop_table("staff")
    op.drop_table("senders")
    op.drop_table("segments")
    op.drop_table("products")
    op.drop_index("uq_messages_run_id_contact_id", table_name="messages")
    op.drop_index("uq_messages_run_id_address", table_name="messages")
    op.drop_index("ix_messages_contact_id", table_name="messages")

    op.drop_table("messages")
    op.drop_table("links")
    op.drop_table("imports")
    op.drop_index("ix_hits_run_id_seq", table_name="hits")
    op.drop_index("ix_hits_judged", table_name="hits")

    op.drop_table("hits")
    op.drop_index("ix_events_run_id_kind", table_name="events")
    op.drop_index("ix_events_kind_at_contact_id_verdict", table_name="events")
    op.drop_index("ix_events_customer_id_at", table_name="events")
    op.drop_index("ix_events_contact_id_kind_at", table_name="events")

    op.drop_table("events")
    op.drop_index("ix_customers_owner_id", table_name="customers")
    op.drop_index("ix_customers_name", "customers", postgresql_ops={"name": "text_pattern_ops"})

    op.drop_table("customers")
    op.drop_index("ix_chunks_state_not_before", table_name="chunks")

    op.drop_table("chunks")
    op.drop_index("uq_attribute_definitions_entity_key", table_name="attribute_definitions")

    op.drop_table("attribute_definitions")
    op.drop_table("activity")
