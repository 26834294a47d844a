"""Where rows of an import wait to be merged: on the database's side, out of the store's own tables.

SQLite: a few private files beside the store, attached before the transaction begins, each filled by a
connection of its own while the one before is being merged. PostgreSQL: a temporary table, filled by COPY.
"""

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

PARTS = 8  #: of a file; SQLite attaches at most ten
PART_LINES = (
    50_000  #: what PostgreSQL is given at once, or more of a larger file: the next part waits in memory
)
LARGEST_PART = 125_000
LEAST_LINES = 2_000  #: a part is worth its fixed cost from here
CACHE_KIB = 65_536  #: what a merge may keep of the store in memory
_SENT_AT_ONCE = 2_000  #: rows in one piece of a COPY
#: Else parts are sorted and joined on disk, and small statements compiled.
_POSTGRES = {"work_mem": "'64MB'", "maintenance_work_mem": "'256MB'", "jit": "off"}
#: The PostgreSQL types of staged columns that are not text; SQLite needs none.
_TYPES = {
    "line": "integer", "turn": "smallint", "said_at": "bigint", "ruling": "smallint", "wording_id": "bigint",
    "quantity": "bigint", "amount_minor": "bigint", "placed_at": "bigint", "status_at": "bigint",
}  # fmt: skip


class Staging(Protocol):
    """Holds parts of a file; `fill` is called from one thread, `load` from the session's own."""

    def lines_of_a_part(self, lines: int) -> int:
        """Say how many lines of a file of so many should make a part."""

    def fill(self, number: int, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> int:
        """Take in a part, the first being 0; say how many rows it has."""

    def load(self, session: Session, number: int, columns: Sequence[str], ids: Mapping[str, str]) -> str:
        """Make a part readable in the session's transaction; give its table's name.

        `ids` names columns that hold a fresh row id of a table each (PostgreSQL only).
        """


@contextmanager
def staging(connection: Connection) -> Iterator[Staging]:
    """Prepare a connection, before its transaction begins, to be imported through; undo that at the end.

    Use: `with engine.connect() as c, staging(c) as s, Session(c) as session, session.begin(): …`
    """
    if connection.dialect.name == "postgresql":
        yield _Postgres()
        return
    driver = connection.connection.driver_connection
    assert driver is not None
    with tempfile.TemporaryDirectory(prefix="postroom-import-") as folder:
        for setting in ("temp_store=FILE", f"cache_size=-{CACHE_KIB}", "mmap_size=0"):
            driver.execute(f"PRAGMA {setting}")  # memory must stay flat however large the file is
        for number in range(PARTS):
            driver.execute(f"ATTACH ? AS part{number}", (str(_part(Path(folder), number)),))
        # BEGIN IMMEDIATE would lock the parts too, which others must fill: only the store may be locked
        connection.execution_options(begin_by=("BEGIN", "DELETE FROM imports WHERE 0"))
        try:
            yield _Sqlite(Path(folder))
        finally:
            connection.invalidate()  # its settings are not those of the pool's other connections


def _part(folder: Path, number: int) -> Path:
    return folder / f"part{number}.db"


class _Sqlite:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def lines_of_a_part(self, lines: int) -> int:
        return max(LEAST_LINES, lines // PARTS + 1)

    def fill(self, number: int, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> int:
        names = ", ".join("line INTEGER PRIMARY KEY" if name == "line" else name for name in columns)
        marks = ", ".join("?" * len(columns))
        connection = sqlite3.connect(_part(self._folder, number), isolation_level=None)
        try:
            for setting in ("journal_mode=OFF", "synchronous=OFF"):  # a lost part loses nothing
                connection.execute(f"PRAGMA {setting}")
            connection.execute("BEGIN")
            connection.execute(f"CREATE TABLE stage ({names})")
            count = connection.executemany(f"INSERT INTO stage VALUES ({marks})", rows).rowcount
            connection.execute("COMMIT")
        finally:
            connection.close()
        return max(count, 0)

    def load(self, session: Session, number: int, columns: Sequence[str], ids: Mapping[str, str]) -> str:
        del session, columns, ids  # it lies there already
        return f"part{number}.stage"


class _Postgres:
    def __init__(self) -> None:
        self._parts: dict[int, list[str]] = {}

    def lines_of_a_part(self, lines: int) -> int:
        return max(PART_LINES, min(lines // PARTS + 1, LARGEST_PART))

    def fill(self, number: int, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> int:
        del columns
        pieces: list[str] = []
        lines: list[str] = []
        count = 0
        for row in rows:
            # no staged text is empty or holds a tab or a line end, so an empty cell is a null
            lines.append("\t".join(["" if v is None else v if v.__class__ is str else str(v) for v in row]))
            count += 1
            if len(lines) == _SENT_AT_ONCE:
                pieces.append(_escaped(lines))
                lines = []
        if lines:
            pieces.append(_escaped(lines))
        self._parts[number] = pieces
        return count

    def load(self, session: Session, number: int, columns: Sequence[str], ids: Mapping[str, str]) -> str:
        connection = session.connection()
        if number == 0:
            for name, value in _POSTGRES.items():
                connection.exec_driver_sql(f"SET LOCAL {name} = {value}")
            parts = [f'"{name}" {_TYPES.get(name, "text")}' for name in columns]
            parts += [f"{name} bigint DEFAULT nextval('{table}_id_seq')" for name, table in ids.items()]
            names = ", ".join(parts)
            connection.exec_driver_sql("DROP TABLE IF EXISTS pg_temp.stage")
            connection.exec_driver_sql(f"CREATE TEMP TABLE stage ({names}) ON COMMIT DROP")
        else:
            connection.exec_driver_sql("TRUNCATE pg_temp.stage")
        driver: Any = connection.connection.driver_connection
        quoted = ", ".join(f'"{name}"' for name in columns)
        with (
            driver.cursor() as cursor,
            cursor.copy(f"COPY pg_temp.stage ({quoted}) FROM STDIN (NULL '')") as copy,
        ):
            for piece in self._parts.pop(number):
                copy.write(piece)
        return "pg_temp.stage"


def _escaped(lines: list[str]) -> str:
    return "\n".join(lines).replace("\\", "\\\\") + "\n"
