"""Attending: a process says every few seconds that it lives, so that nobody waits for one that is not there.

This flow owns its transactions, in a thread of its own: whatever the process does, it is heard.
"""

import threading
from contextlib import suppress

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from campaigns.records import serving
from campaigns.records.serving import Alive

PATIENCE = 2.0  #: seconds that the end of a process waits for the store

log = structlog.get_logger()


class Attendance:
    """One process's word that it is there; a process that forks makes one in each child."""

    def __init__(self, sessions: sessionmaker[Session], one: Alive) -> None:
        self._sessions, self._one = sessions, one
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="attendance", daemon=True)

    def start(self) -> None:
        """Begin to say so."""
        self._thread.start()

    def say(self) -> None:
        """Say it once; a store that is away hears it another time."""
        try:
            with self._sessions.begin() as session:
                serving.attend(session, self._one)
        except SQLAlchemyError as error:
            log.warning("the store could not be told that this process lives", why=type(error).__name__)

    def stop(self) -> None:
        """Say that the process ends; where the store is away it is forgotten by itself."""
        self._ended.set()
        self._thread.join(PATIENCE)

    def _work(self) -> None:
        self.say()
        while not self._ended.wait(serving.EVERY.total_seconds()):
            self.say()
        with suppress(SQLAlchemyError), self._sessions.begin() as session:
            serving.leave(session, self._one.process)
