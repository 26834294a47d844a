"""What contacts may hear about, what they said, and whom we never mail."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text, text

from campaigns.model.base import Id, Json, Moment, Ref, metadata

topics = Table(
    "topics",
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", String(60), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("topic_class", String(20), nullable=False, comment="marketing, service or transactional"),
    Column("public", Boolean, nullable=False, server_default="1", comment="shown on the preferences page"),
    Column("created_at", Moment, nullable=False),
)

wordings = Table(
    "wordings",
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", String(60), nullable=False),
    Column("version", Integer, nullable=False),
    Column("language", String(20), nullable=False),
    Column("text", Text, nullable=False, comment="exactly what was shown"),
    Column("created_at", Moment, nullable=False),
    Index("uq_wordings_key_version_language", "key", "version", "language", unique=True),
)

consents = Table(
    "consents",
    metadata,
    Column("id", Id, primary_key=True),
    Column("contact_id", Ref, ForeignKey("contacts.id"), nullable=False),
    Column("topic_id", Ref, ForeignKey("topics.id"), nullable=False),
    Column("state", String(10), nullable=False, comment="granted, pending or withdrawn"),
    Column("at", Moment, nullable=False, comment="when they said it"),
    Column(
        "source",
        String(30),
        nullable=False,
        comment="import, form, preferences, unsubscribe, survey, staff, complaint",
    ),
    Column(
        "wording_id",
        Ref,
        ForeignKey("wordings.id"),
        comment="what was shown; null where the source shows none or it is not known",
    ),
    Column("proof", Text, nullable=False, server_default="", comment="where it can be looked up"),
    Column(
        "actor",
        String(320),
        nullable=False,
        server_default="",
        comment="who entered it: contact, or a member of staff",
    ),
    Column("recorded_at", Moment, nullable=False),
    Index("ix_consents_topic_id_contact_id_at_id", "topic_id", "contact_id", "at", "id"),
    Index("ix_consents_contact_id", "contact_id"),
    # few words are a no; each freeze asks which addresses they came from
    Index(
        "ix_consents_withdrawn",
        "topic_id",
        "contact_id",
        sqlite_where=text("state = 'withdrawn'"),
        postgresql_where=text("state = 'withdrawn'"),
    ),
    comment="append-only; the current state is the view consent_states",
)

tracking_choices = Table(
    "tracking_choices",
    metadata,
    Column("id", Id, primary_key=True),
    Column("contact_id", Ref, ForeignKey("contacts.id"), nullable=False),
    Column("level", String(10), nullable=False, comment="individual, aggregate or off"),
    Column("at", Moment, nullable=False, comment="when they said it"),
    Column("source", String(30), nullable=False, comment="preferences or staff"),
    Column("wording_id", Ref, ForeignKey("wordings.id"), comment="what was shown; null where nothing was"),
    Column("proof", Text, nullable=False, server_default="", comment="where it can be looked up"),
    Column("actor", String(320), nullable=False, server_default="", comment="contact, or a member of staff"),
    Column("recorded_at", Moment, nullable=False),
    Index("ix_tracking_choices_contact_id_at_id", "contact_id", "at", "id"),
    comment="append-only: what contacts said to being tracked; contacts.tracking holds the newest",
)

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

#: Stands for the view in queries; never created as a table.
consent_states = Table(
    "consent_states",
    metadata,
    Column("id", Id, primary_key=True),
    Column("contact_id", Ref),
    Column("topic_id", Ref),
    Column("state", String(10)),
    Column("at", Moment),
    Column("source", String(30)),
    info={"view": CONSENT_STATES},
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("address_hash", LargeBinary(16), nullable=False, comment="keyed hash of the normalised address"),
    Column("reason", String(30), nullable=False, comment="hard bounce, complaint, request, erasure, import"),
    Column("evidence", Json, nullable=False, server_default="{}"),
    Column("at", Moment, nullable=False),
    Column("actor", String(320), nullable=False, server_default=""),
    Column("lifted_at", Moment, comment="null: in force"),
    Column("lifted_by", String(320), comment="null: in force"),
    Column("lifted_reason", Text, comment="null: in force"),
    Index("ix_suppressions_address_hash", "address_hash"),
)
