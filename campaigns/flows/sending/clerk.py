"""The clerk's side of sending: all that has to do with the store, in a thread of its own."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from time import monotonic, sleep

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from campaigns import loading, metrics, settling
from campaigns.delivery.journal import Page, Revoked
from campaigns.flows.sending.flight import Batch, Flight, Postbox
from campaigns.flows.sending.heeding import heed, pause, places, stop
from campaigns.loading import Closed
from campaigns.records import outbox, pace
from campaigns.records.outbox import Chunk, Fenced
from campaigns.settling import Result
from campaigns.values import OutcomeKind

AHEAD = 1  #: chunks loaded before the wire asks for them
BEHIND = 2  #: chunks answered for that may wait to be settled while others are loaded
RESERVED = 4  #: blocks of an account's rate that are reserved before the wire asks for them
LOOK_EVERY = 0.5  #: seconds between looks whether a person has paused or cancelled
RENEW_EVERY = 60.0  #: seconds between renewals of the lease on a chunk that is being sent
PREPARE_REST = timedelta(minutes=1)  #: how long a run waits after its mail could not be prepared
STORE_REST = 1.0  #: seconds between two attempts to write what became of a chunk
STORE_PATIENCE = 600.0  #: seconds to go on attempting; less than the lease
AWAY = (OperationalError, InterfaceError)  #: the store is away, locked, or in a deadlock

Serves = Callable[[str], bool]  #: whether something of a lane may be claimed here
Claim = Callable[[Session, Serves], Chunk | None]

log = structlog.get_logger()


class Clerk:
    """Claims, loads and settles chunks, and looks whether those in flight may go on."""

    def __init__(self, post: Postbox, flight: Flight, claim: Claim) -> None:
        self.failure: Exception | None = None
        self._post, self._flight, self._claim = post, flight, claim
        self._renewed = monotonic()

    def work(self) -> None:
        """Work until the wire is at rest; after a failure nothing more is begun."""
        try:
            while not self._flight.ended:
                self._look()
                self._reserve()
                if not self._load_one() and not self._settle_one():
                    self._flight.wait(LOOK_EVERY / 2)
        except Exception as error:  # noqa: BLE001 - raised again in the thread that sends
            self.failure = error
        self._flight.halted = True

    def settle_all(self, rest: timedelta | None) -> None:
        """Write what is known of all that is in flight; what was not begun waits for the rest, if given."""
        now = self._post.clock()
        for batch in self._flight.batches:
            batch.close(now)
            self._settle(batch, rest)

    # ---- claiming and loading

    def _load_one(self) -> bool:
        flight = self._flight
        if len(flight.loaded) >= AHEAD or len(flight.done) > BEHIND:
            return False
        if flight.halted or self._post.stopped():
            return False
        chunk = self._next_chunk()
        flight.dry = chunk is None
        if chunk is None:
            return False
        if (batch := self._load(chunk)) is not None:
            flight.add(batch)
        return True

    def _next_chunk(self) -> Chunk | None:
        post = self._post
        if self._flight.dry:  # others may be due by now, while the wire waits for a slow server
            with post.readers() as session:
                if not outbox.has_work(session, post.account, post.journal.owner, serves=self._is_free):
                    return None
        with post.sessions.begin() as session:
            return self._claim(session, self._is_free)

    def _is_free(self, lane: str) -> bool:
        return not self._flight.is_stuck(lane)

    def _load(self, chunk: Chunk) -> Batch | None:
        """Make a claimed chunk ready for the wire; None if it cannot be, and then its run waits."""
        post, page, claimed = self._post, None, monotonic()
        try:
            messages = chunk.last - chunk.first + 1
            page = post.journal.page(chunk.run, chunk.number, chunk.fence, messages=messages)
            return self._loaded(chunk, page, claimed)
        except Revoked:
            metrics.fenced()
            log.warning("chunk was taken over", run=chunk.run, chunk=chunk.number)
        except AWAY:
            log.warning("the store went away; the chunk is loaded again", exc_info=True)
            now = post.clock()
            self._persist(chunk, lambda session: outbox.put_off(session, chunk, until=now))
        except Closed as closed:
            until = closed.until
            self._persist(chunk, lambda session: outbox.put_off(session, chunk, until=until, zone_only=True))
        except Exception:
            log.exception("a chunk cannot be prepared; its run waits", run=chunk.run, chunk=chunk.number)
            until = post.clock() + PREPARE_REST
            self._persist(chunk, lambda session: outbox.put_off(session, chunk, until=until))
        if page is not None:
            page.discard()
        return None

    def _loaded(self, chunk: Chunk, page: Page, claimed: float) -> Batch:
        post = self._post
        with metrics.timing(metrics.loaded), post.readers() as session:
            loaded = loading.load(
                session, chunk, post.mailings, signing=post.signing, secret=post.secret, now=post.clock()
            )
            sender = loaded.mailing.shared.sender
            signer = None if post.identities is None else post.identities.of(session, sender)
            at_once = places(post, session, chunk.lane)
        return Batch(chunk, page, loaded, Result(skipped=loaded.skipped), claimed, signer, at_once)

    # ---- while mails are on their way

    def _look(self) -> None:
        """See whether all in flight may go on, and hold it for longer; what was taken over must not."""
        flight, now = self._flight, monotonic()
        if now - flight.looked < LOOK_EVERY:
            return
        held = [batch.chunk for batch in flight.batches]
        try:
            for batch in flight.batches:
                self._heed(batch)
            with self._post.readers() as session:
                going = outbox.may_go_on(session, held) == set(held)
                stop(self._post, session, flight.batches)
            if going and now - self._renewed >= RENEW_EVERY:
                with self._post.sessions.begin() as session:
                    for chunk in held:
                        outbox.renew(session, chunk)
                self._renewed = now
        except Fenced:
            going = False
        except AWAY:
            log.warning("the store is away; nothing more is begun", exc_info=True)
            return
        flight.halted |= not going
        flight.looked = now

    def _heed(self, batch: Batch) -> None:
        """Let a lane be held or slowed by what its servers said of us; all senders see it."""
        if batch.heard:
            heed(self._post, batch)

    def _reserve(self) -> None:
        """Keep some of the account's rate at hand, so that the wire need not ask for it."""
        rate, allowance = self._post.rate, self._flight.allowance
        waiting = any(not batch.handed for batch in self._flight.batches)
        if rate is None or not waiting or len(allowance) >= RESERVED:
            return
        name, count = self._post.account, pace.block(rate)
        with self._post.sessions.begin() as session:
            wait = pace.reserve(session, name, count, rate)
        metrics.rate_waited(name, wait)
        allowance.add(monotonic() + wait, count)

    # ---- settling

    def _settle_one(self) -> bool:
        if not self._flight.done:
            return False
        self._settle(self._flight.done.popleft(), None)
        return True

    def _settle(self, batch: Batch, rest: timedelta | None) -> None:
        """Write what became of a batch; a store that is away is waited for."""
        post, result = self._post, batch.result
        now = post.clock()
        with suppress(*AWAY):  # then the lane learns of it another time
            self._heed(batch)
        if batch.judge_mistakes():
            log.error("most mails of a chunk could not be made; they wait", mistakes=len(batch.mistakes))
            rest = max(rest or PREPARE_REST, PREPARE_REST)
        if doubts := sum(one.kind is OutcomeKind.UNKNOWN for one in result.outcomes.values()):
            log.warning(
                "no answer to mails that were handed over; they are in doubt",
                run=batch.chunk.run,
                chunk=batch.chunk.number,
                count=doubts,
            )
        result.not_before = None if rest is None else now + rest
        refused = ""

        def write(session: Session) -> None:
            nonlocal refused
            refused = settling.settle(
                session,
                batch.chunk,
                batch.loaded.recipients,
                result,
                secret=post.secret,
                is_test=batch.loaded.is_test,
                now=now,
                expires_at=batch.loaded.expires_at,
            )

        with metrics.timing(metrics.settled):
            self._persist(batch.chunk, write)
        self._flight.remove(batch)
        batch.page.discard()
        if refused:
            self._persist(batch.chunk, lambda session: pause(session, batch.chunk.run, refused, now))
        metrics.ran_chunk(monotonic() - batch.claimed)
        if moments := result.moments.values():
            metrics.sent_chunk(post.backend.name, (max(moments) - min(moments)).total_seconds())
        metrics.results(
            post.backend.name, result.outcomes.values(), (gate for gate, _ in result.skipped.values())
        )

    def _persist(self, chunk: Chunk, write: Callable[[Session], None]) -> None:
        """Write about a chunk in one transaction, again and again while the store is away.

        What is known of mails that have left must not be lost for that; a fence refuses what comes too late.
        """
        until = monotonic() + STORE_PATIENCE
        while True:
            try:
                with self._post.sessions.begin() as session:
                    write(session)
            except AWAY:
                if monotonic() > until:
                    raise
                metrics.store_retried()
                log.warning("the store does not take what was sent; trying again", exc_info=True)
                sleep(STORE_REST)
            except Fenced:
                metrics.fenced()
                log.warning("chunk was taken over; nothing is written", run=chunk.run, chunk=chunk.number)
                return
            else:
                return
