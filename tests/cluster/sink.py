"""An SMTP server in a process of its own that takes everything and writes down whom each mail was for.

    python -m tests.cluster.sink PORT FILE [SECONDS]

A line is in the file before the mail's reply is on the wire; FILE.first is as old as the first of them. With
SECONDS, each mail is answered so much later.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import uvloop

from campaigns.clock import utc_now
from campaigns.delivery.caught import Envelope
from campaigns.delivery.smtpd import Receiver


def keep(
    file: int,
    first: Path,
    delay: float,
    envelope: Envelope,
    _body: bytes,
    done: Callable[[OSError | None], None],
) -> None:
    """Take a mail."""
    if not os.fstat(file).st_size:
        first.touch()
    os.write(file, f"{envelope.rcpt_to[0]}\n".encode())
    asyncio.get_running_loop().call_later(delay, done, None)


async def serve(port: int, path: str, delay: float) -> None:
    """Take mail until the process is ended."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    loop = asyncio.get_running_loop()
    make = partial(
        Receiver, partial(keep, file, Path(f"{path}.first"), delay), lambda _address: None, utc_now
    )
    server = await loop.create_server(make, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]) if len(sys.argv) > 3 else 0.0))
