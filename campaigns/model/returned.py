"""Mail that came back, as it came."""

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, String, Table

from campaigns.model.base import Id, Moment, Ref, metadata

returned_mails = Table(
    "returned_mails",
    metadata,
    Column("id", Id, primary_key=True),
    Column("digest", String(24), nullable=False, comment="of the mail, as its event's"),
    Column("at", Moment, nullable=False, comment="when it came"),
    Column("contact_id", Ref, nullable=False),
    Column("run_id", Ref, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("sort", String(30), nullable=False, comment="the class that it was taken for"),
    Column("hard", Boolean, nullable=False),
    Column("rules", Integer, nullable=False, comment="version of the rules that said so"),
    Column("raw", LargeBinary, nullable=False, comment="its beginning, compressed; foreign"),
    Index("uq_returned_mails_digest", "digest", unique=True),
    Index("ix_returned_mails_at", "at"),
    Index("ix_returned_mails_contact_id", "contact_id"),
    comment="bounces as they came, for better rules to read; kept 30 days; writer: records/returned_mails",
)
