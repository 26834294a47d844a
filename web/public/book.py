"""The book of hits: each is durable before its request is answered, many in one transaction."""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Lock

from sqlalchemy.orm import Session, sessionmaker

from campaigns import metrics
from campaigns.clock import utc_now
from campaigns.records import forms, hits
from campaigns.records.forms import Use
from campaigns.values import Hit, Tracking

AT_ONCE = 500  #: entries in one transaction
MOST_WAITING = 4096  #: more are turned away

#: What is written down: a hit, the use of a form, or of a request whose token is unknown or forged what it
#: asked for.
Entry = Hit | Use | str


class Unwritten(Exception):
    """The entry is not in the store; the request must not be answered as if it were."""


class _Waiting:
    """An entry with the thread that waits for it."""

    __slots__ = ("cause", "entry", "over", "turn", "written")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.over = False
        self.written = False
        self.cause: Exception | None = None
        self.turn = Lock()  #: held until the entry is over, or it is its thread's turn to write
        self.turn.acquire()


class Book:
    """Takes entries from many threads; one of them writes all that wait, then hands the pen to the next."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        clock: Callable[[], datetime] = utc_now,
        tracking: Tracking = Tracking.INDIVIDUAL,  # of contacts who never chose
    ) -> None:
        self._sessions = sessions
        self._tracking = tracking
        self._clock = clock
        self._waiting: deque[_Waiting] = deque()
        self._pen_is_out = False
        self._lock = Lock()  #: guards the two above, and is never held while the store is at work

    def write(self, entry: Entry) -> None:
        """Store an entry; it is durable when this returns.

        Raises:
            Unwritten: the store did not take it, or too many wait.
        """
        mine = _Waiting(entry)
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                raise Unwritten("Too many requests wait to be written down.")
            self._waiting.append(mine)
            follows = self._pen_is_out
            self._pen_is_out = True
        if follows:
            mine.turn.acquire()
        if not mine.over:
            self._write_waiting()
        if not mine.written:
            raise Unwritten("The store did not take it.") from mine.cause

    def store(self, entries: Sequence[Entry]) -> None:
        """Store entries in one transaction; they are durable when this returns, or an error tells why not."""
        strays = Counter(entry for entry in entries if isinstance(entry, str))
        asked = [entry for entry in entries if isinstance(entry, Hit)]
        with self._sessions.begin() as session:
            hits.store(session, asked, default=self._tracking)
            for what, count in sorted(strays.items()):
                hits.stray(session, what, now=self._clock(), count=count)
            forms.count_all(session, Counter(entry for entry in entries if isinstance(entry, Use)))
        metrics.hits(Counter(entry.kind for entry in asked) + Counter(stray=strays.total()))

    def _write_waiting(self) -> None:
        """Write what waits, one's own entry first among it; the pen is ours."""
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
        try:
            self.store([one.entry for one in batch])
            for one in batch:
                one.written = True
        except Exception as error:  # noqa: BLE001 - whatever it was, everyone who waits must hear of it
            for one in batch:
                one.cause = error
        finally:
            self._pass_on()
            for one in batch:
                one.over = True
                one.turn.release()

    def _pass_on(self) -> None:
        """Give the pen to the first who waits by now, or put it down."""
        with self._lock:
            if self._waiting:
                self._waiting[0].turn.release()
            else:
                self._pen_is_out = False
