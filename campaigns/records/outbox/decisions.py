"""What becomes of messages in doubt, decided by a person or by proof: sent after all, or queued again.

Every change asks for the state it changes, so that two who decide at once, or a proof that comes between,
change nothing twice. Locks are taken in the order of all writers: campaign, chunks, messages, run, history.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.customers import contacts
from campaigns.model.dialect import changed
from campaigns.model.events import events
from campaigns.model.mail import chunks, messages, runs
from campaigns.records import campaigns, history
from campaigns.records.outbox.doubts import PIECE, Evidence
from campaigns.values import CampaignState, EventKind, Fact, MessageKey, MessageState, RunState

ARRIVED, SEND_AGAIN = "arrived", "send again"  #: what an event's detail calls the decisions
PROVEN = "evidence"  #: source of what a proof settled; a person's source is "staff"


@dataclass(frozen=True, slots=True)
class Settled:
    """A message that was in doubt until now."""

    seq: int
    contact: int
    customer: int | None
    at: datetime  #: the moment of the doubt; of one that arrived not after its first proof


def arrive(
    session: Session, run: int, seqs: Sequence[int] | None, *, until: datetime, by: str, now: datetime
) -> int:
    """Count messages in doubt as sent; gives how many there were.

    They are those named, or else all of the run's that were in doubt at `until`: nobody has seen the others.
    """
    found = _choose(session, run, seqs, until)
    _change(session, run, found, {"state": MessageState.SENT.value})
    _count(session, run, sent=len(found), unknown=-len(found))
    _record(session, run, found, ARRIVED, "staff", {"by": by}, now)
    return len(found)


def send_again(
    session: Session, run: int, seqs: Sequence[int] | None, *, until: datetime, by: str, now: datetime
) -> int:
    """Queue messages in doubt again, as `arrive` chooses them; their chunks are due, every gate is asked."""
    spans = _hold_chunks(session, run)  # also one that is being sent: its end must see what waits in it
    # what came into doubt since they were held lies in a chunk that may be ending: it is left for next time
    placed = [(one, _within(spans, one.seq)) for one in _choose(session, run, seqs, until)]
    found = [one for one, number in placed if number is not None]
    _change(session, run, found, {"state": MessageState.QUEUED.value, "at": None, "not_before": None})
    due = sorted({number for _, number in placed if number is not None})
    for at in range(0, len(due), PIECE):
        session.execute(
            sa.update(chunks)
            .where(chunks.c.run_id == run, chunks.c.number.in_(due[at : at + PIECE]))
            .where(chunks.c.state.in_(["done", "ready"]))  # a ready one may wait for others, for a day
            .values(state="ready", owner=None, lease_until=None, not_before=None)
        )
    _count(session, run, sent=0, unknown=-len(found))
    _record(session, run, found, SEND_AGAIN, "staff", {"by": by}, now)
    return len(found)


def prove(session: Session, found: Mapping[MessageKey, Evidence], *, now: datetime) -> list[MessageKey]:
    """Count as sent what was in doubt and is proven to have arrived; gives those.

    So is one that a person has let be sent again and that still waits: it must not go out twice.
    """
    settled: list[MessageKey] = []
    for campaign, run, seqs in _open_to_proof(session, found):
        campaigns.hold(session, campaign)
        proofs = {seq: found[MessageKey(run, seq)] for seq in seqs}
        tried = [_prove_one(session, run, seq, proof) for seq, proof in proofs.items()]
        mine = [one for one in tried if one is not None]
        doubtful = sum(1 for _, was in mine if was == MessageState.UNKNOWN.value)
        _count(session, run, sent=len(mine), unknown=-doubtful)
        for one, _ in mine:
            _record(session, run, [one], ARRIVED, PROVEN, {"proof": proofs[one.seq].kind}, now)
        if mine:
            what = f"{len(mine)} in doubt proven to have arrived (run {run})"
            campaigns.log(session, campaign, what, actor=PROVEN, now=now)
            close(session, campaign, run, actor=PROVEN, now=now)
        settled += [MessageKey(run, one.seq) for one, _ in mine]
    return settled


def close(session: Session, campaign: int, run: int, *, actor: str, now: datetime) -> None:
    """Take the doubts from the state of a run that has none left, and of its campaign."""
    r = runs.c
    doubted = r.state == RunState.DOUBTS.value
    ended = sa.update(runs).where(r.id == run, doubted, r.unknown == 0)
    if not changed(session, ended.values(state=RunState.FINISHED.value)):
        return
    others = sa.select(r.id).where(r.campaign_id == campaign, r.kind != "test", doubted).limit(1)
    in_doubt = campaigns.get(session, campaign).state is CampaignState.DOUBTS
    if in_doubt and session.execute(others).one_or_none() is None:
        to = CampaignState.FINISHED
        expected = [CampaignState.DOUBTS]
        campaigns.move(session, campaign, to, expected=expected, actor=actor, what=f"is {to}", now=now)


def reopen(session: Session, run: int, to: RunState, *, expires_at: datetime) -> bool:
    """Let a run that had ended go on with what is queued again; False if it had not ended."""
    r = runs.c
    change = sa.update(runs).where(r.id == run, r.finished_at.is_not(None))
    values = {"state": to.value, "finished_at": None, "expires_at": expires_at}
    return changed(session, change.values(values)) == 1


def _choose(session: Session, run: int, seqs: Sequence[int] | None, until: datetime) -> list[Settled]:
    """Lock those of some messages, or of all, that are in doubt."""
    m = messages.c
    which: list[sa.ColumnElement[bool]] = [sa.or_(m.at.is_(None), m.at <= until)]
    if seqs is not None:
        which = [m.seq.in_(seqs[at : at + PIECE]) for at in range(0, len(seqs), PIECE)]
    query = (
        sa.select(m.seq, m.contact_id, contacts.c.customer_id, m.at)
        .outerjoin(contacts, contacts.c.id == m.contact_id)
        .where(m.run_id == run, m.state == MessageState.UNKNOWN.value)
        .order_by(m.seq)
        .with_for_update(of=messages)
    )
    rows = [row for some in which for row in session.execute(query.where(some))]
    return [Settled(row.seq, row.contact_id, row.customer_id, row.at or until) for row in rows]


def _change(session: Session, run: int, found: Sequence[Settled], values: dict[str, Any]) -> None:
    m, numbers = messages.c, [one.seq for one in found]
    for at in range(0, len(numbers), PIECE):
        session.execute(
            sa.update(messages)
            .where(m.run_id == run, m.seq.in_(numbers[at : at + PIECE]))
            .where(m.state == MessageState.UNKNOWN.value)
            .values(values)
        )


def _hold_chunks(session: Session, run: int) -> list[tuple[int, int, int]]:
    """Lock a run's chunks with messages in doubt: number, first and last seq."""
    m, c = messages.c, chunks.c
    inside = (m.run_id == run, m.seq.between(c.first_seq, c.last_seq), m.state == MessageState.UNKNOWN.value)
    query = (
        sa.select(c.number, c.first_seq, c.last_seq)
        .where(c.run_id == run, sa.exists().where(*inside))
        .order_by(c.first_seq)
        .with_for_update(of=chunks)
    )
    return [(row.number, row.first_seq, row.last_seq) for row in session.execute(query)]


def _within(spans: Sequence[tuple[int, int, int]], seq: int) -> int | None:
    """The number of the chunk that holds a message, if it is among these."""
    at = bisect_right(spans, seq, key=lambda span: span[1]) - 1
    return spans[at][0] if at >= 0 and seq <= spans[at][2] else None


def _open_to_proof(
    session: Session, found: Mapping[MessageKey, Evidence]
) -> list[tuple[int, int, list[int]]]:
    """Of the messages that are proven, those in doubt or waiting to be sent again: campaign, run, seqs."""
    m, keys = messages.c, sorted(found)
    states = (MessageState.UNKNOWN.value, MessageState.QUEUED.value)
    runs_of: dict[tuple[int, int], list[int]] = {}
    for at in range(0, len(keys), PIECE):
        query = (
            sa.select(runs.c.campaign_id, m.run_id, m.seq, m.state)
            .join(runs, runs.c.id == m.run_id)
            .where(sa.tuple_(m.run_id, m.seq).in_(keys[at : at + PIECE]), m.state.in_(states))
            .where(runs.c.kind != "test")
        )
        for campaign, run, seq, state in session.execute(query):
            if state == MessageState.UNKNOWN.value or _was_in_doubt(session, run, seq):
                runs_of.setdefault((run, campaign), []).append(seq)
    return [(campaign, run, sorted(seqs)) for (run, campaign), seqs in sorted(runs_of.items())]


def _was_in_doubt(session: Session, run: int, seq: int) -> bool:
    e = events.c
    decided = sa.select(e.id).where(e.run_id == run, e.kind == EventKind.DOUBT_SETTLED.value, e.seq == seq)
    return session.execute(decided.limit(1)).one_or_none() is not None


def _prove_one(session: Session, run: int, seq: int, proof: Evidence) -> tuple[Settled, str] | None:
    """One that waits is settled only while no sender holds its chunk: else it may be on the wire again."""
    m, c = messages.c, chunks.c
    here = (c.run_id == run, c.first_seq <= seq, c.last_seq >= seq)
    chunk = session.execute(sa.select(c.state).where(*here).with_for_update()).scalar_one_or_none()
    states = ["unknown"] if chunk == "claimed" else ["unknown", "queued"]
    this = (m.run_id == run, m.seq == seq, m.state.in_(states))
    row = session.execute(sa.select(m.state, m.at, m.contact_id).where(*this).with_for_update()).one_or_none()
    if row is None:
        return None
    at = min(row.at or proof.at, proof.at)
    session.execute(sa.update(messages).where(*this).values(state=MessageState.SENT.value, at=at))
    customer = session.scalar(sa.select(contacts.c.customer_id).where(contacts.c.id == row.contact_id))
    return Settled(seq, row.contact_id, customer, at), row.state


def _count(session: Session, run: int, *, sent: int, unknown: int) -> None:
    r = runs.c
    if sent or unknown:
        change = sa.update(runs).where(r.id == run)
        session.execute(change.values(sent=r.sent + sent, unknown=r.unknown + unknown))


def _record(
    session: Session,
    run: int,
    settled: Sequence[Settled],
    decision: str,
    source: str,
    why: dict[str, object],
    now: datetime,
) -> None:
    """Append the decision, and of what arrived that it was sent: caps and records count by that."""
    facts = []
    for one in settled:
        named = (one.contact, one.customer, run, one.seq)
        if decision == ARRIVED:
            facts.append(Fact(EventKind.SENT, one.at, f"sent:{run}:{one.seq}", *named, source))
        kind = EventKind.DOUBT_SETTLED
        key = f"{kind}:{run}:{one.seq}:{now.isoformat()}"
        facts.append(Fact(kind, now, key, *named, source, detail={"decision": decision, **why}))
    history.record_many(session, facts)
