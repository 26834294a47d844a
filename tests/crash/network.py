"""A way to the database that can be cut without a word: a relay in a network namespace of its own.

As a process: `python -m tests.crash.network SOCKET`, within the namespace.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa

OURS, THEIRS, PORT = "10.213.7.1", "10.213.7.2", 5432


class NotHere(Exception):
    """The machine does not allow what the scenario needs; the message says what."""


class Line:
    """The line between two namespaces."""

    def __init__(self) -> None:
        self.name = f"prm{os.getpid()}"
        self.here, self.there = f"{self.name}a", f"{self.name}b"

    def lay(self) -> None:
        """Make it.

        Raises:
            NotHere: it cannot be made.
        """
        if shutil.which("ip") is None:
            raise NotHere("a network of its own needs the program ip")
        made = subprocess.run(["ip", "netns", "add", self.name], check=False, capture_output=True, text=True)
        if made.returncode:
            raise NotHere(f"a network of its own needs the right to make one: {made.stderr.strip()}")
        _ip("link", "add", self.here, "type", "veth", "peer", "name", self.there)
        _ip("link", "set", self.there, "netns", self.name)
        _ip("-n", self.name, "addr", "add", f"{THEIRS}/30", "dev", self.there)
        _ip("-n", self.name, "link", "set", self.there, "up")
        self.mend()

    def cut(self) -> None:
        """From now on nothing arrives, and nobody is told."""
        _ip("link", "set", self.here, "down")

    def mend(self) -> None:
        _ip("link", "set", self.here, "up")
        _ip("addr", "replace", f"{OURS}/30", "dev", self.here)

    def remove(self) -> None:
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextmanager
def line_to(url: str) -> Iterator[tuple[Line, str]]:
    """Lay a line to the server of a URL that names a socket; gives it, and the URL at its other end."""
    parts = sa.make_url(url)
    line, socket = Line(), Path(str(parts.query["host"])) / ".s.PGSQL.5432"
    relay: subprocess.Popen[bytes] | None = None
    try:
        line.lay()
        words = ["ip", "netns", "exec", line.name, sys.executable, "-m", "tests.crash.network", str(socket)]
        relay = subprocess.Popen(words)
        time.sleep(2.0)
        yield line, f"postgresql://{parts.username}@{THEIRS}:{PORT}/{parts.database}"
    finally:
        if relay is not None:
            relay.kill()
            relay.wait()
        line.remove()


async def _relay(socket: str) -> None:
    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(socket)
        await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))

    server = await asyncio.start_server(meet, THEIRS, PORT)
    await server.serve_forever()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    asyncio.run(_relay(sys.argv[1]))
