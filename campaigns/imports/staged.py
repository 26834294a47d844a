"""Rows on their way into the database: each part of a file as one that takes no look at single rows again.

Who fills needs no connection to the store, so it can be another process.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

_WRITTEN_AT_ONCE = 2_000  #: rows


class Filled(NamedTuple):
    """A part that was filled."""

    rows: int
    path: Path  #: the file it lies in


class Filler(Protocol):
    """Takes in parts of a file; can be pickled."""

    def fill(self, number: int, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> Filled:
        """Take in a part, the first being 0."""


@dataclass(frozen=True, slots=True)
class FileFiller:
    """Writes each part to an SQLite file of its own, to its table `stage`."""

    folder: Path

    def path(self, number: int) -> Path:
        """Say where a part lies."""
        return self.folder / f"part{number}.db"

    def lay(self, number: int, columns: Sequence[str]) -> None:
        """Make a part's table, before it is filled."""
        names = ", ".join("line INTEGER PRIMARY KEY" if name == "line" else name for name in columns)
        with closing(self._opened(number)) as connection:
            connection.execute(f"CREATE TABLE stage ({names})")

    def fill(self, number: int, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> Filled:
        """Take in a part."""
        marks = ", ".join("?" * len(columns))
        with closing(self._opened(number)) as connection:
            connection.execute("BEGIN")
            count = connection.executemany(f"INSERT INTO stage VALUES ({marks})", rows).rowcount
            connection.execute("COMMIT")
        return Filled(max(count, 0), self.path(number))

    def _opened(self, number: int) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path(number), isolation_level=None)
        for setting in ("journal_mode=OFF", "synchronous=OFF"):  # a lost part loses nothing
            connection.execute(f"PRAGMA {setting}")
        return connection


@dataclass(frozen=True, slots=True)
class CopyFiller:
    """Writes each part to a file as a COPY in PostgreSQL's text format."""

    folder: Path

    def fill(self, number: int, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> Filled:
        """Take in a part."""
        del columns
        path = self.folder / f"part{number}.copy"
        lines: list[str] = []
        count = 0
        with path.open("wb") as file:
            for row in rows:
                # no staged text is empty or holds a tab or a line end, so an empty cell is a null
                cells = ["" if v is None else v if v.__class__ is str else str(v) for v in row]
                lines.append("\t".join(cells))
                count += 1
                if len(lines) == _WRITTEN_AT_ONCE:
                    file.write(_escaped(lines))
                    lines = []
            if lines:
                file.write(_escaped(lines))
        return Filled(count, path)


def _escaped(lines: list[str]) -> bytes:
    return ("\n".join(lines).replace("\\", "\\\\") + "\n").encode()
