"""Imports: a million contacts into an empty store, the same file again, and the plain way beside them.

    python benchmarks/importing.py [--quick] [--postgres | --database URL] [--contacts N]

Twelve columns, 16 % international domains, 1 % bad rows; consent and provenance are written. Each import is
a process of its own, timed from the opening of the file to the commit; its memory is told with that of its
reading process, at the moment of their most. PostgreSQL runs with fsync, full_page_writes and
synchronous_commit on, as it is delivered.
"""

import argparse
import csv
import hashlib
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import phonenumbers
import sqlalchemy as sa
from email_validator import EmailNotValidError, validate_email
from sqlalchemy.orm import Session

from campaigns.flows import importing
from campaigns.flows.importing import Asked
from campaigns.imports.complaints import Complaints
from campaigns.model.consent import consents
from campaigns.model.customers import contacts, customers
from campaigns.records import consent
from campaigns.records.staging import staging
from campaigns.values import TopicClass
from campaigns.wiring import migrate, open_stores

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
HEADER = (
    "id,email,first name,last name,phone,language,time zone,country,city,consent,consent at,consent source"
)
ROWS_A_SECOND = {"sqlite": 80_000, "postgresql": 50_000}
AGAIN = 0.5  #: of that, for a file that changes nothing
MEMORY_MB = 300
PLAIN_ROWS = 3_000  #: of the plain way, which is slow
PLACES = (
    ("de-DE", "Europe/Berlin", "DE", "+4915", ("Berlin", "Köln", "München", "Ulm", "Gießen")),
    ("en-GB", "Europe/London", "GB", "+4474", ("London", "Leeds", "Bath", "York", "Hull")),
    ("fr-FR", "Europe/Paris", "FR", "+336", ("Paris", "Lyon", "Nîmes", "Brest", "Laval")),
    ("pl-PL", "Europe/Warsaw", "PL", "+4850", ("Łódź", "Poznań", "Kraków", "Gdynia", "Lublin")),
)
FOREIGN = (("postfächer", "de"), ("почта", "рф"))
GIVEN = ("Ana", "Jürgen", "Zoë", "Łucja", "Ольга", "Bob")
FAMILY = ("Müller", "O'Brien", "Nowak", "Иванова", "Lee")
DIGITS = {"+4915": 9, "+4474": 8, "+336": 8, "+4850": 7}


def main() -> None:
    arguments = parse()
    if arguments.run:
        print(json.dumps(run(arguments.database, Path(arguments.run))))
        return
    with tempfile.TemporaryDirectory(prefix="postroom-bench-") as name:
        folder = Path(name)
        path = folder / "contacts.csv"
        write(path, arguments.contacts)
        print(f"{arguments.contacts:,} contacts, {path.stat().st_size / 1e6:,.0f} MB")
        with place(arguments, folder) as url:
            prepare(url)
            budgets = list(measure(url, path))
            print(f"the plain way: {plain(url, path):,.0f} rows/s")
    print()
    print("\n".join(budgets))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="50,000 contacts")
    parser.add_argument("--contacts", type=int)
    parser.add_argument("--postgres", action="store_true", help="start a PostgreSQL of our own")
    parser.add_argument("--database", help="URL of an empty store")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.contacts = arguments.contacts or (50_000 if arguments.quick else 1_000_000)
    return arguments


@contextmanager
def place(arguments: argparse.Namespace, folder: Path) -> Iterator[str]:
    if arguments.database or not arguments.postgres:
        yield arguments.database or f"sqlite:///{folder}/store.db"
        return
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import psycopg

    from tests.postgres import create_database, running_postgres

    with running_postgres() as server:
        with psycopg.connect(server, autocommit=True) as connection:
            for name in ("fsync", "full_page_writes", "synchronous_commit"):
                connection.execute(f"ALTER SYSTEM SET {name} = on".encode())
            connection.execute("SELECT pg_reload_conf()")
        yield create_database(server, "bench")


def write(path: Path, count: int) -> None:
    """Write the file: the same for the same count, wherever it is written."""
    draw = random.Random(11)
    plain_domains = [f"mail{n}.example.com" for n in range(8_000)]
    foreign = [f"postfächer{n}.example.de" for n in range(1_000)] + [
        f"почта{n}.example.рф" for n in range(954)
    ]
    given = [
        f"{name}{tail}"
        for name in ("Ana", "Jürgen", "Zoë", "Łucja", "Ольга", "Bob")
        for tail in ("", "-Marie", " J.")
    ]
    family = [
        f"{name}{tail}" for name in ("Müller", "O'Brien", "Nowak", "Иванова", "Lee") for tail in range(4_000)
    ]
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(HEADER + "\r\n")
        for n in range(count):
            domain = draw.choice(foreign if draw.random() < 0.16 else plain_domains)
            at = "@" if draw.random() >= 0.01 else " at "  # a bad row
            locale, zone, country, code, cities = draw.choice(PLACES)
            digits = f"{n % 10 ** DIGITS[code]:0{DIGITS[code]}d}"
            local = f"{draw.choice('abcdefgh')}.{draw.randrange(10**7)}.{n}"
            year, month, date = draw.randrange(2015, 2026), draw.randrange(1, 13), draw.randrange(1, 29)
            day = f"{year}-{month:02}-{date:02}T10:{n % 60:02}:00+01:00"
            said = "yes" if draw.random() < 0.9 else "no"
            file.write(
                f"C{n:08},{local}{at}{domain},{draw.choice(given)},{draw.choice(family)},{code}{digits},"
                f"{locale},{zone},{country},{draw.choice(cities)},{said},{day},shop checkout\r\n"
            )


def prepare(url: str) -> None:
    migrate(url)
    stores = open_stores(url)
    with stores.sessions.begin() as session:
        consent.add_topic(session, "news", "News", TopicClass.MARKETING, now=NOW)
    stores.engine.dispose()


def measure(url: str, path: Path) -> Iterator[str]:
    target = ROWS_A_SECOND[sa.make_url(url).get_backend_name()]
    for name, least in (("import", target), ("import again", target * AGAIN)):
        # by -c, so that the reading process imports no more than it would beneath `postroom`
        here = str(Path(__file__).parent)
        begin = f"import sys; sys.path.insert(0, {here!r}); import importing; importing.main()"
        command = [sys.executable, "-c", begin, "--run", str(path), "--database", url]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(
            f"{name}: {told['rows']:,} rows in {told['seconds']:.1f} s"
            f" (the log moved into the store in {told['tidied']:.1f} s more),"
            f" {told['cpu']:.1f} s CPU of its process and {told['readers']:.1f} s of its readers,"
            f" {told['megabytes']} MB, {told['counts']}, consent {told['words']}"
        )
        rate = told["rows"] / told["seconds"]
        budget = f"budget {name.replace(' ', '_')}"
        yield f"{budget}_rate {rate:.0f} rows/s target {least:.0f} {verdict(rate >= least)}"
        memory = told["megabytes"]
        yield f"{budget}_memory {memory} MB target {MEMORY_MB} {verdict(memory < MEMORY_MB)}"


def verdict(kept: bool) -> str:  # noqa: FBT001
    return "ok" if kept else "short"


def run(url: str, path: Path) -> dict[str, Any]:
    """Import the file once, from opening it to the commit."""
    stores = open_stores(url)
    memory = Memory()
    memory.start()
    began = time.monotonic()
    prepared = importing.prepare_contacts(Asked(path, topic="news"))
    with stores.sessions.begin() as session:
        made = importing.register(session, "contacts", prepared, actor="benchmark", now=NOW)
    with (
        tempfile.TemporaryFile("w", encoding="utf-8") as rejects,
        stores.engine.connect() as link,
        staging(link) as held,
    ):
        with Session(link) as session, session.begin():
            result = importing.import_contacts(
                session, held, prepared, made, secret=b"benchmark", now=NOW, complaints=Complaints(rejects)
            )
        seconds = time.monotonic() - began
    tidied = time.monotonic() - began - seconds
    used, readers = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        "rows": result.rows,
        "seconds": seconds,
        "tidied": tidied,
        "cpu": used.ru_utime + used.ru_stime,
        "readers": readers.ru_utime + readers.ru_stime,
        "megabytes": memory.most >> 10,
        "counts": result.counts,
        "words": result.words,
    }


class Memory(threading.Thread):
    """Looks twenty times a second how much memory (KiB) this process and its children hold together."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0

    def run(self) -> None:
        while True:
            self.most = max(self.most, _resident("self") + sum(map(_resident, _children())))
            time.sleep(0.05)


def _children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def _resident(process: str) -> int:
    with suppress(OSError):  # it has ended
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


def plain(url: str, path: Path) -> float:
    """Do some rows as most tools do, all of them new: check, look up and write each on its own."""
    stores = open_stores(url)
    began = time.monotonic()
    with path.open(encoding="utf-8", newline="") as file, stores.sessions.begin() as session:
        for number, row in zip(range(PLAIN_ROWS), csv.DictReader(file), strict=False):
            try:
                address = validate_email(f"new{number}{row['email']}", check_deliverability=False).normalized
            except EmailNotValidError:
                continue
            if not phonenumbers.is_valid_number(phonenumbers.parse(row["phone"], None)):
                row["phone"] = ""
            if session.scalar(sa.select(contacts.c.id).where(contacts.c.email == address)) is None:
                write_one(session, row, address)
    stores.engine.dispose()
    return PLAIN_ROWS / (time.monotonic() - began)


def write_one(session: Session, row: dict[str, str], address: str) -> None:
    stamps = {"created_at": NOW, "updated_at": NOW}
    name = {"name": f"{row['first name']} {row['last name']}", **stamps}
    customer = session.execute(sa.insert(customers).values(name).returning(customers.c.id)).scalar_one()
    person = {
        "customer_id": customer,
        "email": address,
        "email_hash": hashlib.blake2b(address.encode(), digest_size=16).digest(),
        "given_name": row["first name"],
        "family_name": row["last name"],
        "phone": row["phone"] or None,
        "locale": row["language"],
        "time_zone": row["time zone"],
        "country": row["country"],
        "city": row["city"],
        **stamps,
    }
    contact = session.execute(sa.insert(contacts).values(person).returning(contacts.c.id)).scalar_one()
    word = {
        "contact_id": contact,
        "topic_id": 1,
        "state": "granted" if row["consent"] == "yes" else "withdrawn",
        "at": datetime.fromisoformat(row["consent at"]),
        "source": "import",
        "recorded_at": NOW,
    }
    session.execute(sa.insert(consents).values(word))


if __name__ == "__main__":
    main()
