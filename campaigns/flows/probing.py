"""Probing: a broken account is tried without a mail, by one sender at a time, before mail is risked again.

This flow owns its transactions: the right to try is taken, and committed, before anything is asked.
"""

from collections.abc import Callable
from datetime import datetime

import structlog
from sqlalchemy.orm import Session, sessionmaker

from campaigns.errors import BackendError
from campaigns.records import accounts

log = structlog.get_logger()


def note_failure(sessions: sessionmaker[Session], account: str, error: BackendError, now: datetime) -> None:
    """Close an account whose backend failed, for as long as it asked to, or a little longer each time."""
    with sessions.begin() as session:
        standing = accounts.failed(session, account, error, now)
    log.warning("an account is closed", account=account, until=str(standing.closed_until), failed=str(error))


def probe(
    sessions: sessionmaker[Session],
    readers: sessionmaker[Session],
    account: str,
    ask: Callable[[], object],
    clock: Callable[[], datetime],
) -> bool | None:
    """Try an account if it is broken, its time has come and nobody else does; None: there was no need.

    Args:
        sessions: to write to the store.
        readers: to look whether there is something to try, without holding up a writer.
        account: its name.
        ask: asks it; raises BackendError if it would take no mail.
        clock: gives the moment.

    """
    with readers() as session:
        standing = accounts.standing(session, account)
    now = clock()
    if not standing.is_shut or (standing.closed_until or now) > now:
        return None
    with sessions.begin() as session:
        if not accounts.take_probe(session, account, now):
            return None
    try:
        ask()
    except BackendError as error:
        with sessions.begin() as session:
            accounts.refused_again(session, account, error, clock())
        log.warning("an account that was tried is still broken", account=account, said=str(error))
        return False
    with sessions.begin() as session:
        accounts.opened(session, account, clock())
    log.info("an account that was tried takes mail again", account=account)
    return True
