"""Surveys and what was answered."""

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from campaigns.model.base import Id, Json, Moment, Ref, metadata

surveys = Table(
    "surveys",
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", String(60), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("archived_at", Moment, comment="null: offered for new campaigns"),
)

survey_versions = Table(
    "survey_versions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("survey_id", Ref, ForeignKey("surveys.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("form", Json, nullable=False),
    Column("author", String(320), nullable=False, server_default=""),
    Column("created_at", Moment, nullable=False),
    Index("uq_survey_versions_survey_id_version", "survey_id", "version", unique=True),
)

responses = Table(
    "responses",
    metadata,
    Column("id", Id, primary_key=True),
    Column("survey_id", Ref, ForeignKey("surveys.id"), nullable=False),
    Column("version_id", Ref, ForeignKey("survey_versions.id"), nullable=False),
    Column("contact_id", Ref, ForeignKey("contacts.id"), nullable=False),
    Column("run_id", Ref, nullable=False, server_default="0", comment="0: not by a campaign"),
    Column("seq", Integer, nullable=False, server_default="0"),
    Column(
        "posted",
        Boolean,
        nullable=False,
        server_default="0",
        comment="0: only a score was clicked in the mail; provisional",
    ),
    Column("started_at", Moment, nullable=False),
    Column("posted_at", Moment, comment="null: provisional"),
    Column("language", String(20), nullable=False, server_default="en"),
    Index("uq_responses_survey_id_contact_id_run_id", "survey_id", "contact_id", "run_id", unique=True),
    Index("ix_responses_contact_id", "contact_id"),
)

answers = Table(
    "answers",
    metadata,
    Column("id", Id, primary_key=True),
    Column("response_id", Ref, ForeignKey("responses.id"), nullable=False),
    Column("survey_id", Ref, nullable=False),
    Column("contact_id", Ref, nullable=False),
    Column("question", String(60), nullable=False, comment="the question's key"),
    Column("choice", Text, comment="single, multiple, product: one row for each choice; null otherwise"),
    Column("number", Float, comment="scale; null otherwise"),
    Column("text", Text, comment="text; null otherwise"),
    Column("at", Moment, nullable=False),
    Index("ix_answers_survey_id_question", "survey_id", "question"),
    Index("ix_answers_response_id", "response_id"),
    comment="answers of posted responses only",
)
