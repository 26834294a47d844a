"""Processes of the installation, started as an administrator starts them, and what each costs."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TICK = os.sysconf("SC_CLK_TCK")
PATIENCE = 30.0  #: seconds a process has to come up

Process = subprocess.Popen[bytes]


@contextmanager
def postroom(command: str, env: Mapping[str, str], log: Path) -> Iterator[Process]:
    """Run `postroom COMMAND` until the end of the block, of the program that PYTHONPATH names if it does."""
    with running([sys.executable, "-P", "-m", "campaigns.cli", command], env, log) as process:
        yield process


@contextmanager
def running(words: Sequence[str], env: Mapping[str, str], log: Path) -> Iterator[Process]:
    """Run a command in a session of its own; at the end ask it to end, then insist."""
    with log.open("ab") as file:
        process = subprocess.Popen(
            words, cwd=ROOT, env={**os.environ, **env}, start_new_session=True, stdout=file, stderr=file
        )
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE)


def free_port() -> int:
    """Give a loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listening(port: int) -> bool:
    """Tell whether somebody listens on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(true: Callable[[], Any], what: str, seconds: float = PATIENCE, step: float = 0.02) -> None:
    """Wait for something, and say so when it does not come."""
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            raise TimeoutError(f"{what} took more than {seconds:.0f} s.")
        time.sleep(step)


def cpu(process: Process) -> float:
    """Add up the CPU seconds of a process, its threads, and all processes of its session."""
    return sum(_seconds(stat) for stat in _stats() if int(stat[3]) == process.pid)


def cpu_below(pid: int) -> float:
    """Add up the CPU seconds of a process and its children's."""
    return sum(_seconds(stat) for stat in _stats() if int(stat[1]) == pid or int(stat[-1]) == pid)


def parent(pid: int) -> int:
    """Give the parent of a process."""
    return next(int(stat[1]) for stat in _stats() if int(stat[-1]) == pid)


def peak_memory(process: Process) -> float:
    """Give the largest memory (MB) that a process has had."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _seconds(stat: list[str]) -> float:
    return (int(stat[11]) + int(stat[12])) / TICK


def _stats() -> Iterator[list[str]]:
    """Read /proc/PID/stat of all from the third field on (state, ppid, pgrp, session, …), then the pid."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            yield [*path.read_text().rpartition(")")[2].split(), path.parent.name]


def verdict(*, kept: bool) -> str:
    """Give a budget line's last word."""
    return "ok" if kept else "short"
