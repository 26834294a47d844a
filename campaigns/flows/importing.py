"""Files become contacts and orders: read, checked, staged part by part, and merged in one transaction.

While the database merges one part, a thread reads the next. Nothing of a file is in the store until all of
it is; whoever is killed half-way has changed nothing.
"""

import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from campaigns.errors import BadImport
from campaigns.imports.complaints import Complaint, Complaints, Effect
from campaigns.imports.contacts import ContactRows, Reading
from campaigns.imports.mapping import CONTACT_FIELDS, Attribute, Layout, read_layout
from campaigns.imports.repeats import Repeats
from campaigns.imports.source import Rows, Source, open_source, read_rows
from campaigns.records import attributes, consent, imports
from campaigns.records.bulk import first_load
from campaigns.records.import_contacts import Change, ContactMerge
from campaigns.records.imports import Import
from campaigns.records.staging import Staging
from campaigns.records.suppressions import hasher
from campaigns.values import Problem

PREVIEWED = 5
ROWS_AT_ONCE = 400  #: read column by column; few enough to stay in the processor's cache
TURN = 0.0005  #: seconds
#: Told after every part: the last line that is merged, of how many.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What whoever imports says about the file."""

    path: Path
    encoding: str = "utf-8"
    delimiter: str | None = None
    chosen: dict[str, str] = field(default_factory=dict)  #: column → field, or "-" for none
    attributes: dict[str, Attribute] = field(default_factory=dict)  #: column → custom attribute
    topic: str | None = None  #: key of the topic that the consent column speaks of
    consent_source: str | None = None
    consent_at: datetime | None = None
    country: str | None = None  #: by which phone numbers without a plus are read
    decimal: str | None = None  #: of amounts: "," or "."


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file that can be read as asked."""

    asked: Asked
    source: Source
    layout: Layout


@dataclass(slots=True)
class Result:
    """What came of an import."""

    rows: int
    counts: dict[str, int]
    words: dict[str, int] = field(default_factory=dict)  #: consent: added by state, left by reason
    changes: list[Change] = field(default_factory=list)  #: a few of the changed values

    def as_json(self) -> dict[str, object]:
        """Give what is kept with the import."""
        return {"rows": self.rows, **self.counts, "consent": self.words}


def prepare_contacts(asked: Asked) -> Prepared:
    """Open a contacts file and match its header with the fields.

    Raises:
        BadImport: with all that is wrong with the file, its header, or what was asked.
    """
    prepared = _prepare(asked, CONTACT_FIELDS)
    fields = prepared.layout.fields
    problems = []
    if "email" not in fields and "external_id" not in fields:
        cure = "Name one with --map COLUMN=email or --map COLUMN=external_id."
        problems.append(Problem("the header", "has neither an address nor an external id.", cure))
    if "consent" in fields and not asked.topic:
        column = prepared.layout.header[fields["consent"]]
        cure = f"Add --topic KEY, or leave the column out with --map {column!r}=-"
        problems.append(
            Problem(f"column {column!r}", "speaks of consent, but of which topic is not said.", cure)
        )
    if "consent" not in fields and (asked.topic or asked.consent_source or asked.consent_at):
        cure = "Name the column that says yes or no with --map COLUMN=consent; no column, no consent."
        problems.append(Problem("--topic", "is given, but no column speaks of consent.", cure))
    if problems:
        raise BadImport(problems)
    return prepared


def _prepare(asked: Asked, known: dict[str, str]) -> Prepared:
    source = open_source(asked.path, encoding=asked.encoding, delimiter=asked.delimiter)
    rows = read_rows(source)
    _, (header,) = next(rows, ([0], [[""]]))
    rows.close()
    return Prepared(
        asked, source, read_layout(header, known, chosen=asked.chosen, attributes=asked.attributes)
    )


def preview_contacts(prepared: Prepared, *, now: datetime) -> tuple[list[dict[str, Any]], list[Complaint]]:
    """Read the first rows as they will be read: field → value, and what is wrong with them."""
    found: list[Complaint] = []
    reading = _reading(prepared.asked, now, lambda _address: None, {})
    reader = ContactRows(prepared.layout, reading, found.append)
    shown = []
    body = _body(prepared.source, PREVIEWED)
    for values in reader.read(*next(body, ((), ()))):
        named = dict(zip(reader.columns, values, strict=True))
        shown.append(
            {name: value for name, value in named.items() if name not in {"email_hash", "ruling", "turn"}}
        )
    body.close()
    return shown, found


def register(session: Session, kind: str, prepared: Prepared, *, actor: str, now: datetime) -> Import:
    """Open the import in the books, in a transaction before its own: one that was killed is seen there."""
    return imports.register(
        session,
        kind,
        file=prepared.source.path.name,
        sha256=prepared.source.sha256,
        mapping=prepared.layout.as_json(),
        actor=actor,
        now=now,
    )


def import_contacts(
    session: Session,
    staging: Staging,
    prepared: Prepared,
    made_by: Import,
    *,
    secret: bytes,
    now: datetime,
    complaints: Complaints,
    progress: Progress = lambda _done, _all: None,
) -> Result:
    """Merge a contacts file into the store.

    Raises:
        BadImport: if the file cannot be read to its end.
        BadForm: a custom attribute is known with another type.
        NotFound: the topic is not there.
    """
    asked, layout = prepared.asked, prepared.layout
    topic = consent.topic(session, asked.topic).id if asked.topic else None
    attributes.define(session, {one.key: one.kind for one in layout.attributes}, now=now)
    reading = _reading(asked, now, _hasher(session, secret), imports.wordings_by_name(session))
    rows = ContactRows(layout, reading, complaints.add)
    columns = rows.columns
    parts = _Parts(prepared.source, staging, rows, complaints)
    with (
        first_load(session, prepared.source.lines) as later,
        _short_turns(),
        ThreadPoolExecutor(1, "import") as reader,
    ):
        merge = ContactMerge(session, made_by, columns, later, topic=topic, now=now)
        coming = reader.submit(parts.fill, 0)
        for number in range(prepared.source.lines + 1):
            part = coming.result()
            if part is None:
                break
            coming = reader.submit(parts.fill, number + 1)
            if part.rows:
                table = staging.load(
                    session, number, columns, {"contact_id": "contacts", "customer_id": "customers"}
                )
                merge.merge(table, part.turns, lambda line, earlier: complaints.add(_repeat(line, earlier)))
            progress(part.last_line, prepared.source.lines)
        tally = merge.finish()
    counts = {name: tally.contacts[name] for name in ("new", "changed", "unchanged")} | {
        "refused": complaints.counts[Effect.REFUSED],
        "repeats": complaints.counts[Effect.REPEAT],
        "values left out": complaints.counts[Effect.LEFT_OUT],
        "suppressed": tally.suppressed,
    }
    result = Result(
        parts.rows, counts, {said: count for said, count in tally.words.items() if count}, tally.changes
    )
    imports.finish(session, made_by.id, result.as_json(), now=now)
    return result


@contextmanager
def _short_turns() -> Iterator[None]:
    """Spare the thread that feeds the database 5 ms of waiting at each of its thousand calls."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def _reading(
    asked: Asked, now: datetime, hash_address: Callable[[str], object], wordings: dict[str, int]
) -> Reading:
    return Reading(now, hash_address, asked.country, asked.consent_source, asked.consent_at, wordings)


def _hasher(session: Session, secret: bytes) -> Callable[[str], object]:
    hash_one = hasher(secret)
    if session.get_bind().dialect.name == "postgresql":
        return lambda address: hash_one(address).hex()
    return hash_one


def _body(source: Source, at_once: int = ROWS_AT_ONCE) -> Generator[Rows, None, None]:
    rows = read_rows(source, at_once)
    next(rows, None)  # the header
    return rows


def _repeat(line: int, earlier: int) -> Complaint:
    reason = (
        f"is about the same contact as line {earlier}, which stands; only what it says on consent was taken."
    )
    return Complaint(line, "", "", reason, Effect.REPEAT)


@dataclass(frozen=True, slots=True)
class _Part:
    rows: int
    turns: tuple[int, ...]
    last_line: int


class _Parts:
    """Cuts a file into parts and stages each; lives in the reading thread."""

    def __init__(self, source: Source, staging: Staging, reader: ContactRows, complaints: Complaints) -> None:
        self.rows = 0
        self._source = source
        self._staging = staging
        self._reader = reader
        self._complaints = complaints
        self._size = staging.lines_of_a_part(source.lines)
        self._body = _body(source)
        self._held: Rows | None = next(self._body, None)
        self._turns: Counter[int] = Counter()
        self._line = 1

    def fill(self, number: int) -> _Part | None:
        """Stage the next part; None when the file is at its end."""
        if self._held is None:
            return None
        self._turns.clear()
        count = self._staging.fill(number, self._reader.columns, self._read_part())
        return _Part(count, tuple(sorted(self._turns)), self._line)

    def _read_part(self) -> Iterator[tuple[Any, ...]]:
        repeats = Repeats()
        end = self._line + self._size
        while self._held is not None and self._held[0][0] <= end:
            lines, rows = self._held
            self.rows += len(rows)
            if self._source.has_nul:
                lines, rows = self._without_nul(lines, rows)
            staged = self._reader.read(lines, rows)
            yield from self._place(staged, repeats)
            self._line = self._held[0][-1]
            self._held = next(self._body, None)

    def _place(self, staged: list[tuple[Any, ...]], repeats: Repeats) -> Iterable[tuple[Any, ...]]:
        """Put each row in its turn; a repeat stays only if it says something on consent."""
        placed = repeats.place(staged)
        if placed is None:
            self._turns[1] += len(staged)
            return staged
        said = self._reader.columns.index("said") if "said" in self._reader.columns else None
        kept = []
        for values, (turn, earlier) in zip(staged, placed, strict=True):
            if earlier is not None:
                self._complaints.add(_repeat(values[0], earlier))
                if said is None or values[said] is None:
                    continue
            self._turns[turn] += 1
            kept.append((*values[:-1], turn))
        return kept

    def _without_nul(self, lines: Sequence[int], rows: list[list[str]]) -> Rows:
        kept_lines, kept = [], []
        for line, cells in zip(lines, rows, strict=True):
            if any("\0" in cell for cell in cells):
                self._complaints.add(Complaint(line, "", "", "holds a NUL byte.", Effect.REFUSED))
            else:
                kept_lines.append(line)
                kept.append(cells)
        return kept_lines, kept
