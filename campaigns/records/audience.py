"""The freeze: a run's audience becomes messages in one statement, every gate counted and kept."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.delivery.lanes import LANES, lane_of
from campaigns.model.customers import contacts, customers
from campaigns.model.dialect import changed, domain_of, insert_many, large_sorts
from campaigns.model.mail import chunks, messages, run_gates, runs
from campaigns.records import partitions
from campaigns.records.gates import Gates
from campaigns.values import Gate, MessageState, RunState

CHUNK = 1000  #: messages that a sender claims at once
THROTTLE_STEP = timedelta(seconds=10)  #: a throttled run gives out chunks at this distance
LAST = 2**31 - 1  #: where those stand whom a gate stopped, after every lane
SPREAD = 16  #: contacts entered one after the other, as those of one company are, go to so many places


class Stretch(NamedTuple):
    """Messages of one lane that follow each other."""

    lane: str
    first: int
    last: int  #: inclusive


#: The domains whose lane is known, while an audience is frozen: joined, never looked up row by row.
known = sa.Table(
    "known_domains",
    sa.MetaData(),
    sa.Column("domain", sa.String(255), primary_key=True),
    sa.Column("lane", sa.String(20)),
    sa.Column("place", sa.Integer, comment="of the lane among all"),
    prefixes=["TEMPORARY"],
    sqlite_with_rowid=False,
)


def freeze(
    session: Session,
    run: int,
    members: sa.Select[Any],
    gates: Gates,
    *,
    hold_out_percent: int,
    salt: int,
    per_minute: int | None,
    now: datetime,
) -> int:
    """Write a message for every member: first the mailable, without gaps, then those that a gate stopped.

    The mailable of one lane follow each other, so that every chunk is of one lane. `members` selects
    contact ids in one column `id`. A second call for the same run does nothing.
    Gives the number of mailable ones.
    """
    taken = changed(
        session,
        sa.update(runs)
        .where(runs.c.id == run, runs.c.state == RunState.OPEN.value)
        .values(state=RunState.RUNNING.value, frozen_at=now),
    )
    if not taken:
        return 0
    _put_known_domains(session)
    judged = _judged(members, gates, hold_out_percent, salt).subquery()
    large_sorts(session)
    with partitions.apart(session, run, members) as table:
        session.execute(_messages(session, table, run, judged))
    known.drop(session.connection())
    stretches = _stretches(session, run)
    mailable = stretches[-1].last if stretches else 0
    _keep_counts(session, run, mailable)
    _cut_chunks(session, run, stretches, per_minute, now)
    return mailable


def preview(
    session: Session, members: sa.Select[Any], gates: Gates, *, hold_out_percent: int, salt: int
) -> dict[str, int]:
    """Count, without writing, whom a freeze would mail ("mailable") and whom each gate would stop."""
    large_sorts(session)
    judged = _judged(members, gates, hold_out_percent, salt).subquery()
    query = sa.select(judged.c.gate, sa.func.count()).group_by(judged.c.gate)
    return {gate or "mailable": count for gate, count in session.execute(query)}


def mailable(members: sa.Select[Any], gates: Gates) -> sa.Select[Any]:
    """Select, in one column `id`, the members whom no gate would stop; the hold-out is not drawn."""
    judged = _judged(members, gates, 0, 0).subquery()
    return sa.select(judged.c.id).where(judged.c.gate.is_(None))


def _messages(session: Session, table: sa.Table, run: int, judged: sa.Subquery) -> sa.Insert:
    mailable = judged.c.gate.is_(None)
    queue = sa.func.coalesce(known.c.place, 0) * SPREAD + judged.c.id % SPREAD
    order = (sa.case((mailable, queue), else_=LAST), judged.c.id)
    rows = sa.select(
        sa.literal(run),
        sa.func.row_number().over(order_by=order),
        judged.c.id,
        sa.case((mailable, judged.c.email)),
        sa.case((mailable, MessageState.QUEUED.value), else_=MessageState.SKIPPED.value),
        judged.c.gate,
    ).outerjoin(known, sa.and_(mailable, known.c.domain == domain_of(session, judged.c.email)))
    return sa.insert(table).from_select(["run_id", "seq", "contact_id", "address", "state", "gate"], rows)


def _put_known_domains(session: Session) -> None:
    known.create(session.connection())
    places = {lane: place for place, lane in enumerate(dict.fromkeys(LANES.values()), start=1)}
    rows = ((domain, lane, places[lane]) for domain, lane in LANES.items())
    insert_many(session, known, ("domain", "lane", "place"), rows)


def _judged(members: sa.Select[Any], gates: Gates, hold_out_percent: int, salt: int) -> sa.Select[Any]:
    """Each member with its address and the gate that stops it, or null."""
    asked = (
        sa.select(contacts.c.id, contacts.c.email, gates.stopping().label("gate"))
        .join(customers, customers.c.id == contacts.c.customer_id)
        .where(contacts.c.id.in_(members))
        .cte("asked")
        .prefix_with("MATERIALIZED")  # else SQLite asks every gate twice
    )
    shared = (
        sa.select(asked.c.email, sa.func.min(asked.c.id).label("first"))
        .where(asked.c.gate.is_(None))
        .group_by(asked.c.email)
        .having(sa.func.count() > 1)
        .cte("shared")
    )
    gate = sa.case(
        (asked.c.gate.is_not(None), asked.c.gate),
        (shared.c.first != asked.c.id, Gate.DUPLICATE_ADDRESS.value),
        (_lot(asked.c.id, salt) < hold_out_percent, Gate.HOLD_OUT.value),
    )
    return sa.select(asked.c.id, asked.c.email, gate.label("gate")).outerjoin(
        shared, shared.c.email == asked.c.email
    )


def _lot(contact: sa.ColumnElement[int], salt: int) -> sa.ColumnElement[int]:
    """A number from 0 to 99, fixed for a contact and a salt, alike on both databases."""
    mixed = (contact % 1_000_003 * 2_654_435_761 + salt % 1_000_003 * 2_246_822_519) % 2**32
    return mixed * (mixed % 65_521 + 1) % 2**32 % 9_973 % 100


def _stretches(session: Session, run: int) -> list[Stretch]:
    """Where each lane's mailable messages stand: they follow each other, so that each end is soon found."""
    c = messages.c

    def lane_at(seq: int) -> str | None:
        query = sa.select(c.address).where(c.run_id == run, c.seq == seq)
        address = session.execute(query).scalar_one()
        return None if address is None else lane_of(address.split("@")[1])

    last = session.scalar(sa.select(sa.func.max(c.seq)).where(c.run_id == run)) or 0
    found: list[Stretch] = []
    first = 1
    while first <= last and (lane := lane_at(first)) is not None:
        found.append(Stretch(lane, first, _end_of(lane, first, last, lane_at)))
        first = found[-1].last + 1
    return found


def _end_of(lane: str, first: int, last: int, lane_at: Callable[[int], str | None]) -> int:
    others = bisect_left(range(first, last + 1), 1, key=lambda seq: int(lane_at(seq) != lane))
    return first + others - 1


def _keep_counts(session: Session, run: int, mailable: int) -> None:
    c = messages.c
    query = (
        sa.select(c.gate, sa.func.count())
        .where(c.run_id == run, c.seq > mailable, c.gate.is_not(None))
        .group_by(c.gate)
    )
    stopped = [{"run_id": run, "gate": gate, "count": count} for gate, count in session.execute(query)]
    if stopped:
        session.execute(sa.insert(run_gates), stopped)
    audience = mailable + sum(one["count"] for one in stopped)
    session.execute(sa.update(runs).where(runs.c.id == run).values(audience=audience, mailable=mailable))


def _cut_chunks(
    session: Session, run: int, lanes: Sequence[Stretch], per_minute: int | None, now: datetime
) -> None:
    """Cut each lane into chunks; a throttled run's chunks become due one after the other."""
    size = CHUNK
    if per_minute is not None:
        size = max(1, min(CHUNK, per_minute * int(THROTTLE_STEP.total_seconds()) // 60))
    rows: list[tuple[object, ...]] = []
    before = 0
    for number, (lane, first, last) in enumerate(_in_turn(lanes, size), start=1):
        due = None if per_minute is None else now + timedelta(minutes=before / per_minute)
        rows.append((run, number, lane, first, last, "ready", due))
        before += last - first + 1
    columns = ("run_id", "number", "lane", "first_seq", "last_seq", "state", "not_before")
    insert_many(session, chunks, columns, rows)


def _in_turn(lanes: Sequence[Stretch], size: int) -> Iterator[Stretch]:
    """The chunks of all lanes, mixed evenly: no lane waits until another has been served."""
    placed = []
    for lane, first, last in lanes:
        starts = range(first, last + 1, size)
        chunk = (Stretch(lane, start, min(start + size - 1, last)) for start in starts)
        placed += [((2 * n + 1) / len(starts), one) for n, one in enumerate(chunk)]
    for _, one in sorted(placed):
        yield one
