"""Merges staged contacts into the store: a handful of set-based statements for each part of a file.

A part is merged in turns. Turns 1 and 2 make and change contacts; 2 holds rows that must see what 1 made.
Turn 3 holds rows that repeat an earlier line of the same part and so only add their word on consent.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from campaigns.imports.contacts import PROFILE
from campaigns.imports.parts import Stretch
from campaigns.imports.repeats import REPEATS
from campaigns.records.bulk import Later
from campaigns.records.import_people import People
from campaigns.records.import_sql import Statements
from campaigns.records.import_words import Words
from campaigns.records.imports import Import

SAMPLES = 5  #: contacts whose changes are shown
_MATCHED = "INSERT INTO matched (line, contact_id, earlier)"
_MADE_HERE = "CASE WHEN c.import_id = :import THEN c.import_line END"


@dataclass(frozen=True, slots=True)
class Change:
    """One value that an import changes, for people to look at."""

    line: int
    field: str
    old: str
    new: str


@dataclass(slots=True)
class Tally:
    """What a merge did, or would do."""

    contacts: Counter[str] = field(default_factory=Counter)  #: new, changed, unchanged
    words: Counter[str] = field(default_factory=Counter)  #: consent: what was added, what was left and why
    suppressed: int = 0  #: rows whose address is never to be mailed
    changes: list[Change] = field(default_factory=list)


class ContactMerge:
    """Merges the parts of one file, in order, in the caller's transaction."""

    def __init__(
        self,
        session: Session,
        made_by: Import,
        columns: Sequence[str],
        later: Later,
        *,
        topic: int | None,
        now: datetime,
    ) -> None:
        self.tally = Tally()
        self._later = later
        self._do = Statements(session, made_by, topic=topic)
        self._sql = self._do.sql
        self._at_now = self._sql.literal(now)
        self._columns = frozenset(columns)
        self._profile = [name for name in PROFILE if name in self._columns]
        self._people = People(self._do, self._columns, self._at_now)
        self._listed = self._do.count("SELECT count(*) FROM suppressions WHERE lifted_at IS NULL") > 0
        key = "" if self._sql.postgres else " PRIMARY KEY"  # PostgreSQL hashes where SQLite looks up
        for name, held in (
            ("matched", f"line integer{key}, contact_id bigint, earlier integer"),
            ("seen", "contact_id integer PRIMARY KEY, line integer"),
            ("changes", f"line integer{key}, contact_id bigint, fields text"),
        ):
            for statement in self._sql.temporary(name, held):
                self._do.run(statement)
        if not self._sql.postgres:
            self._do.run("CREATE INDEX IF NOT EXISTS temp.matched_contact ON matched (contact_id)")
        self._words = Words(self._do, self._at_now) if topic is not None else None

    def merge_all(
        self, table: str, stretches: Sequence[Stretch], repeated: Callable[[int, int], None]
    ) -> None:
        """Merge one staged part, a stretch of lines after the other.

        `repeated` is told each line that repeats one of an earlier stretch, and which.
        """
        if len(stretches) == 1:
            self.merge(table, stretches[0].turns, repeated)
            return
        first = 0
        for last, turns in stretches:
            lines = f"SELECT * FROM {table} WHERE line BETWEEN {first} AND {last}"
            self._do.run(f"CREATE TEMPORARY VIEW stretch AS {lines}")
            self.merge("stretch", turns, repeated)
            self._do.run("DROP VIEW stretch")
            first = last + 1

    def merge(self, table: str, turns: Sequence[int], repeated: Callable[[int, int], None]) -> None:
        """Merge staged rows; `repeated` is told each line that repeats one merged before, and which."""
        if self._listed:
            self._count_suppressed(table)
        for turn in turns:
            matched = self._match(table, turn)
            if turn != REPEATS:
                if matched:
                    self._leave_repeats(repeated)
                self.tally.contacts["new"] += self._people.make(table, turn, self._words, matched=matched > 0)
                if matched:
                    self._change(table)
            if matched and self._words is not None:
                self._words.append(table, self._later)

    def finish(self) -> Tally:
        """Do what must wait for the whole file; give what came of it all."""
        if self._words is not None:
            self._words.finish(self._later)
            self.tally.words = self._words.counts
        return self.tally

    def _count_suppressed(self, table: str) -> None:
        self.tally.suppressed += self._do.count(
            f"SELECT count(*) FROM {table} s WHERE s.turn <> {REPEATS}"
            " AND EXISTS (SELECT 1 FROM suppressions x"
            f" WHERE x.address_hash = {self._sql.hash('s')} AND x.lifted_at IS NULL)"
        )

    def _match(self, table: str, turn: int) -> int:
        """Find the contacts there are, by external id, else by address (docs/decisions/0010); count them."""
        self._do.clear("matched")
        found = self._do.run(
            f"{_MATCHED} SELECT s.line, c.id, coalesce(t.line, {_MADE_HERE}) FROM {table} s"
            " JOIN contacts c ON c.external_id = s.external_id LEFT JOIN seen t ON t.contact_id = c.id"
            " WHERE s.turn = :turn",
            turn=turn,
        )
        if not self._do.count(
            "SELECT CASE WHEN EXISTS (SELECT 1 FROM contacts WHERE external_id IS NULL) OR EXISTS"
            f" (SELECT 1 FROM {table} s WHERE s.turn = :turn AND s.external_id IS NULL) THEN 1 ELSE 0 END",
            turn=turn,
        ):
            return found  # everybody has an id, here and there: no address says anything
        self._later.need("ix_contacts_email")
        # rather a contact without an id than one that another system knows; the oldest of several
        best = "coalesce(min(CASE WHEN c.external_id IS NULL THEN c.id END), min(c.id))"
        # a contact that another line means by its id is not this line's, though it has the address
        free = " AND NOT EXISTS (SELECT 1 FROM matched m WHERE m.contact_id = c.id)"
        candidates = (
            f"SELECT s.line, {best} AS contact_id FROM {table} s JOIN contacts c ON c.email = s.email"
            " AND (s.external_id IS NULL OR c.external_id IS NULL) WHERE s.turn = :turn"
            " AND NOT EXISTS (SELECT 1 FROM matched m WHERE m.line = s.line)"
            f"{'' if turn == REPEATS else free} GROUP BY s.line"
        )
        if turn != REPEATS:  # of several lines the first has the contact; the others are people of their own
            first = "SELECT min(a.line) AS line, a.contact_id"
            candidates = f"{first} FROM ({candidates}) a GROUP BY a.contact_id"
        return found + self._do.run(
            f"{_MATCHED} SELECT f.line, c.id, coalesce(t.line, {_MADE_HERE}) FROM ({candidates}) f"
            " JOIN contacts c ON c.id = f.contact_id LEFT JOIN seen t ON t.contact_id = c.id",
            turn=turn,
        )

    def _leave_repeats(self, repeated: Callable[[int, int], None]) -> None:
        lines = self._do.rows("SELECT line, earlier FROM matched WHERE earlier IS NOT NULL ORDER BY line")
        for line, earlier in lines:
            repeated(line, earlier)
        once = "SELECT contact_id, line FROM matched WHERE earlier IS NULL"
        self._do.run(f"INSERT INTO seen (contact_id, line) {once}")

    def _change(self, table: str) -> None:
        here = self._do.count("SELECT count(*) FROM matched WHERE earlier IS NULL")
        if not here:
            return
        self._do.clear("changes")
        joined = f"matched m JOIN {table} s ON s.line = m.line JOIN contacts c ON c.id = m.contact_id"
        tests = self._differences()
        fields = " || ".join(
            f"CASE WHEN {test} THEN '\"{name}\",' ELSE '' END" for name, test in tests.items()
        )
        any_test = " OR ".join(f"({test})" for test in tests.values())
        changed = self._do.run(
            f"INSERT INTO changes (line, contact_id, fields) SELECT m.line, c.id, {fields} FROM {joined}"
            f" WHERE m.earlier IS NULL AND ({any_test})"
        )
        self.tally.contacts["changed"] += changed
        self.tally.contacts["unchanged"] += here - changed
        if changed:
            self._sample(table)
            self._update(table)
        self._people.add_roles(f"{joined} WHERE m.earlier IS NULL", "c.id")

    def _differences(self) -> dict[str, str]:
        """For each field, the test whether a row changes it; an empty cell never does."""
        tests = {}
        for name in ("external_id", "email", *self._profile):
            new = self._sql.profile(name, f"s.{name}")
            tests[name] = f"s.{name} IS NOT NULL AND (c.{name} IS NULL OR c.{name} <> {new})"
        if "attributes" in self._columns:
            tests["attributes"] = (
                f"s.attributes IS NOT NULL AND {self._sql.differ('c.attributes', 's.attributes')}"
            )
        if organisation := self._people.organisation:
            tests["customer"] = f"{organisation} IS NOT NULL AND c.customer_id <> {organisation}"
        return tests

    def _sample(self, table: str) -> None:
        room = SAMPLES - len({change.line for change in self.tally.changes})
        shown = ("external_id", "email", *self._profile, "attributes")
        names = [name for name in shown if name in self._columns]
        picks = ", ".join(f"c.{name}, s.{name}" for name in names)
        for line, fields, *pairs in self._do.rows(
            f"SELECT h.line, h.fields, {picks} FROM changes h JOIN {table} s ON s.line = h.line"
            f" JOIN contacts c ON c.id = h.contact_id ORDER BY h.line LIMIT {max(room, 0)}"
        ):
            for number, name in enumerate(names):
                if f'"{name}"' in fields:
                    old, new = pairs[2 * number : 2 * number + 2]
                    self.tally.changes.append(Change(line, name, "" if old is None else str(old), str(new)))

    def _update(self, table: str) -> None:
        joined = f"changes h JOIN {table} s ON s.line = h.line JOIN contacts c ON c.id = h.contact_id"
        if "attributes" in self._columns:
            old, new = self._sql.entry("c.attributes", "e.key"), self._sql.value("e")
            source = f"{joined}, {self._sql.each('s.attributes')} WHERE ({old} IS NULL OR {old} <> {new})"
            self._people.record_facts(source, "c.id")
        self._people.record_changes(joined, "c.id", "c.customer_id", "rtrim(h.fields, ',')")
        self._do.run(
            f"UPDATE contacts SET {', '.join(self._new_values())}, updated_at = {self._at_now}"
            f" FROM changes h JOIN {table} s ON s.line = h.line WHERE contacts.id = h.contact_id"
        )
        self._people.rename()

    def _new_values(self) -> Iterator[str]:
        for name in ("external_id", "email", *self._profile):
            yield f"{name} = coalesce({self._sql.profile(name, f's.{name}')}, contacts.{name})"
        yield f"email_hash = coalesce({self._sql.hash('s')}, contacts.email_hash)"
        if "attributes" in self._columns:
            merged = self._sql.merged("contacts.attributes", "s.attributes")
            yield f"attributes = CASE WHEN s.attributes IS NULL THEN contacts.attributes ELSE {merged} END"
        if organisation := self._people.organisation:
            yield f"customer_id = coalesce({organisation}, contacts.customer_id)"
