"""Chunks: stretches of a run's messages, claimed, held by a lease and a fence, and given back."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.errors import NotAllowed
from campaigns.model.dialect import changed, database_now, is_postgres
from campaigns.model.mail import DUE, DUE_OF_LANE, chunks, runs
from campaigns.records import accounts, lanes
from campaigns.records.outbox.spreading import shift, wait
from campaigns.records.outbox.turns import Turns, due_lanes
from campaigns.values import MAIN, RunState

LEASE = timedelta(minutes=15)  #: renewed while sending; a server may take 13 minutes for its last answer
FREE = {"state": "ready", "owner": None, "lease_until": None}  #: what a chunk is that nobody holds


class Fenced(NotAllowed):
    """The chunk was taken over by another sender; nothing more may be written for it."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A claimed stretch of a run's messages."""

    run: int
    number: int
    first: int
    last: int
    fence: int
    account: str = MAIN  #: through which it goes
    lane: str = ""
    zone: str | None = None  #: time zone of its recipients; None: the campaign's
    most: int | None = None  #: of its messages, by the lane's budget or the account's rate; None: all
    granted: int | None = None  #: of the lane's budget, to be given back; None: it has none


def has_work(
    session: Session,
    account: str = MAIN,
    owner: str | None = None,
    *,
    serves: Callable[[str], bool] | None = None,
) -> bool:
    """Tell, taking no lock, whether a chunk is due in an account's queue, of an open lane that is served."""
    now = database_now(session)
    shut = lanes.closed(session, account, now, owner)
    if lanes.WHOLE in shut:
        return False
    if not shut and serves is None:
        return session.execute(_runs_with_work(account, now).limit(1)).one_or_none() is not None
    going = session.scalars(_runs_with_work(account, now)).all()
    due = (lane for run in going for lane in due_lanes(session, run, account, now))
    return any(lane not in shut and (serves is None or serves(lane)) for lane in due)


def claim(
    session: Session,
    owner: str,
    account: str = MAIN,
    turns: Turns | None = None,
    *,
    at_most: int | None = None,
    serves: Callable[[str], bool] | None = None,
    untold: bool = False,
) -> Chunk | None:
    """Take the next chunk that is due in an account's queue, tests first, then the oldest run's.

    None if there is none. Of a run's lanes that are open, `turns` says which is asked first. `at_most` so
    many of its messages are given out. `serves` says of which lanes; `untold`: only what no broker holds.
    """
    now = database_now(session)
    turns = turns or Turns()
    going = session.scalars(_runs_with_work(account, now)).all()
    shut = lanes.closed(session, account, now, owner) if going else frozenset()
    has_lost = False  # a lane to others who were faster
    for run in going if lanes.WHOLE not in shut else ():
        open_ones = {lane for lane in due_lanes(session, run, account, now) if not serves or serves(lane)}
        for lane in turns.order(session, run, account, open_ones - shut):
            place = lanes.Place(run, account, lane)
            warming = lanes.warming(session, place)
            if has_lost and not lanes.take_free(session, account, lane, warming):
                continue
            is_over = _is_over(session, place, warming, now)
            for due in () if is_over else _due(run, account, now, lane, untold=untold):
                free = due.with_for_update(skip_locked=True) if is_postgres(session) else due
                number = session.scalar(free)
                taken = None if number is None else _take(session, run, number, owner, account, now)
                if taken is not None and (chunk := _within_budget(session, taken, warming, now, at_most)):
                    turns.served(run, lane)
                    return chunk
                has_lost |= taken is not None
    return None


def _is_over(session: Session, place: lanes.Place, warming: lanes.Warming | None, now: datetime) -> bool:
    """Whether the domain's warm-up leaves nothing of its day in a lane; then all that is ready there waits.

    Asked before a chunk is taken: of two who had taken one, each would wait for the other's.
    """
    until = None if warming is None else warming.shut_until(now)
    if until is None:
        return False
    wait(session, place.run, until, *_to(place.account, place.lane))
    return True


def _to(account: str, lane: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (chunks.c.account == account, chunks.c.lane == lane)


def _within_budget(
    session: Session, chunk: Chunk, warming: lanes.Warming | None, now: datetime, at_most: int | None
) -> Chunk | None:
    """Let the lane say how many of a chunk's messages may go; give it back, as it was, if none may.

    What it gave is kept with the chunk: whoever settles it, gives back the rest.
    """
    size = chunk.last - chunk.first + 1
    wanted = size if at_most is None else min(size, at_most)
    most = lanes.grant(session, chunk.account, chunk.lane, wanted, now=now, warming=warming)
    if most == 0:
        # nobody saw that we had it: as far as its history goes, it was never claimed
        hold(session, chunk, {**FREE, "fence": chunk.fence - 1})
        return None
    if most is None:
        return replace(chunk, most=wanted) if wanted < size else chunk
    hold(session, chunk, {"granted": most})
    return replace(chunk, most=most, granted=most)


def claim_this(
    session: Session, owner: str, run: int, number: int, account: str = MAIN, *, at_most: int | None = None
) -> Chunk | None:
    """Take one chunk by name; None if it is not due.

    It is settled, held by another, moved to another account, or its run is not running.
    """
    now = database_now(session)
    this = (
        sa.select(chunks.c.lane)
        .join(runs, runs.c.id == chunks.c.run_id)
        .where(
            runs.c.state == RunState.RUNNING.value,
            chunks.c.run_id == run,
            chunks.c.number == number,
            *_waiting(account),
            sa.or_(*_is_due(now)),
            ~accounts.is_closed(account),
        )
    )
    lane = session.execute(this).scalar_one_or_none()
    if lane is None or {lane, lanes.WHOLE} & lanes.closed(session, account, now, owner):
        return None
    place = lanes.Place(run, account, lane)
    warming = lanes.warming(session, place)
    if _is_over(session, place, warming, now):
        return None
    taken = _take(session, run, number, owner, account, now)
    return None if taken is None else _within_budget(session, taken, warming, now, at_most)


def _runs_with_work(account: str, now: datetime) -> sa.Select[int]:
    """The running runs that have a chunk due: each is asked by the index, however many chunks it has."""
    firsts = [one.scalar_subquery() for one in _due(runs.c.id, account, now)]
    return (
        sa.select(runs.c.id)
        .where(
            runs.c.state == RunState.RUNNING.value,
            sa.or_(*[one.is_not(None) for one in firsts]),
            ~accounts.is_closed(account),
        )
        # somebody looks at the screen for a test mail: it goes before a million others
        .order_by(sa.case((runs.c.kind == "test", 0), else_=1), runs.c.id)
    )


def _due(
    run: int | sa.ColumnElement[int],
    account: str,
    now: datetime,
    lane: str | None = None,
    *,
    untold: bool = False,
) -> list[sa.Select[int]]:
    """A run's next chunk: the first of those that have waited enough, and the first that never had to wait.

    The order is the index's own, whole, so that PostgreSQL takes it whatever it thinks of the table.
    """
    never, waited = _is_due(now)
    order = [chunks.c[name] for name in (DUE if lane is None else DUE_OF_LANE)]
    mine = sa.select(chunks.c.number).where(chunks.c.run_id == run, *_waiting(account)).limit(1)
    if lane is not None:
        mine = mine.where(chunks.c.lane == lane)
    if untold:
        mine = mine.where(sa.or_(chunks.c.published_until.is_(None), chunks.c.published_until <= now))
    return [mine.where(moment).order_by(*order) for moment in (waited, never)]


def _waiting(account: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (chunks.c.state == "ready", chunks.c.account == account)


def _is_due(now: datetime) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    """Two conditions and not one with "or", so that each is a stretch of the index."""
    return chunks.c.not_before.is_(None), chunks.c.not_before <= now


def _take(session: Session, run: int, number: int, owner: str, account: str, now: datetime) -> Chunk | None:
    row = session.execute(
        sa.update(chunks)
        .where(chunks.c.run_id == run, chunks.c.number == number, *_waiting(account))
        .values(
            state="claimed",
            owner=owner,
            lease_until=now + LEASE,
            fence=chunks.c.fence + 1,
            not_before=None,
            published_until=None,
        )
        .returning(chunks.c.first_seq, chunks.c.last_seq, chunks.c.fence, chunks.c.lane, chunks.c.zone)
    ).one_or_none()
    if row is None:
        return None
    return Chunk(run, number, row.first_seq, row.last_seq, row.fence, account, row.lane, row.zone)


def renew(session: Session, chunk: Chunk) -> None:
    """Hold a chunk for another lease.

    Raises:
        Fenced: it is no longer ours.
    """
    hold(session, chunk, {"lease_until": database_now(session) + LEASE})


def may_go_on(session: Session, held: Iterable[Chunk]) -> set[Chunk]:
    """Those of some chunks that may still be sent: the run not paused nor cancelled, and not taken over."""
    wanted = list(held)
    if not wanted:
        return set()
    query = (
        sa.select(chunks.c.run_id, chunks.c.number, chunks.c.fence)
        .join(runs, runs.c.id == chunks.c.run_id)
        .where(
            runs.c.state == RunState.RUNNING.value,
            chunks.c.state == "claimed",
            sa.or_(*[sa.and_(chunks.c.run_id == one.run, chunks.c.number == one.number) for one in wanted]),
        )
    )
    going = {tuple(row) for row in session.execute(query)}
    return {one for one in wanted if (one.run, one.number, one.fence) in going}


def hold(session: Session, chunk: Chunk, values: dict[str, Any]) -> None:
    """Change a chunk that we hold; also locks it until the transaction ends.

    Raises:
        Fenced: it is no longer ours.
    """
    c = chunks.c
    change = (
        sa.update(chunks)
        .where(
            c.run_id == chunk.run,
            c.number == chunk.number,
            c.fence == chunk.fence,
            c.state == "claimed",
        )
        .values({"fence": c.fence, **values})
    )
    if not changed(session, change):
        raise Fenced(f"Chunk {chunk.number} of run {chunk.run} was taken over by another sender.")


def put_off(session: Session, chunk: Chunk, *, until: datetime, zone_only: bool = False) -> None:
    """Give a chunk back unsent, and let all that its run has ready wait until a moment.

    With `zone_only` the others wait only if they are for the same time zone.

    Raises:
        Fenced: the chunk is no longer ours; nothing is written.
    """
    hold(session, chunk, {**FREE, "granted": None})
    which = [chunks.c.zone.is_not_distinct_from(chunk.zone)] if zone_only else []
    if zone_only:
        shift(session, chunk.run, until, *which)
    wait(session, chunk.run, until, *which)
    if chunk.granted is not None:
        account, lane, given = chunk.account, chunk.lane, chunk.granted
        place, now = lanes.Place(chunk.run, account, lane), database_now(session)
        lanes.settle_warm(session, place, {}, given=given, hard=0, now=now)
        lanes.release(session, account, lane, given=given, begun=0, sent=0, now=now)


def held_by(session: Session, owner: str) -> list[Chunk]:
    """The chunks that one sender holds."""
    return [chunk for chunk, _ in _claimed(session, chunks.c.owner == owner)]


def expired(session: Session) -> list[tuple[Chunk, str]]:
    """The chunks whose lease has run out, by the database's clock, with their owners.

    One that is locked is left out: its owner may be frozen in the middle of writing, and nobody must wait.
    """
    return _claimed(session, chunks.c.lease_until < database_now(session), unlocked=True)


def _claimed(
    session: Session, which: sa.ColumnElement[bool], *, unlocked: bool = False
) -> list[tuple[Chunk, str]]:
    c = chunks.c
    query = (
        sa.select(c.run_id, c.number, c.first_seq, c.last_seq, c.fence, c.account, c.lane, c.zone)
        .add_columns(c.owner, c.granted)
        .where(c.state == "claimed", which)
        .order_by(c.run_id, c.number)
    )
    if unlocked and is_postgres(session):
        query = query.with_for_update(skip_locked=True)
    return [
        (replace(Chunk(*row[:8]), granted=row.granted), row.owner or "") for row in session.execute(query)
    ]


def take_over(session: Session, chunk: Chunk, owner: str) -> Chunk:
    """Take a chunk from an owner that is lost; whatever it still writes with its fence is refused.

    Raises:
        Fenced: it was settled or taken over in the meantime.
    """
    hold(
        session,
        chunk,
        {"fence": chunk.fence + 1, "owner": owner, "lease_until": database_now(session) + LEASE},
    )
    return replace(chunk, fence=chunk.fence + 1)


def is_drained(session: Session, run: int) -> bool:
    """Tell whether no chunk of a run is left to send or being sent."""
    query = sa.select(chunks.c.number).where(chunks.c.run_id == run, chunks.c.state != "done").limit(1)
    return session.execute(query).one_or_none() is None
