"""Lists of people as CSV, page by page, safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Iterator

from campaigns.records import reports
from campaigns.records.reports import PeopleList, Person
from campaigns.wiring import Stores
from web.session import stores

AT_ONCE = 1000
COLUMNS = ("contact", "customer", "name", "address", "at", "times", "why")
#: What spreadsheets take for the beginning of a formula (OWASP, CSV injection).
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def people_csv(run: int, which: PeopleList, *, exact: bool = False) -> Iterator[str]:
    """Write a list as CSV, a page of it at a time, so that any length does.

    `exact` leaves every text as it is: for another program, never for a spreadsheet.
    """
    return _pages(stores(), run, which, exact=exact)


def _pages(opened: Stores, run: int, which: PeopleList, *, exact: bool) -> Iterator[str]:
    yield "\ufeff" + _lines([COLUMNS])
    after = 0
    while True:
        with opened.readers() as session:
            rows = reports.people(session, run, which, after=after, limit=AT_ONCE)
        if rows:
            yield _lines([_row(person, exact=exact) for person in rows])
            after = rows[-1].contact
        if len(rows) < AT_ONCE:
            return


def _row(person: Person, *, exact: bool) -> tuple[str, ...]:
    at = person.at.isoformat(timespec="seconds") if person.at else ""
    texts = (person.name, person.address, at, str(person.times), person.why)
    return (str(person.contact), str(person.customer), *(texts if exact else map(harmless, texts)))


def harmless(text: str) -> str:
    """Keep a spreadsheet from running a text as a formula: it gets an apostrophe in front."""
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


def _lines(rows: list[tuple[str, ...]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue()
