"""What the installation tells of itself."""

from sqlalchemy import Column, Float, String, Table

from campaigns.model.base import Moment, metadata

ticks = Table(
    "ticks",
    metadata,
    Column("name", String(30), primary_key=True),
    Column("every_seconds", Float, nullable=False, comment="how far apart they are meant to be"),
    Column("done_at", Moment, nullable=False, comment="by the database's clock: when one last succeeded"),
    comment="whether a worker lives; writer: records/ticks",
)
