"""One `postroom run` a data folder: a second would do all that the first does, on other ports, unnoticed."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from campaigns.errors import NotAllowed

LOCK = "run.lock"


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """Keep others from running this installation, for as long as this process lives.

    Raises:
        NotAllowed: one runs it already.
    """
    file = os.open(data / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(file, data)
        yield
    finally:
        os.close(file)


def _take(file: int, data: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        who = os.pread(file, 20, 0).decode(errors="replace").strip()
        told = f"Process {who} runs the installation in {data} already."
        cure = (
            "End that first, or name another folder: POSTROOM_DATA=FOLDER (more senders: POSTROOM_SENDERS)."
        )
        raise NotAllowed(f"{told} {cure}") from None
    os.ftruncate(file, 0)
    os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
