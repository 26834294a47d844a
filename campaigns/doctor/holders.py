"""Who holds the write lock of an SQLite store: the kernel knows."""

import os
from contextlib import suppress
from pathlib import Path

from campaigns.delivery.smtp.replies import plain_text

LOCKS = Path("/proc/locks")
WRITE_LOCK = "120"  #: byte of the -shm file. Source: sqlite.org/walformat.html §2.3.1


def holder(database: Path) -> int | None:
    """The process that holds the write lock; None if nobody does, or it cannot be told."""
    try:
        of_file = database.with_name(f"{database.name}-shm").stat()
        lines = LOCKS.read_text().splitlines()
    except OSError:
        return None
    device, inode = of_file.st_dev, of_file.st_ino
    where = f"{os.major(device):02x}:{os.minor(device):02x}:{inode}"
    for line in lines:
        _, *words = line.split()
        if words[0] == "POSIX" and words[2] == "WRITE" and words[4:6] == [where, WRITE_LOCK]:
            return int(words[3])
    return None


def is_stopped(pid: int) -> bool:
    """Tell whether a process was frozen, and so holds what it holds until somebody acts."""
    with suppress(OSError, IndexError):
        state = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
        return state in {"T", "t"}
    return False


def describe(pid: int) -> str:
    """A process in words: its number, and what it was started as."""
    with suppress(OSError):
        words = (Path("/proc") / str(pid) / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        told = " ".join(word.rpartition("/")[2] for word in words if word and not word.startswith("-"))
        return f"process {pid} ({plain_text(told)})"
    return f"process {pid}"
