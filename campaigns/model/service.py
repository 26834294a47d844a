"""Work that people of ours do for customers: cases and tasks."""

from sqlalchemy import Column, ForeignKey, Index, String, Table, Text

from campaigns.model.base import Id, Moment, Ref, metadata

cases = Table(
    "cases",
    metadata,
    Column("id", Id, primary_key=True),
    Column("customer_id", Ref, ForeignKey("customers.id"), nullable=False),
    Column("contact_id", Ref, comment="who raised it, where known"),
    Column("kind", String(12), nullable=False, comment="request, complaint, return or question"),
    Column("subject", Text, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("closed_at", Moment, comment="null: open; an open complaint stops promotion"),
    Column("owner_id", Ref, comment="the agent (staff), if taken"),
    Index("ix_cases_customer_id", "customer_id"),
    Index("ix_cases_closed_at_opened_at", "closed_at", "opened_at"),
)

tasks = Table(
    "tasks",
    metadata,
    Column("id", Id, primary_key=True),
    Column("customer_id", Ref, ForeignKey("customers.id"), nullable=False),
    Column("contact_id", Ref, comment="about whom, where it is about one person"),
    Column("title", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default="", comment="what called for it"),
    Column("due_at", Moment, comment="null: no date"),
    Column("done_at", Moment, comment="null: open"),
    Column("owner_id", Ref, comment="the rep (staff), if given"),
    Column("created_at", Moment, nullable=False),
    Column(
        "dedupe",
        String(120),
        unique=True,
        comment="the same cause makes one task; null for those made by hand",
    ),
    Index("ix_tasks_customer_id", "customer_id"),
    Index("ix_tasks_owner_id_done_at", "owner_id", "done_at"),
)
