"""People of ours who log in, and the worker processes that do the work."""

from sqlalchemy import Boolean, Column, Integer, String, Table, Text

from campaigns.model.base import Id, Json, Moment, metadata

staff = Table(
    "staff",
    metadata,
    Column("id", Id, primary_key=True),
    Column("email", String(320), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("roles", Json, nullable=False, comment="list of marketing, sales, service, admin"),
    Column("locale", String(20), comment="null: as the browser says"),
    Column("active", Boolean, nullable=False, server_default="1"),
    Column("created_at", Moment, nullable=False),
)

workers = Table(
    "workers",
    metadata,
    Column("name", String(100), primary_key=True, comment="host, pid and a random part"),
    Column("role", String(20), nullable=False, comment="ticks, sender or hits"),
    Column("pid", Integer, nullable=False),
    Column("seen_at", Moment, nullable=False),
)
