"""The freeze: a run's audience becomes messages in one statement, every gate counted and kept."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.delivery.lanes import ALL_LANES, LANES, OTHER
from campaigns.model.customers import contacts, customers
from campaigns.model.dialect import changed, insert_many, large_sorts
from campaigns.model.events import events
from campaigns.model.expressions import domain_of
from campaigns.model.lanes import domains
from campaigns.model.mail import chunks, messages, run_gates, runs
from campaigns.records import partitions
from campaigns.records.gates import Gates
from campaigns.values import EventKind, Gate, MessageState, RunState, Verdict

CHUNK = 1000  #: messages that a sender claims at once
THROTTLE_STEP = timedelta(seconds=10)  #: a throttled run gives out chunks at this distance
SPREAD_STEP = timedelta(seconds=30)  #: so far from their own moment are mails of a spread run, at most
LAST = 2**31 - 1  #: where those stand whom a gate stopped, after every lane
SPREAD = 16  #: contacts entered one after the other, as those of one company are, go to so many places


class Stretch(NamedTuple):
    """Messages of one lane, and of one time zone where that matters, that follow each other."""

    lane: str
    zone: str | None
    first: int
    last: int  #: inclusive


@dataclass(frozen=True, slots=True)
class Timing:
    """How a run's mails are spread over time."""

    per_minute: int | None = None  #: None: as fast as it goes
    spread: timedelta | None = None  #: each recipient has a moment within it; None: not spread
    by_zone: bool = False  #: chunks are of one time zone, for its hours are asked
    engaged_first: bool = False  #: those who clicked or answered lately go first, for an account is new


AT_ONCE = Timing()
ENGAGED = timedelta(days=180)  #: since a person's click or answer
MOMENTS = 997  #: places within a spread; a prime, so that no pattern of ids shows


PLACES = {lane: place for place, lane in enumerate((lane for lane in ALL_LANES if lane != OTHER), start=1)}

#: The domains of the table of lanes, while an audience is frozen. Those that the DNS was asked about, which
#: may be very many, are joined where they are kept.
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
    timing: Timing = AT_ONCE,
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
    judged = _judged(members, gates, hold_out_percent, salt, everybody=True).subquery()
    large_sorts(session)
    with partitions.apart(session, run, members) as table:
        session.execute(_messages(session, table, run, judged, timing, now))
    stretches = _stretches(session, run, by_zone=timing.by_zone)
    known.drop(session.connection())
    mailable = stretches[-1].last if stretches else 0
    _keep_counts(session, run, mailable)
    _cut_chunks(session, run, stretches, timing, now)
    return mailable


def preview(
    session: Session, members: sa.Select[Any], gates: Gates, *, hold_out_percent: int, salt: int
) -> dict[str, int]:
    """Count, without writing, whom a freeze would mail ("mailable") and whom each gate would stop."""
    large_sorts(session)
    judged = _judged(members, gates, hold_out_percent, salt).subquery()
    query = sa.select(judged.c.gate, sa.func.count()).group_by(judged.c.gate)
    return {gate or "mailable": count for gate, count in session.execute(query)}


def standing(
    session: Session, few: Sequence[int], gates: Gates, *, hold_out_percent: int, salt: int
) -> dict[int, str | None]:
    """Give the gate that would stop each of a few members, or None, looked up one by one."""
    held_out = _lot(contacts.c.id, salt, 100) < hold_out_percent
    query = (
        sa.select(contacts.c.id, contacts.c.email, gates.stopping(gates.left_at(contacts.c.email)), held_out)
        .join(customers, customers.c.id == contacts.c.customer_id)
        .where(contacts.c.id.in_(few))
        .order_by(contacts.c.id)
    )
    taken: set[str] = set()
    found = {}
    for contact, email, gate, is_held_out in session.execute(query):
        shared = Gate.DUPLICATE_ADDRESS.value if email in taken else None
        found[contact] = gate or shared or (Gate.HOLD_OUT.value if is_held_out else None)
        taken.update([email] if gate is None else [])
    return found


def mailable(members: sa.Select[Any], gates: Gates) -> sa.Select[Any]:
    """Select, in one column `id`, the members whom no gate would stop; the hold-out is not drawn."""
    judged = _judged(members, gates, 0, 0).subquery()
    return sa.select(judged.c.id).where(judged.c.gate.is_(None))


def _messages(
    session: Session, table: sa.Table, run: int, judged: sa.Subquery, timing: Timing, now: datetime
) -> sa.Insert:
    mailable = judged.c.gate.is_(None)
    rows = sa.select(
        sa.literal(run),
        sa.func.row_number().over(order_by=_order(judged, mailable, run, timing, now)),
        judged.c.id,
        sa.case((mailable, judged.c.email)),
        sa.case((mailable, MessageState.QUEUED.value), else_=MessageState.SKIPPED.value),
        judged.c.gate,
    )
    domain = domain_of(session, judged.c.email)
    rows = rows.outerjoin(known, sa.and_(mailable, known.c.domain == domain))
    rows = rows.outerjoin(domains, sa.and_(mailable, _heard_of(domain)))
    return sa.insert(table).from_select(["run_id", "seq", "contact_id", "address", "state", "gate"], rows)


def _order(
    judged: sa.Subquery, mailable: sa.ColumnElement[bool], run: int, timing: Timing, now: datetime
) -> list[sa.ColumnElement[Any]]:
    """By lane, and within it so that those entered together do not follow each other."""
    place = sa.func.coalesce(known.c.place, sa.case(PLACES, value=domains.c.lane), 0)
    if timing == AT_ONCE:
        return [sa.case((mailable, place * SPREAD + judged.c.id % SPREAD), else_=LAST), judged.c.id]
    order: list[sa.ColumnElement[Any]] = [sa.case((mailable, place), else_=LAST)]
    if timing.by_zone:
        theirs = sa.select(contacts.c.time_zone).where(contacts.c.id == judged.c.id)
        order.append(sa.func.coalesce(theirs.scalar_subquery(), ""))
    if timing.engaged_first:
        order.append(sa.case((_is_engaged(judged.c.id, now), 0), else_=1))
    spread = _lot(judged.c.id, run, MOMENTS) if timing.spread is not None else judged.c.id % SPREAD
    return [*order, spread, judged.c.id]


def _is_engaged(contact: sa.ColumnElement[int], now: datetime) -> sa.ColumnElement[bool]:
    e = events.c
    acts = (EventKind.CLICKED, EventKind.SCORE_CLICKED, EventKind.ANSWERED, EventKind.REPLIED)
    people = sa.select(e.contact_id).where(
        e.kind.in_([act.value for act in acts]), e.verdict == Verdict.HUMAN.value, e.at >= now - ENGAGED
    )
    return contact.in_(people.where(e.contact_id.is_not(None)))


def _put_known_domains(session: Session) -> None:
    known.create(session.connection())
    rows = ((domain, lane, PLACES[lane]) for domain, lane in LANES.items())
    insert_many(session, known, ("domain", "lane", "place"), rows)


def _heard_of(domain: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """A domain that was asked about, has a lane, and is not of the table, which comes first."""
    has_lane = domains.c.lane.in_(PLACES)
    return sa.and_(known.c.domain.is_(None), domains.c.domain == domain, has_lane)


def _judged(
    members: sa.Select[Any], gates: Gates, hold_out_percent: int, salt: int, *, everybody: bool = False
) -> sa.Select[Any]:
    """Each member with its address and the gate that stops it, or null.

    For `everybody` the noes of all are collected first, else each member's address is looked up.
    """
    people = contacts.join(customers, customers.c.id == contacts.c.customer_id)
    others = gates.left_at(contacts.c.email)
    if everybody:
        left = gates.left_addresses()
        people = people.outerjoin(left, left.c.email == contacts.c.email)
        others = gates.left_in(left)
    asked = (
        sa.select(contacts.c.id, contacts.c.email, gates.stopping(others).label("gate"))
        .select_from(people)
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
        (_lot(asked.c.id, salt, 100) < hold_out_percent, Gate.HOLD_OUT.value),
    )
    return sa.select(asked.c.id, asked.c.email, gate.label("gate")).outerjoin(
        shared, shared.c.email == asked.c.email
    )


def _lot(contact: sa.ColumnElement[int], salt: int, count: int) -> sa.ColumnElement[int]:
    """One of so many numbers from 0 on, fixed for a contact and a salt, alike on both databases."""
    mixed = (contact % 1_000_003 * 2_654_435_761 + salt % 1_000_003 * 2_246_822_519) % 2**32
    return mixed * (mixed % 65_521 + 1) % 2**32 % 9_973 % count


def _stretches(session: Session, run: int, *, by_zone: bool = False) -> list[Stretch]:
    """Where each lane's mailable messages stand: they follow each other, so that each end is soon found."""
    c = messages.c
    zone = sa.func.coalesce(contacts.c.time_zone, "") if by_zone else sa.literal("")
    query = (
        sa.select(c.address, sa.func.coalesce(known.c.lane, domains.c.lane, OTHER), zone)
        .outerjoin(known, known.c.domain == domain_of(session, c.address))
        .outerjoin(domains, _heard_of(domain_of(session, c.address)))
        .where(c.run_id == run, c.seq == sa.bindparam("seq"))
    )
    if by_zone:
        query = query.outerjoin(contacts, contacts.c.id == c.contact_id)

    def kind_at(seq: int) -> tuple[str, str | None] | None:
        address, lane, name = session.execute(query, {"seq": seq}).one()
        return None if address is None else (lane, name or None)

    last = session.scalar(sa.select(sa.func.max(c.seq)).where(c.run_id == run)) or 0
    found: list[Stretch] = []
    first = 1
    while first <= last and (kind := kind_at(first)) is not None:
        found.append(Stretch(*kind, first, _end_of(kind, first, last, kind_at)))
        first = found[-1].last + 1
    return found


def _end_of(kind: object, first: int, last: int, kind_at: Callable[[int], object]) -> int:
    others = bisect_left(range(first, last + 1), 1, key=lambda seq: int(kind_at(seq) != kind))
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
    session: Session, run: int, stretches: Sequence[Stretch], timing: Timing, now: datetime
) -> None:
    """Cut each stretch into chunks; a throttled or spread run's chunks become due one after the other."""
    rows: list[tuple[object, ...]] = []
    before = 0
    size = _size(stretches, timing)
    for number, (at, one) in enumerate(_in_turn(stretches, size), start=1):
        due = [now + timedelta(minutes=before / timing.per_minute)] if timing.per_minute else []
        due += [now + timing.spread * at] if timing.spread is not None else []
        rows.append((run, number, one.lane, one.zone, one.first, one.last, "ready", max(due, default=None)))
        before += one.last - one.first + 1
    columns = ("run_id", "number", "lane", "zone", "first_seq", "last_seq", "state", "not_before")
    insert_many(session, chunks, columns, rows)


def _size(stretches: Sequence[Stretch], timing: Timing) -> int:
    """So many messages in a chunk that one does not hold more than goes in a step."""
    sizes = [CHUNK]
    if timing.per_minute is not None:
        sizes.append(timing.per_minute * int(THROTTLE_STEP.total_seconds()) // 60)
    if timing.spread is not None:
        steps = max(1, int(timing.spread / SPREAD_STEP))
        sizes.append(sum(one.last - one.first + 1 for one in stretches) // steps)
    return max(1, min(sizes))


def _in_turn(stretches: Sequence[Stretch], size: int) -> Iterator[tuple[float, Stretch]]:
    """The chunks of all stretches, mixed evenly, each with its place from 0 to 1.

    No lane waits until another has been served.
    """
    placed = []
    for lane, zone, first, last in stretches:
        starts = range(first, last + 1, size)
        chunk = (Stretch(lane, zone, start, min(start + size - 1, last)) for start in starts)
        placed += [((2 * n + 1) / len(starts), one) for n, one in enumerate(chunk)]
    for place, one in sorted(placed, key=lambda pair: (pair[0], pair[1].first)):
        yield place / 2, one
