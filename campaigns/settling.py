"""What became of a chunk, written down whole: states, history, suppressions; in the caller's transaction.

The sender settles what it was answered, recovery what a lost sender's journal says. Why a mail was refused
is judged by the same rules as a mail that comes back: only a dead address is suppressed, and what is refused
for what we are or write has not failed while nothing else is taken: it waits, and soon a person is asked.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from campaigns.delivery.backoff_rules import told
from campaigns.delivery.refusals import Past, Refusals, judged
from campaigns.delivery.retry import next_try
from campaigns.delivery.returns import HARD, RULES_VERSION, Finding
from campaigns.records import accounts, history, lanes, outbox, suppressions
from campaigns.records.outbox import Chunk, Recipient
from campaigns.values import EventKind, Fact, Gate, Outcome, OutcomeKind

FIRST = 1  #: the fence of a chunk that was claimed but once: nothing of it was settled before
LATELY = timedelta(hours=1)  #: a mail that was taken so long ago shows that it is not about us
SHORTEST = timedelta(minutes=1)  #: that a deferred message waits, whatever the server says
BELIEVED = 2  #: tries after which a server may call us back earlier than we would come
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
    mistakes: dict[int, str] = field(default_factory=dict)  #: ours, in making a mail; it was not begun
    not_before: datetime | None = None  #: nothing of it goes again before; None: that does not matter


def settle(
    session: Session,
    chunk: Chunk,
    recipients: Mapping[int, Recipient],
    result: Result,
    *,
    secret: bytes,
    is_test: bool,
    now: datetime,
    expires_at: datetime | None = None,
) -> str:
    """Write a chunk's result; what was deferred or not begun is due again.

    What is deferred is tried again by itself: what was not begun does not wait for it, nor it for that.
    Gives why the campaign should be paused: all was refused, for what we are or write; empty: it should not.

    Raises:
        Fenced: the chunk is no longer ours; nothing is written.
    """
    whom = {seq: one.address for seq, one in recipients.items()}
    past = Past(taken=True) if is_test else _past(session, chunk, recipients, result, now)
    refusals = Refusals({}, "") if is_test else judged(result.outcomes, whom, past)
    erred, skipped = _mistaken(recipients, result, past, now)
    meant = {**refusals.put_off(result.outcomes), **erred}
    outcomes, retries = _give_up_or_retry(recipients, meant, now, expires_at)
    outbox.count_refused(session, chunk, refusals.refused)
    lanes.keep_refused(session, _place(chunk), refusals.alike, now)
    outbox.settle(
        session,
        chunk,
        outcomes,
        moments=result.moments,
        skipped={**result.skipped, **skipped},
        retry_at=result.not_before,
        retries=retries,
        now=now,
    )
    accounts.used(session, chunk.account, result.outcomes, result.moments, now)
    _count_for_lane(session, chunk, result.outcomes, refusals, now)
    if not is_test:
        at_once = chunk.fence == FIRST
        if at_once:
            history.record_sent(session, chunk.run, chunk.first, chunk.last)
        findings = refusals.findings
        history.record_many(
            session, _facts(chunk, recipients, outcomes, result.moments, findings, at_once=at_once)
        )
        _suppress_dead(session, chunk, recipients, outcomes, findings, secret, now)
    return refusals.pause


def _past(
    session: Session, chunk: Chunk, recipients: Mapping[int, Recipient], result: Result, now: datetime
) -> Past:
    """What came before in the same run and lane; it is asked only where something went wrong."""
    failed = any(one.kind is OutcomeKind.FAILED for one in result.outcomes.values())
    if not failed and not result.mistakes:
        return Past()
    taken, refused = outbox.refused_before(session, chunk, now - LATELY)
    tried = {seq: one.attempts for seq, one in recipients.items() if one.attempts}
    if taken or not failed:
        return Past(taken, refused, tried)
    alike, may_be_many = lanes.refused_alike(session, _place(chunk), now - LATELY)
    return Past(taken, refused, tried, alike, may_be_many)


def _place(chunk: Chunk) -> lanes.Place:
    return lanes.Place(chunk.run, chunk.account, chunk.lane)


def _mistaken(
    recipients: Mapping[int, Recipient], result: Result, past: Past, now: datetime
) -> tuple[dict[int, Outcome], dict[int, tuple[Gate, str]]]:
    """Those for whom we erred are skipped where others had their mail; else tried again, and skipped at last.

    A lane may give out one mail at a time: a mistake with every contact looks like one with this contact.
    """
    taken = past.taken or any(one.kind is OutcomeKind.SENT for one in result.outcomes.values())
    erred, skipped = {}, {}
    for seq, what in result.mistakes.items():
        tries = recipients[seq].attempts + 1 if seq in recipients else 1
        if taken or next_try(tries, now, seed=seq) is None:
            skipped[seq] = (Gate.RENDER_ERROR, what)
        else:
            erred[seq] = Outcome(OutcomeKind.DEFERRED, text=what)
    return erred, skipped


def _give_up_or_retry(
    recipients: Mapping[int, Recipient],
    outcomes: Mapping[int, Outcome],
    now: datetime,
    expires_at: datetime | None,
) -> tuple[dict[int, Outcome], dict[int, datetime]]:
    """Deferred messages are due again when the server said, or by the schedule of retries.

    Past the schedule's end they have failed. One that would be due after the campaign's time is due at its
    end, and then skipped as expired.
    """
    final, retries = dict(outcomes), {}
    for seq, outcome in outcomes.items():
        if outcome.kind is OutcomeKind.DEFERRED:
            tries = recipients[seq].attempts + 1 if seq in recipients else 1
            due = next_try(tries, now, seed=seq)
            if due is None:
                text = f"given up after {tries} tries: {outcome.text}"
                final[seq] = Outcome(OutcomeKind.FAILED, outcome.code, outcome.enhanced, text)
                continue
            due = _obeying(outcome, tries, due, now)
            retries[seq] = due if expires_at is None else min(due, max(expires_at, now))
    return final, retries


def _obeying(outcome: Outcome, tries: int, due: datetime, now: datetime) -> datetime:
    """When to try again where the server says when: the first times then, later only if it asks for more."""
    asked = told(outcome.text)
    if asked is None:
        return due
    then = now + max(asked, SHORTEST)
    return then if tries <= BELIEVED else max(due, then)


def _count_for_lane(
    session: Session, chunk: Chunk, outcomes: Mapping[int, Outcome], refusals: Refusals, now: datetime
) -> None:
    """Add to the day's figures of the lane, and give back what is left of its budget."""
    if not chunk.lane:
        return
    hard = sum(1 for one in refusals.findings.values() if one.kind in HARD)
    lanes.count_day(session, chunk.account, chunk.lane, outcomes.values(), hard=hard, now=now)
    if chunk.granted is not None:
        sent = sum(1 for one in outcomes.values() if one.kind is OutcomeKind.SENT)
        lanes.settle_warm(session, _place(chunk), outcomes, given=chunk.granted, hard=hard, now=now)
        lanes.release(
            session,
            chunk.account,
            chunk.lane,
            given=chunk.granted,
            begun=len(outcomes),
            sent=sent,
            now=now,
        )
    else:
        lanes.count_ungranted(session, chunk.account, chunk.lane, now)


def _facts(
    chunk: Chunk,
    recipients: Mapping[int, Recipient],
    outcomes: Mapping[int, Outcome],
    moments: Mapping[int, datetime],
    findings: Mapping[int, Finding],
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
            if (found := findings.get(seq)) is not None:
                detail |= {"class": found.kind.value, "rule": found.rule, "rules": RULES_VERSION}
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
    findings: Mapping[int, Finding],
    secret: bytes,
    now: datetime,
) -> None:
    for seq, found in findings.items():
        if found.kind in HARD and outcomes[seq].kind is OutcomeKind.FAILED and seq in recipients:
            hashed = suppressions.address_hash(secret, recipients[seq].address)
            evidence = {"run": chunk.run, "seq": seq, "reply": outcomes[seq].text}
            evidence |= {"class": found.kind.value, "rule": found.rule, "rules": RULES_VERSION}
            suppressions.add(session, hashed, "hard bounce", now=now, evidence=evidence, actor="sender")
