"""Rows of a contacts file, each to one tuple for the staging table, or refused."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import compress
from typing import Any

from campaigns.imports import values
from campaigns.imports.addresses import AddressReader
from campaigns.imports.columns import Cells, Moments, Phones, Repeated, Texts
from campaigns.imports.complaints import Complaint, Effect
from campaigns.imports.mapping import Layout
from campaigns.imports.values import Bad, to_microseconds

#: What any contact may be imported with, beside identity, consent and attributes; columns of `contacts`.
PROFILE = (
    "phone",
    "given_name",
    "family_name",
    "salutation",
    "locale",
    "time_zone",
    "country",
    "region",
    "city",
    "birthday",
)
AT_CUSTOMER = ("customer_external_id", "customer_name", "roles")
WORD = ("said", "said_at", "ruling", "proof", "wording_id")
#: How a word on consent is ruled: by its date; a no without a date; a yes that proves too little.
DATED, UNDATED_NO, UNPROVEN = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Reading:
    """How the cells of a file are to be read, beyond its columns."""

    now: datetime
    country: str | None = None  #: by which phone numbers without a plus are read
    consent_source: str | None = None  #: for rows that name none
    consent_at: datetime | None = None  #: for rows that name none
    wordings: Mapping[str, int] = field(default_factory=dict)  #: key, or key:version, → id
    #: Where hashes are staged with their addresses; else whoever merges them hashes.
    hash_addresses: Callable[[Sequence[str | None]], list[Any]] | None = None


class ContactRows:
    """Reads rows of one layout, many at a time and column by column; complaints go to `complain`."""

    def __init__(self, layout: Layout, reading: Reading, complain: Callable[[Complaint], None]) -> None:
        self.layout = layout
        self._reading = reading
        self._complain = complain
        self._addresses = AddressReader()
        self._now = to_microseconds(reading.now)
        self._width = len(layout.header)
        at = layout.fields
        cells = self._cells()
        self._id = cells["external_id"]
        self._profile = [(name, at[name], cells[name]) for name in (*PROFILE, *AT_CUSTOMER) if name in at]
        self._attributes = [
            (a.key, column, Repeated(values.attribute(a.kind))) for a, column in layout.attributes.items()
        ]
        self._words = {
            name: (at[name], cells[name]) for name in cells if name.startswith("consent") and name in at
        }
        #: The staged columns, in the order of the tuples that `read` gives.
        self.columns = (
            "line",
            "external_id",
            "email",
            *("email_hash",) * (reading.hash_addresses is not None),
        )
        self.columns += tuple(name for name, _, _ in self._profile)
        self.columns += ("attributes",) * bool(self._attributes) + WORD * ("consent" in at) + ("turn",)

    def read(self, lines: Sequence[int], rows: Sequence[Sequence[str]]) -> list[tuple[Any, ...]]:
        """Give the staged tuple of each row, but for those that were refused (and complained about)."""
        lines, rows = self._whole(lines, rows)
        if not rows:
            return []
        cells: list[Sequence[str]] = list(zip(*rows, strict=True))
        ids = self._identities(lines, cells)
        addresses = self._read_addresses(lines, cells)
        if None in ids or False in addresses:  # else nobody is unknown, and nobody refused
            keep = [self._is_known(*row) for row in zip(lines, ids, addresses, strict=True)]
            lines, ids, addresses = (list(compress(column, keep)) for column in (lines, ids, addresses))
            cells = [list(compress(column, keep)) for column in cells]
        staged: list[Sequence[Any]] = [lines, ids, addresses]
        if self._reading.hash_addresses is not None:
            staged.append(self._reading.hash_addresses(addresses))
        staged += [self._values(lines, cells, column, reader) for _, column, reader in self._profile]
        if self._attributes:
            staged.append(self._custom(lines, cells))
        if "consent" in self._words:
            staged += self._read_words(lines, cells)
        staged.append([1] * len(lines))
        return list(zip(*staged, strict=True))

    def _cells(self) -> dict[str, Cells]:
        now = self._reading.now
        few: dict[str, Callable[[str], object]] = {
            "locale": values.locale,
            "time_zone": values.time_zone,
            "country": values.country,
            "birthday": _iso(values.birthday(now)),
            "roles": _json_list(values.roles),
            "consent": values.yes_or_no,
            "consent_wording": self._wording,
        }
        texts = ("given_name", "family_name", "salutation", "region", "city", "customer_name")
        return {
            **{name: Repeated(read) for name, read in few.items()},
            **{name: Texts() for name in (*texts, "consent_source", "consent_proof")},
            **{name: Texts(200) for name in ("external_id", "customer_external_id")},
            "phone": Phones(self._reading.country),
            "consent_at": Moments(now),
        }

    def _whole(
        self, lines: Sequence[int], rows: Sequence[Sequence[str]]
    ) -> tuple[Sequence[int], Sequence[Sequence[str]]]:
        """Leave out rows of another width than the header's; empty cells at the end do not count."""
        width = self._width
        if set(map(len, rows)) == {width}:
            return lines, rows
        kept_lines, kept = [], []
        for line, cells in zip(lines, rows, strict=True):
            if len(cells) == width or (len(cells) > width and not any(cells[width:])):
                kept_lines.append(line)
                kept.append(cells[:width])
            else:
                reason = f"has {len(cells)} cells where the header has {width}."
                self._complain(Complaint(line, "", "", reason, Effect.REFUSED))
        return kept_lines, kept

    def _identities(self, lines: Sequence[int], cells: Sequence[Sequence[str]]) -> list[Any]:
        """Give the external ids: None for an empty cell, False where the row is refused for it."""
        column = self.layout.fields.get("external_id")
        if column is None:
            return [None] * len(lines)
        ids = self._id.column(cells[column])
        for number in () if self._id.sound else _bad(ids):
            self._refuse(lines[number], column, cells[column][number], ids[number].reason)
            ids[number] = False
        return ids

    def _read_addresses(self, lines: Sequence[int], cells: Sequence[Sequence[str]]) -> list[Any]:
        """Give the normalised addresses: None for an empty cell, False where the row is refused for it."""
        column = self.layout.fields.get("email")
        if column is None:
            return [None] * len(lines)
        found: list[Any] = list(self._addresses.read_many(cells[column]))
        for number in _bad(found):
            cell = cells[column][number]
            if cell.strip():
                self._refuse(lines[number], column, cell, found[number].reason)
                found[number] = False
            else:
                found[number] = None
        return found

    def _is_known(self, line: int, known_as: Any, address: Any) -> bool:
        if known_as is None and address is None:
            reason = "has neither an address nor an external id to know the contact by."
            self._complain(Complaint(line, "", "", reason, Effect.REFUSED))
        return known_as is not False and address is not False and not (known_as is None and address is None)

    def _values(
        self, lines: Sequence[int], cells: Sequence[Sequence[str]], column: int, reader: Cells
    ) -> list[Any]:
        """Give a column's values; those that cannot be read are complained about and left out."""
        found = reader.column(cells[column])
        for number in () if reader.sound else _bad(found):
            reason, header = found[number].reason, self.layout.header[column]
            self._complain(Complaint(lines[number], header, cells[column][number], reason, Effect.LEFT_OUT))
            found[number] = None
        return found

    def _wording(self, cell: str) -> int | Bad:
        return self._reading.wordings.get(cell) or Bad("is no wording that is kept here; add it first.")

    def _custom(self, lines: Sequence[int], cells: Sequence[Sequence[str]]) -> list[str | None]:
        keys = [key for key, _, _ in self._attributes]
        columns = [self._values(lines, cells, column, reader) for _, column, reader in self._attributes]
        return [_object(keys, row) for row in zip(*columns, strict=True)]

    def _read_words(self, lines: Sequence[int], cells: Sequence[Sequence[str]]) -> list[Sequence[Any]]:
        """Read what the rows say on consent: no more than each proves (docs/decisions/0011)."""
        given = self._reading
        default_at = None if given.consent_at is None else to_microseconds(given.consent_at)
        yes = self._said(lines, cells, "consent")
        at = self._said(lines, cells, "consent_at", default_at)
        source = self._said(lines, cells, "consent_source", given.consent_source)
        proof = self._said(lines, cells, "consent_proof")
        if any(proof):
            proof = ["; ".join(filter(None, both)) or None for both in zip(source, proof, strict=True)]
        else:
            proof = source
        wording = self._said(lines, cells, "consent_wording")
        if all(at) and all(source) and None not in yes:
            said = ["granted" if word else "withdrawn" for word in yes]
            return [said, at, [DATED] * len(at), proof, wording]
        ruled = [self._rule(*row) for row in zip(yes, at, source, strict=True)]
        return [*(zip(*ruled, strict=True) if ruled else ((), (), ())), proof, wording]

    def _rule(
        self, yes: Any, at: int | None, source: str | None
    ) -> tuple[str | None, int | None, int | None]:
        if yes is None:
            return None, None, None
        if yes:
            return ("granted", at, DATED) if at and source else ("pending", self._now, UNPROVEN)
        return ("withdrawn", at, DATED) if at else ("withdrawn", self._now, UNDATED_NO)

    def _said(
        self, lines: Sequence[int], cells: Sequence[Sequence[str]], name: str, default: Any = None
    ) -> list[Any]:
        if name not in self._words:
            return [default] * len(lines)
        found = self._values(lines, cells, *self._words[name])
        return found if default is None else [default if value is None else value for value in found]

    def _refuse(self, line: int, column: int, cell: str, reason: str) -> None:
        self._complain(Complaint(line, self.layout.header[column], cell, reason, Effect.REFUSED))


def _bad(found: Sequence[Any]) -> list[int]:
    if Bad not in set(map(type, found)):
        return []
    return [number for number, value in enumerate(found) if value.__class__ is Bad]


def _object(keys: Sequence[str], row: Sequence[object]) -> str | None:
    """Write one contact's custom attributes as the JSON text that the store keeps."""
    found = {key: value for key, value in zip(keys, row, strict=True) if value is not None}
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"), sort_keys=True) if found else None


def _iso(read: Callable[[str], date | Bad]) -> Callable[[str], str | Bad]:
    def read_cell(cell: str) -> str | Bad:
        found = read(cell)
        return found if isinstance(found, Bad) else found.isoformat()

    return read_cell


def _json_list(read: Callable[[str], list[str] | Bad]) -> Callable[[str], str | Bad | None]:
    def read_cell(cell: str) -> str | Bad | None:
        found = read(cell)
        if isinstance(found, Bad):
            return found
        return json.dumps(found, ensure_ascii=False) if found else None

    return read_cell
