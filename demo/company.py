"""The demo's company as the files it would export: contacts.csv and orders.csv, the same at every run.

Purchases follow the CDNOW sample (demo/data, notice there), moved so that its last day is three days ago.
"""

import csv
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from demo.people import DIFFICULT, REGIONS, Region

SEED = 1997
CUSTOMERS = 5000
SAMPLE = Path(__file__).parent / "data" / "CDNOW_sample.txt"
LAST_DAY = datetime(1998, 6, 30)
GENRES = ("Classical", "Jazz", "Rock", "Electronic", "Folk", "Soundtrack")
TITLES = (
    "Quay Street", "Blue Hour", "The Long Field", "Glass Houses", "North by Night", "Small Weather", "Paper Boats", "Low Tide",
)  # fmt: skip
CONTACTS = "contacts.csv"
ORDERS = "orders.csv"
OWNERS = "owners.csv"


@dataclass(frozen=True, slots=True)
class Person:
    """One customer with one contact."""

    number: int
    given: str
    family: str
    email: str
    region: Region
    row: dict[str, str]


def sku(genre: int, title: int) -> str:
    """Name a product of the catalogue."""
    return f"{GENRES[genre][:3].upper()}-{title + 1:02}"


def people(now: datetime, customers: int = CUSTOMERS) -> Iterator[Person]:
    """Make the customers; which of them lack what is drawn, but alike each time."""
    draw = Random(SEED)
    weights = [region.weight for region in REGIONS]
    for number in range(1, customers + 1):
        region = draw.choices(REGIONS, weights)[0]
        given, family = draw.choice(region.given), draw.choice(region.family)
        if number % 40 == 0 and number // 40 <= len(DIFFICULT):
            given, family = DIFFICULT[number // 40 - 1]
        email = f"{_ascii(given)}.{number}@{draw.choice(region.mail_domains)}"
        yield Person(
            number, given, family, email, region, _row(draw, number, given, family, email, region, now)
        )


def _row(
    draw: Random, number: int, given: str, family: str, email: str, region: Region, now: datetime
) -> dict[str, str]:
    consents = draw.random() < 0.86
    said = now - timedelta(days=draw.randrange(30, 900), minutes=draw.randrange(1440))
    digits = f"{draw.randrange(10**region.phone_digits):0{region.phone_digits}}"
    return {
        "External ID": f"C{number:05}",
        "Email": "" if draw.random() < 0.02 else email,
        "First name": "" if draw.random() < 0.06 else given,
        "Last name": family,
        "Phone": region.phone + digits if region.phone and draw.random() < 0.5 else "",
        "Language": region.locale,
        "Time zone": "" if draw.random() < 0.05 else region.time_zone,
        "Country": region.country,
        "City": "" if draw.random() < 0.1 else draw.choice(region.cities),
        "Favourite genre": draw.choice(GENRES) if draw.random() < 0.7 else "",
        "Consent": "yes" if consents else "",
        "Consent date": said.isoformat(timespec="seconds") if consents else "",
        "Consent source": "check-out form" if consents else "",
        "Consent proof": f"order form {number}" if consents else "",
    }


def orders(now: datetime, customers: int = CUSTOMERS) -> Iterator[dict[str, str]]:
    """The CDNOW purchases, one to four lines an order; each customer has one CDNOW customer's history."""
    histories = _histories()
    draw = Random(SEED + 1)
    shift = now - timedelta(days=3) - LAST_DAY.replace(tzinfo=now.tzinfo)
    count = 0
    for number in range(1, customers + 1):
        for day, units, cents in histories[number % len(histories)]:
            count += 1
            placed = day.replace(tzinfo=now.tzinfo) + shift - timedelta(hours=draw.randrange(24))
            yield from _lines(draw, f"N{count:06}", f"C{number:05}", placed, units, cents, now)


def _histories() -> list[list[tuple[datetime, int, int]]]:
    """Each CDNOW customer's purchases: day, units, cents."""
    found: dict[str, list[tuple[datetime, int, int]]] = {}
    for line in SAMPLE.read_text().splitlines():
        _, customer, day, units, dollars = line.split()
        cents = round(float(dollars) * 100)
        found.setdefault(customer, []).append((datetime.strptime(day, "%Y%m%d"), int(units), cents))  # noqa: DTZ007 - a date of the sample
    return list(found.values())


def _lines(
    draw: Random, order: str, customer: str, placed: datetime, units: int, cents: int, now: datetime
) -> Iterator[dict[str, str]]:
    """Spread an order's units and money over its lines."""
    status = draw.choices(("shipped", "cancelled", "returned"), (95, 2, 3))[0]
    if status == "shipped" and now - placed < timedelta(days=6):
        status = "paid"
    taste = draw.randrange(len(GENRES))
    count = min(units, draw.randint(1, 4))
    for line in range(count):
        share = units // count + (1 if line < units % count else 0)
        money = cents // count + (1 if line < cents % count else 0)
        genre = taste if draw.random() < 0.8 else draw.randrange(len(GENRES))
        title = (draw.randrange(len(TITLES)) + line) % len(TITLES)
        yield {
            "Order": order,
            "Customer": customer,
            "SKU": sku(genre, title),
            "Product": f"{TITLES[title]} ({GENRES[genre]})",
            "Category": GENRES[genre],
            "Quantity": str(share),
            "Amount": f"{money // 100}.{money % 100:02}",
            "Currency": "EUR",
            "Status": status,
            "Placed at": placed.isoformat(timespec="seconds"),
        }


def write(folder: Path, now: datetime, customers: int = CUSTOMERS) -> tuple[Path, Path]:
    """Write both files; gives their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    contacts_file, orders_file = folder / CONTACTS, folder / ORDERS
    _write(contacts_file, (person.row for person in people(now, customers)))
    _write(orders_file, orders(now, customers))
    return contacts_file, orders_file


def write_owners(
    folder: Path, now: datetime, rep: str, countries: Collection[str], customers: int = CUSTOMERS
) -> Path:
    """Write the file that gives a rep the customers of some countries; gives its path."""
    theirs = (person for person in people(now, customers) if person.region.country in countries)
    rows = ({"customer": one.row["Email"], "owner": rep} for one in theirs if one.row["Email"])
    _write(folder / OWNERS, rows)
    return folder / OWNERS


def _write(path: Path, rows: Iterator[dict[str, str]]) -> None:
    first = next(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(first))
        writer.writeheader()
        writer.writerow(first)
        writer.writerows(rows)


def _ascii(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return "".join(letter for letter in letters if letter.isalnum()) or "person"
