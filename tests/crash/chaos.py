"""Chaos, the long form: `make chaos`, or `python -m tests.crash.chaos [--quick] [--database D] [--only WORD]`.

Plays every scenario on each database and prints one table; exits with 1 if anybody was mailed twice or lost, or if
more is in doubt than was on the wire.
"""

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from campaigns import logs
from campaigns.wiring import migrate
from tests.crash.playing import NotHere, play
from tests.crash.scenarios import Scenario, on
from tests.postgres import create_database, running_postgres

Row = tuple[object, ...]

HEAD = ("scenario", "database", "kills", "mails", "doubles", "lost", "in doubt", "at most", "seconds", "")
WIDTHS = (40, 10, 5, 7, 7, 5, 8, 7, 7, 6)


@contextmanager
def stores(database: str) -> Iterator[Callable[[Path], str]]:
    """Give a function that makes an empty store of a kind, and its URL."""
    if database == "sqlite":
        yield lambda folder: f"sqlite:///{folder}/store.db"
    else:
        with running_postgres() as server:
            yield lambda folder: create_database(server, folder.name.lower())


def row_of(scenario: Scenario, database: str, folder: Path, url: str, mails: int, kills: int) -> Row:
    """Play a scenario, and tell of it in a row of the table."""
    began = time.monotonic()
    migrate(url)
    try:
        done, most, account = ending = play(scenario, folder, url, mails, kills)
    except NotHere as reason:
        return (scenario.name, database, *[""] * 7, f"skipped: {reason}")
    except Exception as error:  # the others are still to be played
        return (scenario.name, database, *[""] * 7, f"FAILED: {type(error).__name__}: {error}")
    lost = account.lost + account.false
    counts = (done, account.mails, account.doubles, lost, account.in_doubt, most)
    verdict = "ok" if ending.sound() else "FAILED"
    return scenario.name, database, *counts, f"{time.monotonic() - began:.0f}", verdict


def line(row: Row) -> str:
    """Write a row for the table."""
    cells = (f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row)
    return "  ".join(
        cell.ljust(width) if at in {0, 1, 9} else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(cells, WIDTHS, strict=True))
    ).rstrip()


def main(databases: list[str], only: str, *, quick: bool) -> bool:
    """Play all that is wanted; True: all of it ended well."""
    click.echo(line(HEAD))
    well = True
    for database in databases:
        with stores(database) as make:
            for scenario in on(database, short=quick):
                if only not in scenario.name:
                    continue
                folder = Path(tempfile.mkdtemp(prefix="chaos-"))
                mails, kills = scenario.short if quick and scenario.short else scenario.long
                row = row_of(scenario, database, folder, make(folder), mails, kills)
                click.echo(line(row))
                well &= not str(row[-1]).startswith("FAILED")
                shutil.rmtree(folder, ignore_errors=True)
    return well


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the sizes of `make test`")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    parser.add_argument("--only", default="", help="only scenarios with this in their name")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and end all that was started
    logs.configure({"POSTROOM_LOG": "text", "POSTROOM_LOG_LEVEL": "error"}, stream=sys.stderr)
    sys.exit(0 if main(asked.database or ["sqlite", "postgresql"], asked.only, quick=asked.quick) else 1)
