"""What became of each lane's days, and where a warm-up stands."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.delivery.warmup import Step, Yesterday, judge
from campaigns.model.dialect import insert_many
from campaigns.model.events import events
from campaigns.model.lanes import lane_days, lanes
from campaigns.model.mail import chunks
from campaigns.records.lanes.refused import forget_refused
from campaigns.records.lanes.rows import EVERY_ACCOUNT, Row, day_of, find, log, take, write
from campaigns.records.lanes.warming import IDLE_DAYS, WORKER, is_any, step_domains
from campaigns.values import EventKind, Outcome, OutcomeKind

ADD = "ON CONFLICT (account, lane, day) DO UPDATE SET " + ", ".join(
    f"{name} = lane_days.{name} + excluded.{name}" for name in ("sent", "deferred", "failed", "hard")
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


def warm_up(session: Session, now: datetime) -> int:
    """Let each warm-up take its step for a new day, and forget old refusals; gives how many took one."""
    looked = step_domains(session, now)
    today = day_of(now)
    forget_refused(session, now)
    query = sa.select(lanes.c.account, lanes.c.lane).where(lanes.c.warm_date < today)
    for account, lane in session.execute(query.order_by(lanes.c.account, lanes.c.lane)).all():
        found = find(session, account, lane)
        if found is not None and found.limits.plan is not None and account != EVERY_ACCOUNT:
            _step(session, take(session, account, lane, now=now), today, now)
            looked += 1
    return looked


def is_warming(session: Session) -> bool:
    """Whether any lane, or any sending domain, is warmed up."""
    query = sa.select(lanes.c.lane).where(lanes.c.warm_base.is_not(None)).limit(1)
    return session.execute(query).one_or_none() is not None or is_any(session)


def _step(session: Session, row: Row, today: str, now: datetime) -> None:
    plan = row.limits.plan
    assert plan is not None, "only a lane with a plan takes a step"
    if not row.warm_date:
        write(session, row, now=now, warm_date=today, warm_day=0, warm_word="")
        return
    if _is_cold(session, row, today):
        step, day, why = Step.BACK, 0, "idle"
    else:
        step, day, why = judge(plan, row.warm_day, _day(session, row.account, row.lane, row.warm_date))
    word = f"{step}: {why}" if why else step.value
    write(session, row, now=now, warm_date=today, warm_day=day, warm_word=word, open_at=None)
    what = f"warm-up, day {day + 1}: at most {plan.cap(day)} ({word})"
    log(session, row.account, row.lane, what, actor=WORKER, now=now)


def _is_cold(session: Session, row: Row, today: str) -> bool:
    """Whether nothing went for so long that the lane has forgotten us."""
    since = (date.fromisoformat(today) - timedelta(days=IDLE_DAYS)).isoformat()
    c = lane_days.c
    mine = sa.and_(c.account == row.account, c.lane == row.lane, c.sent > 0)
    last = session.scalar(sa.select(sa.func.max(c.day)).where(mine))
    return last is not None and last < since


def _day(session: Session, account: str, lane: str, day: str) -> Yesterday:
    c = lane_days.c
    query = sa.select(c.sent, c.deferred, c.hard).where(c.account == account, c.lane == lane, c.day == day)
    row = session.execute(query).one_or_none()
    if row is None:
        return Yesterday()
    came = _came_back(session, account, lane, day)
    return Yesterday(row.sent, row.hard + came["hard"], came["hard"], came["complained"], row.deferred)


def _came_back(session: Session, account: str, lane: str, day: str) -> Counter[str]:
    """What came back on a day of mails to a lane: complaints, and notices of dead addresses."""
    start = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC)
    e, c = events.c, chunks.c
    kinds = [EventKind.COMPLAINED.value, EventKind.BOUNCED.value]
    query = (
        sa.select(e.kind, e.detail)
        .join(chunks, sa.and_(c.run_id == e.run_id, e.seq.between(c.first_seq, c.last_seq)))
        .where(e.kind.in_(kinds), e.at >= start, e.at < start + timedelta(days=1))
        .where(c.account == account, c.lane == lane)
    )
    found: Counter[str] = Counter()
    for kind, detail in session.execute(query):
        if kind == EventKind.COMPLAINED.value:
            found["complained"] += 1
        elif detail.get("hard"):
            found["hard"] += 1
    return found
