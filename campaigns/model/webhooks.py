"""What providers told us: each call whole, which of its events were taken, and how many of each sort."""

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, Text

from campaigns.model.base import Id, Moment, Ref, metadata

webhook_calls = Table(
    "webhook_calls",
    metadata,
    Column("id", Id, primary_key=True),
    Column("account", String(60), nullable=False),
    Column("kind", String(20), nullable=False, comment="of the account: ses, postmark …"),
    Column("at", Moment, nullable=False, comment="when it came"),
    Column(
        "name", String(32), nullable=False, comment="digest of what names this call: a repeat has the same"
    ),
    Column("digest", String(32), nullable=False, comment="of the body: a replay of a name has another"),
    Column("body", LargeBinary, nullable=False, comment="as it came; foreign"),
    Column("state", String(10), nullable=False, comment="waiting, read or unreadable"),
    Column("due_at", Moment, nullable=False, comment="of one that waits: not before"),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("problem", Text, comment="null: none; why it is unreadable, or waits longer"),
    Index("uq_webhook_calls_account_name", "account", "name", unique=True),
    Index("ix_webhook_calls_state_due_at", "state", "due_at"),
    Index("ix_webhook_calls_at", "at"),
    comment="stored before they are answered; writer: records/webhooks",
)

webhook_events = Table(
    "webhook_events",
    metadata,
    Column("key", String(32), primary_key=True, comment="digest of account and the provider's event id"),
    Column("call_id", Ref, nullable=False, comment="the call that brought it first"),
    Index("ix_webhook_events_call_id", "call_id"),
    comment="events that were taken: the same again changes nothing; writer: records/webhooks",
)

webhook_counts = Table(
    "webhook_counts",
    metadata,
    Column("day", String(10), primary_key=True, comment="UTC date"),
    Column("account", String(60), primary_key=True),
    Column("what", String(20), primary_key=True, comment="call, refused, or what became of an event"),
    Column("count", Integer, nullable=False),
    Column("last_at", Moment, nullable=False),
    comment="writer: records/webhooks",
)
