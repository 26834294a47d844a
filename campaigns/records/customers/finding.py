"""Finding customers: by what is typed into one box, or by leafing through the list.

Every way in is by an index and looks at a bounded number of rows, however large the store is: names and mail
addresses by their beginning, everything else whole.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.imports.phones import as_dialled
from campaigns.model.commerce import orders
from campaigns.model.customers import addresses, contacts, customers
from campaigns.model.expressions import in_bytes
from campaigns.model.staff import staff
from campaigns.records.customers.folding import LAST, fold, written

CANDIDATES = 500  #: looked at for each way in
SCANNED = 100_000  #: customers looked at for one page of a filtered list
LONGEST = 320
SHORTEST_PHONE = 6  #: digits, without the country
MOST_COUNTRIES = 60  #: in which a number may be dialled


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is narrowed to; None for all."""

    stage: str | None = None
    owner: int | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A customer as lists show it, with the contact by whom it was found or its first one."""

    id: int
    name: str
    kind: str
    stage: str
    owner: str | None
    country: str | None
    city: str | None
    external_id: str | None
    hold_until: datetime | None
    contact: str | None  #: name of the contact
    email: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a search or list."""

    rows: tuple[Row, ...]
    more: bool  #: there is a next page
    cut: bool = False  #: more matched than were looked at; a longer text finds them
    next: int | None = None  #: of a list: where the next page begins


def search(
    session: Session, text: str, *, wanted: Wanted | None = None, page: int = 1, size: int = 50
) -> Found:
    """Find customers by name, contact's family name, mail address, phone, own id, or order number.

    Names and addresses match from their beginning, in whatever case they are commonly written, with accents
    or without; phones (with their country, or as dialled there), ids and order numbers match whole. Whole
    matches come first, then by name.
    """
    text = " ".join(text.replace("\0", "").split())[:LONGEST]
    if not text:
        return Found((), more=False)
    ranked: dict[int, int] = {}
    cut = False
    for rank, query in _ways(session, text):
        ids = session.scalars(query.limit(CANDIDATES)).all()
        cut = cut or len(ids) == CANDIDATES
        for one in ids:
            ranked.setdefault(one, rank)
    for one in _by_both_names(session, text):
        ranked.setdefault(one, 2)
    kept = _kept(session, list(ranked), wanted or Wanted())
    order = sorted(kept, key=lambda row: (ranked[row[0]], row[1].casefold(), row[0]))
    first = (page - 1) * size
    shown = [number for number, _name in order[first : first + size]]
    return Found(tuple(_rows(session, shown)), more=len(order) > first + size, cut=cut)


def _ways(session: Session, text: str) -> Iterator[tuple[int, sa.Select[Any]]]:
    """Each way in by an index, the most certain first."""
    yield 0, sa.select(customers.c.id).where(customers.c.external_id == text)
    yield 0, sa.select(contacts.c.customer_id).where(contacts.c.external_id == text)
    yield 0, sa.select(orders.c.customer_id).where(orders.c.external_id == text)
    if phones := _phones(session, text):
        yield 0, sa.select(contacts.c.customer_id).where(contacts.c.phone.in_(phones))
        yield 0, _further(addresses.c.value.in_(phones))
    if "@" in text or " " not in text:
        mail = text.lower()
        yield 1, sa.select(contacts.c.customer_id).where(_begins(session, contacts.c.email, mail))
        if "@" in text:
            yield 0, _further(addresses.c.value == mail)
    for name in _written(session, customers.c.name, text):
        yield 2, sa.select(customers.c.id).where(_begins(session, customers.c.name, name))
    for name in _written(session, contacts.c.family_name, text):
        yield 2, sa.select(contacts.c.customer_id).where(_begins(session, contacts.c.family_name, name))


def _by_both_names(session: Session, text: str) -> list[int]:
    """Given and family name of a contact, in either order."""
    first, _, last = text.partition(" ")
    found: list[int] = []
    for given, family in ((first, last), (last, first)):
        for name in _written(session, contacts.c.family_name, family) if given and family else ():
            c = contacts.c
            query = sa.select(c.customer_id, c.given_name).where(_begins(session, c.family_name, name))
            found += [
                row.customer_id
                for row in session.execute(query.limit(CANDIDATES))
                if fold(row.given_name or "").startswith(fold(given))
            ]
    return found


def _further(condition: sa.ColumnElement[bool]) -> sa.Select[Any]:
    joined = sa.join(addresses, contacts, contacts.c.id == addresses.c.contact_id)
    return sa.select(contacts.c.customer_id).select_from(joined).where(condition)


def _begins(session: Session, column: sa.ColumnElement[Any], start: str) -> sa.ColumnElement[bool]:
    """A prefix as a range."""
    return in_bytes(session, column, start, start + LAST)


def _spellings(name: str) -> list[str]:
    """A name as typed, and as it is commonly written: an index knows no case."""
    title = re.sub(r"\b(Mc|Mac|O')(\w)", lambda m: m[1] + m[2].upper(), name.title())
    capital = name[:1].upper() + name[1:]
    return list(dict.fromkeys((name, title, name.title(), capital, name.lower(), name.upper())))


def _written(session: Session, column: sa.Column[str], name: str) -> list[str]:
    """The beginnings to look for: as typed, and those there are that differ by accents only."""
    return list(dict.fromkeys((*_spellings(name), *written(session, column, name))))


def _phones(session: Session, text: str) -> list[str]:
    """The number as it may be stored: +49 (0)30 12345 is +493012345.

    One without its country is read as it is dialled in each country where somebody is.
    """
    if not re.fullmatch(r"\+?[0-9][0-9\s()./-]{4,30}", text.lstrip("(")):
        return []
    digits = re.sub(r"[\s()./-]", "", text.replace("(0)", ""))
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    if digits.startswith("+"):
        return [digits] if re.fullmatch(r"\+[0-9]{5,15}", digits) else []
    return as_dialled(digits, countries(session)[:MOST_COUNTRIES]) if len(digits) >= SHORTEST_PHONE else []


def _kept(session: Session, ids: Sequence[int], wanted: Wanted) -> list[tuple[int, str]]:
    """Those of the customers that the filters keep, with their names."""
    found: list[tuple[int, str]] = []
    for at in range(0, len(ids), CANDIDATES):
        query = sa.select(customers.c.id, customers.c.name).where(
            customers.c.id.in_(ids[at : at + CANDIDATES]), *_conditions(wanted)
        )
        found += [(row.id, row.name) for row in session.execute(query)]
    return found


def _conditions(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    pairs = (
        (customers.c.stage, wanted.stage),
        (customers.c.owner_id, wanted.owner),
        (customers.c.country, wanted.country),
    )
    return [column == value for column, value in pairs if value is not None]


def browse(
    session: Session, *, wanted: Wanted | None = None, before: int | None = None, size: int = 50
) -> Found:
    """Leaf through the customers, the newest first; `before` is the id that the page before ended at.

    Narrowed to a stage or country, a page looks at so many customers at most; it may come back short or
    empty and yet have a next page.
    """
    wanted = wanted or Wanted()
    start = (
        before if before is not None else (session.scalar(sa.select(sa.func.max(customers.c.id))) or 0) + 1
    )
    query = sa.select(customers.c.id).where(customers.c.id < start, *_conditions(wanted))
    narrowed = wanted.stage is not None or wanted.country is not None
    stop = start - SCANNED if narrowed and wanted.owner is None else 0
    query = query.where(customers.c.id >= stop).order_by(customers.c.id.desc()).limit(size + 1)
    ids = list(session.scalars(query))
    if len(ids) > size:
        return Found(tuple(_rows(session, ids[:size])), more=True, next=ids[size - 1])
    return Found(tuple(_rows(session, ids)), more=stop > 1, next=stop if stop > 1 else None)


def countries(session: Session) -> list[str]:
    """The countries that customers are in, read off an index one by one."""
    return _distinct(session, contacts.c.country)


def _distinct(session: Session, column: sa.ColumnElement[str | None]) -> list[str]:
    found: list[str] = []
    while True:
        query = sa.select(sa.func.min(column))
        following = session.scalar(query.where(column > found[-1]) if found else query)
        if following is None:
            return found
        found.append(following)


def _rows(session: Session, ids: Sequence[int]) -> list[Row]:
    """The customers as lists show them, in the order asked for."""
    first = (
        sa.select(sa.func.min(contacts.c.id))
        .where(contacts.c.customer_id == customers.c.id)
        .correlate(customers)
        .scalar_subquery()
    )
    query = (
        sa.select(
            customers,
            staff.c.name.label("owner"),
            contacts.c.given_name,
            contacts.c.family_name,
            contacts.c.email,
        )
        .outerjoin(staff, staff.c.id == customers.c.owner_id)
        .outerjoin(contacts, contacts.c.id == first)
        .where(customers.c.id.in_(list(ids)))
    )
    by_id = {row.id: _row(row) for row in session.execute(query)} if ids else {}
    return [by_id[one] for one in ids]


def _row(row: sa.Row[Any]) -> Row:
    contact = " ".join(part for part in (row.given_name, row.family_name) if part)
    return Row(
        id=row.id,
        name=row.name.strip() or contact or row.email or row.external_id or f"#{row.id}",
        kind=row.kind,
        stage=row.stage,
        owner=row.owner,
        country=row.country,
        city=row.city,
        external_id=row.external_id,
        hold_until=row.hold_until,
        contact=contact or None,
        email=row.email,
    )
