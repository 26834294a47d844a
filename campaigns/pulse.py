"""The worker's pulse: each tick is guarded and timed, and every few seconds its age is written down."""

import threading
from collections.abc import Callable
from datetime import timedelta
from time import monotonic

import structlog
from sqlalchemy.orm import Session, sessionmaker

from campaigns import metrics
from campaigns.records import ticks
from campaigns.records.ticks import Tick

BEAT = 5.0  #: seconds between two records; a tick's age is known to within that
BEAT_NAME = "beat"

log = structlog.get_logger()


class Pulse:
    """Remembers when each tick of this process last succeeded."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self._sessions = sessions
        self._every: dict[str, float] = {}
        self._done: dict[str, float] = {}

    def guarded(self, name: str, every: float, tick: Callable[[], object]) -> Callable[[], None]:
        """Keep one tick's failure from the next: it is logged, counted, and tried again."""
        lock = threading.Lock()
        self._every[name], self._done[name] = every, monotonic()

        def run() -> None:
            with lock:
                began = monotonic()
                try:
                    tick()
                except Exception:
                    metrics.tick_failed(name)
                    log.exception("tick failed", tick=name)
                else:
                    self._done[name] = monotonic()
                    metrics.ticked(name, self._done[name] - began)

        return run

    def beat(self) -> None:
        """Write down how long ago each tick succeeded; this one, which writes it, is succeeding now."""
        now = monotonic()
        self._done[BEAT_NAME] = now
        done = [
            Tick(name, timedelta(seconds=every), timedelta(seconds=now - self._done[name]))
            for name, every in self._every.items()
        ]
        with self._sessions.begin() as session:
            ticks.record(session, done)
