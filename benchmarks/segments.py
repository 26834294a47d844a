"""Segments: each rule counted through the compiler, beside hand-written SQL for the same question.

    python benchmarks/segments.py [--quick] [--postgres | --database URL] [--contacts N] [--events N]

Fills an empty store (SQLite in a temporary folder by default), checks that both ways count the same
people, and prints the times and their ratio.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model import commerce, customers, events
from campaigns.model.base import to_microseconds
from campaigns.records import segments, statistics
from campaigns.wiring import Stores, migrate, open_stores

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
DAYS = 180
RATIO = 1.3
COMPILE_MS = 10
ROUNDS = 3
#: Filled without their indexes, which are made afterwards: that is several times faster.
FILLED = (customers.customers, customers.contacts, events.events, commerce.orders, commerce.order_lines)


@dataclass(frozen=True)
class Question:
    """One question, as a rule and as SQL by hand."""

    name: str
    rule: dict[str, Any]
    sqlite: str
    postgres: str


def main() -> None:
    arguments = parse()
    with place(arguments) as url:
        migrate(url)
        stores = open_stores(url)
        fill(stores, arguments.contacts, arguments.events)
        budgets = list(measure(stores, questions()))
        stores.engine.dispose()
    print()
    print("\n".join(budgets))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="50,000 contacts and 1,000,000 events")
    parser.add_argument("--contacts", type=int)
    parser.add_argument("--events", type=int)
    parser.add_argument("--postgres", action="store_true", help="start a PostgreSQL of our own")
    parser.add_argument("--database", help="URL of an empty store")
    arguments = parser.parse_args()
    arguments.contacts = arguments.contacts or (50_000 if arguments.quick else 1_000_000)
    arguments.events = arguments.events or 20 * arguments.contacts
    return arguments


@contextmanager
def place(arguments: argparse.Namespace) -> Iterator[str]:
    if arguments.database:
        yield arguments.database
    elif arguments.postgres:
        from tests.postgres import create_database, running_postgres

        with running_postgres() as server:
            yield create_database(server, "bench")
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{Path(folder) / 'bench.db'}"


def fill(stores: Stores, contacts: int, event_count: int) -> None:
    """Make the company by SQL alone; every value is a function of its row's number."""
    postgres = stores.engine.dialect.name == "postgresql"
    indexes = [index for table in FILLED for index in table.indexes]
    with stores.sessions() as session, clocked(f"{contacts:,} contacts, {event_count:,} events"):
        if not postgres:
            session.execute(sa.text("PRAGMA defer_foreign_keys = ON"))
        for index in indexes:
            session.execute(sa.schema.DropIndex(index))
        for statement in statements(contacts, event_count, postgres=postgres):
            session.execute(sa.text(statement))
        session.commit()
    with stores.sessions() as session, clocked("indexes"):
        for index in indexes:
            session.execute(sa.schema.CreateIndex(index))
        session.commit()
    with stores.sessions() as session, clocked("activity"):
        session.execute(sa.text(ACTIVITY))
        session.commit()
    with stores.sessions() as session, clocked("statistics"):
        statistics.analyze(session)
        session.commit()
    if postgres:
        with stores.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM")


@contextmanager
def clocked(what: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    print(f"{time.perf_counter() - began:8.1f} s  {what}", flush=True)


def draw(salt: int, below: int) -> str:
    """Write an expression that draws a number below a bound from the row's number n, by a fixed lot."""
    return f"((n * 2654435761 + {salt * 40503}) % 4294967291 * {salt * 2 + 104729} % 4294967279 % {below})"


def pick(salt: int, words: str) -> str:
    cases = " ".join(f"WHEN {number} THEN '{word}'" for number, word in enumerate(words.split()))
    return f"CASE {draw(salt, len(words.split()))} {cases} END"


def statements(contacts: int, event_count: int, *, postgres: bool) -> Iterator[str]:
    def numbers(count: int) -> str:
        if postgres:
            return f"FROM generate_series(1::bigint, {count}) AS numbers(n)"
        counting = f"SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count}"
        return f"FROM (WITH RECURSIVE s(n) AS ({counting}) SELECT n FROM s)"

    def moment(expression: str) -> str:
        """Write a moment so many seconds after the first of the days told of."""
        start = NOW - timedelta(days=DAYS)
        if postgres:
            return f"timestamptz '{start.isoformat()}' + ({expression}) * interval '1 second'"
        return f"{to_microseconds(start)} + ({expression}) * 1000000"

    seconds, start = DAYS * 86_400, moment("0")
    countries = pick(3, "DE AT CH FR IT ES NL PL")
    cities = pick(7, "Berlin Wien Bern Paris Roma Madrid Utrecht Krakow Bonn Graz")
    kinds = pick(1, "person person person organisation")
    yield f"""INSERT INTO customers (id, kind, name, stage, country, created_at, updated_at)
        SELECT n, {kinds}, 'c' || n, {pick(2, "prospect active lost")}, {countries}, {start}, {start}
        {numbers(contacts)}"""
    json = f"""'{{"score": ' || {draw(5, 100)} || ', "plan": "p' || {draw(6, 500)} || '"}}'"""
    yield f"""INSERT INTO contacts (id, customer_id, email, locale, country, city, attributes, created_at,
        updated_at, erased_at) SELECT n, n, 'p' || n || '@example.com', {pick(4, "de-DE en-GB fr-FR")},
        {countries}, {cities}, {f"({json})::jsonb" if postgres else json}, {start}, {start},
        CASE WHEN n % 200 = 0 THEN {start} END {numbers(contacts)}"""
    yield f"""INSERT INTO attribute_definitions (entity, key, type, created_at)
        VALUES ('contact', 'score', 'number', {start}), ('contact', 'plan', 'text', {start})"""
    words = "sent " * 30 + "opened " * 14 + "clicked " * 2 + "delivered " * 3 + "answered"
    verdicts, who = "human human privacy machine unknown", f"1 + {draw(9, contacts)}"
    yield f"""INSERT INTO events (id, at, kind, contact_id, customer_id, run_id, seq, verdict, dedupe)
        SELECT n, {moment(f"n * {seconds} / {event_count}")}, {pick(8, words)}, {who}, {who},
        1 + n * 50 / {event_count + 1}, n, {pick(10, verdicts)}, 'e' || (1000000000 + n)
        {numbers(event_count)}"""
    yield f"""INSERT INTO products (id, sku, name, category)
        SELECT n, 'S-' || n, 'P' || n, {pick(11, "tea coffee cups books")} {numbers(200)}"""
    orders, states = contacts * 3 // 2, "paid shipped shipped shipped placed cancelled returned"
    yield f"""INSERT INTO orders (id, external_id, customer_id, status, placed_at, total_minor, currency,
        updated_at) SELECT n, 'o' || n, 1 + {draw(12, contacts)}, {pick(13, states)},
        {moment(f"n * {seconds} / {orders}")}, 2 * {draw(15, 9000)}, {pick(14, "EUR EUR EUR USD")}, {start}
        {numbers(orders)}"""
    for line in (1, 2):
        yield f"""INSERT INTO order_lines (order_id, number, product_id, quantity, amount_minor)
            SELECT n, {line}, 1 + {draw(15 + line, 200)}, 1, {draw(15, 9000)} {numbers(orders)}"""


ACTIVITY = """INSERT INTO activity (contact_id, last_sent_at, last_opened_at, last_clicked_at)
    SELECT contact_id, max(CASE WHEN kind = 'sent' THEN at END),
    max(CASE WHEN kind = 'opened' AND verdict = 'human' THEN at END),
    max(CASE WHEN kind = 'clicked' AND verdict = 'human' THEN at END) FROM events GROUP BY contact_id"""


ALIVE = "SELECT count(*) FROM contacts WHERE erased_at IS NULL AND"
PROFILE = f"""{ALIVE} country IN ('DE', 'AT') AND lower(city) = 'berlin'
    AND (locale = 'de' OR locale LIKE 'de-%') AND"""
LATELY = "SELECT contact_id FROM events WHERE kind = 'opened' AND verdict = 'human' AND at >= :ago{}"
BEHAVIOUR = f"""{ALIVE} id IN (SELECT contact_id FROM events WHERE kind = 'clicked' AND verdict = 'human'
    AND at >= :ago90 GROUP BY contact_id HAVING count(*) >= 2 EXCEPT {LATELY.format(30)})"""
PURCHASE = f"""{ALIVE} customer_id IN (SELECT o.customer_id FROM orders o
    JOIN order_lines l ON l.order_id = o.id JOIN products p ON p.id = l.product_id
    WHERE p.category = 'tea' AND o.status NOT IN ('cancelled', 'returned') AND o.currency = 'EUR'
    AND o.placed_at >= :ago90 GROUP BY o.customer_id HAVING sum(l.amount_minor) >= 5000)"""
SILENT = f"""{ALIVE} id NOT IN (SELECT contact_id FROM activity
    WHERE last_opened_at >= :ago90 OR last_clicked_at >= :ago90)"""
SILENT_POSTGRES = f"""{ALIVE} NOT EXISTS (SELECT 1 FROM activity a WHERE a.contact_id = contacts.id
    AND (a.last_opened_at >= :ago90 OR a.last_clicked_at >= :ago90))"""
BY_EVENTS = f"""SELECT count(*) FROM (SELECT id FROM contacts WHERE erased_at IS NULL
    EXCEPT {LATELY.format(90)}) s"""
JSON_SQLITE, JSON_POSTGRES = "json_extract(attributes, '$.score')", "(attributes ->> 'score')::numeric"
SCORE = "contact.attributes.score"
QUARTER = {"last": {"days": 90}}
SINCE = {"is": "not in the last", "value": {"days": 90}}


def questions() -> list[Question]:
    """List the questions, each as a rule and as a person would write it in SQL."""
    profile = [
        {"field": "contact.country", "is": "in", "value": ["DE", "AT"]},
        {"field": "contact.city", "is": "=", "value": "Berlin"},
        {"field": "contact.language", "is": "=", "value": "de"},
        {"field": SCORE, "is": ">", "value": 50},
    ]
    attribute = {"field": SCORE, "is": "between", "value": [20, 30]}
    behaviour = [
        {"did": "clicked", "times": {"at least": 2}, "within": QUARTER},
        {"did_not": "opened", "within": {"last": {"days": 30}}},
    ]
    spent = {"at least": 5000, "currency": "EUR"}
    purchase = {"bought": {"category": "tea"}, "spent": spent, "within": QUARTER}
    silent = [{"field": f"activity.last_{what}_at", **SINCE} for what in ("opened", "clicked")]
    between = "BETWEEN 20 AND 30"
    return [
        Question(
            "profile", {"all": profile}, f"{PROFILE} {JSON_SQLITE} > 50", f"{PROFILE} {JSON_POSTGRES} > 50"
        ),
        Question(
            "attribute", attribute, f"{ALIVE} {JSON_SQLITE} {between}", f"{ALIVE} {JSON_POSTGRES} {between}"
        ),
        Question("behaviour", {"all": behaviour}, BEHAVIOUR, BEHAVIOUR),
        Question("purchase", purchase, PURCHASE, PURCHASE),
        Question("nothing_since", {"all": silent}, SILENT, SILENT_POSTGRES),
        Question("nothing_since_by_events", {"did_not": "opened", "within": QUARTER}, BY_EVENTS, BY_EVENTS),
    ]


def measure(stores: Stores, asked: list[Question]) -> Iterator[str]:
    """Time both ways in turn; the ratio is of the best times, compiling a rule is told apart."""
    postgres = stores.engine.dialect.name == "postgresql"
    moments = {f"ago{days}": NOW - timedelta(days=days) for days in (30, 90)}
    values = moments if postgres else {name: to_microseconds(at) for name, at in moments.items()}
    slowest = 0.0
    print(f"\n{'question':26}{'members':>10}{'rule ms':>10}{'by hand ms':>12}{'ratio':>7}   first, ms")
    with stores.readers() as session:
        for question in asked:
            rule = segments.read(session, {"version": 1, "rule": question.rule})
            began = time.perf_counter()
            statement = sa.select(sa.func.count()).select_from(
                segments.select_members(session, rule, NOW).subquery()
            )
            str(statement.compile(session.get_bind()))
            slowest = max(slowest, time.perf_counter() - began)
            by_hand = partial(answer, session, question.postgres if postgres else question.sqlite, values)
            by_rule = partial(session.scalar, statement)
            hand, told = rounds(by_hand, by_rule)
            ratio = min(told) / min(hand)
            print(
                f"{question.name:26}{by_hand():10,}{min(told) * 1000:10.1f}{min(hand) * 1000:12.1f}"
                f"{ratio:7.2f}   {told[0] * 1000:.1f} and {hand[0] * 1000:.1f}",
                flush=True,
            )
            yield budget(f"{question.name}_ratio", ratio, "x", RATIO)
    yield budget("compile", slowest * 1000, "ms", COMPILE_MS)


def budget(name: str, value: float, unit: str, target: float) -> str:
    return f"budget segments_{name} {value:.2f} {unit} target {target} {'ok' if value <= target else 'short'}"


def answer(session: Session, sql: str, values: Mapping[str, Any]) -> int:
    """Ask by hand, with those of the values that the question names."""
    used = {name: at for name, at in values.items() if f":{name}" in sql}
    return int(session.execute(sa.text(sql), used).scalar_one())


def rounds(*ways: Callable[[], int | None]) -> list[list[float]]:
    """Time several ways in turn, at least three times each and for a second; all must answer the same."""
    times: list[list[float]] = [[] for _way in ways]
    answers = set()
    while len(times[0]) < ROUNDS or sum(map(sum, times)) < 1:
        for way, taken in zip(ways, times, strict=True):
            began = time.perf_counter()
            answers.add(way())
            taken.append(time.perf_counter() - began)
    assert len(answers) == 1, f"the rule and the SQL by hand count differently: {answers}"
    return times


if __name__ == "__main__":
    main()
