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
    __slots__ = ("cause", "hit", "over", "stray", "turn", "written")

    def __init__(self, hit: Hit | None, stray: str) -> None:
        self.hit = hit
        self.stray = stray
        self.over = False
        self.written = False
        self.cause: Exception | None = None
        self.turn = Lock()  #: held until the entry is over, or it is its thread's turn to write
        self.turn.acquire()


class Book:
    """Takes entries from many threads; one of them writes all that wait, then hands the pen to the next."""

    def __init__(self, sessions: sessionmaker[Session], clock: Callable[[], datetime] = utc_now) -> None:
        self._sessions = sessions
        self._clock = clock
        self._waiting: deque[_Entry] = deque()
        self._pen_is_out = False
        self._lock = Lock()  #: guards the two above, and is never held while the store is at work

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
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                raise Unwritten("Too many requests wait to be written down.")
            self._waiting.append(entry)
            follows = self._pen_is_out
            self._pen_is_out = True
        if follows:
            entry.turn.acquire()
        if not entry.over:
            self._write_waiting()
        if not entry.written:
            raise Unwritten("The store did not take it.") from entry.cause

    def _write_waiting(self) -> None:
        """Write what waits, one's own entry first among it; the pen is ours."""
        with self._lock:
            entries = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
        try:
            self._store(entries)
            for entry in entries:
                entry.written = True
        except Exception as error:  # noqa: BLE001 - whatever it was, everyone who waits must hear of it
            for entry in entries:
                entry.cause = error
        finally:
            self._pass_on()
            for entry in entries:
                entry.over = True
                entry.turn.release()

    def _pass_on(self) -> None:
        """Give the pen to the first who waits by now, or put it down."""
        with self._lock:
            if self._waiting:
                self._waiting[0].turn.release()
            else:
                self._pen_is_out = False

    def _store(self, entries: list[_Entry]) -> None:
        strays = Counter(entry.stray for entry in entries if entry.hit is None)
        with self._sessions.begin() as session:
            hits.store(session, [entry.hit for entry in entries if entry.hit is not None])
            for what, count in sorted(strays.items()):
                hits.stray(session, what, now=self._clock(), count=count)
