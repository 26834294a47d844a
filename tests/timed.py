"""Tests of time on a machine that may be slow: `@pytest.mark.timed`.

What such a test claims, that something ends soon or comes before something else, is true of our program only where
the machine lets it run. So one that fails while more wanted to run than there are cores, or while everything stood
still, has shown nothing: it is tried again, from its fixtures on. One that fails on a machine with time to spare
has failed.
"""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest
from _pytest.runner import runtestprotocol

TRIES = 5
STILL = 0.1  #: seconds by which a short sleep may be too long
REST = 1.0  #: seconds before the next try
EVERY = 0.02  #: seconds between two looks
AGAIN = "tried again"
CORES = len(os.sched_getaffinity(0))


class Watch:
    """Looks, while it is open, how the machine does."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._longest, self._waiting, self._looks = 0.0, 0, 0
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def trouble(self) -> str:
        """What kept this process, or those that it started, from going on; empty: nothing did."""
        if self._longest > STILL:
            return f"it stood still for {self._longest:.1f} s"
        if self._looks and self._waiting / self._looks > CORES:
            return f"{self._waiting / self._looks:.1f} wanted to run on {CORES} cores"
        return ""

    def _look(self) -> None:
        last = time.monotonic()
        while not self._over.wait(EVERY):
            now = time.monotonic()
            self._longest, last = max(self._longest, now - last - EVERY), now
            self._waiting += _running() - 1  # ourselves
            self._looks += 1


def _running() -> int:
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith("procs_running"):
            return int(line.split()[1])
    return 1


def run(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run a test of time, again where the machine was in its way; for `pytest_runtest_protocol`."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports: list[pytest.TestReport] = []
    for left in reversed(range(TRIES)):
        with Watch() as watch:
            reports = runtestprotocol(item, nextitem=nextitem, log=False)
        trouble = watch.trouble()
        if not left or not trouble or not any(one.failed for one in reports):
            break
        item.add_report_section("call", AGAIN, f"the machine was in its way: {trouble}")
        time.sleep(REST)
    for one in reports:
        item.ihook.pytest_runtest_logreport(report=one)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def tell(reporter: pytest.TerminalReporter) -> None:
    """Name the tests that held at a later try only; for `pytest_terminal_summary`."""
    for report in reporter.stats.get("passed", ()):
        for name, text in report.sections:
            if AGAIN in name:
                reporter.write_line(f"TRIED AGAIN {report.nodeid}: {text}")


def until(true: Callable[[], object], what: str = "", seconds: float = 120.0) -> None:
    """Wait for something; an AssertionError names it when it does not come."""
    last = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < last, f"{what or 'what was waited for'} took more than {seconds:.0f} s"
        time.sleep(0.01)
