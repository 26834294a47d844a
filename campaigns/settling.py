"""What became of a chunk, written down whole: states, history, suppressions; in the caller's transaction.

The sender settles what it was answered, recovery what a lost sender's journal says.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from campaigns.delivery.retry import next_try
from campaigns.records import accounts, history, outbox, suppressions
from campaigns.records.outbox import Chunk, Recipient
from campaigns.values import EventKind, Fact, Gate, Outcome, OutcomeKind

#: Reply codes that say that the address itself is dead (RFC 3463): only these suppress it.
DEAD = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})
FIRST = 1  #: the fence of a chunk that was claimed but once: nothing of it was settled before
KIND = {
    OutcomeKind.SENT: EventKind.SENT,
    OutcomeKind.FAILED: EventKind.FAILED,
    OutcomeKind.UNKNOWN: EventKind.UNKNOWN,
}


@dataclass
class Result:
    """What came of a chunk's messages, by seq; one in neither mapping was not begun."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    moments: dict[int, datetime] = field(default_factory=dict)  #: when each was answered
    skipped: dict[int, tuple[Gate, str]] = field(default_factory=dict)


def settle(
    session: Session,
    chunk: Chunk,
    recipients: Mapping[int, Recipient],
    result: Result,
    *,
    secret: bytes,
    is_test: bool,
    not_before: datetime | None,
    now: datetime,
) -> None:
    """Write a chunk's result; what is deferred or was not begun is due again, not before a moment if given.

    A chunk is due as a whole: what was not begun does not wait for a moment to try the deferred ones again.

    Raises:
        Fenced: the chunk is no longer ours; nothing is written.
    """
    outcomes, retry_at = _give_up_or_retry(recipients, result.outcomes, now)
    if not_before is not None:
        retry_at = max(retry_at or not_before, not_before)
    elif recipients.keys() - outcomes.keys() - result.skipped.keys():
        retry_at = None
    outbox.settle(
        session,
        chunk,
        outcomes,
        moments=result.moments,
        skipped=result.skipped,
        retry_at=retry_at,
        now=now,
    )
    accounts.used(session, chunk.account, result.outcomes, result.moments, now)
    if not is_test:
        at_once = chunk.fence == FIRST
        if at_once:
            history.record_sent(session, chunk.run, chunk.first, chunk.last)
        history.record_many(session, _facts(chunk, recipients, outcomes, result.moments, at_once=at_once))
        _suppress_dead(session, chunk, recipients, outcomes, secret, now)


def _give_up_or_retry(
    recipients: Mapping[int, Recipient], outcomes: Mapping[int, Outcome], now: datetime
) -> tuple[dict[int, Outcome], datetime | None]:
    """Deferred messages are due again by the schedule of retries; past its end they have failed."""
    final, dues = dict(outcomes), []
    for seq, outcome in outcomes.items():
        if outcome.kind is OutcomeKind.DEFERRED:
            tries = recipients[seq].attempts + 1 if seq in recipients else 1
            due = next_try(tries, now, seed=seq)
            if due is None:
                text = f"given up after {tries} tries: {outcome.text}"
                final[seq] = Outcome(OutcomeKind.FAILED, outcome.code, outcome.enhanced, text)
            else:
                dues.append(due)
    return final, min(dues, default=None)


def _facts(
    chunk: Chunk,
    recipients: Mapping[int, Recipient],
    outcomes: Mapping[int, Outcome],
    moments: Mapping[int, datetime],
    *,
    at_once: bool,
) -> Iterator[Fact]:
    """What is to be told of each; of those that were sent nothing, where it was told at once."""
    run = chunk.run
    for seq, outcome in outcomes.items():
        if at_once and outcome.kind is OutcomeKind.SENT:
            continue
        kind = KIND.get(outcome.kind)
        if kind is not None and (one := recipients.get(seq)) is not None:
            detail: dict[str, object] = {}
            if kind is not EventKind.SENT:
                detail = {"code": outcome.code, "reply": outcome.text}
            key = f"{kind}:{run}:{seq}"
            if kind is EventKind.UNKNOWN:  # a message may be in doubt, be sent again, and be in doubt again
                key += f":{chunk.fence}"
            contact, customer = one.contact_id, one.customer_id
            yield Fact(kind, moments[seq], key, contact, customer, run, seq, "sender", detail=detail)


def _suppress_dead(
    session: Session,
    chunk: Chunk,
    recipients: Mapping[int, Recipient],
    outcomes: Mapping[int, Outcome],
    secret: bytes,
    now: datetime,
) -> None:
    for seq, outcome in outcomes.items():
        if outcome.kind is OutcomeKind.FAILED and outcome.enhanced in DEAD and seq in recipients:
            hashed = suppressions.address_hash(secret, recipients[seq].address)
            evidence = {"run": chunk.run, "seq": seq, "reply": outcome.text}
            suppressions.add(session, hashed, "hard bounce", now=now, evidence=evidence, actor="sender")
