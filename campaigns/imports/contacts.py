"""Rows of a contacts file, each to one tuple for the staging table, or refused."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import compress
from typing import Any

from campaigns.imports import values
from campaigns.imports.addresses import AddressReader
from campaigns.imports.complaints import Complaint, Effect
from campaigns.imports.mapping import Layout
from campaigns.imports.phones import BadPhone, PhoneReader
from campaigns.imports.values import EPOCH, MICROSECOND, Bad, to_microseconds

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
#: The turn of rows that repeat an earlier one of their part, after the turns 1 and 2 of all others.
REPEATS = 3
MOST_REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class Reading:
    """How the cells of a file are to be read, beyond its columns."""

    now: datetime
    hash_address: Callable[[str], object]
    country: str | None = None  #: by which phone numbers without a plus are read
    consent_source: str | None = None  #: for rows that name none
    consent_at: datetime | None = None  #: for rows that name none
    wordings: Mapping[str, int] = field(default_factory=dict)  #: key, or key:version, → id


class _Cells:
    """Reads the cells of one column, each on its own."""

    def __init__(self, read: Callable[[str], object]) -> None:
        self._read = read

    def column(self, cells: Sequence[str]) -> list[Any]:
        """Give the values: None for an empty cell, a Bad for one that cannot be read."""
        read = self._read
        return [read(stripped) if (stripped := cell.strip()) else None for cell in cells]


class _Repeated(_Cells):
    """Reads a column of few distinct cells: what it made of each is remembered."""

    def __init__(self, read: Callable[[str], object]) -> None:
        super().__init__(read)
        self._known = _Memo(read)

    def column(self, cells: Sequence[str]) -> list[Any]:
        return list(map(self._known.__getitem__, cells))


class _Texts(_Cells):
    """Reads a column of texts: those that need no cleaning all at once."""

    def __init__(self, limit: int = values.LONGEST_TEXT) -> None:
        super().__init__(values.short(limit))
        self._limit = limit

    def column(self, cells: Sequence[str]) -> list[Any]:
        stripped = list(map(str.strip, cells))
        if all(map(str.isprintable, stripped)) and max(map(len, stripped), default=0) <= self._limit:
            return [cell or None for cell in stripped]
        return [value or None for value in super().column(cells)]


class _Moments(_Cells):
    """Reads a column of moments in the past, as microseconds since 1970."""

    def __init__(self, now: datetime) -> None:
        super().__init__(_micros(values.moment(now)))
        self._now = to_microseconds(now)

    def column(self, cells: Sequence[str]) -> list[Any]:
        found: list[Any] = []
        parse, epoch, unit, now, read = datetime.fromisoformat, EPOCH, MICROSECOND, self._now, super().column
        for cell in cells:
            try:
                micros = (parse(cell) - epoch) // unit
            except (ValueError, TypeError):  # no date, or one without a zone
                found += read((cell,))
            else:
                found.append(micros if micros <= now else read((cell,))[0])
        return found


class _Memo(dict[str, Any]):
    def __init__(self, read: Callable[[str], object]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, cell: str) -> object:
        stripped = cell.strip()
        value = self._read(stripped) if stripped else None
        if value == "":  # nothing but control characters
            value = None
        if len(self) < MOST_REMEMBERED:
            self[cell] = value
        return value


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
            (a.key, column, _Repeated(values.attribute(a.kind))) for a, column in layout.attributes.items()
        ]
        self._words = {
            name: (at[name], cells[name]) for name in cells if name.startswith("consent") and name in at
        }
        #: The staged columns, in the order of the tuples that `read` gives.
        self.columns = ("line", "external_id", "email", "email_hash", *(name for name, _, _ in self._profile))
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
        hash_one = self._reading.hash_address
        staged: list[Sequence[Any]] = [
            lines,
            ids,
            addresses,
            [None if address is None else hash_one(address) for address in addresses],
        ]
        staged += [self._values(lines, cells, column, reader) for _, column, reader in self._profile]
        if self._attributes:
            staged.append(self._custom(lines, cells))
        if "consent" in self._words:
            staged += self._read_words(lines, cells)
        staged.append([1] * len(lines))
        return list(zip(*staged, strict=True))

    def _cells(self) -> dict[str, _Cells]:
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
            **{name: _Repeated(read) for name, read in few.items()},
            **{name: _Texts() for name in (*texts, "consent_source", "consent_proof")},
            **{name: _Texts(200) for name in ("external_id", "customer_external_id")},
            "phone": _Cells(_phone(PhoneReader(self._reading.country))),
            "consent_at": _Moments(now),
        }

    def _whole(
        self, lines: Sequence[int], rows: Sequence[Sequence[str]]
    ) -> tuple[Sequence[int], Sequence[Sequence[str]]]:
        """Leave out rows of another width than the header's; empty cells at the end do not count."""
        width = self._width
        if all(len(cells) == width for cells in rows):
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
        for number in _bad(ids):
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
        self, lines: Sequence[int], cells: Sequence[Sequence[str]], column: int, reader: _Cells
    ) -> list[Any]:
        """Give a column's values; those that cannot be read are complained about and left out."""
        found = reader.column(cells[column])
        for number in _bad(found):
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
        ruled = [self._rule(*row) for row in zip(yes, at, source, strict=True)]
        said, said_at, ruling = zip(*ruled, strict=True) if ruled else ((), (), ())
        return [said, said_at, ruling, proof, self._said(lines, cells, "consent_wording")]

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


def _phone(reader: PhoneReader) -> Callable[[str], str | Bad]:
    plain = reader.read

    def read(cell: str) -> str | Bad:
        try:
            return plain(cell)
        except BadPhone as error:
            return Bad(str(error))

    return read


def _micros(read: Callable[[str], datetime | Bad]) -> Callable[[str], int | Bad]:
    def read_cell(cell: str) -> int | Bad:
        at = read(cell)
        return at if isinstance(at, Bad) else to_microseconds(at)

    return read_cell


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


class Repeats:
    """Tells within one part of a file which rows are about a contact that an earlier row is about.

    Across parts the store tells (records/imports): there an earlier row has become a contact already.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, int] = {}
        self._by_address: dict[str, int] = {}  # rows with an external id
        self._nameless: dict[str, int] = {}  # by address: rows without one

    def place(self, staged: Sequence[tuple[Any, ...]]) -> list[tuple[int, int | None]] | None:
        """Give for each staged row the turn in which it is merged, and the line that it surely repeats.

        Turn 2 must see the contacts of turn 1. None stands for turn 1 throughout.
        """
        ids = {row[1]: row[0] for row in staged}
        addresses = {row[2]: row[0] for row in staged}
        if (
            len(ids) == len(staged)
            and None not in ids
            and self._by_id.keys().isdisjoint(ids)
            and self._nameless.keys().isdisjoint(addresses)
        ):  # the common case at the common price
            self._by_id.update(ids)
            self._by_address.update(addresses)
            return None
        return [self._place(row[0], row[1], row[2]) for row in staged]

    def _place(self, line: int, known_as: str | None, address: str | None) -> tuple[int, int | None]:
        if known_as is None:
            assert address is not None
            earlier = self._nameless.setdefault(address, line)
            later = address in self._by_address
        else:
            earlier = self._by_id.setdefault(known_as, line)
            later = address in self._nameless
            if address is not None:
                self._by_address.setdefault(address, line)
        if earlier != line:
            return REPEATS, earlier
        return 2 if later else 1, None
