"""The history: what happened, and the raw hits it was judged from."""

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text, and_, false, literal_column, true

from campaigns.model.base import Id, Json, Moment, Ref, metadata

events = Table(
    "events",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("kind", String(24), nullable=False),
    Column("contact_id", Ref, comment="null: about the customer as a whole"),
    Column("customer_id", Ref, comment="null: not known when it happened"),
    Column("run_id", Ref, comment="null: not about a message"),
    Column("seq", Integer, comment="null: not about a message"),
    Column(
        "verdict",
        String(8),
        nullable=False,
        server_default="unknown",
        comment="projection; recomputable; writer: records/history.judge",
    ),
    Column(
        "verdict_version",
        Integer,
        nullable=False,
        server_default="0",
        comment="of the rules that gave the verdict; 0: none did",
    ),
    Column("source", String(30), nullable=False, server_default=""),
    Column(
        "dedupe",
        String(120),
        nullable=False,
        unique=True,  # on PostgreSQL, where events are divided by month, event_keys sees to it
        comment="a second event of this key is the same event",
    ),
    Column("detail", Json, nullable=False, server_default="{}"),
    Index("ix_events_contact_id_kind_at", "contact_id", "kind", "at"),
    Index("ix_events_customer_id_at", "customer_id", "at"),
    # answers "who did this since" without a look at the table: 3 times as quick with the verdict in it
    Index("ix_events_kind_at_contact_id_verdict", "kind", "at", "contact_id", "verdict"),
    Index("ix_events_run_id_kind", "run_id", "kind"),
    comment="append-only, except for the verdict",
)

event_keys = Table(
    "event_keys",
    metadata,
    Column("dedupe", String(120), primary_key=True),
    Column("event_id", Ref, nullable=False),
    Column("at", Moment, nullable=False),
    Index("ix_event_keys_at", "at", postgresql_using="brin"),
    comment="which events there are, over all months; writer: records/history",
    info={"only": "postgresql"},
)

hits = Table(
    "hits",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("kind", String(8), nullable=False, comment="open, click, view or score"),
    Column("run_id", Ref, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("contact_id", Ref, nullable=False),
    Column("link", Integer, comment="of a score its value; null: neither click nor score"),
    Column("method", String(8), nullable=False),
    Column("agent", Text, nullable=False),
    Column("address", String(45), nullable=False, comment="IP address; cut by retention"),
    Column(
        "headers", Text, nullable=False, comment="names of the headers that browsers send, comma-separated"
    ),
    Column(
        "judged", Boolean, nullable=False, server_default="0", comment="has its event; writer: records/hits"
    ),
    Column("verdict", String(8), comment="that its event has; null: no event; writer: records/hits"),
    Column(
        "crowd",
        Integer,
        nullable=False,
        server_default="0",
        comment="other recipients of the domain whose mails the same address followed within a minute",
    ),
    comment="raw requests; events are judged from them and can be judged again",
)
#: What each index holds, as queries must write it. A hit that comes in waits, at the end of the one: it must
#: touch no page at random, as it would if those of a message were found before they are judged.
WAITS, JUDGED = hits.c.judged.is_(false()), hits.c.judged.is_(true())
Index("ix_hits_waiting", hits.c.id, sqlite_where=WAITS, postgresql_where=WAITS)
Index(
    "ix_hits_run_id_seq_id",
    hits.c.run_id,
    hits.c.seq,
    hits.c.id,
    sqlite_where=JUDGED,
    postgresql_where=JUDGED,
)
#: What followed links, by address: neighbours are looked for there. As long as a hit waits it is in neither.
#: In the second are the few rows of machines, by which a network gives itself away.
BY_ADDRESS = {"address": "varchar_pattern_ops"}
FOLLOWED = and_(JUDGED, hits.c.kind != literal_column("'open'"))
OF_MACHINES = and_(hits.c.verdict == literal_column("'machine'"), hits.c.kind == literal_column("'click'"))
Index(
    "ix_hits_address_at",
    hits.c.address,
    hits.c.at,
    sqlite_where=FOLLOWED,
    postgresql_where=FOLLOWED,
    postgresql_ops=BY_ADDRESS,
)
Index(
    "ix_hits_of_machines",
    hits.c.address,
    sqlite_where=OF_MACHINES,
    postgresql_where=OF_MACHINES,
    postgresql_ops=BY_ADDRESS,
)

hit_counts = Table(
    "hit_counts",
    metadata,
    Column("run_id", Ref, primary_key=True, autoincrement=False),
    Column("kind", String(8), primary_key=True, comment="open, click, view or score"),
    Column("link", Integer, primary_key=True, autoincrement=False, comment="-1: neither click nor score"),
    Column(
        "verdict", String(8), primary_key=True, comment="of each by itself; nothing is kept to judge again"
    ),
    Column("count", Integer, nullable=False),
    comment="hits of contacts who are not tracked one by one: nobody can tell whose; writer: records/hits",
)

verdict_rounds = Table(
    "verdict_rounds",
    metadata,
    Column("id", Id, primary_key=True),
    Column("version", Integer, nullable=False, comment="of the rules"),
    Column("since", Moment, comment="hits from then on; null: all"),
    Column("until_id", Ref, nullable=False, comment="the last hit there was when it began"),
    Column(
        "done_id", Ref, nullable=False, server_default="0", comment="hits up to this one are judged again"
    ),
    Column("judged", Ref, nullable=False, server_default="0", comment="hits that were judged again"),
    Column("changed", Json, nullable=False, server_default="{}", comment="how many, by 'machine to human'"),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment, comment="null: not yet"),
    comment="rounds in which all hits are judged again; writer: records/rounds",
)

strays = Table(
    "strays",
    metadata,
    Column("day", String(10), primary_key=True, comment="UTC date"),
    Column(
        "what",
        String(20),
        primary_key=True,
        comment="open, click, view, unsubscribe, preferences, survey, return",
    ),
    Column("count", Integer, nullable=False),
    comment="requests with an unknown or forged token, counted",
)

imports = Table(
    "imports",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", String(20), nullable=False, comment="contacts or orders"),
    Column("file", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("mapping", Json, nullable=False),
    Column("counts", Json, nullable=False, server_default="{}"),
    Column("actor", String(320), nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment, comment="null: running, or stopped half-way (nothing was merged then)"),
)
