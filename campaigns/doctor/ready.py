"""Whether this installation can do its work right now: short enough to be asked every few seconds."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from campaigns.doctor.broker import examine_broker
from campaigns.doctor.findings import Finding, Level, bad, ok
from campaigns.doctor.folders import LEAST_FREE
from campaigns.doctor.store import known_heads, revisions
from campaigns.records import ticks
from campaigns.wiring import Stores

BROKER_PATIENCE = 1.5  #: seconds for each word of the broker's


def readiness(stores: Stores, data: Path) -> list[Finding]:
    """Look at the database, its tables, the worker's ticks and the free disk."""
    findings = list(_store(stores))
    free = shutil.disk_usage(data).free
    enough = (
        ok("disk", "enough") if free >= LEAST_FREE else bad("disk", f"{free // 10**6} MB free", "Make room.")
    )
    return [*findings, enough]


def broker(url: str) -> list[Finding]:
    """Ask the broker of a cluster whether it lets us in; nothing where none is named."""
    return list(examine_broker(url, BROKER_PATIENCE))


def is_ready(findings: list[Finding]) -> bool:
    """Tell whether nothing stands in the way."""
    return all(finding.level is not Level.BAD for finding in findings)


def _store(stores: Stores) -> Iterator[Finding]:
    try:
        with stores.readers() as session:
            yield from _answering(session)
    except SQLAlchemyError:
        yield bad("database", "does not answer", "Start it; postroom doctor says more.")


def _answering(session: Session) -> Iterator[Finding]:
    if revisions(session) != known_heads():
        yield bad("tables", "are not of this program", "Run: postroom migrate")
        return
    yield ok("database", "answers")
    known = ticks.ages(session)
    late = [tick.name for tick in known if tick.late]
    if late or not known:
        yield bad("worker", f"late: {', '.join(late) or 'all; none has run'}", "Start postroom worker.")
    else:
        yield ok("worker", "ticks")
