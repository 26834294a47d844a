"""Where rows of an import wait to be merged: on the database's side, out of the store's own tables.

SQLite: a few private files beside the store, attached before the transaction begins, each filled by a
connection of its own while the one before is being merged. PostgreSQL: a temporary table, filled by COPY
from private files.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from campaigns.imports.staged import CopyFiller, FileFiller, Filled, Filler

PARTS = 9  #: of a file, the first of them half as large; SQLite attaches at most ten
PART_LINES = 50_000  #: what PostgreSQL is given at once, or more of a larger file
LARGEST_PART = 125_000
LEAST_LINES = 2_000  #: a part is worth its fixed cost from here
_SENT_AT_ONCE = 1 << 18  #: bytes of a COPY
CACHE_KIB = 32_768  #: what a merge may keep of the store in memory
#: Else parts are sorted and joined on disk, and small statements compiled.
_POSTGRES = {"work_mem": "'64MB'", "maintenance_work_mem": "'256MB'", "jit": "off"}
#: The PostgreSQL types of staged columns that are not text; SQLite needs none.
_TYPES = {
    "line": "integer", "turn": "smallint", "said_at": "bigint", "ruling": "smallint", "wording_id": "bigint",
    "quantity": "bigint", "amount_minor": "bigint", "placed_at": "bigint", "status_at": "bigint",
}  # fmt: skip


class Staging(Protocol):
    """Holds parts of a file: its filler takes them in, in any process; `load` is the session's own."""

    @property
    def filler(self) -> Filler:
        """What takes parts in."""

    def lines_of_a_part(self, lines: int) -> int:
        """Say how many lines of a file of so many should make a part."""

    def lay(self, session: Session, columns: Sequence[str], ids: Mapping[str, str]) -> None:
        """Make room for rows of these columns, before anything is filled.

        `ids` names columns that hold a fresh row id of a table each (PostgreSQL only).
        """

    def load(self, session: Session, number: int, filled: Filled) -> str:
        """Make a part readable in the session's transaction; give its table's name."""


@contextmanager
def staging(connection: Connection) -> Iterator[Staging]:
    """Prepare a connection, before its transaction begins, to be imported through; undo that at the end.

    Use: `with engine.connect() as c, staging(c) as s, Session(c) as session, session.begin(): …`
    """
    with tempfile.TemporaryDirectory(prefix="postroom-import-") as folder:
        if connection.dialect.name == "postgresql":
            yield _Postgres(CopyFiller(Path(folder)))
            return
        with _attached(connection, FileFiller(Path(folder))) as held:
            yield held


@contextmanager
def _attached(connection: Connection, filler: FileFiller) -> Iterator[Staging]:
    driver = connection.connection.driver_connection
    assert driver is not None
    # memory must stay flat however large the file is; what was committed is moved from the log into the store
    # when whoever waits for the import has it
    for setting in ("temp_store=FILE", f"cache_size=-{CACHE_KIB}", "mmap_size=0", "wal_autocheckpoint=0"):
        driver.execute(f"PRAGMA {setting}")
    for number in range(PARTS):
        driver.execute(f"ATTACH ? AS part{number}", (str(filler.path(number)),))
    # BEGIN IMMEDIATE would lock the parts too, which others must fill: only the store may be locked
    connection.execution_options(begin_by=("BEGIN", "DELETE FROM imports WHERE 0"))
    try:
        yield _Sqlite(filler)
        driver.execute("PRAGMA main.wal_checkpoint(PASSIVE)")
    finally:
        connection.invalidate()  # its settings are not those of the pool's other connections


class _Sqlite:
    def __init__(self, filler: FileFiller) -> None:
        self.filler = filler

    def lines_of_a_part(self, lines: int) -> int:
        # the last part is a small one, since nothing can be read while it is merged
        return max(LEAST_LINES, int(lines / (PARTS - 1.4)) + 1)

    def lay(self, session: Session, columns: Sequence[str], ids: Mapping[str, str]) -> None:
        del ids
        for number in range(PARTS):
            self.filler.lay(number, columns)
        # a table that is not known yet is looked for in all parts, also in one that is just being filled:
        # that would wait for it, so all are known before; to explain locks none
        for number in range(PARTS):
            session.connection().exec_driver_sql(f"EXPLAIN SELECT * FROM part{number}.stage")

    def load(self, session: Session, number: int, filled: Filled) -> str:
        del session, filled  # it lies there already
        return f"part{number}.stage"


class _Postgres:
    def __init__(self, filler: CopyFiller) -> None:
        self.filler = filler
        self._columns = ""

    def lines_of_a_part(self, lines: int) -> int:
        return max(PART_LINES, min(lines // PARTS + 1, LARGEST_PART))

    def lay(self, session: Session, columns: Sequence[str], ids: Mapping[str, str]) -> None:
        connection = session.connection()
        for name, value in _POSTGRES.items():
            connection.exec_driver_sql(f"SET LOCAL {name} = {value}")
        parts = [f'"{name}" {_TYPES.get(name, "text")}' for name in columns]
        parts += [f"{name} bigint DEFAULT nextval('{table}_id_seq')" for name, table in ids.items()]
        connection.exec_driver_sql("DROP TABLE IF EXISTS pg_temp.stage")
        connection.exec_driver_sql(f"CREATE TEMP TABLE stage ({', '.join(parts)}) ON COMMIT DROP")
        self._columns = ", ".join(f'"{name}"' for name in columns)

    def load(self, session: Session, number: int, filled: Filled) -> str:
        connection = session.connection()
        if number:  # there is one table for all
            connection.exec_driver_sql("TRUNCATE pg_temp.stage")
        driver: Any = connection.connection.driver_connection
        with (
            driver.cursor() as cursor,
            cursor.copy(f"COPY pg_temp.stage ({self._columns}) FROM STDIN (NULL '')") as copy,
            filled.path.open("rb") as file,
        ):
            while piece := file.read(_SENT_AT_ONCE):
                copy.write(piece)
        filled.path.unlink()
        return "pg_temp.stage"
