"""Signing beside the wire: other threads sign the next few mails, so that the wire waits for none."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime

import structlog

from campaigns.flows.sending.flight import Batch
from campaigns.values import MessageKey, Outgoing

THREADS = 2  #: one signs some 3,000 mails a second, more than one wire takes
AHEAD = 8  #: mails that are signed before the wire asks for them

log = structlog.get_logger()


class Signatory:
    """Signs a batch's mails in their order; one that cannot be signed is skipped, and says why."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._pool = ThreadPoolExecutor(THREADS, "signatory")

    def sign(self, batch: Batch, mails: Iterator[Outgoing | None]) -> Iterator[Outgoing | None]:
        """Give the mails with their signatures; whenever there is none at the moment, none is held back."""
        if batch.signer is None:
            yield from mails
            return
        waiting: deque[tuple[MessageKey, Future[Outgoing]]] = deque()
        for mail in mails:
            if mail is not None:
                signing = self._pool.submit(batch.signer.signed, mail, self._clock())
                waiting.append((mail.key, signing))
            if waiting and (mail is None or len(waiting) > AHEAD):
                yield _taken(batch, *waiting.popleft())
            elif mail is None:
                yield None
        while waiting:
            yield _taken(batch, *waiting.popleft())

    def close(self) -> None:
        """Sign nothing more."""
        self._pool.shutdown(cancel_futures=True)


def _taken(batch: Batch, key: MessageKey, signing: Future[Outgoing]) -> Outgoing | None:
    try:
        return signing.result()
    except Exception as error:
        # one mail that cannot be signed must neither go without, nor keep the others from going
        if not batch.mistakes:
            log.exception("a mail could not be signed", run=key.run, seq=key.seq)
        batch.mistakes[key.seq] = f"cannot be signed: {error}"
        batch.on_wire -= 1
        return None
