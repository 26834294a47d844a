"""A PostgreSQL store of the size of years: 1 M contacts, 10 M messages, 20 M events by default.

    python benchmarks/big_store.py URL|--quick [--contacts N] [--messages N] [--events N]

The same sizes give the same store. Everything is made by the server itself, one statement a run, which is
quicker than COPY from outside; the indexes of events are built at the end. A tenth of the messages are of
one run, the others of forty, spread over a year, beside two hundred small runs.
"""

import argparse
import tempfile
import time
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from stage.letter import LINKS, write
from stage.world import EVERYBODY, SENDER, place

from campaigns.model.events import events
from campaigns.records import campaigns, consent, partitions, segments, senders, templates
from campaigns.records.campaigns import Pinned
from campaigns.values import TopicClass
from campaigns.wiring import Stores, migrate, open_stores

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
LARGE_RUNS, SMALL_RUNS, SMALL = 40, 200, 1000
#: What comes back of 100 messages: kind, verdict, how many, the share of the 48 hours it comes in.
SIGNALS = (
    ("opened", "human", 22),
    ("opened", "privacy", 26),
    ("opened", "machine", 4),
    ("clicked", "human", 9),
    ("clicked", "machine", 3),
    ("bounced", "unknown", 2),
    ("unsubscribed", "human", 1),
)
PEOPLE = """
INSERT INTO customers (id, name, kind, owner_id, stage, country, city, created_at, updated_at)
SELECT n, 'Customer ' || n, CASE n % 4 WHEN 0 THEN 'organisation' ELSE 'person' END,
  CASE WHEN n % 50 = 0 THEN 1 END, (ARRAY['prospect', 'active', 'customer'])[1 + n % 3],
  (ARRAY['DE', 'AT', 'GB'])[1 + n % 3], 'City ' || n % 500, :early, :early FROM generate_series(1, :count) n;
INSERT INTO contacts (id, customer_id, external_id, email, email_hash, given_name, family_name, locale,
  country, city, attributes, created_at, updated_at)
SELECT n, n, 'C' || n, 'person' || n || '@' || CASE n % 10 WHEN 0 THEN 'gmail.com' WHEN 1 THEN 'gmail.com'
  WHEN 2 THEN 'gmail.com' WHEN 3 THEN 'hotmail.com' WHEN 4 THEN 'yahoo.com' WHEN 5 THEN 'web.de'
  ELSE 'mail' || n % 5000 || '.example.com' END, decode(md5(n::text), 'hex'), 'Ana', 'Family ' || n % 20000,
  'de-DE', (ARRAY['DE', 'AT', 'GB'])[1 + n % 3], 'City ' || n % 500,
  jsonb_build_object('points', n % 1000), :early, :early FROM generate_series(1, :count) n;
INSERT INTO consents (contact_id, topic_id, state, at, source, recorded_at)
SELECT n, 1, 'granted', :early, 'form', :early FROM generate_series(1, :count) n;
INSERT INTO orders (external_id, customer_id, contact_id, status, placed_at, total_minor, updated_at)
SELECT 'O' || n, 1 + n % :count, 1 + n % :count, 'paid', :early + (n % 360) * interval '1 day',
  1000 + n % 9000, :early FROM generate_series(1, :count / 2) n;
INSERT INTO cases (customer_id, contact_id, kind, subject, opened_at, closed_at)
SELECT 1 + n * 7 % :count, 1 + n * 7 % :count,
  (ARRAY['request', 'complaint', 'return', 'question'])[1 + n % 4], 'Subject ' || n,
  :early + (n % 360) * interval '1 day',
  CASE WHEN n % 20 > 0 THEN :early + (n % 360) * interval '1 day' + n % 9999 * interval '10 seconds' END
FROM generate_series(1, :count / 10) n;
INSERT INTO tasks (customer_id, title, due_at, done_at, owner_id, created_at)
SELECT 1 + n * 3 % :count, 'Call ' || n, :early + (n % 360) * interval '1 day',
  CASE WHEN n % 10 > 0 THEN :early + n * interval '5 minutes' END, CASE WHEN n % 3 > 0 THEN 1 END, :early
FROM generate_series(1, :count / 10) n;
INSERT INTO activity (contact_id, last_sent_at, last_opened_at)
SELECT n, :now, CASE WHEN n % 2 = 0 THEN :now - (n % 300) * interval '1 day' END
FROM generate_series(1, :count) n;
INSERT INTO hits (at, kind, run_id, seq, contact_id, method, agent, address, headers, judged)
SELECT :early + n * interval '1 second', 'open', 1 + n % 200, 1 + n / 200 % 1000, 1 + n % :count, 'GET',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)', '203.0.113.7', 'accept,host', n % 2000 > 0
FROM generate_series(1, :count) n
"""
#: The seq of a run's messages is a permutation of the contacts that it went to.
MESSAGES = """
INSERT INTO {table} (run_id, seq, contact_id, address, state, gate, at, reply)
SELECT :run, n, c.id, c.email, CASE WHEN n > :size * 0.98 THEN 'skipped' WHEN n % 97 = 0 THEN 'failed'
  ELSE 'sent' END, CASE WHEN n > :size * 0.98 THEN 'frequency cap' END, :at,
  CASE WHEN n % 97 = 0 THEN '550 5.7.1 no' WHEN n <= :size * 0.98 THEN '250 2.0.0 ok queued as ' || n END
FROM generate_series(1, :size) n
JOIN contacts c ON c.id = 1 + (n * 7919::bigint + :run * 104729) % :contacts
"""
SENT = """
INSERT INTO events (at, kind, contact_id, customer_id, run_id, seq, verdict, source, dedupe)
SELECT m.at, 'sent', m.contact_id, m.contact_id, :run, m.seq, 'unknown', 'sender',
  'sent:' || m.run_id || ':' || m.seq
FROM messages m WHERE m.run_id = :run AND m.state = 'sent'
"""
SIGNAL = """
INSERT INTO events (at, kind, contact_id, customer_id, run_id, seq, verdict, verdict_version, source, dedupe,
  detail)
SELECT m.at + (1 + (m.seq::bigint * 7907 + CAST(:salt AS int) * 613) % 2000 ^ 1.6) * interval '1 second',
  CAST(:kind AS text), m.contact_id, m.contact_id, :run, m.seq, :verdict, 1, 'web',
  CAST(:kind AS text) || ':' || m.run_id || ':' || m.seq || ':' || CAST(:salt AS int),
  CASE CAST(:kind AS text) WHEN 'clicked' THEN jsonb_build_object('link', 1 + m.seq % 5)
    WHEN 'bounced' THEN jsonb_build_object('hard', m.seq % 2 = 0, 'status', '5.1.1') ELSE '{}' END
FROM messages m WHERE m.run_id = :run AND m.state = 'sent'
  AND (m.seq::bigint * 7907 + CAST(:salt AS int) * 104729) % 1000 < :share
"""
PARENT_INDEXES = list(events.indexes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("database", nargs="?", help="URL of an empty PostgreSQL database, which stays filled")
    parser.add_argument("--quick", action="store_true", help="a hundredth, in a PostgreSQL of our own")
    parser.add_argument("--contacts", type=int)
    parser.add_argument("--messages", type=int)
    parser.add_argument("--events", type=int)
    arguments = parser.parse_args()
    if not arguments.quick and not arguments.database:
        parser.error("give the URL of an empty database, or --quick for a small one that is thrown away")
    part = 100 if arguments.quick else 1
    wanted = (arguments.contacts, arguments.messages, arguments.events)
    usual = (1_000_000, 10_000_000, 20_000_000)
    sizes = [given or size // part for given, size in zip(wanted, usual, strict=True)]
    with tempfile.TemporaryDirectory() as folder, where(arguments.database, Path(folder)) as url:
        began = time.monotonic()
        make(url, *sizes)
        print(f"made in {time.monotonic() - began:.0f} s")


def where(url: str | None, folder: Path) -> AbstractContextManager[str]:
    """A database that is given, or one of our own."""
    return nullcontext(url) if url else place(folder, postgres=True)


def make(url: str, contacts: int, messages: int, wanted_events: int) -> None:
    migrate(url)
    stores = open_stores(url)
    with stores.sessions.begin() as session:
        prepare(session)
    timed("contacts and what they did", stores, PEOPLE, {"count": contacts})
    with stores.sessions.begin() as session:
        for index in PARENT_INDEXES:
            index.drop(session.connection())
        session.execute(sa.text("ALTER TABLE events DROP CONSTRAINT pk_events"))
        session.execute(sa.text("ALTER TABLE event_keys DROP CONSTRAINT pk_event_keys"))
    sizes = [SMALL] * SMALL_RUNS + [messages // 10] + [messages * 9 // 10 // LARGE_RUNS] * LARGE_RUNS
    scale = (wanted_events / messages - 0.97) / (sum(share for _, _, share in SIGNALS) / 100)
    for number, size in enumerate(sizes):
        days = 360 - 360 * number // len(sizes) if size == SMALL else 350 - 8 * (number - SMALL_RUNS)
        fill_run(stores, NOW - timedelta(days=days, hours=3), min(size, contacts), contacts, scale)
    finish(stores)
    stores.engine.dispose()


def prepare(session: Session) -> None:
    partitions.make_ahead(session, NOW)
    consent.add_topic(session, "news", "News", TopicClass.MARKETING, now=NOW)
    templates.save(session, "t", "T", [write(10_000)], author="benchmark", now=NOW)
    senders.add(session, SENDER, now=NOW)
    segments.save(session, "all", "All", EVERYBODY, author="benchmark", now=NOW)


def timed(name: str, stores: Stores, statements: str, values: dict[str, Any]) -> None:
    began = time.monotonic()
    moments = {"now": NOW, "early": NOW - timedelta(days=365)}
    with stores.sessions.begin() as session:
        session.execute(sa.text("SET LOCAL synchronous_commit = off"))
        for statement in statements.split(";\n"):
            named = {key: value for key, value in {**moments, **values}.items() if f":{key}" in statement}
            session.execute(sa.text(statement), named)
    print(f"{name}: {time.monotonic() - began:.1f} s", flush=True)


def fill_run(stores: Stores, at: datetime, size: int, contacts: int, scale: float) -> None:
    """Make one finished run with its messages and all that came back."""
    with stores.sessions.begin() as session:
        session.execute(sa.text("SET LOCAL synchronous_commit = off"))
        made = campaigns.create(
            session,
            f"Campaign of {at:%d %B}",
            actor="benchmark",
            now=at,
            topic_id=1,
            template_id=1,
            sender_id=1,
            segment_id=1,
        )
        pinned = Pinned(1, 1, 1, 1, None)
        run = campaigns.open_run(
            session, campaigns.get(session, made), pinned, occurrence="1", kind="campaign", now=at
        )
        members = sa.text("SELECT id FROM contacts").columns(sa.column("id", sa.BigInteger))
        chosen = sa.select(members.subquery().c.id).limit(size)
        values = {"run": run, "size": size, "at": at, "contacts": contacts}
        with partitions.apart(session, run, chosen) as table:
            session.execute(sa.text(MESSAGES.replace("{table}", table.name)), values)
        session.execute(sa.text(SENT), {"run": run})
        for salt, (kind, verdict, share) in enumerate(SIGNALS):
            given = {"run": run, "kind": kind, "verdict": verdict, "salt": salt, "share": share * scale * 10}
            session.execute(sa.text(SIGNAL), given)
        count(session, run, size, at)
    print(f"run {run}: {size:,} messages", end="\r", flush=True)


def count(session: Session, run: int, size: int, at: datetime) -> None:
    links = [{"run": run, "number": n, "url": url} for n, url in enumerate(LINKS, start=1)]
    session.execute(sa.text("INSERT INTO links VALUES (:run, :number, 'en', :url)"), links)
    session.execute(
        sa.text(
            "INSERT INTO run_gates SELECT run_id, gate, count(*) FROM messages WHERE run_id = :run"
            " AND state = 'skipped' GROUP BY 1, 2"
        ),
        {"run": run},
    )
    session.execute(
        sa.text(
            "UPDATE runs SET state = 'finished', frozen_at = :at, finished_at = :at, audience = :size,"
            " mailable = :size * 98 / 100, (sent, failed) = (SELECT count(*) FILTER (WHERE state = 'sent'),"
            " count(*) FILTER (WHERE state = 'failed') FROM messages WHERE run_id = :run) WHERE id = :run"
        ),
        {"run": run, "size": size, "at": at},
    )
    session.execute(
        sa.text(
            "UPDATE campaigns SET state = 'finished' WHERE id = (SELECT campaign_id FROM runs WHERE id = :r)"
        ),
        {"r": run},
    )


def finish(stores: Stores) -> None:
    began = time.monotonic()
    with stores.sessions.begin() as session:
        session.execute(sa.text("SET LOCAL maintenance_work_mem = '1GB'"))
        session.execute(
            sa.text("INSERT INTO event_keys SELECT dedupe, id, at FROM events WHERE kind <> 'sent'")
        )
        session.execute(sa.text("ALTER TABLE event_keys ADD CONSTRAINT pk_event_keys PRIMARY KEY (dedupe)"))
        session.execute(sa.text("ALTER TABLE events ADD CONSTRAINT pk_events PRIMARY KEY (id, at)"))
        for index in PARENT_INDEXES:
            index.create(session.connection())
    with stores.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")
        sizes = connection.exec_driver_sql(
            "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM messages),"
            " pg_database_size(current_database())"
        ).one()
    print(f"\nindexes and statistics: {time.monotonic() - began:.1f} s")
    print(f"{sizes[0]:,} events, {sizes[1]:,} messages, {sizes[2] / 1e9:.1f} GB")


if __name__ == "__main__":
    main()
