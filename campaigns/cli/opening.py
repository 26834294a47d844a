"""Settings and store as commands want them; what keeps a command from them is told before it begins."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy.exc import SQLAlchemyError

from campaigns.config import Settings, from_environment
from campaigns.doctor.findings import Finding, Level
from campaigns.doctor.store import MIGRATE, TABLES, examine_opening, is_missing, said
from campaigns.errors import NotAllowed
from campaigns.values import Problem
from campaigns.wiring import Stores, migrate, open_stores

log = structlog.get_logger()


@contextmanager
def opened() -> Iterator[tuple[Settings, Stores]]:
    """Open the installation's store, and close it at the end; neither folder nor store is made.

    Raises:
        BadSettings: the settings do not hold, or there is no installation.
        NotAllowed: the store cannot be read, or its tables are not those of this program.
    """
    settings = from_environment(make=False)
    _refuse(examine_opening(settings.database_url))
    stores = open_stores(settings.database_url)
    try:
        yield settings, stores
    finally:
        stores.engine.dispose()


def require_store(settings: Settings) -> None:
    """See that a process that serves may begin; it waits for a store that is only away.

    Tables of a newer program are borne: while a cluster is upgraded, its old processes go on.

    Raises:
        NotAllowed: there is no store, or what is there is none.
    """
    found = examine_opening(settings.database_url, patient=True)
    if found.check != TABLES:
        _refuse(found)
    elif found.level is Level.BAD:
        log.warning("the tables are not those of this program", found=found.found, cure=found.cure)


def bring_up_to_date(database_url: str) -> None:
    """Make the store or migrate it.

    Raises:
        NotAllowed: it cannot be read, is a newer program's, or is not as the program left it.
    """
    if not is_missing(database_url):
        found = examine_opening(database_url)
        if found.check != TABLES or found.cure != MIGRATE:
            _refuse(found)
    try:
        migrate(database_url)
    except SQLAlchemyError as error:
        what = f"the tables cannot be brought up to date: {said(error)}."
        cure = "They are not as an older release left them: restore the backup made before that."
        raise NotAllowed(str(Problem(TABLES, what, cure))) from error


def _refuse(found: Finding) -> None:
    if found.level is Level.BAD:
        raise NotAllowed(str(Problem(found.check, f"{found.found}.", found.cure)))
