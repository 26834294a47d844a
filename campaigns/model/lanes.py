"""Lanes: who takes which domain's mail, how fast each lane may be served, and what became of each day."""

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, Table, Text

from campaigns.model.base import Json, Moment, Ref, metadata

domains = Table(
    "domains",
    metadata,
    Column("domain", String(255), primary_key=True),
    Column("lane", String(20), nullable=False, server_default="other"),
    Column("mx", Text, nullable=False, server_default="", comment="names of its mail servers, best first"),
    Column(
        "state",
        String(8),
        nullable=False,
        server_default="unasked",
        comment="unasked, taken, doubtful (missing once) or dead (takes no mail)",
    ),
    Column("failures", Integer, nullable=False, server_default="0", comment="in a row, of whatever kind"),
    Column("checked_at", Moment, comment="when it was last heard of; null: never"),
    Column("ask_at", Moment, comment="when to ask; null: not before a campaign wants it again"),
    Index("ix_domains_ask_at", "ask_at"),
    # few are dead; whether any is must be known at every load
    Index("ix_domains_state_domain", "state", "domain"),
    comment="what the DNS says of recipients' domains; writer: records/domains",
)

lanes = Table(
    "lanes",
    metadata,
    Column("account", String(60), primary_key=True, comment="'*': all that say nothing themselves"),
    Column("lane", String(20), primary_key=True),
    Column("per_minute", Float, comment="the cap that a person set, 0: no cap; null: nobody set any"),
    Column("per_day", Integer, comment="the cap that a person set; null: none"),
    Column("connections", Integer, comment="mails under way at once, 0: no limit; null: nobody set any"),
    Column(
        "starts",
        Boolean,
        nullable=False,
        server_default="0",
        comment="where nobody set any, the caps hold that a lane starts with (delivery/lanes)",
    ),
    Column("warm_base", Integer, comment="mails on a warm-up's first day; null: no warm-up"),
    Column("warm_growth", Float, comment="from day to day; null: no warm-up"),
    Column("warm_target", Integer, comment="mails a day at its end; null: no warm-up"),
    Column("warm_day", Integer, nullable=False, server_default="0", comment="of the plan, from 0"),
    Column("warm_date", String(10), nullable=False, server_default="", comment="UTC date of warm_day"),
    Column("warm_word", Text, nullable=False, server_default="", comment="what the last day led to"),
    Column("rate", Float, comment="mails a minute by what servers said; null: the cap"),
    Column("strikes", Integer, nullable=False, server_default="0", comment="signals in a row"),
    Column("held_until", Moment, comment="nothing goes before; null: nothing holds it"),
    Column("half_open", Boolean, nullable=False, server_default="0", comment="a few mails decide"),
    Column("quiet_from", Moment, comment="since when nothing speaks against us; null: it never did"),
    Column("slow", Float, comment="mails a minute at most for a while; null: no such rule holds"),
    Column("slow_until", Moment, comment="how long; null: no such rule holds"),
    Column("open_at", Moment, comment="when the next mails may be claimed; null: at once"),
    Column("rule", Text, nullable=False, server_default="", comment="what slowed or held it last"),
    Column("sample", Text, nullable=False, server_default="", comment="what a server said then"),
    Column("tallies", Json, nullable=False, server_default="{}", comment="matches of each rule lately"),
    Column("day", String(10), nullable=False, server_default="", comment="UTC date that `taken` is of"),
    Column("taken", Integer, nullable=False, server_default="0", comment="of the day's cap, by claims"),
    Column("changed_at", Moment, nullable=False),
    comment="how each lane is, where anything was ever set or said; writer: records/lanes",
)

lane_days = Table(
    "lane_days",
    metadata,
    Column("account", String(60), primary_key=True),
    Column("lane", String(20), primary_key=True),
    Column("day", String(10), primary_key=True, comment="UTC date"),
    Column("sent", Integer, nullable=False, server_default="0"),
    Column("deferred", Integer, nullable=False, server_default="0", comment="attempts"),
    Column("failed", Integer, nullable=False, server_default="0"),
    Column("hard", Integer, nullable=False, server_default="0", comment="of the failed, dead addresses"),
    comment="what went to each lane on each day; writer: records/lanes",
)

lane_log = Table(
    "lane_log",
    metadata,
    Column("at", Moment, primary_key=True),
    Column("account", String(60), primary_key=True),
    Column("lane", String(20), primary_key=True),
    Column("actor", String(320), nullable=False, comment="a member of staff, or a sender"),
    Column("what", Text, nullable=False),
    comment="append-only: who or what held, slowed, opened or capped a lane; writer: records/lanes",
)

lane_refusals = Table(
    "lane_refusals",
    metadata,
    Column("run_id", Ref, primary_key=True, autoincrement=False),
    Column("account", String(60), primary_key=True),
    Column("lane", String(20), primary_key=True),
    Column("words", String(200), primary_key=True, comment="what was said, without addresses and numbers"),
    Column("at", Moment, nullable=False, comment="when it was said last"),
    Column("seqs", Json, nullable=False, comment="of the messages that were told so; a few are enough"),
    comment="refusals that tell nothing, where nothing was taken; kept a day; writer: records/lanes",
)

domain_warm_ups = Table(
    "domain_warm_ups",
    metadata,
    Column("account", String(60), primary_key=True, comment="'*': all that say nothing themselves"),
    Column("domain", String(255), primary_key=True, comment="of senders' addresses"),
    Column("base", Integer, nullable=False, comment="mails to a lane on the first day"),
    Column("growth", Float, nullable=False, comment="from day to day"),
    Column("target", Integer, nullable=False, comment="mails to a lane a day at its end"),
    comment="sending domains that are new, and how they are warmed up; writer: records/lanes",
)

domain_lanes = Table(
    "domain_lanes",
    metadata,
    Column("account", String(60), primary_key=True),
    Column("domain", String(255), primary_key=True),
    Column("lane", String(20), primary_key=True),
    Column("day", Integer, nullable=False, server_default="0", comment="of the plan, from 0"),
    Column("date", String(10), nullable=False, comment="UTC date of `day`, and of the figures"),
    Column("word", Text, nullable=False, server_default="", comment="what the last day led to"),
    Column("taken", Integer, nullable=False, server_default="0", comment="of the day's cap, by claims"),
    Column("taken_on", String(10), nullable=False, server_default="", comment="UTC date of `taken`"),
    Column("sent", Integer, nullable=False, server_default="0"),
    Column("deferred", Integer, nullable=False, server_default="0", comment="attempts"),
    Column("hard", Integer, nullable=False, server_default="0", comment="dead addresses"),
    Column("sent_on", String(10), nullable=False, server_default="", comment="UTC date of the last one sent"),
    comment="where the warm-up of a sending domain stands in each lane; writer: records/lanes",
)
