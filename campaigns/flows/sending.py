"""Sending: claim a chunk, render, send, settle. This flow owns its transactions: no mail is rolled back.

claim (committed) → load, gates asked again → render → wire → settle (states and history at once)
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic, sleep

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from campaigns import mailing
from campaigns.delivery.backend import Backend
from campaigns.delivery.retry import next_try
from campaigns.errors import BackendError, BadInput
from campaigns.mailing import Mailing, Signing
from campaigns.records import (
    campaigns,
    gates,
    history,
    messages,
    names,
    outbox,
    suppressions,
)
from campaigns.records.campaigns import Run
from campaigns.records.messages import Message
from campaigns.records.outbox import Chunk, Fenced, Recipient
from campaigns.values import EventKind, Fact, Gate, MessageKey, Outcome, OutcomeKind, Outgoing

KEPT_MAILINGS = 20
LOOK_EVERY = 0.5  #: seconds between looks whether a person has paused or cancelled
RENEW_EVERY = 60.0  #: seconds between renewals of the lease on a chunk that is being sent
BACKEND_REST = timedelta(seconds=30)  #: how long a chunk waits after its backend failed
PREPARE_REST = timedelta(minutes=1)  #: how long a run waits after its mail could not be prepared
STORE_REST = 1.0  #: seconds between two attempts to write what became of a chunk
STORE_PATIENCE = 600.0  #: seconds to go on attempting; less than the lease
#: Reply codes that say that the address itself is dead (RFC 3463): only these suppress it.
DEAD = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})
KIND = {
    OutcomeKind.SENT: EventKind.SENT,
    OutcomeKind.FAILED: EventKind.FAILED,
    OutcomeKind.UNKNOWN: EventKind.UNKNOWN,
}

log = structlog.get_logger()


@dataclass
class Postbox:
    """What a sender process works with."""

    sessions: sessionmaker[Session]
    readers: sessionmaker[Session]
    backend: Backend
    signing: Signing
    secret: bytes  #: keys the suppression hashes
    owner: str  #: names this sender in the chunks it holds
    clock: Callable[[], datetime]
    stopped: Callable[[], bool] = lambda: False  #: the process was asked to end
    mailings: dict[int, Mailing] = field(default_factory=dict)  #: by run; what was prepared once


@dataclass
class Work:
    """A claimed chunk with what is to be sent of it."""

    chunk: Chunk
    mailing: Mailing
    is_test: bool
    recipients: dict[int, Recipient]
    bought: dict[int, list[dict[str, object]]]
    skipped: dict[int, tuple[Gate, str]]


class Tally:
    """Keeps what the backend tells of a chunk, and tells it when to stop (delivery.contract.Watch)."""

    def __init__(self, post: Postbox, chunk: Chunk) -> None:
        self.outcomes: dict[int, Outcome] = {}
        self.moments: dict[int, datetime] = {}  #: when each was answered
        self._begun: set[int] = set()
        self._post, self._chunk = post, chunk
        self._looked = self._renewed = monotonic()
        self._stopping = False

    def started(self, key: MessageKey) -> None:
        """The crash journal will write this down."""
        self._begun.add(key.seq)

    def answered(self, key: MessageKey, outcome: Outcome) -> None:
        self.outcomes[key.seq] = outcome
        self.moments[key.seq] = self._post.clock()

    def close(self) -> None:
        """Whatever was begun and never answered may be on the wire: it must not be sent again."""
        for seq in self._begun - self.outcomes.keys():
            self.outcomes[seq] = Outcome(OutcomeKind.UNKNOWN, text="the backend gave no answer")
            self.moments[seq] = self._post.clock()

    def stopping(self) -> bool:
        if not self._stopping and monotonic() - self._looked >= LOOK_EVERY:
            self._stopping = self._post.stopped() or not self._may_go_on()
            self._looked = monotonic()
        return self._stopping

    def _may_go_on(self) -> bool:
        """Look, and hold the chunk for longer; a sender that was taken for lost must start nothing more."""
        with self._post.readers() as session:
            if not outbox.may_go_on(session, self._chunk):
                return False
        if monotonic() - self._renewed >= RENEW_EVERY:
            try:
                with self._post.sessions.begin() as session:
                    outbox.renew(session, self._chunk)
            except Fenced:
                return False
            self._renewed = monotonic()
        return True


def drain(post: Postbox) -> int:
    """Send all that is due; gives how many messages were answered for.

    Raises:
        BackendError: the backend failed; what it had not taken is queued again for later.
    """
    answered = 0
    while not post.stopped() and (chunk := _claim(post)) is not None:
        answered += send_chunk(post, chunk)
    return answered


def _claim(post: Postbox) -> Chunk | None:
    with post.readers() as session:
        if not outbox.has_work(session):  # the write lock is for those who need it
            return None
    with post.sessions.begin() as session:
        return outbox.claim(session, post.owner)


def send_chunk(post: Postbox, chunk: Chunk) -> int:
    """Send one claimed chunk; gives how many messages were answered for."""
    try:
        work = _load(post, chunk)
    except Exception:
        log.exception("a run's mail cannot be prepared; it waits", run=chunk.run)
        _put_off(post, chunk)
        return 0
    tally = Tally(post, chunk)
    rest: timedelta | None = None
    try:
        post.backend.send(_mails(post, work), tally)
    except BackendError:
        rest = BACKEND_REST
        raise
    finally:
        # whatever went wrong: what is on the wire must be in the store
        tally.close()
        _settle(post, work, tally, rest)
    return len(tally.outcomes)


def _put_off(post: Postbox, chunk: Chunk) -> None:
    """Give back a chunk that cannot be prepared, and let the rest of its run wait with it, not other runs."""
    until = post.clock() + PREPARE_REST
    try:
        _persist(post, lambda session: outbox.put_off(session, chunk, until=until))
    except Fenced:
        log.warning("chunk was taken over", run=chunk.run, chunk=chunk.number)


def _load(post: Postbox, chunk: Chunk) -> Work:
    now = post.clock()
    with post.readers() as session:
        run = campaigns.get_run(session, chunk.run)
        campaign = campaigns.get(session, run.campaign_id)
        common = _mailing(post, session, run, campaign.name)
        is_test = run.kind == "test"
        asked = None if is_test else gates.of_campaign(session, campaign, run.topic_id, now=now)
        ready, stopped = outbox.load(session, chunk, asked)
        if not is_test:
            stopped |= _moved_and_suppressed(session, post.secret, ready)
            ready = [one for one in ready if one.seq not in stopped]
        skipped = {seq: (gate, "") for seq, gate in stopped.items()}
        if now >= run.expires_at:
            skipped |= {one.seq: (Gate.EXPIRED, "") for one in ready}
            ready = []
        bought = {}
        if common.uses("order"):
            bought = names.last_orders(session, [one.customer_id for one in ready])
    return Work(chunk, common, is_test, {one.seq: one for one in ready}, bought, skipped)


def _moved_and_suppressed(session: Session, secret: bytes, ready: list[Recipient]) -> dict[int, Gate]:
    """Those whose address changed after the freeze while the old one, where the mail goes, is suppressed."""
    moved = [one for one in ready if one.address != one.contact["email"]]
    hashed = {one.seq: suppressions.address_hash(secret, one.address) for one in moved}
    listed = suppressions.hashes(session, hashed.values())
    return {seq: Gate.SUPPRESSED for seq, one in hashed.items() if one in listed}


def _mailing(post: Postbox, session: Session, run: Run, campaign: str) -> Mailing:
    """Prepare a run's mail once; few runs are open at a time, so few are kept."""
    if run.id not in post.mailings:
        if len(post.mailings) >= KEPT_MAILINGS:
            post.mailings.pop(next(iter(post.mailings)))
        post.mailings[run.id] = mailing.load(session, run, campaign, post.signing)
    return post.mailings[run.id]


def _mails(post: Postbox, work: Work) -> Iterator[Outgoing]:
    """Render as the wire takes them; a contact for whom the template fails is skipped, and says why."""
    for recipient in work.recipients.values():
        try:
            bought = work.bought.get(recipient.customer_id, [])
            yield work.mailing.mail(recipient, bought=bought, now=post.clock())
        except BadInput as error:
            work.skipped[recipient.seq] = (Gate.RENDER_ERROR, str(error))
        except Exception as error:
            # a mistake of ours with one contact must not keep all the others from their mail, again and again
            log.exception("a mail could not be made", run=work.chunk.run, seq=recipient.seq)
            work.skipped[recipient.seq] = (Gate.RENDER_ERROR, f"{type(error).__name__}: {error}")


def _settle(post: Postbox, work: Work, tally: Tally, rest: timedelta | None) -> None:
    now = post.clock()
    outcomes, retry_at = _give_up_or_retry(work, tally.outcomes, now)
    if rest is not None:
        retry_at = max(retry_at or now, now + rest)

    def write(session: Session) -> None:
        outbox.settle(
            session,
            work.chunk,
            outcomes,
            moments=tally.moments,
            skipped=work.skipped,
            retry_at=retry_at,
            now=now,
        )
        if not work.is_test:
            history.record_many(session, _facts(work, outcomes, tally.moments))
            _suppress_dead(session, post, work, outcomes, now)

    try:
        _persist(post, write)
    except Fenced:
        log.warning(
            "chunk was taken over; its outcomes are not written", run=work.chunk.run, chunk=work.chunk.number
        )


def _persist(post: Postbox, write: Callable[[Session], None]) -> None:
    """Write in one transaction, again and again while the store is away, locked or in a deadlock.

    What is known of mails that have left must not be lost for that; a fence refuses what comes too late.
    """
    until = monotonic() + STORE_PATIENCE
    while True:
        try:
            with post.sessions.begin() as session:
                write(session)
        except (OperationalError, InterfaceError):
            if monotonic() > until:
                raise
            log.warning("the store does not take what was sent; trying again", exc_info=True)
            sleep(STORE_REST)
        else:
            return


def _suppress_dead(
    session: Session, post: Postbox, work: Work, outcomes: dict[int, Outcome], now: datetime
) -> None:
    for seq in _dead(outcomes):
        hashed = suppressions.address_hash(post.secret, work.recipients[seq].address)
        evidence = {"run": work.chunk.run, "seq": seq, "reply": outcomes[seq].text}
        suppressions.add(session, hashed, "hard bounce", now=now, evidence=evidence, actor="sender")


def give_up_lost(session: Session, now: datetime) -> int:
    """List as in doubt, in the ledger and in the history, what lost senders left behind; gives how many."""
    doubtful = outbox.expire_leases(session, now=now)
    left = [messages.find(session, run, seq) for run, seq in doubtful]
    history.record_many(session, [_in_doubt(one, now) for one in left if one is not None and not one.is_test])
    return len(doubtful)


def _in_doubt(one: Message, now: datetime) -> Fact:
    kind = EventKind.UNKNOWN
    key = f"{kind}:{one.run}:{one.seq}"
    detail: dict[str, object] = {"code": None, "reply": one.reply}
    return Fact(kind, now, key, one.contact, one.customer, one.run, one.seq, "sender", detail=detail)


def _give_up_or_retry(
    work: Work, outcomes: dict[int, Outcome], now: datetime
) -> tuple[dict[int, Outcome], datetime | None]:
    """Deferred messages are due again by the schedule of retries; past its end they have failed."""
    final, dues = {}, []
    for seq, outcome in outcomes.items():
        final[seq] = outcome
        if outcome.kind is OutcomeKind.DEFERRED:
            due = next_try(work.recipients[seq].attempts + 1, now, seed=seq)
            if due is None:
                text = f"given up after {work.recipients[seq].attempts + 1} tries: {outcome.text}"
                final[seq] = Outcome(OutcomeKind.FAILED, outcome.code, outcome.enhanced, text)
            else:
                dues.append(due)
    return final, min(dues, default=None)


def _facts(work: Work, outcomes: dict[int, Outcome], moments: dict[int, datetime]) -> Iterator[Fact]:
    run = work.chunk.run
    for seq, outcome in outcomes.items():
        kind = KIND.get(outcome.kind)
        if kind is not None:
            one = work.recipients[seq]
            detail: dict[str, object] = {}
            if kind is not EventKind.SENT:
                detail = {"code": outcome.code, "reply": outcome.text}
            yield Fact(
                kind,
                moments[seq],
                f"{kind}:{run}:{seq}",
                one.contact_id,
                one.customer_id,
                run,
                seq,
                "sender",
                detail=detail,
            )


def _dead(outcomes: dict[int, Outcome]) -> list[int]:
    return [
        seq
        for seq, outcome in outcomes.items()
        if outcome.kind is OutcomeKind.FAILED and outcome.enhanced in DEAD
    ]
