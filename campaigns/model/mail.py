"""The ledger and what leads to it: senders, templates, segments, campaigns, runs, messages, chunks, links."""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

from campaigns.model.base import Id, Json, Moment, Ref, metadata

senders = Table(
    "senders",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("address", String(320), nullable=False),
    Column("reply_to", String(320), comment="null: answers go to address"),
    Column("bounce_domain", String(255), nullable=False),
    Column("postal_address", Text, nullable=False, server_default=""),
    Column("created_at", Moment, nullable=False),
)

templates = Table(
    "templates",
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", String(60), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("archived_at", Moment, comment="null: offered for new campaigns"),
)

template_versions = Table(
    "template_versions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("template_id", Ref, ForeignKey("templates.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("author", String(320), nullable=False, server_default=""),
    Column("created_at", Moment, nullable=False),
    Index("uq_template_versions_template_id_version", "template_id", "version", unique=True),
)

template_bodies = Table(
    "template_bodies",
    metadata,
    Column("id", Id, primary_key=True),
    Column("version_id", Ref, ForeignKey("template_versions.id"), nullable=False),
    Column("language", String(20), nullable=False),
    Column("kind", String(10), nullable=False, comment="mjml, html or text"),
    Column("subject", Text, nullable=False),
    Column("preheader", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("text", Text, nullable=False, comment="the written text part; empty: made from the HTML"),
    Column("compiled_html", Text, comment="null: a plain letter"),
    Column("compiled_text", Text, nullable=False),
    Column("compiled_subject", Text, nullable=False),
    Index("uq_template_bodies_version_id_language", "version_id", "language", unique=True),
)

file_contents = Table(
    "file_contents",
    metadata,
    Column("digest", String(64), primary_key=True, comment="SHA-256 of the data, in hex"),
    Column("data", LargeBinary, nullable=False),
    comment="writer: records/template_files",
)

template_files = Table(
    "template_files",
    metadata,
    Column("version_id", Ref, ForeignKey("template_versions.id"), nullable=False),
    Column("place", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("content_id", String(130), comment="what cid: shows within the mail; null: attached"),
    Column("digest", String(64), ForeignKey("file_contents.digest"), nullable=False),
    PrimaryKeyConstraint("version_id", "place"),
    comment="writer: records/template_files",
)

segments = Table(
    "segments",
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", String(60), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("archived_at", Moment, comment="null: offered for new campaigns"),
)

segment_versions = Table(
    "segment_versions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("segment_id", Ref, ForeignKey("segments.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("rule", Json, nullable=False),
    Column("author", String(320), nullable=False, server_default=""),
    Column("created_at", Moment, nullable=False),
    Index("uq_segment_versions_segment_id_version", "segment_id", "version", unique=True),
)

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("state", String(24), nullable=False, server_default="draft"),
    Column("topic_id", Ref, ForeignKey("topics.id"), comment="null while drafted"),
    Column("segment_id", Ref, ForeignKey("segments.id"), comment="null while drafted"),
    Column("template_id", Ref, ForeignKey("templates.id"), comment="null while drafted"),
    Column("sender_id", Ref, ForeignKey("senders.id"), comment="null while drafted"),
    Column("survey_id", Ref, ForeignKey("surveys.id"), comment="null: the mail invites to no survey"),
    Column("schedule", String(10), nullable=False, server_default="now", comment="now, at or recurring"),
    Column("starts_at", Moment, comment="schedule 'at': when; null otherwise"),
    Column("cron", String(100), comment="schedule 'recurring': five fields; null otherwise"),
    Column("time_zone", String(64), nullable=False, server_default="UTC"),
    Column("due_at", Moment, comment="when the next run opens; null: nothing is due"),
    Column("occurrence", String(40), comment="name of the run due at due_at: local time without offset"),
    Column("ends_at", Moment, comment="recurring: no run after this; null: no end"),
    Column(
        "send_within_hours",
        Integer,
        nullable=False,
        server_default="72",
        comment="a message not sent by then is skipped as expired",
    ),
    Column("per_minute", Integer, comment="throttle; null: as fast as the backend takes"),
    Column("spread_minutes", Integer, comment="each recipient has a moment within it; null: not spread"),
    Column("window_from", Integer, comment="minutes after midnight; null: at any hour"),
    Column("window_to", Integer, comment="minutes after midnight; null: at any hour"),
    Column("window_days", String(7), nullable=False, server_default="1234567", comment="1 is Monday"),
    Column("window_zone", String(9), nullable=False, server_default="campaign", comment="or recipient"),
    Column("hold_out_percent", Integer, nullable=False, server_default="0"),
    Column("cap_count", Integer, comment="at most so many messages of marketing ...; null: no cap"),
    Column("cap_days", Integer, comment="... in so many days; null: no cap"),
    Column("until_reply", Boolean, nullable=False, server_default="0", comment="a reply ends it for them"),
    Column("tracking", Boolean, nullable=False, server_default="1", comment="links and pixel"),
    Column("goal", Text, nullable=False, server_default=""),
    Column("created_by", String(320), nullable=False, server_default=""),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column(
        "deleted_at", Moment, comment="hidden since; its runs and history stay, so unsubscribe keeps working"
    ),
    Index("ix_campaigns_due_at", "due_at"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("campaign_id", Ref, ForeignKey("campaigns.id"), nullable=False),
    Column(
        "occurrence", String(40), nullable=False, comment="local time without offset; 'test' runs count up"
    ),
    Column("state", String(24), nullable=False),
    Column("kind", String(10), nullable=False, server_default="campaign", comment="campaign or test"),
    Column("topic_id", Ref, nullable=False),
    Column("sender_id", Ref, nullable=False),
    Column("template_version_id", Ref, nullable=False, comment="pinned when the run opened"),
    Column("segment_version_id", Ref, comment="pinned when the run opened; null for a test"),
    Column("survey_version_id", Ref, comment="pinned when the run opened; null: no survey"),
    Column("tracking", Boolean, nullable=False, server_default="1"),
    Column("per_minute", Integer, comment="throttle; null: none"),
    Column(
        "audience",
        Integer,
        nullable=False,
        server_default="0",
        comment="contacts in the segment at the freeze",
    ),
    Column(
        "mailable", Integer, nullable=False, server_default="0", comment="of them, those that no gate stopped"
    ),
    Column("sent", Integer, nullable=False, server_default="0", comment="projection; writer: records/outbox"),
    Column(
        "failed", Integer, nullable=False, server_default="0", comment="projection; writer: records/outbox"
    ),
    Column(
        "skipped",
        Integer,
        nullable=False,
        server_default="0",
        comment="after the freeze; projection; writer: records/outbox",
    ),
    Column(
        "unknown", Integer, nullable=False, server_default="0", comment="projection; writer: records/outbox"
    ),
    Column("opened_at", Moment, nullable=False),
    Column("frozen_at", Moment, comment="null: the audience is not frozen yet"),
    Column("expires_at", Moment, nullable=False, comment="messages not sent by then are skipped"),
    Column("finished_at", Moment, comment="null: not finished"),
    Index("uq_runs_campaign_id_occurrence", "campaign_id", "occurrence", unique=True),
    Index("ix_runs_state", "state"),
)

campaign_log = Table(
    "campaign_log",
    metadata,
    Column("id", Id, primary_key=True),
    Column("campaign_id", Ref, ForeignKey("campaigns.id"), nullable=False),
    Column("at", Moment, nullable=False),
    Column("actor", String(320), nullable=False, comment="a member of staff, or the worker"),
    Column("what", Text, nullable=False),
    Index("ix_campaign_log_campaign_id", "campaign_id"),
    comment="append-only: who scheduled, paused, resumed, cancelled, and how runs ended",
)

run_gates = Table(
    "run_gates",
    metadata,
    Column("run_id", Ref, ForeignKey("runs.id"), primary_key=True),
    Column("gate", String(30), primary_key=True),
    Column("count", Integer, nullable=False),
    comment="how many each gate stopped at the freeze; writer: records/audience",
)

run_figures = Table(
    "run_figures",
    metadata,
    Column("run_id", Ref, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False, comment="when it was counted"),
    Column(
        "news",
        Ref,
        nullable=False,
        server_default="0",
        comment="how often something new was heard; of run 0: newest event of the last look",
    ),
    Column(
        "counted",
        Ref,
        nullable=False,
        server_default="0",
        comment="how much of the news was counted; of run 0: events read up to here",
    ),
    Column(
        "final", Boolean, nullable=False, server_default="0", comment="its events may be gone; never changed"
    ),
    Column("figures", Json, nullable=False, comment="all that a report counts"),
    comment="projection of messages and events for large and for old runs; writer: records/reports/counts",
)

messages = Table(
    "messages",
    metadata,
    Column("run_id", Ref, nullable=False, autoincrement=False),
    Column(
        "seq",
        Integer,
        nullable=False,
        autoincrement=False,
        comment="from 1; those that a gate stopped at the freeze come last",
    ),
    Column("contact_id", Ref, nullable=False),
    Column("address", String(320), comment="where it goes; null where a gate stopped it at the freeze"),
    Column("state", String(8), nullable=False),
    Column("gate", String(30), comment="why skipped; null otherwise"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("not_before", Moment, comment="when it is tried again; null: it was not deferred"),
    Column("at", Moment, comment="when the state was settled; null while queued"),
    Column("reply", Text, comment="the backend's last word; null while there is none"),
    PrimaryKeyConstraint("run_id", "seq"),
    Index("uq_messages_contact_id_run_id", "contact_id", "run_id", unique=True),
    Index("uq_messages_run_id_address", "run_id", "address", unique=True),
    # on PostgreSQL divided by run (records/partitions); no index names the state, so its changes stay cheap
    sqlite_with_rowid=False,
)

#: What a claim looks by: within a run, what is due of one account.
DUE = ("run_id", "state", "account", "not_before", "number")
#: What it looks by where a lane is closed or has a budget.
DUE_OF_LANE = ("run_id", "state", "account", "lane", "not_before", "number")

chunks = Table(
    "chunks",
    metadata,
    Column("run_id", Ref, nullable=False, autoincrement=False),
    Column("number", Integer, nullable=False, autoincrement=False),
    Column("first_seq", Integer, nullable=False),
    Column("last_seq", Integer, nullable=False, comment="inclusive"),
    Column(
        "lane",
        String(20),
        nullable=False,
        server_default="other",
        comment="the mailbox provider of all its messages",
    ),
    Column(
        "account",
        String(60),
        nullable=False,
        server_default="main",
        comment="whose queue it waits in; writer: records/routes",
    ),
    Column("zone", String(64), comment="time zone of its recipients; null: the campaign's"),
    Column("state", String(8), nullable=False, comment="ready, claimed or done"),
    Column("owner", String(100), comment="which sender holds it; null: nobody"),
    Column("lease_until", Moment, comment="by the database's clock; null: nobody holds it"),
    Column(
        "fence",
        Integer,
        nullable=False,
        server_default="0",
        comment="counts claims; a write with an older fence is refused",
    ),
    Column("not_before", Moment, comment="when deferred messages are due again; null: at once"),
    Column(
        "published_until",
        Moment,
        comment="by the database's clock: a broker holds its number till then; null: none does",
    ),
    Column("granted", Integer, comment="of its lane's budget, while claimed; null: all may go"),
    Column("taken_at", Moment, comment="when a mail of it was last taken; null: none was"),
    Column("refused", Integer, nullable=False, server_default="0", comment="for us, since one was taken"),
    PrimaryKeyConstraint("run_id", "number"),
    Index("ix_chunks_state_not_before", "state", "not_before"),
    Index("ix_chunks_state_account_lane_run_id_number", "state", "account", "lane", "run_id", "number"),
    Index("ix_chunks_run_id_state_account_not_before_number", *DUE),
    Index("ix_chunks_run_id_state_account_lane_not_before_number", *DUE_OF_LANE),
    Index("ix_chunks_published_until", "published_until"),
)

paces = Table(
    "paces",
    metadata,
    Column("name", String(200), primary_key=True, comment="an account whose limit all senders share"),
    Column("free_at", Moment, nullable=False, comment="by the database's clock: what is reserved ends here"),
    comment="how fast each account is used (GCRA); writer: records/pace",
)

links = Table(
    "links",
    metadata,
    Column("run_id", Ref, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("language", String(20), nullable=False),
    Column("url", Text, nullable=False),
)
