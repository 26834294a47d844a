"""What makes a mail ours in the eyes of others: the keys that sign for a domain."""

from sqlalchemy import Column, Index, LargeBinary, String, Table, Text

from campaigns.model.base import Id, Moment, metadata

dkim_keys = Table(
    "dkim_keys",
    metadata,
    Column("id", Id, primary_key=True),
    Column("domain", String(253), nullable=False, comment="as A-labels, in small letters"),
    Column("selector", String(63), nullable=False),
    Column("algorithm", String(10), nullable=False, comment="rsa or ed25519"),
    Column("public", Text, nullable=False, comment="as its DNS record carries it"),
    Column(
        "sealed",
        LargeBinary,
        nullable=False,
        comment="the private key, encrypted by the installation's secret; empty once it is retired",
    ),
    Column("created_at", Moment, nullable=False),
    Column("active_from", Moment, comment="null: its DNS record was not seen yet; it does not sign"),
    Column("retired_at", Moment, comment="null: it is not retired"),
    Index("uq_dkim_keys_domain_selector", "domain", "selector", unique=True),
    comment="writer: records/dkim_keys",
)
