"""Every page's and report's queries against a large PostgreSQL store: time, plan, and what they may take.

    python benchmarks/pages.py [--quick] [--database URL]

Without a URL a PostgreSQL of our own is filled by big_store.py first: 1 M messages and 2 M events, with
--quick a tenth of it. A page's plan is in order when no statement of it goes through a large table or
partition as a whole (Seq Scan); its time is the median of five, warm, until the last row is a Python value.
A segment counted over everybody may scan, and the reach of a campaign, which a page asks for beside itself,
may take two seconds for a million.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import big_store
import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.flows import audience as reaching
from campaigns.flows import keeping
from campaigns.model.mail import runs
from campaigns.records import (
    backlog,
    campaign_desk,
    campaigns,
    cases,
    customers,
    hits,
    messages,
    outbox,
    reports,
    samples,
    segments,
    tasks,
)
from campaigns.records.customers.finding import Wanted, countries
from campaigns.records.reports import PeopleList
from campaigns.segments.rules import Rule
from campaigns.values import CampaignState
from campaigns.wiring import Stores, open_stores

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
BUDGET_MS = 200
REACH_MS = 2000
ROUNDS = 5
SCANNED = 20_000  #: rows from which a scan is told
Page = Callable[[Session], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="100,000 messages")
    parser.add_argument("--database", help="URL of a store that big_store.py made")
    parser.add_argument("--only", default="", help="pages whose name begins so")
    parser.add_argument("--plans", action="store_true", help="print the plans of what is short")
    arguments = parser.parse_args()
    size = 100_000 if arguments.quick else 1_000_000
    with tempfile.TemporaryDirectory() as folder, big_store.where(arguments.database, Path(folder)) as url:
        if not arguments.database:
            big_store.make(url, size // 5, size, size * 2)
        stores = open_stores(url)
        count_first(stores)
        chosen = [(name, page) for name, page in pages(stores) if name.startswith(arguments.only)]
        lines = [measure(stores, name, page, plans=arguments.plans) for name, page in chosen]
        stores.engine.dispose()
    print()
    print("\n".join(lines))


def count_first(stores: Stores) -> None:
    """Do what the worker's tick does, until every large run is counted."""
    began, kept = time.monotonic(), 0
    while True:
        with stores.sessions.begin() as session:
            keeping.note_news(session, NOW)
        with stores.readers() as session:
            counted = keeping.count_news(session, NOW)
        if not counted:
            break
        kept += len(counted)
        with stores.sessions.begin() as session:
            keeping.keep_counts(session, counted, NOW)
    print(f"counts of {kept} large runs kept in {time.monotonic() - began:.1f} s")


def pages(stores: Stores) -> list[tuple[str, Page]]:
    with stores.readers() as session:
        largest = session.scalars(sa.select(runs.c.id).order_by(runs.c.mailable.desc()).limit(1)).one()
        newest = session.scalars(sa.select(sa.func.max(runs.c.id))).one()
        first = campaigns.get_run(session, largest).campaign_id
    shown = list(CampaignState)
    found: list[tuple[str, Page]] = [
        ("dashboard counts", campaign_desk.counts),
        ("dashboard backlog", backlog.measure),
        ("dashboard doubts", outbox.doubted_runs),
        ("campaigns list", lambda s: campaign_desk.page(s, shown)),
        ("campaigns found", lambda s: campaign_desk.page(s, shown, search="June")),
        ("campaigns numbers", lambda s: reports.campaign_list_numbers(s, range(1, 51))),
        (
            "campaigns numbers last",
            lambda s: reports.campaign_list_numbers(s, range(newest - 49, newest + 1)),
        ),
        ("campaign runs", lambda s: campaigns.runs_of(s, first)),
        ("campaign log", lambda s: campaigns.log_lines(s, first)),
        ("reports list", reports.latest_runs),
        ("report large run", lambda s: reports.run_report(s, largest, NOW)),
        ("report newest run", lambda s: reports.run_report(s, newest, NOW)),
        ("report small run", lambda s: reports.run_report(s, 100, NOW)),
        ("report message", lambda s: messages.find(s, largest, 5000)),
        ("lists segments", segments.listing),
        ("cases open", cases.listing),
        ("cases closed", lambda s: cases.listing(s, closed=True, page=3)),
        ("cases of a kind", lambda s: cases.listing(s, kind="complaint")),
        ("cases counts", cases.counts_open),
        ("tasks of one", lambda s: tasks.listing(s, owner=1)),
        ("tasks of nobody", lambda s: tasks.listing(s, owner=None)),
        ("tasks done", lambda s: tasks.listing(s, owner=1, done=True)),
        ("tasks count", lambda s: tasks.count_open(s, 1)),
        ("customer stream", lambda s: customers.stream(s, 4711)),
        ("customer stream people", lambda s: customers.stream(s, 4711, only_people=True)),
        ("customer summary", lambda s: customers.summary(s, 4711, NOW)),
        ("customers browsed", customers.browse),
        ("customers of one", lambda s: customers.browse(s, wanted=Wanted(owner=1))),
        ("customers of a stage", lambda s: customers.browse(s, wanted=Wanted(stage="active", country="AT"))),
        ("customers countries", countries),
        ("hits to judge", lambda s: hits.unjudged(s, until=NOW, limit=500)),
        ("hits of messages", lambda s: hits.of_messages(s, [(n, n) for n in range(1, 100)])),
        ("sample usual size", lambda s: samples.usual_size(s, but=first, now=NOW)),
    ]
    texts = (
        "person4711@web.de",
        "Customer 47",
        "Family 123",
        "C4711",
        "O4711",
        "gmail",
        "Ana Family 77",
    )
    found += [(f"finding {text!r}", lambda s, text=text: customers.search(s, text)) for text in texts]
    for which in PeopleList:
        name = f"report people {which.value}"
        found.append((name, lambda s, which=which: reports.people(s, largest, which)))
        found.append(
            (f"{name}, later", lambda s, which=which: reports.people(s, largest, which, after=150_000))
        )
    return found + list(of_segments())


def of_segments() -> Iterator[tuple[str, Page]]:
    """Counts that a person waits for beside a page: the whole base is asked, and may take longer."""
    rules: dict[str, dict[str, Any]] = {
        "everybody": {"field": "contact.email", "is": "set"},
        "a country": {"field": "contact.country", "is": "in", "value": ["AT"]},
        "a city": {"field": "contact.city", "is": "in", "value": ["City 7"]},
    }
    for name, rule in rules.items():
        document = {"version": 1, "rule": rule}
        yield f"segment {name}", lambda s, d=document: segments.count(s, read(s, d), NOW)
    yield "reach everybody", lambda s: reaching.reach(s, campaigns.get(s, 1), NOW)


def read(session: Session, document: dict[str, Any]) -> Rule:
    return segments.read(session, document)


def measure(stores: Stores, name: str, page: Page, *, plans: bool) -> str:
    with stores.readers() as session:
        asked = statements_of(session, page)
        scans, described = plans_of(session, asked)
        times = [timed(session, page) for _ in range(ROUNDS)]
    median = statistics.median(times)
    whole = name.startswith(("segment", "reach"))
    target = REACH_MS if name.startswith("reach") else BUDGET_MS
    kept = median <= target and (whole or not scans)
    print(f"{name:34} {median:8.1f} ms  {len(asked):2} statements  {', '.join(sorted(scans)) or 'by index'}")
    if plans and not kept:
        print("\n".join(described))
    verdict = "ok" if kept else "short"
    return f"budget page_{name.replace(' ', '_')} {median:.4g} ms target {target} {verdict}"


def timed(session: Session, page: Page) -> float:
    began = time.perf_counter()
    page(session)
    return (time.perf_counter() - began) * 1000


def statements_of(session: Session, page: Page) -> list[tuple[str, Any]]:
    """Run the page once and note every statement."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        asked.append((statement, parameters))

    engine = session.get_bind()
    sa.event.listen(engine, "before_cursor_execute", note)
    page(session)
    sa.event.remove(engine, "before_cursor_execute", note)
    return asked


def plans_of(session: Session, asked: list[tuple[str, Any]]) -> tuple[set[str], list[str]]:
    """The large tables that are gone through as a whole, and each plan in words."""
    scans: set[str] = set()
    described = []
    cursor = session.connection().connection.cursor()
    for statement, parameters in asked:
        if not statement.lstrip().upper().startswith(("SELECT", "WITH")):
            continue
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + statement, parameters)
        plan = cursor.fetchone()[0][0]["Plan"]
        described.append(f"--- {statement[:2000]}\n{json.dumps(plan)[:3000]}")
        scans |= {node["Relation Name"] for node in nodes(plan) if scans_much(node)}
    return scans, described


def scans_much(node: dict[str, Any]) -> bool:
    """Tell a scan that reads much from one that ends at a limit or is of a small table."""
    read = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    return node["Node Type"] == "Seq Scan" and read >= SCANNED


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


if __name__ == "__main__":
    main()
