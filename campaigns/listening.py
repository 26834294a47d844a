"""Providers' calls, read in turns: outside of transactions what can be, then in short ones what follows.

The worker ticks here once a second. What the store holds is read again if anything fails before its end.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from functools import partial
from time import monotonic

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from campaigns import metrics
from campaigns.clock import utc_now
from campaigns.config import Settings
from campaigns.delivery.providers import PROVIDERS
from campaigns.delivery.webhooks import Reading
from campaigns.errors import BackendError
from campaigns.flows import hooking
from campaigns.records import webhooks
from campaigns.records.webhooks import StoredCall
from campaigns.tracking.tokens import Keyring
from campaigns.wiring import Stores

log = structlog.get_logger()

Read = tuple[StoredCall, Reading]
HOOKS = {name: row.webhooks for name, row in PROVIDERS.items() if row.webhooks is not None}
#: The store's failures, not the input's; our bulk writes on SQLite raise what the driver does.
AWAY = (OperationalError, InterfaceError, sqlite3.OperationalError)
MOST_EVENTS = 500  #: in one transaction
PATIENCE = 10.0  #: seconds of one tick; the rest waits for the next


class Listening:
    """Reads what providers called with."""

    def __init__(self, stores: Stores, settings: Settings, clock: Callable[[], datetime] = utc_now) -> None:
        self._stores, self._clock = stores, clock
        ring = Keyring(settings.secret)
        self._keys = hooking.Keys(ring, settings.secret, settings.public_url, settings.tracking)

    def tick(self) -> int:
        """Read what waits; gives how many calls."""
        total, until = 0, monotonic() + PATIENCE
        while monotonic() < until:
            with self._stores.readers() as session:
                calls = webhooks.waiting(session, now=self._clock())
            if not calls:
                break
            read = self._visited([(call, hooking.read(call, HOOKS)) for call in calls])
            try:
                self._act_on(read)
            except AWAY:
                raise  # they are read again
            except Exception:
                log.exception("webhooks are read one by one, for one of them cannot be")
                self._one_by_one(read)
            total += len(calls)
        return total

    def _visited(self, read: list[Read]) -> list[Read]:
        """Ask the addresses that have to be asked so that calls come; outside of any transaction."""
        answered = []
        for call, reading in read:
            try:
                hooking.follow(call, reading, HOOKS)
                answered.append((call, reading))
            except BackendError as error:
                log.warning("a subscription could not be confirmed", account=call.account, why=str(error))
                self._write(partial(hooking.postpone, call=call, why=str(error)))
            except Exception as error:
                log.exception("a subscription could not be confirmed", account=call.account)
                self._write(partial(hooking.set_aside, call=call, why=f"{type(error).__name__}"))
        return answered

    def _act_on(self, read: list[Read]) -> None:
        """Act on the events of some calls, in transactions that hold up nobody for long."""
        heard = [hooking.Heard(call, signal) for call, reading in read for signal in reading.signals]
        words: dict[int, Counter[str]] = {call.id: Counter() for call, _ in read}
        last = not read
        while not last:
            piece, heard = heard[:MOST_EVENTS], heard[MOST_EVENTS:]
            last = not heard
            with self._stores.sessions.begin() as session:
                said = hooking.act(session, piece, self._keys, now=self._clock())
                for one, word in zip(piece, said, strict=True):
                    words[one.call.id][word] += 1
                now = self._clock()
                acted = hooking.finish(session, read, words, self._keys, now) if last else Counter()
            metrics.webhook_events(acted)

    def _one_by_one(self, read: list[Read]) -> None:
        for call, reading in read:
            try:
                self._act_on([(call, reading)])
            except AWAY:
                raise
            except Exception as error:
                log.exception("a webhook could not be read", account=call.account, call=call.id)
                why = f"could not be acted on ({type(error).__name__})"
                self._write(partial(hooking.set_aside, call=call, why=why))

    def _write(self, act: Callable[[Session, datetime], None]) -> None:
        with self._stores.sessions.begin() as session:
            act(session, self._clock())
