"""What was wrong with single cells and rows of a file, for the one who must mend it."""

import csv
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import IO, NamedTuple

LONGEST_VALUE = 200
#: A spreadsheet would run a cell that begins so (OWASP: CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


class Effect(StrEnum):
    """What came of it."""

    REFUSED = "row refused"  #: nothing of this row was taken
    LEFT_OUT = "value left out"  #: the row was taken without this value
    REPEAT = "repeat"  #: an earlier line of the file is about the same contact; that one stands


class Complaint(NamedTuple):
    """One cell or row that could not be taken as it is."""

    line: int
    column: str  #: empty: the row as a whole
    value: str
    reason: str
    effect: Effect


class Complaints:
    """Counts complaints, and lists each in a file if there is one."""

    def __init__(self, file: IO[str] | None = None) -> None:
        self.counts: Counter[Effect] = Counter()
        self.first: list[Complaint] = []
        self._writer = csv.writer(file) if file else None
        if self._writer:
            self._writer.writerow(("line", "column", "value", "reason", "effect"))

    def add(self, complaint: Complaint) -> None:
        """Take one in."""
        self.counts[complaint.effect] += 1
        if len(self.first) < 5:
            self.first.append(complaint)
        if self._writer:
            cells = (complaint.column, complaint.value, complaint.reason)
            self._writer.writerow((complaint.line, *map(harmless, cells), complaint.effect.value))


def sort_by_line(listed: Path) -> None:
    """Put a written list of complaints in the order of the file that they are about."""
    with listed.open(encoding="utf-8-sig", newline="") as file:
        head, *rows = csv.reader(file)
    with listed.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([head, *sorted(rows, key=lambda row: int(row[0]))])


def harmless(cell: str) -> str:
    """Shorten a cell, and lead it by an apostrophe where a spreadsheet would run it."""
    cut = cell if len(cell) <= LONGEST_VALUE else cell[: LONGEST_VALUE - 1] + "…"
    cut = cut.replace("\0", "\ufffd")
    return f"'{cut}" if cut.lstrip(" ").startswith(_FORMULA) else cut
