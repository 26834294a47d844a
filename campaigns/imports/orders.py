"""Rows of an orders file, each to one line of an order, or refused."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from campaigns.imports import values
from campaigns.imports.addresses import AddressReader
from campaigns.imports.columns import Memo
from campaigns.imports.complaints import Complaint, Effect
from campaigns.imports.mapping import Layout
from campaigns.imports.money import currency, minor_units
from campaigns.imports.values import Bad

#: Every line must say these; the other fields may stand on any line of their order, or be left out.
OF_EACH_LINE = ("sku", "quantity", "amount", "currency")
LONGEST_NUMBER = 100  #: of an order: events are told apart by it
REFUSED = "x"
_QUANTITY = re.compile(r"(\d{1,9})(?:[.,]0{1,2})?", re.ASCII)
_STATUSES = {
    "placed": "placed, open, new, ordered, pending, processing, offen, neu, bestellt, aufgegeben,"
    " eingegangen, in bearbeitung",
    "paid": "paid, bezahlt",
    "shipped": "shipped, sent, fulfilled, delivered, completed, versandt, verschickt, versendet, geliefert,"
    " zugestellt, ausgeliefert, abgeschlossen",
    "cancelled": "cancelled, canceled, storniert, abgebrochen, annulliert",
    "returned": "returned, return, retourniert, zurückgesendet, zurückgeschickt, zurückgegeben, retoure",
}
_BY_WORD = {word.strip(): status for status, words in _STATUSES.items() for word in words.split(",")}


class OrderLine(NamedTuple):
    """One row as it was read; of a refused one only what it is about."""

    line: int
    number: str  #: the order's
    customer: str | None = None  #: external id of the customer, or of the contact
    email: str | None = None
    sku: str | None = None
    product: str | None = None
    category: str | None = None
    quantity: int | None = None
    amount_minor: int | None = None
    currency: str | None = None
    status: str | None = None
    placed_at: datetime | None = None
    status_at: datetime | None = None
    refused: str | None = None  #: REFUSED: the order cannot be taken, for this line is missing from it


@dataclass(frozen=True, slots=True)
class OrderReading:
    """How the cells are to be read, beyond the columns."""

    now: datetime
    decimal: str | None = None  #: the mark before decimals of amounts, where known
    currency: str | None = None  #: of lines that name none


def status(cell: str) -> str | Bad:
    """Where an order stands, in English or German."""
    known = _BY_WORD.get(" ".join(cell.casefold().split()))
    return known or Bad(f"is no status; write {', '.join(_STATUSES)}.")


def quantity(cell: str) -> int | Bad:
    """How many were bought: a whole number, at least one."""
    found = _QUANTITY.fullmatch(cell)
    count = int(found[1]) if found else 0
    return count if count >= 1 else Bad("is no quantity; write a whole number from 1 on.")


class OrderRows:
    """Reads the rows of one layout; complaints go to `complain`."""

    def __init__(self, layout: Layout, reading: OrderReading, complain: Callable[[Complaint], None]) -> None:
        self.read_rows = 0
        self.lost = 0  #: refused rows that do not even say of which order they are
        self._layout = layout
        self._reading = reading
        self._complain = complain
        self._width = len(layout.header)
        self._readers = {name: read for name, read in self._all_readers().items() if name in layout.fields}

    def read(self, lines: Sequence[int], rows: Sequence[Sequence[str]]) -> Iterator[OrderLine]:
        """Give a line for each row whose order is known, refused ones marked."""
        for line, cells in zip(lines, rows, strict=True):
            self.read_rows += 1
            wrong: list[tuple[str, str, str]] = []
            found = self._cells(cells, wrong)
            number = found.get("order")
            if not wrong:
                yield OrderLine(line, **self._named(found))
            else:
                for name, value, reason in wrong:
                    self._complain(Complaint(line, self.header(name), value, reason, Effect.REFUSED))
                if number is None:
                    self.lost += 1
                else:
                    yield OrderLine(line, number, refused=REFUSED)

    def header(self, name: str) -> str:
        """Give the header of the column that a field is read from; the field itself where none is."""
        column = self._layout.fields.get(name)
        return name if column is None else self._layout.header[column]

    def _all_readers(self) -> Mapping[str, Callable[[str], object]]:
        once = {
            "order": values.short(LONGEST_NUMBER),
            "customer": values.short(200),
            "email": AddressReader().read_cell,
            "sku": values.short(100),
            "product": values.text,
            "category": values.short(100),
            "quantity": quantity,
            "currency": currency,
            "status": status,
            "placed_at": values.moment(self._reading.now),
            "status_at": values.moment(self._reading.now),
        }
        return {name: Memo(read, starts_anew=True).__getitem__ for name, read in once.items()}

    def _cells(self, cells: Sequence[str], wrong: list[tuple[str, str, str]]) -> dict[str, Any]:
        """Read a row's cells by field; what cannot be read goes to `wrong`."""
        fields = self._layout.fields
        if len(cells) != self._width and (len(cells) < self._width or any(cells[self._width :])):
            wrong.append(("", "", f"has {len(cells)} cells where the header has {self._width}."))
        elif any("\0" in cell for cell in cells):
            wrong.append(("", "", "holds a NUL byte."))
        if wrong:  # which cell is which is not sure but for the first ones
            at = fields["order"]
            number = self._readers["order"](cells[at]) if at < min(len(cells), self._width) else None
            return {"order": number if isinstance(number, str) and "\0" not in cells[at] else None}
        found: dict[str, Any] = {}
        for name, read in self._readers.items():
            value = read(cells[fields[name]])
            if value.__class__ is Bad:
                wrong.append((name, cells[fields[name]], value.reason))
            else:
                found[name] = value
        self._complete(cells, found, wrong)
        return found

    def _complete(
        self, cells: Sequence[str], found: dict[str, Any], wrong: list[tuple[str, str, str]]
    ) -> None:
        amount = cells[self._layout.fields["amount"]].strip()
        code = found.get("currency") or self._reading.currency
        found["currency"] = code
        found["amount"] = None
        refused = {name for name, _, _ in wrong}
        if amount and code and "currency" not in refused:
            units = minor_units(amount, code, self._reading.decimal)
            if isinstance(units, Bad):
                wrong.append(("amount", amount, units.reason))
                refused.add("amount")
            found["amount"] = units
        for name in ("order", *OF_EACH_LINE):
            empty = not amount if name == "amount" else found.get(name) is None
            if empty and name not in refused:
                wrong.append((name, "", "is empty."))

    def _named(self, found: dict[str, Any]) -> dict[str, Any]:
        return {_CALLED.get(name, name): value for name, value in found.items()}


#: What a line calls the fields that have another name in the file.
_CALLED = {"order": "number", "amount": "amount_minor"}
