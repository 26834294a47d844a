"""Files become contacts and orders: read, checked, staged part by part, and merged in one transaction.

While the database merges one part, the next is read. Nothing of a file is in the store until all of
it is; whoever is killed half-way has changed nothing.
"""

import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from campaigns.errors import BadImport
from campaigns.imports.addresses import AddressHasher
from campaigns.imports.complaints import Complaint, Complaints, Effect
from campaigns.imports.contacts import ContactRows, Reading
from campaigns.imports.mapping import CONTACT_FIELDS, Attribute, Layout, read_layout
from campaigns.imports.parts import Job, read_ahead, repeat_of, start_reader
from campaigns.imports.source import Source, open_source, read_body, read_rows
from campaigns.records import attributes, consent, imports
from campaigns.records.bulk import first_load
from campaigns.records.import_contacts import Change, ContactMerge, Tally
from campaigns.records.import_sql import hash_in_sql
from campaigns.records.imports import Import
from campaigns.records.staging import Staging
from campaigns.values import Problem

PREVIEWED = 5
#: Columns of staged rows that hold the ids of the rows they may become, and of which tables.
STAGED_IDS = {"contact_id": "contacts", "customer_id": "customers"}
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
    reader: Executor  #: reads it when it is imported


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
    reader = start_reader(asked.path)  # is up when the file was looked through
    source = open_source(asked.path, encoding=asked.encoding, delimiter=asked.delimiter)
    rows = read_rows(source)
    _, (header,) = next(rows, ([0], [[""]]))
    rows.close()
    layout = read_layout(header, known, chosen=asked.chosen, attributes=asked.attributes)
    return Prepared(asked, source, layout, reader)


def preview_contacts(prepared: Prepared, *, now: datetime) -> tuple[list[dict[str, Any]], list[Complaint]]:
    """Read the first rows as they will be read: field → value, and what is wrong with them."""
    found: list[Complaint] = []
    reading = _reading(prepared.asked, now, {})
    reader = ContactRows(prepared.layout, reading, found.append)
    shown = []
    body = read_body(prepared.source, PREVIEWED)
    for values in reader.read(*next(body, ((), ()))):
        named = dict(zip(reader.columns, values, strict=True))
        shown.append({name: value for name, value in named.items() if name not in {"ruling", "turn"}})
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
    asked, layout, lines = prepared.asked, prepared.layout, prepared.source.lines
    topic = consent.topic(session, asked.topic).id if asked.topic else None
    attributes.define(session, {one.key: one.kind for one in layout.attributes}, now=now)
    in_sql = hash_in_sql(session, AddressHasher(secret).one)
    hash_addresses = None if in_sql else AddressHasher(secret, as_hex=True).many
    reading = _reading(asked, now, imports.wordings_by_name(session), hash_addresses)
    columns = ContactRows(layout, reading, complaints.add).columns
    staging.lay(session, columns, STAGED_IDS)
    read = 0
    with tempfile.TemporaryDirectory(prefix="postroom-import-") as folder:
        size = staging.lines_of_a_part(lines)
        job = Job(prepared.source, layout, reading, staging.filler, size, Path(folder))
        with read_ahead(job, prepared.reader) as parts, first_load(session, lines) as later:
            merge = ContactMerge(session, made_by, columns, later, topic=topic, now=now)
            for number, part in enumerate(parts):
                for complaint in part.complained():
                    complaints.add(complaint)
                if part.filled.rows:
                    table = staging.load(session, number, part.filled)
                    merge.merge_all(
                        table, part.stretches, lambda line, first: complaints.add(repeat_of(line, first))
                    )
                read += part.rows
                progress(part.last_line, lines)
            tally = merge.finish()
    result = _result(read, tally, complaints)
    imports.finish(session, made_by.id, result.as_json(), now=now)
    return result


def _result(read: int, tally: Tally, complaints: Complaints) -> Result:
    counts = {name: tally.contacts[name] for name in ("new", "changed", "unchanged")} | {
        "refused": complaints.counts[Effect.REFUSED],
        "repeats": complaints.counts[Effect.REPEAT],
        "values left out": complaints.counts[Effect.LEFT_OUT],
        "suppressed": tally.suppressed,
    }
    return Result(read, counts, {said: count for said, count in tally.words.items() if count}, tally.changes)


def _reading(
    asked: Asked,
    now: datetime,
    wordings: dict[str, int],
    hash_addresses: Callable[[Sequence[str | None]], list[Any]] | None = None,
) -> Reading:
    given = asked.country, asked.consent_source, asked.consent_at
    return Reading(now, *given, wordings, hash_addresses)
