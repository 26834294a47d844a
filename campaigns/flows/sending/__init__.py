"""Sending: chunk after chunk to the wire, without a pause between them.

This flow owns its transactions, since no mail can be rolled back. Two threads share the work:

    the clerk (clerk.py)                              the wire (wire.py; the thread that called)
    claim, committed → journal's page begun
      → load, every gate asked again  ── loaded ──▶   render → "started" → bytes → reply → "answered"
    states and history in one transaction  ◀── done ──  all of a chunk is answered
    each half second: is it all still ours, and to be sent?

What they share is a Flight (flight.py): the chunks between being claimed and being settled.
"""

import threading
from datetime import timedelta
from functools import partial
from time import monotonic

import structlog
from sqlalchemy.orm import Session

from campaigns import metrics
from campaigns.delivery.backoff_rules import told
from campaigns.delivery.journal import Revoked
from campaigns.errors import BackendError
from campaigns.flows.sending.clerk import AWAY, Claim, Clerk, Serves
from campaigns.flows.sending.flight import Flight, Postbox
from campaigns.flows.sending.wire import IS_COMPILED, Wire
from campaigns.records import outbox
from campaigns.records.outbox import Chunk

__all__ = ["AWAY", "IS_COMPILED", "Postbox", "drain", "send_this"]

BACKEND_REST = timedelta(seconds=30)  #: how long a chunk waits after its backend failed
FOLLOWED = 10.0  #: seconds in which others follow the chunk that a sender was told of

log = structlog.get_logger()


def drain(post: Postbox) -> int:
    """Send all that is due; gives how many messages were answered for.

    Raises:
        BackendError: the backend failed; what it had not taken is queued again for later.
    """
    with post.readers() as session:
        if not outbox.has_work(session, post.account, post.journal.owner):
            return 0

    def claim(session: Session, is_free: Serves) -> Chunk | None:
        owner, at_most = post.journal.owner, post.at_most
        return outbox.claim(session, owner, post.account, post.turns, at_most=at_most, serves=is_free)

    return _send(post, claim)


def send_this(post: Postbox, run: int, number: int, serves: Serves | None = None) -> int:
    """Send one chunk by name, if it is due and nobody has it; gives how many messages were answered for.

    While the wire is warm others follow that are due, as in `drain`, for some seconds: of the lanes that we
    serve, and first of those that nobody was told of.

    Raises:
        BackendError: the backend failed; what it had not taken is queued again for later.
    """
    owner, account, at_most = post.journal.owner, post.account, post.at_most
    until: float | None = None

    def claim(session: Session, is_free: Serves) -> Chunk | None:
        nonlocal until
        if until is None:
            this = outbox.claim_this(session, owner, run, number, account, at_most=at_most)
            until = monotonic() + (FOLLOWED if this else 0.0)
            return this
        if monotonic() >= until:
            return None
        ours = is_free if serves is None else lambda lane: serves(lane) and is_free(lane)
        following = partial(outbox.claim, session, owner, account, post.turns, at_most=at_most, serves=ours)
        return following(untold=True) or following()

    return _send(post, claim)


def _send(post: Postbox, claim: Claim) -> int:
    """Send until nothing is due, or something stands in the way; all that is known is settled then."""
    flight = Flight(post.allowance)
    clerk, wire = Clerk(post, flight, claim), Wire(post, flight)
    thread = threading.Thread(target=clerk.work, name="clerk")
    thread.start()
    rest = None
    try:
        post.backend.send(wire.mails(), wire)
    except BackendError as error:
        metrics.backend_failed(post.backend.name)
        asked = told(str(error))
        error.retry_after, error.busy = error.retry_after or asked, error.busy or asked is not None
        rest = BACKEND_REST
        raise
    except Revoked:
        metrics.fenced()
        log.warning("a chunk was taken over; its sender was too slow, or frozen")
    finally:
        # whatever went wrong: what is on the wire must be in the store
        flight.end()
        wire.close()
        thread.join()
        clerk.settle_all(rest)
    if clerk.failure is not None:
        raise clerk.failure
    return wire.count
