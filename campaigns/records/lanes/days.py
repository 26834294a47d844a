"""What became of each lane's days, and where a warm-up stands."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.delivery.warmup import Step, Yesterday, judge
from campaigns.model.dialect import insert_many
from campaigns.model.events import events
from campaigns.model.expressions import domain_of
from campaigns.model.lanes import lane_days, lanes
from campaigns.model.mail import chunks, runs, senders
from campaigns.records.lanes.rows import (
    EVERY_ACCOUNT,
    WHOLE,
    Row,
    day_of,
    find,
    log,
    take,
    tomorrow,
    write,
)
from campaigns.records.lanes.warming import WORKER, Due, is_any, is_long_ago, step_domain, warming_lines
from campaigns.values import EventKind, Outcome, OutcomeKind

HARD, COMPLAINED = "hard", "complained"  #: what may come back
ADD = "ON CONFLICT (account, lane, day) DO UPDATE SET " + ", ".join(
    f"{name} = lane_days.{name} + excluded.{name}" for name in ("sent", "deferred", "failed", "hard")
)

#: Made once: each chunk that was claimed without a budget asks for it.
CAPPED = sa.select(lanes.c.lane).where(
    sa.or_(lanes.c.account == sa.bindparam("account"), lanes.c.account == EVERY_ACCOUNT),
    sa.or_(lanes.c.lane == sa.bindparam("lane"), lanes.c.lane == WHOLE),
    sa.or_(lanes.c.per_day.is_not(None), lanes.c.warm_base.is_not(None)),
)


def count_day(
    session: Session, account: str, lane: str, outcomes: Iterable[Outcome], *, hard: int, now: datetime
) -> None:
    """Add what a chunk's messages were answered to the day's figures."""
    kinds = Counter(one.kind for one in outcomes)
    if not kinds:
        return
    sent, deferred, failed = (
        kinds[one] for one in (OutcomeKind.SENT, OutcomeKind.DEFERRED, OutcomeKind.FAILED)
    )
    columns = ("account", "lane", "day", "sent", "deferred", "failed", "hard")
    row = (account, lane, day_of(now), sent, deferred, failed, hard)
    insert_many(session, lane_days, columns, [row], conflict=ADD)


def count_ungranted(session: Session, account: str, lane: str, now: datetime) -> None:
    """Count what went of a chunk that was claimed without a budget, where a cap of the day came meanwhile."""
    capped = set(session.scalars(CAPPED, {"account": account, "lane": lane}))
    for name in (WHOLE, lane):  # in the order of claims
        if name in capped:
            recount(session, account, name, now)


def recount(session: Session, account: str, lane: str, now: datetime) -> None:
    """Let a day's cap count all that a lane (`WHOLE`: an account) tried today, and all that is under way.

    For what went while there was no cap; what a claim without a budget has in hand counts as a whole until it
    is settled. Do so when a cap is set: from then on claims count what they are given.
    """
    row = take(session, account, lane, now=now)
    d, c = lane_days.c, chunks.c
    tried = sa.select(sa.func.coalesce(sa.func.sum(d.sent + d.deferred + d.failed), 0))
    tried = tried.where(d.account == account, d.day == day_of(now))
    size = sa.func.coalesce(c.granted, c.last_seq - c.first_seq + 1)
    going = sa.select(sa.func.coalesce(sa.func.sum(size), 0)).where(
        c.state == "claimed", c.account == account
    )
    if lane != WHOLE:
        tried, going = tried.where(d.lane == lane), going.where(c.lane == lane)
    # by one statement: between two, a chunk might be settled, and be in neither
    both = session.scalar(sa.select(tried.scalar_subquery() + going.scalar_subquery()))
    shut_for_today = row.open_at is not None and row.open_at >= tomorrow(now)
    open_at = None if shut_for_today else row.open_at
    write(session, row, now=now, day=day_of(now), taken=int(both or 0), open_at=open_at)


def used_by(session: Session, lane: str, now: datetime) -> list[str]:
    """The accounts of which a lane tried mails today, or has some under way, in order."""
    d, c = lane_days.c, chunks.c
    tried = sa.select(d.account).where(d.day == day_of(now), *([] if lane == WHOLE else [d.lane == lane]))
    going = sa.select(c.account).where(c.state == "claimed", *([] if lane == WHOLE else [c.lane == lane]))
    return sorted(session.scalars(tried.union(going)))


def warm_ups_due(session: Session, now: datetime) -> list[Due]:
    """The warm-ups for which a new day has begun; reads for long, writes nothing."""
    today, c = day_of(now), lanes.c
    found = [
        Due(one.account, one.lane, one.plan, one.date, one.domain)
        for one in warming_lines(session)
        if one.date < today
    ]
    query = sa.select(c.account, c.lane).where(c.warm_date < today, c.account != EVERY_ACCOUNT)
    for account, lane in session.execute(query.order_by(c.account, c.lane)).all():
        row = find(session, account, lane)
        if row is not None and row.limits.plan is not None:
            found.append(Due(account, lane, row.limits.plan, row.warm_date))
    came = {day: _came_back(session, day) for day in {one.date for one in found} if day}
    return [_with(one, came.get(one.date, Counter())) for one in found]


def _with(due: Due, came: Counter[tuple[str, ...]]) -> Due:
    place = (due.account, due.lane, due.domain)
    return replace(due, hard=came[*place, HARD], complained=came[*place, COMPLAINED])


def warm_up(session: Session, now: datetime, *, due: Due) -> bool:
    """Let one warm-up take its step for a new day; False: it did, or began anew, in the meantime."""
    if due.domain:
        return step_domain(session, due, now)
    row = take(session, due.account, due.lane, now=now)
    if row.limits.plan != due.plan or row.warm_date != due.date:
        return False
    _step(session, row, due, now)
    return True


def is_warming(session: Session) -> bool:
    """Whether any lane, or any sending domain, is warmed up."""
    query = sa.select(lanes.c.lane).where(lanes.c.warm_base.is_not(None)).limit(1)
    return session.execute(query).one_or_none() is not None or is_any(session)


def _step(session: Session, row: Row, due: Due, now: datetime) -> None:
    today = day_of(now)
    if not row.warm_date:
        write(session, row, now=now, warm_date=today, warm_day=0, warm_word="")
        return
    if _is_cold(session, row, now):
        step, day, why = Step.BACK, 0, "idle"
    else:
        step, day, why = judge(due.plan, row.warm_day, _day(session, due))
    word = f"{step}: {why}" if why else step.value
    write(session, row, now=now, warm_date=today, warm_day=day, warm_word=word, open_at=None)
    if (day, word) != (row.warm_day, row.warm_word):
        what = f"warm-up, day {day + 1}: at most {due.plan.cap(day)} ({word})"
        log(session, row.account, row.lane, what, actor=WORKER, now=now)


def _is_cold(session: Session, row: Row, now: datetime) -> bool:
    """Whether nothing went for so long that the lane has forgotten us."""
    c = lane_days.c
    mine = sa.and_(c.account == row.account, c.lane == row.lane, c.sent > 0)
    last = session.scalar(sa.select(sa.func.max(c.day)).where(mine))
    return last is not None and is_long_ago(last, now)


def _day(session: Session, due: Due) -> Yesterday:
    c = lane_days.c
    mine = (c.account == due.account, c.lane == due.lane, c.day == due.date)
    row = session.execute(sa.select(c.sent, c.deferred, c.hard).where(*mine)).one_or_none()
    if row is None:
        return Yesterday()
    return Yesterday(row.sent, row.hard + due.hard, due.hard, due.complained, row.deferred)


def _came_back(session: Session, day: str) -> Counter[tuple[str, ...]]:
    """What came back on a day, by account, lane and the sender's domain (empty: all), and what it is."""
    start = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
    e, c = events.c, chunks.c
    kinds = [EventKind.COMPLAINED.value, EventKind.BOUNCED.value]
    query = (
        sa.select(c.account, c.lane, domain_of(session, senders.c.address), e.kind, e.detail)
        .join(chunks, sa.and_(c.run_id == e.run_id, e.seq.between(c.first_seq, c.last_seq)))
        .outerjoin(runs, runs.c.id == e.run_id)
        .outerjoin(senders, senders.c.id == runs.c.sender_id)
        .where(e.kind.in_(kinds), e.at >= start, e.at < start + timedelta(days=1))
    )
    found: Counter[tuple[str, ...]] = Counter()
    for account, lane, domain, kind, detail in session.execute(query):
        what = COMPLAINED if kind == EventKind.COMPLAINED.value else HARD
        if what == COMPLAINED or detail.get("hard"):
            found.update((account, lane, one, what) for one in {"", domain or ""})
    return found
