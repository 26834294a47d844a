"""Appends what an import's rows say on consent, and counts what it left as it was, and why.

Decided in docs/decisions/0011: nothing is raised above what a row proves, and no later no is overridden.
"""

from collections import Counter

from campaigns.imports.contacts import DATED, UNDATED_NO, UNPROVEN
from campaigns.records.import_sql import Statements

#: What became of one word that did not enter the ledger.
SAME, WITHDRAWN_SINCE, NEWER = "same", "left: withdrawn since", "left: a newer word stands"
_INSERT = (
    "INSERT INTO consents (contact_id, topic_id, state, at, source, wording_id, proof, actor, recorded_at)"
)


class Words:
    """The words of one file on one topic; `at_now` is the moment of the import, in SQL."""

    def __init__(self, statements: Statements, at_now: str) -> None:
        self.counts: Counter[str] = Counter()
        self._do = statements
        self._at_now = at_now
        self._said_at = statements.sql.moment("s.said_at")
        #: Where a word can be looked up: this import, the line, and what the row says of it.
        self._proof = (
            "'import ' || CAST(:import AS text) || ', line ' || s.line || coalesce(': ' || s.proof, '')"
        )
        columns = "line integer, contact_id bigint, standing_id bigint"
        for statement in statements.sql.temporary("words", columns):
            statements.run(statement)

    def append_first(self, fresh: str, contact: str, turn: int) -> None:
        """Append what new contacts say; there is nothing yet that it could override."""
        said = f"FROM {fresh} AND s.said IS NOT NULL"
        self._do.run(
            f"{_INSERT} SELECT {contact}, :topic, s.said, {self._said_at}, 'import', s.wording_id,"
            f" {self._proof}, :actor, {self._at_now} {said} ORDER BY s.line",
            turn=turn,
        )
        for state, count in self._do.rows(f"SELECT s.said, count(*) {said} GROUP BY s.said", turn=turn):
            self.counts[state] += count

    def append(self, table: str) -> None:
        """Append what contacts that were here already say (those in the table `matched`)."""
        self._do.run("DELETE FROM words")
        standing = (
            "(SELECT n.id FROM consents n WHERE n.topic_id = :topic AND n.contact_id = m.contact_id"
            " ORDER BY n.at DESC, n.id DESC LIMIT 1)"
        )
        asked = self._do.run(
            f"INSERT INTO words (line, contact_id, standing_id) SELECT m.line, m.contact_id, {standing}"
            f" FROM matched m JOIN {table} s ON s.line = m.line WHERE s.said IS NOT NULL"
        )
        if not asked:
            return
        joined = f"words w JOIN {table} s ON s.line = w.line LEFT JOIN consents n ON n.id = w.standing_id"
        ruled = self._ruled()
        counted: Counter[str] = Counter()
        for what, said, count in self._do.rows(
            f"SELECT {ruled}, s.said, count(*) FROM {joined} GROUP BY 1, 2"
        ):
            counted[said if what == "add" else what] += count
        self.counts.update(counted)
        if counted.keys() & {"granted", "pending", "withdrawn"}:
            self._add(joined, ruled)

    def _ruled(self) -> str:
        """Give the expression that says of a word whether it is added, or why it is not."""
        at = self._said_at
        return (
            "CASE WHEN n.id IS NULL THEN 'add'"
            f" WHEN s.ruling = {DATED} AND {at} > n.at THEN 'add'"
            f" WHEN s.ruling = {DATED} AND s.said = n.state THEN '{SAME}'"
            f" WHEN s.ruling = {DATED} AND {at} = n.at AND s.said = 'withdrawn' THEN 'add'"
            f" WHEN s.ruling = {UNDATED_NO} AND n.state <> 'withdrawn' THEN 'add'"
            f" WHEN s.ruling = {UNDATED_NO} THEN '{SAME}'"
            f" WHEN s.ruling = {UNPROVEN} AND n.state <> 'withdrawn' THEN '{SAME}'"
            f" WHEN n.state = 'withdrawn' THEN '{WITHDRAWN_SINCE}'"
            f" ELSE '{NEWER}' END"
        )

    def _add(self, joined: str, ruled: str) -> None:
        # an undated no also ends a yes that some wrong clock dated past now
        at = self._said_at
        counts_from = f"CASE WHEN s.ruling = {UNDATED_NO} AND n.at > {at} THEN n.at ELSE {at} END"
        self._do.run(
            f"{_INSERT} SELECT w.contact_id, :topic, s.said, {counts_from}, 'import', min(s.wording_id),"
            f" min({self._proof}), :actor, {self._at_now} FROM {joined} WHERE {ruled} = 'add'"
            f" GROUP BY w.contact_id, s.said, {counts_from} ORDER BY {counts_from}, s.said, min(s.line)"
        )
