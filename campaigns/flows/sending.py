"""Sending: chunk after chunk to the wire, without a pause between them.

This flow owns its transactions, since no mail can be rolled back. Two threads share the work:

    the clerk                                         the wire (the thread that called)
    claim, committed → journal's page begun
      → load, every gate asked again  ── loaded ──▶   render → "started" → bytes → reply → "answered"
    states and history in one transaction  ◀── done ──  all of a chunk is answered
    each half second: is it all still ours, and to be sent?
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic, sleep

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from campaigns import loading, settling
from campaigns.delivery.contract import Backend
from campaigns.delivery.journal import Journal, Page, Revoked
from campaigns.errors import BackendError, BadInput
from campaigns.loading import Loaded
from campaigns.mailing import Mailing, Signing
from campaigns.records import outbox
from campaigns.records.outbox import Chunk, Fenced
from campaigns.settling import Result
from campaigns.values import Gate, MessageKey, Outcome, OutcomeKind, Outgoing

AHEAD = 1  #: chunks loaded before the wire asks for them
LOOK_EVERY = 0.5  #: seconds between looks whether a person has paused or cancelled
LOOK_PATIENCE = 3.0  #: seconds after the last look in which messages may be begun: blind, we send nothing
RENEW_EVERY = 60.0  #: seconds between renewals of the lease on a chunk that is being sent
BACKEND_REST = timedelta(seconds=30)  #: how long a chunk waits after its backend failed
PREPARE_REST = timedelta(minutes=1)  #: how long a run waits after its mail could not be prepared
STORE_REST = 1.0  #: seconds between two attempts to write what became of a chunk
STORE_PATIENCE = 600.0  #: seconds to go on attempting; less than the lease
AWAY = (OperationalError, InterfaceError)  #: the store is away, locked, or in a deadlock

log = structlog.get_logger()


@dataclass
class Postbox:
    """What a sender process works with."""

    sessions: sessionmaker[Session]
    readers: sessionmaker[Session]
    backend: Backend
    signing: Signing
    secret: bytes  #: keys the suppression hashes
    journal: Journal  #: its owner names this sender in the chunks it holds
    clock: Callable[[], datetime]
    stopped: Callable[[], bool] = lambda: False  #: the process was asked to end
    mailings: dict[int, Mailing] = field(default_factory=dict)  #: by run; what was prepared once


@dataclass(eq=False)
class Batch:
    """A claimed chunk on its way: what is to be sent of it, and what became of that."""

    chunk: Chunk
    page: Page
    loaded: Loaded
    result: Result
    begun: set[int] = field(default_factory=set)
    on_wire: int = 0  #: handed to the backend, not answered yet
    handed: bool = False  #: nothing more of it will be handed over

    def holds(self, key: MessageKey) -> bool:
        """Whether a message is of this chunk."""
        return self.chunk.run == key.run and self.chunk.first <= key.seq <= self.chunk.last

    def close(self, now: datetime) -> None:
        """Whatever was begun and never answered may be on the wire: it must not be sent again."""
        for seq in self.begun - self.result.outcomes.keys():
            self.result.outcomes[seq] = Outcome(OutcomeKind.UNKNOWN, text="the backend gave no answer")
            self.result.moments[seq] = now


Claim = Callable[[Session], Chunk | None]


def drain(post: Postbox) -> int:
    """Send all that is due; gives how many messages were answered for.

    Raises:
        BackendError: the backend failed; what it had not taken is queued again for later.
    """
    with post.readers() as session:
        if not outbox.has_work(session):
            return 0
    return Sending(post, lambda session: outbox.claim(session, post.journal.owner)).run()


def send_this(post: Postbox, run: int, number: int) -> int:
    """Send one chunk by name, if it is due and nobody has it; gives how many messages were answered for.

    Raises:
        BackendError: the backend failed; what it had not taken is queued again for later.
    """
    once = iter([True])

    def claim(session: Session) -> Chunk | None:
        return outbox.claim_this(session, post.journal.owner, run, number) if next(once, False) else None

    return Sending(post, claim).run()


class Sending:
    """One stretch of sending, until nothing more is due; watches the wire (delivery.contract.Watch)."""

    def __init__(self, post: Postbox, claim: Claim) -> None:
        self._post, self._claim = post, claim
        self._loaded: deque[Batch] = deque()
        self._flying: tuple[Batch, ...] = ()  # loaded, and not yet settled; both threads read it
        self._done: deque[Batch] = deque()
        self._dry = False  # nothing more is due
        self._halted = False  # begin nothing more
        self._failure: Exception | None = None  # the clerk's
        self._answered = 0
        self._looked = self._renewed = monotonic()
        self._wake = threading.Event()
        self._closing = False

    def run(self) -> int:
        """Send until nothing is due, or something stands in the way; all that is known is settled then."""
        clerk = threading.Thread(target=self._clerk, name="clerk")
        clerk.start()
        rest = None
        try:
            self._post.backend.send(self._mails(), self)
        except BackendError:
            rest = BACKEND_REST
            raise
        except Revoked:
            log.warning("a chunk was taken over; its sender was too slow or frozen")
        finally:
            # whatever went wrong: what is on the wire must be in the store
            self._closing = True
            self._wake.set()
            clerk.join()
            self._settle_all(rest)
        if self._failure is not None:
            raise self._failure
        return self._answered

    # ---- the wire's side

    def _mails(self) -> Iterator[Outgoing | None]:
        """Render as the wire takes them; None while the clerk has nothing loaded."""
        while not self._halted:
            if self._loaded:
                batch = self._loaded.popleft()
                self._wake.set()
                yield from self._of(batch)
                batch.handed = True
                self._finish(batch)
            elif self._dry and not self._flying_high():
                return
            else:
                yield None

    def _flying_high(self) -> bool:
        return any(batch.on_wire for batch in self._flying)

    def _of(self, batch: Batch) -> Iterator[Outgoing]:
        """A contact for whom the template fails is skipped, and says why."""
        clock, mailing, bought = self._post.clock, batch.loaded.mailing, batch.loaded.bought
        for one in batch.loaded.recipients.values():
            try:
                mail = mailing.mail(one, bought=bought.get(one.customer_id, []), now=clock())
            except BadInput as error:
                batch.result.skipped[one.seq] = (Gate.RENDER_ERROR, str(error))
            except Exception as error:
                # a mistake of ours with one contact must not keep all the others from their mail
                log.exception("a mail could not be made", run=batch.chunk.run, seq=one.seq)
                batch.result.skipped[one.seq] = (Gate.RENDER_ERROR, f"{type(error).__name__}: {error}")
            else:
                batch.on_wire += 1
                yield mail

    def started(self, key: MessageKey) -> None:
        batch = self._batch_of(key)
        batch.page.started(key.seq, self._post.clock())
        batch.begun.add(key.seq)

    def answered(self, key: MessageKey, outcome: Outcome) -> None:
        batch, now = self._batch_of(key), self._post.clock()
        batch.result.outcomes[key.seq] = outcome
        batch.result.moments[key.seq] = now
        batch.on_wire -= 1
        self._answered += 1
        self._finish(batch)
        batch.page.answered(key.seq, outcome, now)

    def stopping(self) -> bool:
        return self._halted or self._post.stopped() or monotonic() - self._looked > LOOK_PATIENCE

    def _batch_of(self, key: MessageKey) -> Batch:
        return next(batch for batch in self._flying if batch.holds(key))

    def _finish(self, batch: Batch) -> None:
        if batch.handed and not batch.on_wire:
            self._done.append(batch)
            self._wake.set()

    # ---- the clerk's side

    def _clerk(self) -> None:
        try:
            while not self._closing:
                self._wake.clear()
                self._look()
                if not self._settle_one() and not self._load_one():
                    self._wake.wait(LOOK_EVERY / 2)
        except Exception as error:  # noqa: BLE001 - raised again by `run`, in the thread that called
            self._failure = error
        self._halted = True

    def _settle_one(self) -> bool:
        if not self._done:
            return False
        self._settle(self._done.popleft(), None)
        return True

    def _load_one(self) -> bool:
        if len(self._loaded) >= AHEAD or self._halted or self._post.stopped():
            return False
        chunk = self._next_chunk()
        if chunk is None:
            self._dry = True
            return False
        if (batch := self._load(chunk)) is not None:
            self._flying += (batch,)
            self._loaded.append(batch)
        self._dry = False
        return True

    def _next_chunk(self) -> Chunk | None:
        if self._dry:  # others may be due by now, while the wire waits for a slow server
            with self._post.readers() as session:
                if not outbox.has_work(session):
                    return None
        with self._post.sessions.begin() as session:
            return self._claim(session)

    def _load(self, chunk: Chunk) -> Batch | None:
        """Make a claimed chunk ready for the wire; None if it cannot be, and then its run waits."""
        post, page = self._post, None
        try:
            messages = chunk.last - chunk.first + 1
            page = post.journal.page(chunk.run, chunk.number, chunk.fence, messages=messages)
            with post.readers() as session:
                loaded = loading.load(
                    session,
                    chunk,
                    post.mailings,
                    signing=post.signing,
                    secret=post.secret,
                    now=post.clock(),
                )
            return Batch(chunk, page, loaded, Result(skipped=loaded.skipped))
        except Revoked:
            log.warning("chunk was taken over", run=chunk.run, chunk=chunk.number)
        except Exception:
            log.exception("a chunk cannot be prepared; its run waits", run=chunk.run, chunk=chunk.number)
            until = post.clock() + PREPARE_REST
            _persist(post, chunk, lambda session: outbox.put_off(session, chunk, until=until))
        if page is not None:
            page.discard()
        return None

    def _look(self) -> None:
        """See whether all in flight may go on, and hold it for longer; what was taken over must not."""
        now = monotonic()
        if now - self._looked < LOOK_EVERY:
            return
        held = [batch.chunk for batch in self._flying]
        try:
            with self._post.readers() as session:
                self._halted |= outbox.may_go_on(session, held) != set(held)
            if now - self._renewed >= RENEW_EVERY:
                with self._post.sessions.begin() as session:
                    for chunk in held:
                        outbox.renew(session, chunk)
                self._renewed = now
        except Fenced:
            self._halted = True
        except AWAY:
            log.warning("the store is away; nothing more is begun", exc_info=True)
            return
        self._looked = now

    def _settle_all(self, rest: timedelta | None) -> None:
        now = self._post.clock()
        for batch in self._flying:
            batch.close(now)
            self._settle(batch, None if rest is None else now + rest)

    def _settle(self, batch: Batch, not_before: datetime | None) -> None:
        """Write what became of a batch; a store that is away is waited for."""
        post, now = self._post, self._post.clock()

        def write(session: Session) -> None:
            settling.settle(
                session,
                batch.chunk,
                batch.loaded.recipients,
                batch.result,
                secret=post.secret,
                is_test=batch.loaded.is_test,
                not_before=not_before,
                now=now,
            )

        _persist(post, batch.chunk, write)
        self._flying = tuple(one for one in self._flying if one is not batch)
        batch.page.discard()


def _persist(post: Postbox, chunk: Chunk, write: Callable[[Session], None]) -> None:
    """Write about a chunk in one transaction, again and again while the store is away.

    What is known of mails that have left must not be lost for that; a fence refuses what comes too late.
    """
    until = monotonic() + STORE_PATIENCE
    while True:
        try:
            with post.sessions.begin() as session:
                write(session)
        except AWAY:
            if monotonic() > until:
                raise
            log.warning("the store does not take what was sent; trying again", exc_info=True)
            sleep(STORE_REST)
        except Fenced:
            log.warning("chunk was taken over; nothing is written", run=chunk.run, chunk=chunk.number)
            return
        else:
            return
