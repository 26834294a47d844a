"""The ways out, as far as senders have found out how they are; which there are is in the accounts file."""

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text

from campaigns.model.base import Id, Moment, metadata

accounts = Table(
    "accounts",
    metadata,
    Column("name", String(60), primary_key=True, comment="as the accounts file names it"),
    Column("failing_since", Moment, comment="first failure after which nothing went out; null: it works"),
    Column("failures", Integer, nullable=False, server_default="0", comment="in a row, since then"),
    Column("busy", Boolean, nullable=False, server_default="0", comment="it asked to be left alone"),
    Column("closed_until", Moment, comment="nothing is claimed for it before; null: open"),
    Column("probed_at", Moment, comment="when a try succeeded after the last failure; null: none did"),
    Column("sample", Text, nullable=False, server_default="", comment="what the other side said last"),
    Column("changed_at", Moment, nullable=False),
    comment="how each account is, where it ever was not well; writer: records/accounts",
)

account_uses = Table(
    "account_uses",
    metadata,
    Column("id", Id, primary_key=True),
    Column("account", String(60), nullable=False),
    Column("at", Moment, nullable=False, comment="when a chunk was settled"),
    Column("sent", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("deferred", Integer, nullable=False),
    Column("unknown", Integer, nullable=False),
    Index("ix_account_uses_account_at", "account", "at"),
    Index("ix_account_uses_at", "at"),
    comment="what each account sent lately, a row a chunk; kept two days; writer: records/accounts",
)

serving = Table(
    "serving",
    metadata,
    Column("process", String(100), primary_key=True, comment="its machine and number"),
    Column("door", String(20), nullable=False, comment="sender or worker"),
    Column(
        "account", String(60), nullable=False, server_default="", comment="that a sender serves; empty: none"
    ),
    Column(
        "routing",
        String(16),
        nullable=False,
        comment="names what the accounts file said when it started; a keyed hash",
    ),
    Column("seen_at", Moment, nullable=False, comment="by the database's clock"),
    comment="which processes live; writer: records/serving",
)
