"""Freezing a million recipients with every gate on, beside the bare INSERT ... SELECT of as many rows.

    python benchmarks/freeze.py [--quick] [--postgres] [--contacts N]

Consents with later withdrawals, suppressions, open complaints, holds by reps, a cap on messages lately,
addresses used twice, contacts erased or without an address, and a hold-out; what each gate stopped is
compared with what was put in. PostgreSQL runs durably, as it is delivered; CPU and memory are its server's.

"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from stage.letter import write
from stage.world import SENDER, place

from campaigns.flows import audience
from campaigns.model.base import Moment
from campaigns.model.dialect import is_postgres
from campaigns.model.mail import run_gates
from campaigns.records import campaigns, consent, segments, senders, templates
from campaigns.records.campaigns import Pinned
from campaigns.values import TopicClass
from campaigns.wiring import open_stores

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
SECONDS_A_MILLION = 10
MEMORY_MB = 600
HOLD_OUT = 5
EVERY = {"field": "contact.country", "is": "in", "value": ["AT", "DE"]}
NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)"
#: Everybody's address; one in 200 has that of the next contact.
EMAIL = """
'person' || (n + (n % 200 = 12)::int) || '@' || CASE (n + (n % 200 = 12)::int) % 10
  WHEN 0 THEN 'gmail.com' WHEN 1 THEN 'gmail.com' WHEN 2 THEN 'gmail.com' WHEN 3 THEN 'hotmail.com'
  WHEN 4 THEN 'yahoo.com' WHEN 5 THEN 'web.de' ELSE 'mail' || n % 5000 || '.example.com' END
"""
#: What stands in the store, each with the numbers of the contacts that it is about.
WORLD = """
INSERT INTO customers (id, name, hold_until, created_at, updated_at)
SELECT n, 'Customer ' || n, CASE WHEN n % 100 = 10 THEN :later END, :now, :now FROM numbers;
INSERT INTO contacts (id, customer_id, email, email_hash, erased_at, given_name, country, created_at,
  updated_at)
SELECT n, n, CASE WHEN n % 1000 NOT IN (1, 2) THEN {email} END, {hash}, CASE WHEN n % 1000 = 1 THEN :now
  END, 'Ana', 'DE', :now, :now FROM numbers;
INSERT INTO consents (contact_id, topic_id, state, at, source, recorded_at)
SELECT n, 1, 'granted', :early, 'form', :now FROM numbers WHERE n % 50 <> 5;
INSERT INTO consents (contact_id, topic_id, state, at, source, recorded_at)
SELECT n, 1, 'withdrawn', CASE WHEN n % 50 = 6 THEN :now ELSE :earlier END, 'form', :now FROM numbers
  WHERE n % 50 IN (6, 7);
INSERT INTO suppressions (address_hash, reason, at, lifted_at)
SELECT {hash}, 'hard bounce', :now, CASE WHEN n % 100 = 4 THEN :now END FROM numbers WHERE n % 100 IN (3,
  4);
INSERT INTO cases (customer_id, kind, subject, opened_at, closed_at)
SELECT n, 'complaint', 'Late', :early, CASE WHEN n % 200 <> 8 THEN :now END FROM numbers WHERE n % 200 =
  8 OR n % 50 = 9;
INSERT INTO events (at, kind, contact_id, customer_id, run_id, seq, dedupe)
SELECT CASE WHEN n % 4 = 0 THEN :early ELSE :lately END, 'sent', n, n, 1, n, 's' || n FROM numbers WHERE
  n % 2 = 0;
INSERT INTO events (at, kind, contact_id, customer_id, run_id, seq, dedupe)
SELECT :lately, 'sent', n, n, 1, n, 't' || n FROM numbers WHERE n % 20 = 11;
INSERT INTO events (at, kind, contact_id, customer_id, run_id, seq, dedupe)
SELECT :now, 'sent', n, n, 1, n, 'u' || n FROM numbers WHERE n % 20 = 11;
"""
BARE = (
    "INSERT INTO messages (run_id, seq, contact_id, address, state)"
    " SELECT :run, row_number() OVER (ORDER BY id), id, email, 'queued' FROM contacts"
)


def expected(count: int) -> dict[str, int]:
    """How many each gate must stop; a gate asked later stops only whom no earlier one did."""
    gates = {"free": 0}
    for n in range(1, 1001):
        gate = gate_of(n)
        gates[gate] = gates.get(gate, 0) + count // 1000
    return gates


def gate_of(n: int) -> str:
    rules = (
        (n % 1000 == 1, "no member"),
        (n % 1000 == 2, "no address"),
        (n % 100 == 3, "suppressed"),
        (n % 50 in (5, 6), "no consent"),
        (n % 200 == 8, "complaint open"),
        (n % 100 == 10, "held by rep"),
        (n % 20 == 11, "frequency cap"),
        (n % 200 == 13, "duplicate address"),
    )
    return next((gate for stopped, gate in rules if stopped), "free")


def main() -> None:
    arguments = parse()
    if arguments.run:
        print(json.dumps(freeze(arguments.database, arguments.run)))
        return
    with (
        tempfile.TemporaryDirectory(prefix="postroom-bench-") as name,
        place(Path(name), postgres=arguments.postgres) as url,
    ):
        runs = fill(url, arguments.contacts)
        budgets = list(measure(url, runs, arguments.contacts))
    print()
    print("\n".join(budgets))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="100,000 contacts")
    parser.add_argument("--contacts", type=int, help="a multiple of 1,000")
    parser.add_argument("--postgres", action="store_true", help="start a PostgreSQL of our own")
    parser.add_argument("--database", help=argparse.SUPPRESS)
    parser.add_argument("--run", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.contacts = arguments.contacts or (100_000 if arguments.quick else 1_000_000)
    return arguments


def fill(url: str, count: int) -> list[int]:
    """Fill an empty store; gives two open runs of a campaign to everybody."""
    stores = open_stores(url)
    with stores.sessions.begin() as session:
        consent.add_topic(session, "news", "News", TopicClass.MARKETING, now=NOW)
        runs = [open_run(session, occurrence) for occurrence in ("earlier", "now", "bare")]
        for statement in WORLD.split(";")[:-1]:
            execute(session, statement, count)
    with stores.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE" if url.startswith("postgres") else "ANALYZE")
    stores.engine.dispose()
    return runs[1:]


def open_run(session: Session, occurrence: str) -> int:
    if occurrence == "earlier":
        templates.save(session, "t", "T", [write(10_000)], author="benchmark", now=NOW)
        sender = senders.add(session, SENDER, now=NOW)
        segments.save(session, "all", "All", {"version": 1, "rule": EVERY}, author="benchmark", now=NOW)
        campaigns.create(
            session,
            "C",
            actor="benchmark",
            now=NOW,
            topic_id=1,
            template_id=1,
            sender_id=sender,
            segment_id=1,
            hold_out_percent=HOLD_OUT,
            cap_count=2,
            cap_days=7,
        )
    pinned = Pinned(1, 1, 1, 1, None)
    return campaigns.open_run(
        session, campaigns.get(session, 1), pinned, occurrence=occurrence, kind="campaign", now=NOW
    )


def execute(session: Session, statement: str, count: int) -> None:
    """Run one statement of the world, written so that both databases read it."""
    hashed = "CAST(printf('%016x', n * 2654435761 % 4294967291) AS BLOB)"
    email = EMAIL.replace("::int", "")
    if is_postgres(session):
        hashed = "convert_to(lpad(to_hex(n::bigint * 2654435761 % 4294967291), 16, '0'), 'UTF8')"
        email = EMAIL
    text = statement.replace("{hash}", hashed).replace("{email}", email)
    head, _, select = text.partition("SELECT ")
    sql = sa.text(f"{head} {NUMBERS} SELECT {select}")
    moments = {
        "now": NOW,
        "later": NOW + timedelta(days=9),
        "lately": NOW - timedelta(days=3),
        "early": NOW - timedelta(days=30),
        "earlier": NOW - timedelta(days=60),
    }
    named = {name: at for name, at in moments.items() if re.search(rf":{name}\b", text)}
    session.execute(
        sql.bindparams(*[sa.bindparam(name, type_=Moment()) for name in named]), {"count": count, **named}
    )


def measure(url: str, runs: list[int], count: int) -> Iterator[str]:
    frozen = told(url, runs[0])
    bare = bare_insert(url, runs[1])
    gates, mailable = frozen["gates"], frozen["mailable"]
    print(f"{count:,} members, {mailable:,} mailable, {gates}")
    print(
        f"freeze {frozen['seconds']:.2f} s ({frozen['cpu']:.2f} s CPU),"
        f" {frozen['chunks']} chunks, {frozen['megabytes']} MB;"
        f" bare INSERT ... SELECT {bare:.2f} s: {frozen['seconds'] / bare:.1f} times"
    )
    held_out = gates.pop("hold-out")
    wanted = expected(count)
    del wanted["no member"]  # who was forgotten belongs to no segment
    assert {**gates, "free": mailable + held_out} == wanted, wanted
    assert abs(held_out / wanted["free"] - HOLD_OUT / 100) < 0.01, held_out
    target = SECONDS_A_MILLION * max(count, 200_000) / 1_000_000  # a short one does not begin for less
    database = "postgresql" if url.startswith("postgres") else "sqlite"
    yield budget(f"freeze_{database}", frozen["seconds"], "s", target)
    yield budget(f"freeze_{database}_memory", frozen["megabytes"], "MB", MEMORY_MB)


def budget(name: str, value: float, unit: str, target: float) -> str:
    return f"budget {name} {value:.4g} {unit} target {target:g} {'ok' if value <= target else 'short'}"


def told(url: str, run: int) -> dict[str, Any]:
    """Freeze in a process of its own, so that its memory is the freeze's alone."""
    command = [sys.executable, __file__, "--run", str(run), "--database", url]
    said: dict[str, Any] = json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True).stdout
    )
    return said


def freeze(url: str, run: int) -> dict[str, Any]:
    stores = open_stores(url)
    began = time.monotonic()
    with stores.sessions() as session:
        mailable = audience.freeze(session, run, NOW)
        cpu, megabytes = used_by_server(session) if is_postgres(session) else used_by_this_process()
        session.commit()
        seconds = time.monotonic() - began
        counted = sa.select(run_gates.c.gate, run_gates.c.count).where(run_gates.c.run_id == run)
        gates = dict(session.execute(counted).all())
        chunks = session.scalar(sa.text("SELECT count(*) FROM chunks"))
    return {
        "seconds": seconds,
        "cpu": cpu,
        "mailable": mailable,
        "gates": gates,
        "chunks": chunks,
        "megabytes": megabytes,
    }


def used_by_this_process() -> tuple[float, int]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime, used.ru_maxrss >> 10


def used_by_server(session: Session) -> tuple[float, int]:
    """CPU seconds and most memory (shared buffers with it) of PostgreSQL's process of this session."""
    process = Path("/proc") / str(session.scalar(sa.text("SELECT pg_backend_pid()")))
    found = re.search(r"VmHWM:\s+(\d+)", (process / "status").read_text())
    assert found is not None
    ticks = (process / "stat").read_text().rpartition(")")[2].split()
    return (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK"), int(found[1]) >> 10


def bare_insert(url: str, run: int) -> float:
    """The limit: the same rows without a question asked."""
    stores = open_stores(url)
    began = time.monotonic()
    with stores.sessions.begin() as session:
        session.execute(sa.text(BARE.replace("id, email", "id, 'x' || id")), {"run": run})
    return time.monotonic() - began


if __name__ == "__main__":
    main()
