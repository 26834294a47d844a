"""The book of hits: each is durable before its request is answered, many in one transaction."""

from collections import Counter, deque
from collections.abc import Callable
from datetime import datetime
from threading import Lock

from sqlalchemy.orm import Session, sessionmaker

from campaigns.clock import utc_now
from campaigns.records import hits
from campaigns.values import Hit

AT_ONCE = 500  #: entries in one transaction
MOST_WAITING = 4096  #: more are turned away: each waits in a thread of its own


class Unwritten(Exception):
    """The entry is not in the store; the request must not be answered as if it were."""


class _Entry:
    __slots__ = ("cause", "hit", "over", "stray", "written")

    def __init__(self, hit: Hit | None, stray: str) -> None:
        self.hit = hit
        self.stray = stray
        self.over = False
        self.written = False
        self.cause: Exception | None = None


class Book:
    """Takes entries from many threads; whoever gets the pen writes all that wait."""

    def __init__(self, sessions: sessionmaker[Session], clock: Callable[[], datetime] = utc_now) -> None:
        self._sessions = sessions
        self._clock = clock
        self._waiting: deque[_Entry] = deque()
        self._pen = Lock()

    def write(self, hit: Hit) -> None:
        """Store a hit; it is durable when this returns.

        Raises:
            Unwritten: the store did not take it, or too many wait.
        """
        self._put(_Entry(hit, ""))

    def count_stray(self, what: str) -> None:
        """Count a request whose token is unknown or forged.

        Raises:
            Unwritten: the store did not take it, or too many wait.
        """
        self._put(_Entry(None, what))

    def _put(self, entry: _Entry) -> None:
        if len(self._waiting) >= MOST_WAITING:
            raise Unwritten("Too many requests wait to be written down.")
        self._waiting.append(entry)
        while not entry.over:
            with self._pen:
                if not entry.over:
                    self._write_waiting()
        if not entry.written:
            raise Unwritten("The store did not take it.") from entry.cause

    def _write_waiting(self) -> None:
        entries = self._take()
        try:
            self._store(entries)
        except Exception as error:  # noqa: BLE001 - whatever it was, everyone who waits must hear of it
            for entry in entries:
                entry.cause = error
        else:
            for entry in entries:
                entry.written = True
        finally:
            for entry in entries:
                entry.over = True

    def _take(self) -> list[_Entry]:
        entries: list[_Entry] = []
        while self._waiting and len(entries) < AT_ONCE:
            entries.append(self._waiting.popleft())
        return entries

    def _store(self, entries: list[_Entry]) -> None:
        strays = Counter(entry.stray for entry in entries if entry.hit is None)
        with self._sessions.begin() as session:
            hits.store(session, [entry.hit for entry in entries if entry.hit is not None])
            for what, count in sorted(strays.items()):
                hits.stray(session, what, now=self._clock(), count=count)
