"""A store with many contacts who said yes, and campaigns to them: opened and frozen as the worker does it."""

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.clock import utc_now
from campaigns.flows import audience, schedule
from campaigns.model.commerce import products
from campaigns.model.consent import consents
from campaigns.model.customers import contacts, customers
from campaigns.model.dialect import insert_many
from campaigns.model.events import events
from campaigns.model.mail import messages, runs
from campaigns.records import campaigns, consent, segments, senders, suppressions, templates
from campaigns.values import Compiled, EventKind, Sender, Source, TopicClass
from campaigns.wiring import Stores, migrate, open_stores

SECRET = "a secret of the benchmarks"
SENDER = Sender(
    "Harbour & Vine", "letter@shop.example.com", "bounce.shop.example.com", None, "14 Quay Street"
)
FIRST = (100, 10_000)  #: so many contacts can be had as an audience of their own
EVERYBODY = {"version": 1, "rule": {"field": "contact.email", "is": "set"}}
TOPIC = "news"
GIVEN = ("Ana", "Jürgen", "Zoë", "Łucja", "Bob", "Ines", "Karl-Heinz", "Mia")
FAMILY = ("Müller", "O'Brien", "Nowak", "Lee", "Sørensen", "Garcia", "de Vries")
CITIES = ("Berlin", "Köln", "Łódź", "London", "Nîmes", "Wien", "Zürich")
PRODUCTS = (("LP-1", "Blue Train", 1900), ("LP-2", "Kind of Blue", 2100), ("LP-3", "Care & Repair", None))


@contextmanager
def place(folder: Path, *, postgres: bool) -> Iterator[str]:
    """Give the URL of an empty, migrated store, durable as it is delivered."""
    if not postgres:
        url = f"sqlite:///{folder}/store.db"
        migrate(url)
        yield url
        return
    sys.path.insert(0, str(Path(__file__).parents[2]))
    import psycopg

    from tests.postgres import create_database, running_postgres

    with running_postgres() as server:
        with psycopg.connect(server, autocommit=True) as connection:
            for name in ("fsync", "full_page_writes", "synchronous_commit"):
                connection.execute(f"ALTER SYSTEM SET {name} = on".encode())
            connection.execute("SELECT pg_reload_conf()")
        url = create_database(server, "bench")
        migrate(url)
        yield url


def fill(url: str, count: int) -> None:
    """Fill an empty store with contacts who said yes to a topic."""
    stores = open_stores(url)
    now = utc_now()
    with stores.sessions.begin() as session:
        topic = consent.add_topic(session, TOPIC, "News", TopicClass.MARKETING, now=now).id
        senders.add(session, SENDER, now=now)
        segments.save(session, "all", "All", EVERYBODY, author="benchmark", now=now)
        insert_many(session, products, ("sku", "name", "price_minor"), PRODUCTS)
        stamps = (now, now)
        people = ((n, f"Customer {n}", "active", *stamps) for n in range(1, count + 1))
        insert_many(session, customers, ("id", "name", "stage", "created_at", "updated_at"), people)
        insert_many(session, contacts, CONTACT, _contacts(count, stamps))
        said = ((n, topic, "granted", now, "form", now) for n in range(1, count + 1))
        insert_many(session, consents, SAID, said)
    _analyze(stores)
    stores.engine.dispose()


SAID = ("contact_id", "topic_id", "state", "at", "source", "recorded_at")
CONTACT = (
    "id", "customer_id", "email", "email_hash", "given_name", "family_name", "country", "region", "city",
    "locale", "attributes", "created_at", "updated_at",
)  # fmt: skip


def _contacts(count: int, stamps: tuple[Any, Any]) -> Iterator[tuple[Any, ...]]:
    draw = random.Random(7)
    hashed = suppressions.hasher(SECRET.encode())
    for n in range(1, count + 1):
        email = f"person{n}@mail{n % 5000}.example.com"
        attributes = {
            "plan": draw.choice(("basic", "plus", "pro")),
            "points": draw.randrange(10_000),
        }
        if n % 3:
            attributes["score"] = draw.randrange(100)
        given, family = draw.choice(GIVEN), draw.choice(FAMILY)
        town = draw.choice(CITIES)
        yield n, n, email, hashed(email), given, family, "DE", region(n), town, "en", attributes, *stamps


def region(number: int) -> str:
    """Give the region of a contact, by which the first of them can be had."""
    return next((f"first {many}" for many in FIRST if number <= many), "rest")


def _analyze(stores: Stores) -> None:
    with stores.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE" if stores.engine.dialect.name == "sqlite" else "VACUUM ANALYZE")


def open_campaign(
    session: Session, name: str, mail: tuple[Source, Compiled], limit: int | None = None
) -> int:
    """Schedule a campaign for now and open its run; gives the run. `limit`: one of FIRST."""
    now = utc_now()
    version = templates.find(session, name)
    if version is None:
        templates.save(session, name, name, [mail], author="benchmark", now=now)
    segment = segments.find(session, "all" if limit is None else _first(session, limit))
    made = campaigns.create(
        session,
        name,
        actor="benchmark",
        now=now,
        topic_id=consent.topic(session, TOPIC).id,
        sender_id=senders.listing(session)[0][0],
        segment_id=segment,
        template_id=templates.find(session, name),
    )
    schedule.schedule(session, made, actor="benchmark", now=now)
    [run] = schedule.open_runs(session, now)
    return run


def _first(session: Session, limit: int) -> str:
    """Save the segment of the first contacts; gives its key."""
    regions = [region(many) for many in FIRST if many <= limit]
    rule = {"version": 1, "rule": {"field": "contact.region", "is": "in", "value": regions}}
    segments.save(session, f"first{limit}", f"First {limit}", rule, author="benchmark", now=utc_now())
    return f"first{limit}"


def freeze(session: Session, run: int) -> int:
    """Freeze the run's audience, as the worker does; gives how many may be mailed."""
    return audience.freeze(session, run, utc_now())


def settled(session: Session, run: int) -> int:
    """Count the run's messages that are answered for."""
    c = runs.c
    counts = sa.select(c.sent + c.failed + c.skipped + c.unknown).where(c.id == run)
    return int(session.execute(counts).scalar_one())


def truth(session: Session, run: int) -> tuple[dict[str, int], int]:
    """Count the run's messages by state, and the events that say they were sent."""
    c, e = messages.c, events.c
    states = session.execute(sa.select(c.state, sa.func.count()).where(c.run_id == run).group_by(c.state))
    told = sa.select(sa.func.count()).where(e.run_id == run, e.kind == EventKind.SENT)
    return {row[0]: row[1] for row in states}, int(session.execute(told).scalar_one())


def addressed(session: Session, run: int) -> list[tuple[int, int]]:
    """Give seq and contact of each message of a run."""
    c = messages.c
    rows = session.execute(sa.select(c.seq, c.contact_id).where(c.run_id == run).order_by(c.seq))
    return [(row.seq, row.contact_id) for row in rows]
