"""Appends what an import's rows say on consent, and counts what it left as it was, and why.

Decided in docs/decisions/0011: nothing is raised above what a row proves, and no later no is overridden.
Dated words are appended part by part. Words without a date wait until the whole file is read: they speak of
the import's own moment, after every dated one, wherever in the file they stand.
"""

from collections import Counter

from campaigns.imports.contacts import DATED, UNDATED_NO, UNPROVEN
from campaigns.records.bulk import Later
from campaigns.records.import_sql import Statements
from campaigns.records.shared_addresses import ANOTHERS
from campaigns.values import ConsentState

#: What became of a word that did not enter the ledger.
SAME, WITHDRAWN_SINCE, NEWER = "same", "left: withdrawn since", "left: a newer word stands"
_COLUMNS = "line, contact_id, said, said_at, ruling, proof, wording_id"
_TYPES = "line int, contact_id bigint, said text, said_at bigint, ruling int, proof text, wording_id bigint"
_SAID = "s.said, s.said_at, s.ruling, s.proof, s.wording_id"
_INSERT = (
    "INSERT INTO consents (contact_id, topic_id, state, at, source, wording_id, proof, actor, recorded_at)"
)
#: The newest word there is, in two lookups: joining it by its id would read the whole ledger for each part.
_NEWEST = (
    "(SELECT n.{column} FROM consents n WHERE n.topic_id = :topic AND n.contact_id = {contact}"
    " ORDER BY n.at DESC, n.id DESC LIMIT 1)"
)
_ASKED = "ix_consents_topic_id_contact_id_at_id"


class Words:
    """The words of one file on one topic; `at_now` is the moment of the import, in SQL."""

    def __init__(self, statements: Statements, at_now: str) -> None:
        self.counts: Counter[str] = Counter()
        self._do = statements
        self._at_now = at_now
        moment = "timestamptz" if statements.sql.postgres else "bigint"
        old = f"old_state text, old_at {moment}, old_proof text"
        for name, columns in (("words", f"{_TYPES}, {old}"), ("waiting", _TYPES)):
            for statement in statements.sql.temporary(name, columns):
                statements.run(statement)

    def append_first(self, fresh: str, contact: str, turn: int) -> None:
        """Append what new contacts say with a date; there is nothing yet that it could override."""
        states = [state.value for state in ConsentState]
        counts = [
            f"count(CASE WHEN s.said = '{state}' AND s.ruling = {DATED} THEN 1 END)" for state in states
        ]
        counts.append(f"count(CASE WHEN s.ruling <> {DATED} THEN 1 END)")
        ((*dated, undated),) = self._do.rows(f"SELECT {', '.join(counts)} FROM {fresh}", turn=turn)
        self.counts.update(dict(zip(states, dated, strict=True)))
        # a contact's only word so far, so the order of their ids says nothing
        self._do.run(
            f"{_INSERT} SELECT {contact}, :topic, s.said, {self._do.sql.moment('s.said_at')}, 'import',"
            f" s.wording_id, {self._proof('s')}, :actor, {self._at_now} FROM {fresh} AND s.ruling = {DATED}",
            turn=turn,
        )
        if undated:
            self._do.run(
                f"INSERT INTO waiting ({_COLUMNS}) SELECT s.line, {contact}, {_SAID} FROM {fresh}"
                f" AND s.ruling <> {DATED}",
                turn=turn,
            )

    def append(self, table: str, later: Later) -> None:
        """Append what contacts that were here already (the table `matched`) say with a date."""
        later.need(_ASKED)
        source = f"FROM matched m JOIN {table} s ON s.line = m.line WHERE s.ruling"
        standing = f"{_standing('m.contact_id')}, NULL"
        self._judge(f"SELECT m.line, m.contact_id, {_SAID}, {standing} {source} = {DATED}")
        self._do.run(
            f"INSERT INTO waiting ({_COLUMNS}) SELECT m.line, m.contact_id, {_SAID} {source} <> {DATED}"
        )

    def finish(self, later: Later) -> None:
        """Append what was said without a date, the noes first."""
        if not self._do.count("SELECT count(*) FROM waiting"):
            return
        later.need(_ASKED)
        standing = f"{_standing('s.contact_id')}, {_NEWEST.format(column='proof', contact='s.contact_id')}"
        for ruling in (UNDATED_NO, UNPROVEN):
            source = f"FROM waiting s WHERE s.ruling = {ruling}"
            self._judge(f"SELECT s.line, s.contact_id, {_SAID}, {standing} {source}")

    def _judge(self, asked: str) -> None:
        """Append those of the words asked about that change anything; count them all."""
        self._do.clear("words")
        if not self._do.run(f"INSERT INTO words ({_COLUMNS}, old_state, old_at, old_proof) {asked}"):
            return
        ruled = self._ruled()
        for what, said, count in self._do.rows(
            f"SELECT {ruled}, w.said, count(*) FROM words w GROUP BY 1, 2 ORDER BY 2"
        ):
            if what != "add":
                self.counts[what] += count
                continue
            added = self._add(ConsentState(said), ruled)
            self.counts[said] += added
            self.counts[SAME] += count - added  # the same word of one contact on two lines

    def _ruled(self) -> str:
        """Give the expression that says of a word whether it is added, or why it is not."""
        at = self._do.sql.moment("w.said_at")
        return (
            "CASE WHEN w.old_state IS NULL THEN 'add'"
            f" WHEN w.ruling = {DATED} AND {at} > w.old_at THEN 'add'"
            f" WHEN w.ruling = {DATED} AND w.said = w.old_state THEN '{SAME}'"
            f" WHEN w.ruling = {DATED} AND {at} = w.old_at AND w.said = 'withdrawn' THEN 'add'"
            f" WHEN w.ruling = {UNDATED_NO} AND w.old_state <> 'withdrawn' THEN 'add'"
            # another's no at the address can be taken back by them; one's own cannot
            f" WHEN w.ruling = {UNDATED_NO} AND w.old_proof LIKE '{ANOTHERS}' THEN 'add'"
            f" WHEN w.ruling = {UNDATED_NO} THEN '{SAME}'"
            f" WHEN w.ruling = {UNPROVEN} AND w.old_state <> 'withdrawn' THEN '{SAME}'"
            f" WHEN w.old_state = 'withdrawn' THEN '{WITHDRAWN_SINCE}'"
            f" ELSE '{NEWER}' END"
        )

    def _add(self, said: ConsentState, ruled: str) -> int:
        # an undated no also ends a yes that some wrong clock dated past now
        at = self._do.sql.moment("w.said_at")
        moment = f"CASE WHEN w.ruling = {UNDATED_NO} AND w.old_at > {at} THEN w.old_at ELSE {at} END"
        return self._do.run(
            f"{_INSERT} SELECT w.contact_id, :topic, w.said, {moment}, 'import', min(w.wording_id),"
            f" min({self._proof('w')}), :actor, {self._at_now} FROM words w"
            f" WHERE {ruled} = 'add' AND w.said = :said GROUP BY w.contact_id, w.said, {moment}"
            f" ORDER BY {moment}, min(w.line)",
            said=said.value,
        )

    @staticmethod
    def _proof(row: str) -> str:
        """Say where a word can be looked up: this import, the line, and what the row says of it."""
        place = f"'import ' || CAST(:import AS text) || ', line ' || {row}.line"
        return f"{place} || coalesce(': ' || {row}.proof, '')"


def _standing(contact: str) -> str:
    return ", ".join(_NEWEST.format(column=column, contact=contact) for column in ("state", "at"))
