"""Recovery: settle what lost senders left behind, by what their journals say.

answered → settled · begun and unanswered → unknown · never begun → queued again

Without a journal that can be relied on (a power cut, a machine that is gone) all that has no outcome becomes
unknown: nobody is mailed twice. This flow owns its transactions, one a chunk.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from campaigns import metrics, settling
from campaigns.delivery import journal
from campaigns.delivery.journal import Read
from campaigns.records import campaigns, outbox
from campaigns.records.outbox import Chunk, Fenced
from campaigns.settling import Result
from campaigns.values import Outcome, OutcomeKind

TAKER = "recovery"  #: owner of a chunk between being taken over and being settled, in one transaction

log = structlog.get_logger()


@dataclass
class Recovered:
    """What was found of lost senders."""

    chunks: int = 0
    answered: int = 0  #: settled by the journal
    unknown: int = 0  #: in doubt from now on
    queued: int = 0  #: never begun; sent as if nothing had happened

    def __bool__(self) -> bool:
        return bool(self.chunks)


def recover(
    sessions: sessionmaker[Session],
    folder: Path,
    secret: bytes,
    clock: Callable[[], datetime],
    *,
    own: str | None = None,
) -> Recovered:
    """Settle the chunks of this machine's dead senders, and those whose lease has run out.

    A chunk that cannot be settled keeps no other from it: it is logged, and tried again the next time.

    Args:
        sessions: to write to the store.
        folder: holds the journals of this machine's senders.
        secret: keys the suppression hashes.
        clock: gives the moment of what is decided here.
        own: the sender that asks, if it has nothing in flight; what the store says it holds is settled too,
            such as a chunk whose claim was committed while the connection broke.

    """
    found = Recovered()
    with journal.abandoned(folder) as dead:
        for left in dead:
            with sessions.begin() as session:
                held = outbox.held_by(session, left.owner)
            stuck = False
            for chunk in held:
                read = left.read(chunk.run, chunk.number, chunk.fence)
                stuck |= not _conclude(sessions, chunk, read, secret, clock(), found)
            if not stuck:
                journal.remove(left, clock())
    with sessions.begin() as session:
        late = outbox.expired(session)
        if own is not None:
            late += [(chunk, own) for chunk in outbox.held_by(session, own)]
    for chunk, owner in late:
        read = journal.revoke(folder, owner, chunk.run, chunk.number, chunk.fence)
        _conclude(sessions, chunk, read, secret, clock(), found)
    if found:
        metrics.lease_expired(found.chunks)
        metrics.in_doubt(found.unknown)
        log.warning("a sender was lost", **vars(found))
    return found


def _conclude(
    sessions: sessionmaker[Session],
    chunk: Chunk,
    read: Read | None,
    secret: bytes,
    now: datetime,
    found: Recovered,
) -> bool:
    """Take a chunk over and settle it, in one transaction; nothing if somebody else did so first.

    False: it cannot be settled, for a reason that is not the store's; its journal is still needed.
    """
    try:
        with sessions.begin() as session:
            ours = outbox.take_over(session, chunk, TAKER)
            run = campaigns.get_run(session, chunk.run)
            ready, _ = outbox.load(session, ours, None)
            recipients = {one.seq: one for one in ready}
            result = _result(outbox.queued(session, ours), read, now)
            settling.settle(
                session,
                ours,
                recipients,
                result,
                secret=secret,
                is_test=run.kind == "test",
                now=now,
                expires_at=run.expires_at,
            )
            left = len(outbox.queued(session, ours))
    except Fenced:
        return True
    except (OperationalError, InterfaceError):
        raise  # about the store, not the chunk
    except Exception:
        log.exception("what a lost sender left cannot be settled", run=chunk.run, chunk=chunk.number)
        return False
    unknown = sum(1 for outcome in result.outcomes.values() if outcome.kind is OutcomeKind.UNKNOWN)
    found.chunks += 1
    found.unknown += unknown
    found.answered += len(result.outcomes) - unknown
    found.queued += left
    return True


def _result(queued: list[int], read: Read | None, now: datetime) -> Result:
    """What a journal says of the messages that have no outcome in the store."""
    result = Result()
    for seq in queued:
        if read is None:
            text = "the sender was lost, and no journal of it can be relied on"
            result.outcomes[seq], result.moments[seq] = Outcome(OutcomeKind.UNKNOWN, text=text), now
        elif seq in read.outcomes:
            result.outcomes[seq], result.moments[seq] = read.outcomes[seq], read.moments[seq]
        elif seq in read.started:
            text = f"begun at {read.started[seq]:%H:%M:%S.%f} UTC; its sender was lost before an answer came"
            result.outcomes[seq], result.moments[seq] = Outcome(OutcomeKind.UNKNOWN, text=text), now
        elif read.ceiling is not None and seq <= read.ceiling:
            text = "perhaps begun shortly before its machine went down"
            result.outcomes[seq], result.moments[seq] = Outcome(OutcomeKind.UNKNOWN, text=text), now
    return result
