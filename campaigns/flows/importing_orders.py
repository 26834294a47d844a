"""Orders files become orders: read, checked, staged whole, and merged in one transaction.

An order's lines may stand anywhere in the file, so nothing is merged before all of it is staged. Whoever
is killed half-way has changed nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from babel.numbers import get_currency_precision
from sqlalchemy.orm import Session

from campaigns.errors import BadImport
from campaigns.imports.complaints import Complaint, Complaints, Effect
from campaigns.imports.mapping import ORDER_FIELDS, Layout, read_layout
from campaigns.imports.orders import OrderLine, OrderReading, OrderRows
from campaigns.imports.source import Source, open_source, read_body, read_rows
from campaigns.records import imports
from campaigns.records.import_orders import COLUMNS, OrderChange, OrderMerge, OrderTally, staged
from campaigns.records.imports import Import
from campaigns.records.staging import Staging
from campaigns.values import Problem

PREVIEWED = 5
ROWS_AT_ONCE = 2000
#: Told of every part that is staged: its last line, of how many.
Progress = Callable[[int, int], None]
_NEEDED = ("order", "sku", "quantity", "amount", "placed_at")


@dataclass(frozen=True, slots=True)
class OrderFile:
    """An orders file that can be read as asked."""

    source: Source
    layout: Layout
    decimal: str | None
    currency: str | None

    def reading(self, now: datetime) -> OrderReading:
        """Give what its cells are read by."""
        return OrderReading(now, self.decimal, self.currency)


@dataclass(slots=True)
class OrderResult:
    """What came of an import of orders."""

    rows: int
    refused_rows: int
    tally: OrderTally
    changes: list[OrderChange] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """Give what is kept with the import."""
        tally = self.tally
        return {
            "rows": self.rows,
            "refused": self.refused_rows,
            "orders": dict(tally.orders),
            "lines": tally.lines,
            "products": {"new": tally.new_products, "changed": tally.changed_products},
            "statuses": dict(tally.statuses),
            "first orders": tally.first_orders,
            "events": tally.events,
        }


def prepare_orders(
    path: Path,
    *,
    encoding: str = "utf-8",
    delimiter: str | None = None,
    chosen: Mapping[str, str] | None = None,
    decimal: str | None = None,
    currency: str | None = None,
) -> OrderFile:
    """Open an orders file and match its header with the fields.

    Raises:
        BadImport: with all that is wrong with the file, its header, or what was asked.
    """
    source = open_source(path, encoding=encoding, delimiter=delimiter)
    rows = read_rows(source)
    _, (header,) = next(rows, ([0], [[""]]))
    rows.close()
    layout = read_layout(header, ORDER_FIELDS, chosen=chosen)
    problems = [
        Problem("the header", f"has no column for {name}.", f"Name it with --map COLUMN={name}.")
        for name in _NEEDED
        if name not in layout.fields
    ]
    if "customer" not in layout.fields and "email" not in layout.fields:
        cure = "Name one with --map COLUMN=customer or --map COLUMN=email."
        problems.append(Problem("the header", "has neither a customer nor an address.", cure))
    if "currency" not in layout.fields and currency is None:
        cure = "Name it with --map COLUMN=currency, or add --currency EUR."
        problems.append(Problem("the header", "has no column for currency.", cure))
    if decimal not in {None, ".", ","}:
        problems.append(Problem("--decimal", f"{decimal!r} is no decimal mark.", "Give ',' or '.'."))
    if problems:
        raise BadImport(problems)
    return OrderFile(source, layout, decimal, currency)


def preview_orders(file: OrderFile, *, now: datetime) -> tuple[list[dict[str, Any]], list[Complaint]]:
    """Read the first rows as they will be read: field → value, and what is wrong with them."""
    found: list[Complaint] = []
    reader = OrderRows(file.layout, file.reading(now), found.append)
    body = read_body(file.source, PREVIEWED)
    shown = [_shown(row) for row in reader.read(*next(body, ((), ()))) if not row.refused]
    body.close()
    return shown, found


def _shown(row: OrderLine) -> dict[str, Any]:
    amount = Decimal(row.amount_minor or 0).scaleb(-get_currency_precision(row.currency or ""))
    return {**row._asdict(), "order": row.number, "amount": amount}


def register_orders(session: Session, file: OrderFile, *, actor: str, now: datetime) -> Import:
    """Open the import in the books, in a transaction before its own: one that was killed is seen there."""
    source = file.source
    return imports.register(
        session,
        "orders",
        file=source.path.name,
        sha256=source.sha256,
        mapping=file.layout.as_json(),
        actor=actor,
        now=now,
    )


def import_orders(
    session: Session,
    staging: Staging,
    file: OrderFile,
    made_by: Import,
    *,
    now: datetime,
    complaints: Complaints,
    progress: Progress = lambda _done, _all: None,
) -> OrderResult:
    """Merge an orders file into the store; an order of which any line is refused is refused whole.

    Each order in the file is taken to be complete: its lines replace those that are there, if they differ.

    Raises:
        BadImport: if the file cannot be read to its end.
    """
    reader = OrderRows(file.layout, file.reading(now), complaints.add)
    merge = OrderMerge(session, made_by, now=now)
    parts = _Parts(file.source, reader, staging.lines_of_a_part(file.source.lines))
    staging.lay(session, COLUMNS, {})
    number = 0
    while not parts.at_end:
        filled = staging.filler.fill(number, COLUMNS, parts.read())
        if filled.rows:
            merge.add(staging.load(session, number, filled))
        number += 1
        progress(parts.line, file.source.lines)

    def report(line: int, name: str, value: str, reason: str) -> None:
        column = reader.header(name) if name else ""
        complaints.add(Complaint(line, column, value, reason, Effect.REFUSED))

    merge.merge(lambda fault: report(*fault))
    tally = merge.tally
    result = OrderResult(reader.read_rows, tally.refused_lines + reader.lost, tally, tally.changes)
    imports.finish(session, made_by.id, result.as_json(), now=now)
    return result


class _Parts:
    """Cuts a file into parts of about so many lines."""

    def __init__(self, source: Source, reader: OrderRows, size: int) -> None:
        self.line = 1  #: the last that was read
        self._reader = reader
        self._size = size
        self._body = read_body(source, ROWS_AT_ONCE)
        self._held = next(self._body, None)

    @property
    def at_end(self) -> bool:
        return self._held is None

    def read(self) -> Iterator[tuple[Any, ...]]:
        end = self.line + self._size
        while self._held is not None and self._held[0][0] <= end:
            yield from map(staged, self._reader.read(*self._held))
            self.line = self._held[0][-1]
            self._held = next(self._body, None)
