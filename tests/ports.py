"""Ports for servers that are told where to listen, when asking the kernel for any free one is no way."""

import os
import socket
from itertools import count
from pathlib import Path

#: Those that the kernel deals out begin above: whoever binds port 0, or connects, gets none of ours.
FIRST, LAST = 10_000, 32_000
SHARE = 1_000  #: ports of each process that runs tests, so that no two of them find the same one free

_asked = count(os.getpid() % SHARE)  # another session at this machine hardly begins at the same


def free_port() -> int:
    """A port at which nobody listens, and which no other test is given meanwhile."""
    low, last = _outside_of_the_kernels()
    worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    number = int(worker) + 1 if worker.isdigit() else 0
    first = low + number * SHARE % (last - low - SHARE)
    for _ in range(SHARE):
        port = first + next(_asked) % SHARE
        if _is_free(port):
            return port
    raise AssertionError(f"no free port from {first} to {first + SHARE}")


def _outside_of_the_kernels() -> tuple[int, int]:
    path = Path("/proc/sys/net/ipv4/ip_local_port_range")
    begins = int(path.read_text().split()[0]) if path.exists() else LAST
    return (FIRST, min(LAST, begins)) if begins >= FIRST + 3 * SHARE else (FIRST, LAST)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
