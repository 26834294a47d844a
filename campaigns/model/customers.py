"""Whom we do business with: customers, the contacts at them, further addresses, roles, attributes."""

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    text,
)

from campaigns.model.base import Id, Json, Moment, Ref, metadata

customers = Table(
    "customers",
    metadata,
    Column("id", Id, primary_key=True),
    Column(
        "external_id", String(200), unique=True, comment="the id in the system the customer came from, if any"
    ),
    Column(
        "kind",
        String(20),
        nullable=False,
        server_default="person",
        comment="person, household or organisation",
    ),
    Column("name", Text, nullable=False, server_default=""),
    Column("owner_id", Ref, comment="the rep (staff) who looks after this customer, if any"),
    Column("stage", String(30), nullable=False, server_default="prospect", comment="lifecycle stage"),
    Column("country", String(2), comment="ISO 3166-1, where known"),
    Column("region", Text, comment="where known"),
    Column("city", Text, comment="where known"),
    Column("attributes", Json, nullable=False, server_default="{}", comment="typed by attribute_definitions"),
    Column(
        "hold_until",
        Moment,
        comment="a rep asked marketing to wait until then; writer: records/customers.hold",
    ),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Index("ix_customers_owner_id", "owner_id"),
    Index("ix_customers_name", "name", postgresql_ops={"name": "text_pattern_ops"}),  # found by prefix
)

contacts = Table(
    "contacts",
    metadata,
    Column("id", Id, primary_key=True),
    Column(
        "customer_id",
        Ref,
        ForeignKey("customers.id"),
        nullable=False,
        comment="the customer this person is at first",
    ),
    Column(
        "external_id", String(200), unique=True, comment="the id in the system the contact came from, if any"
    ),
    Column("email", String(320), comment="primary address, normalised; null where there is none"),
    Column("email_hash", LargeBinary(16), comment="keyed hash of email, to meet suppressions in SQL"),
    Column("phone", String(32), comment="primary phone, E.164; null where there is none"),
    Column("given_name", Text, comment="null where not known"),
    Column("family_name", Text, comment="null where not known"),
    Column("salutation", Text, comment="how to greet, if they said"),
    Column("locale", String(20), comment="BCP 47 tag; null: the installation's default"),
    Column("time_zone", String(64), comment="IANA name; null: the installation's default"),
    Column("country", String(2), comment="ISO 3166-1, where known"),
    Column("region", Text, comment="where known"),
    Column("city", Text, comment="where known"),
    Column("birthday", Date, comment="where known"),
    Column(
        "attributes",
        Json,
        nullable=False,
        server_default="{}",
        comment="typed by attribute_definitions; projection of attribute_facts where surveyed",
    ),
    Column(
        "source",
        String(50),
        nullable=False,
        server_default="",
        comment="what made this contact: import, form, staff",
    ),
    Column("import_id", Ref, comment="the import that made this contact, if one did"),
    Column("import_line", Integer, comment="the line of that import"),
    Column(
        "tracking",
        String(10),
        comment="individual, aggregate or off; null: as the installation does; writer: records/tracking",
    ),
    Column("erased_at", Moment, comment="when the contact was forgotten; all personal columns are null then"),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Index("ix_contacts_customer_id", "customer_id"),
    Index("ix_contacts_email", "email", postgresql_ops={"email": "varchar_pattern_ops"}),  # found by prefix
    Index("ix_contacts_family_name", "family_name", postgresql_ops={"family_name": "text_pattern_ops"}),
    Index("ix_contacts_phone", "phone"),
    Index("ix_contacts_country_city", "country", "city"),
    # few chose; each hit asks whether its contact is among them, and must not fetch the contact for that
    Index(
        "ix_contacts_tracking",
        "id",
        "tracking",
        sqlite_where=text("tracking IS NOT NULL"),
        postgresql_where=text("tracking IS NOT NULL"),
    ),
)

addresses = Table(
    "addresses",
    metadata,
    Column("id", Id, primary_key=True),
    Column("contact_id", Ref, ForeignKey("contacts.id"), nullable=False),
    Column("kind", String(10), nullable=False, comment="email or phone"),
    Column("value", String(320), nullable=False, comment="normalised: address, or E.164"),
    Column("label", String(50), nullable=False, server_default="", comment="home, work, ..."),
    Column("created_at", Moment, nullable=False),
    Index("uq_addresses_contact_id_kind_value", "contact_id", "kind", "value", unique=True),
    Index("ix_addresses_value", "value"),
    comment="addresses and phones beyond the primary ones that stand on the contact",
)

roles = Table(
    "roles",
    metadata,
    Column("contact_id", Ref, ForeignKey("contacts.id"), primary_key=True),
    Column("customer_id", Ref, ForeignKey("customers.id"), primary_key=True),
    Column(
        "role",
        String(50),
        primary_key=True,
        comment="economic buyer, decider, evaluator, influencer, gatekeeper, user, champion, or a title",
    ),
    Column("since", Moment, nullable=False),
    Index("ix_roles_customer_id", "customer_id"),
)

attribute_definitions = Table(
    "attribute_definitions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("entity", String(10), nullable=False, comment="contact or customer"),
    Column("key", String(60), nullable=False),
    Column("type", String(10), nullable=False, comment="text, number, boolean, date, moment or list"),
    Column("label", Text, nullable=False, server_default=""),
    Column("personal", Boolean, nullable=False, server_default="1", comment="erased with the contact"),
    Column("created_at", Moment, nullable=False),
    Index("uq_attribute_definitions_entity_key", "entity", "key", unique=True),
)

attribute_facts = Table(
    "attribute_facts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("contact_id", Ref, ForeignKey("contacts.id"), nullable=False),
    Column("key", String(60), nullable=False),
    Column("value", Json, comment="null: the contact took the value back"),
    Column("at", Moment, nullable=False),
    Column("source", String(50), nullable=False, comment="survey, import, staff"),
    Column("source_ref", Text, nullable=False, server_default="", comment="which one"),
    Index("ix_attribute_facts_contact_id_key_at", "contact_id", "key", "at"),
    comment="append-only: every dated, sourced value; contacts.attributes holds the newest",
)

activity = Table(
    "activity",
    metadata,
    Column("contact_id", Ref, primary_key=True, autoincrement=False),
    Column("last_sent_at", Moment, comment="null: never"),
    Column("last_opened_at", Moment, comment="by a person; null: never"),
    Column("last_clicked_at", Moment, comment="by a person; null: never"),
    Column("last_answered_at", Moment, comment="null: never"),
    Column("last_ordered_at", Moment, comment="null: never"),
    comment="projection of events, for 'nothing since'; writer: records/history",
)
