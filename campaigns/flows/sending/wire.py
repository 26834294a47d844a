"""The wire's side of sending: mails made as they are wanted, and what the backend tells of them."""

from collections.abc import Iterator
from itertools import islice
from time import monotonic
from typing import Final

import structlog

from campaigns.errors import BadInput
from campaigns.flows.sending.flight import TURN, Batch, Flight, Postbox
from campaigns.flows.sending.signatory import Signatory
from campaigns.records.outbox import Recipient
from campaigns.values import Gate, MessageKey, Outcome, OutcomeKind, Outgoing

IS_COMPILED: Final = not __file__.endswith(".py")  #: into machine code (tools/compiling.py)
LOOK_PATIENCE = (
    3.0  #: seconds after the clerk's last look in which mails may be begun: blind, we send nothing
)
#: Mails made in a row, while the wire soon takes them all: making and sending in turn, each would find the
#: processor's caches full of the other's, and both take half as long again.
MADE_AT_ONCE = 32
SOON = 0.1  #: seconds
#: Answers that may say something of us, for the clerk to judge.
NOT_TAKEN = frozenset({OutcomeKind.DEFERRED, OutcomeKind.FAILED})

log = structlog.get_logger()


class Wire:
    """Feeds the backend, and watches it (delivery.contract.Watch)."""

    def __init__(self, post: Postbox, flight: Flight) -> None:
        self.count = 0  #: messages answered
        self._post, self._flight = post, flight
        self._signatory = Signatory(post.clock)

    def mails(self) -> Iterator[Outgoing | None]:
        """Render as the wire takes them; None while the clerk has nothing loaded."""
        flight = self._flight
        while not flight.halted:
            if flight.loaded:
                batch = flight.loaded.popleft()
                flight.call()
                yield from self._signatory.sign(batch, self._of(batch))
                batch.handed = True
                self._finish(batch)
            elif flight.dry and not flight.on_wire():
                return
            else:
                yield None

    def _of(self, batch: Batch) -> Iterator[Outgoing | None]:
        """The mails of a batch, made some at a time, and handed over one by one while they may go."""
        waiting = iter(batch.loaded.recipients.values())
        at_once = 1
        while some := list(islice(waiting, at_once)):
            began = monotonic()
            for mail in [mail for one in some if (mail := self._made(batch, one)) is not None]:
                if batch.at_once is not None and not batch.stopped:
                    yield from self._turn(batch)
                if batch.stopped:
                    return
                if self._post.rate is not None:
                    yield from self._room()
                batch.on_wire += 1
                yield mail
            at_once = min(2 * at_once, MADE_AT_ONCE) if monotonic() - began < SOON else 1

    def _made(self, batch: Batch, one: Recipient) -> Outgoing | None:
        """Make a mail; a contact for whom the template fails is skipped, and says why."""
        now, loaded = self._post.clock(), batch.loaded
        try:
            return loaded.mailing.mail(one, bought=loaded.bought.get(one.customer_id, []), now=now)
        except BadInput as error:
            batch.result.skipped[one.seq] = (Gate.RENDER_ERROR, str(error))
        except Exception as error:
            # a mistake of ours with one contact must not keep all the others from their mail
            if not batch.mistakes:
                log.exception("a mail could not be made", run=batch.chunk.run, seq=one.seq)
            batch.mistakes[one.seq] = f"{type(error).__name__}: {error}"
        return None

    def _room(self) -> Iterator[None]:
        """Wait for the account's rate; nothing is in doubt meanwhile."""
        while not self._flight.allowance.take():
            self._flight.call()
            yield None

    def _turn(self, batch: Batch) -> Iterator[None]:
        """Wait until fewer mails of the lane are under way; after a while another lane has its turn."""
        flight, lane, began = self._flight, batch.chunk.lane, monotonic()
        while not batch.stopped and (under_way := flight.under_way(lane)) >= (batch.at_once or 1):
            flight.note_full(lane, under_way)
            if flight.loaded and flight.is_stuck(lane):
                batch.stopped = True
                return
            yield None
        flight.note_room(lane)
        batch.waited += monotonic() - began
        batch.stopped |= batch.waited > TURN and flight.is_wanted_by_others(lane)

    def started(self, key: MessageKey) -> None:
        batch = self._flight.batch_of(key)
        batch.page.started(key.seq, self._post.clock())
        batch.begun.add(key.seq)

    def answered(self, key: MessageKey, outcome: Outcome) -> None:
        batch, now = self._flight.batch_of(key), self._post.clock()
        batch.result.outcomes[key.seq] = outcome
        batch.result.moments[key.seq] = now
        batch.on_wire -= 1
        self.count += 1
        if outcome.kind in NOT_TAKEN:
            batch.heard.append(outcome)
        batch.page.answered(key.seq, outcome, now)
        self._finish(batch)

    def stopping(self) -> bool:
        flight = self._flight
        return flight.halted or self._post.stopped() or monotonic() - flight.looked > LOOK_PATIENCE

    def close(self) -> None:
        """Make no more mails."""
        self._signatory.close()

    def _finish(self, batch: Batch) -> None:
        if batch.handed and not batch.on_wire:
            self._flight.done.append(batch)
            self._flight.call()
