"""Warm-ups of sending domains: each lane gets to know a new one by and by, whatever account its mail takes.

A plan is of a domain and an account, and holds for each lane by itself; where the lane's account is warmed up
too, both hold. A lane's day begins when its first mail is claimed, and steps when the worker sees a new date.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.delivery.warmup import Plan, Step, Yesterday, judge
from campaigns.model.dialect import insert_many
from campaigns.model.expressions import domain_of
from campaigns.model.lanes import domain_lanes, domain_warm_ups
from campaigns.model.mail import chunks, messages, runs, senders
from campaigns.records.lanes.refused import Place
from campaigns.records.lanes.rows import EVERY_ACCOUNT, day_of, log, tomorrow
from campaigns.records.pacing import space_out
from campaigns.values import Outcome, OutcomeKind

WORKER = "worker"
UNJUDGED = timedelta(minutes=1)  #: after which is asked again whether a new day has begun with its step
IDLE_DAYS = 35  #: without a mail, after which a warm-up begins anew; a monthly letter is no idleness


@dataclass(frozen=True, slots=True)
class DomainPlan:
    """A plan of a sending domain."""

    account: str
    domain: str
    plan: Plan


@dataclass(frozen=True, slots=True)
class Due:
    """A warm-up that is yet to take its step for a new day, and what came back of the mails of its day."""

    account: str
    lane: str
    plan: Plan
    date: str  #: of its day; empty: it is yet to begin
    domain: str = ""  #: that is warmed up; empty: the account is
    hard: int = 0
    complained: int = 0


@dataclass(frozen=True, slots=True)
class Warming:
    """Where a domain's warm-up stands in one lane of one account."""

    account: str
    domain: str
    lane: str
    plan: Plan
    day: int = 0
    date: str = ""  #: that the figures are of
    word: str = ""
    taken: int = 0
    taken_on: str = ""
    sent: int = 0
    deferred: int = 0
    hard: int = 0
    sent_on: str = ""

    @property
    def cap(self) -> int:
        """Mails on the day where it stands."""
        return self.plan.cap(self.day)

    def taken_today(self, now: datetime) -> int:
        """Mails that were given out today."""
        return self.taken if self.taken_on == day_of(now) else 0

    def left(self, now: datetime) -> int:
        """Mails that may be given out yet; none on a day before that before it is judged."""
        return 0 if is_unjudged(self.date, now) else max(0, self.cap - self.taken_today(now))

    def shut_until(self, now: datetime) -> datetime | None:
        """When to ask again; None: some are left."""
        if self.left(now):
            return None
        return now + UNJUDGED if is_unjudged(self.date, now) else tomorrow(now)


def is_unjudged(stood_on: str, now: datetime) -> bool:
    """Whether a warm-up stands where it stood on a day before: the worker is yet to let it take its step."""
    return "" < stood_on < day_of(now)


#: Made once: each claim asks for it.
ANY = sa.select(domain_warm_ups.c.domain).limit(1)
AT_ONCE = ("test", "form")  #: runs of few mails that somebody looks at the screen for
PLAN = ("base", "growth", "target")
STANDS = ("day", "date", "word", "taken", "taken_on", "sent", "deferred", "hard", "sent_on")


def plans(session: Session) -> list[DomainPlan]:
    """Every plan, by domain and account."""
    w = domain_warm_ups
    rows = session.execute(sa.select(w).order_by(w.c.domain, w.c.account))
    return [DomainPlan(row.account, row.domain, Plan(row.base, row.growth, row.target)) for row in rows]


def set_plan(
    session: Session, account: str, domain: str, plan: Plan | None, *, actor: str, now: datetime
) -> None:
    """Warm a sending domain up from its first day, or (None) no longer; what waited for tomorrow may go.

    A plan of every account leaves those as they stand that have their own.
    """
    _let_go(session, domain, now)  # chunks before lanes, as those who claim take them
    w, p = domain_warm_ups.c, domain_lanes.c
    session.execute(sa.delete(domain_warm_ups).where(w.account == account, w.domain == domain))
    mine = p.account == account
    if account == EVERY_ACCOUNT:
        mine = p.account.not_in(sa.select(w.account).where(w.domain == domain))
    session.execute(sa.delete(domain_lanes).where(p.domain == domain, mine))
    said = f"no warm-up of {domain}"
    if plan is not None:
        row = (account, domain, plan.base, plan.growth, plan.target)
        insert_many(session, domain_warm_ups, ("account", "domain", *PLAN), [row])
        said = f"warm-up of {domain} from {plan.base} a day by {plan.growth:g} to {plan.target}"
    log(session, account, "*", said, actor=actor, now=now)


def _let_go(session: Session, domain: str, now: datetime) -> None:
    """Let what waits for a domain's next day go now, of each run at its pace.

    That of a throttled run is due later that day, and the next days. What waits for its own retry, or for the
    morning of its time zone, goes on waiting.
    """
    c, m = chunks.c, messages.c
    throttled = sa.select(runs.c.id).where(runs.c.per_minute.is_not(None))
    of_chunk = (m.run_id == c.run_id, m.seq.between(c.first_seq, c.last_seq), m.state == "queued")
    deferred = sa.select(m.seq).where(*of_chunk, m.not_before.is_not(None)).exists()
    paced = sa.and_(c.not_before > tomorrow(now), c.run_id.in_(throttled), c.zone.is_(None), ~deferred)
    own = sa.select(runs.c.id).join(senders, senders.c.id == runs.c.sender_id)
    mine = c.run_id.in_(own.where(domain_of(session, senders.c.address) == domain))
    waits = (mine, c.state == "ready", sa.or_(c.not_before == tomorrow(now), paced))
    freed = set(session.scalars(sa.update(chunks).where(*waits).values(not_before=None).returning(c.run_id)))
    for run, per_minute in session.execute(
        sa.select(runs.c.id, runs.c.per_minute).where(runs.c.id.in_(freed), runs.c.id.in_(throttled))
    ).all():
        space_out(session, run, per_minute, now=now)


def is_any(session: Session) -> bool:
    """Whether any domain is warmed up."""
    return session.execute(ANY).one_or_none() is not None


def warming(session: Session, where: Place) -> Warming | None:
    """The warm-up that a run's mail falls under; None: its domain has none, or somebody waits for it."""
    if not is_any(session):
        return None
    w = domain_warm_ups
    query = (
        sa.select(w)
        .select_from(runs)
        .join(senders, senders.c.id == runs.c.sender_id)
        .join(w, w.c.domain == domain_of(session, senders.c.address))
        .where(runs.c.id == where.run, runs.c.kind.not_in(AT_ONCE))
        .where(w.c.account.in_([where.account, EVERY_ACCOUNT]))
        .order_by(sa.case((w.c.account == EVERY_ACCOUNT, 1), else_=0))
    )
    row = session.execute(query).first()
    if row is None:
        return None
    plan = Plan(row.base, row.growth, row.target)
    return _stand(session, Warming(where.account, row.domain, where.lane, plan))


def _here(one: Warming) -> sa.ColumnElement[bool]:
    p = domain_lanes.c
    return sa.and_(p.account == one.account, p.domain == one.domain, p.lane == one.lane)


def _stand(session: Session, one: Warming, *, locked: bool = False) -> Warming:
    query = sa.select(domain_lanes).where(_here(one))
    row = session.execute(query.with_for_update() if locked else query).mappings().one_or_none()
    if row is None:
        return one
    return Warming(one.account, one.domain, one.lane, one.plan, **{name: row[name] for name in STANDS})


def give_warm(session: Session, one: Warming, wanted: int, *, now: datetime) -> int:
    """Give out so many mails of a day's cap, or as many as are left of it."""
    today = day_of(now)
    made = [(one.account, one.domain, one.lane, today)]
    columns = ("account", "domain", "lane", "date")
    insert_many(session, domain_lanes, columns, made, conflict="ON CONFLICT DO NOTHING")
    one = _stand(session, one, locked=True)
    given = min(wanted, one.left(now))
    values = {"taken": one.taken_today(now) + given, "taken_on": today}
    session.execute(sa.update(domain_lanes).where(_here(one)).values(values))
    return given


def take_free_warm(session: Session, one: Warming) -> bool:
    """Keep others from a warm-up until the end, unless somebody has it, or it is new: then False."""
    mine = sa.select(domain_lanes.c.lane).where(_here(one))
    return session.execute(mine.with_for_update(skip_locked=True)).first() is not None


def settle_warm(
    session: Session, where: Place, outcomes: Mapping[int, Outcome], *, given: int, hard: int, now: datetime
) -> None:
    """Count what became of mails that were given out, and take back what was not begun."""
    one = warming(session, where)
    if one is None:
        return
    one = _stand(session, one, locked=True)
    kinds = Counter(outcome.kind for outcome in outcomes.values())
    spare = max(0, given - len(outcomes)) if one.taken_on == day_of(now) else 0
    sent = kinds[OutcomeKind.SENT]
    values = {
        "taken": max(0, one.taken - spare),
        "sent": one.sent + sent,
        "deferred": one.deferred + kinds[OutcomeKind.DEFERRED],
        "hard": one.hard + hard,
        "sent_on": day_of(now) if sent else one.sent_on,
    }
    session.execute(sa.update(domain_lanes).where(_here(one)).values(values))


def warming_lines(session: Session) -> list[Warming]:
    """Where every domain's warm-up stands in each lane that it has mailed, by domain, account and lane."""
    by_plan = {(one.account, one.domain): one.plan for one in plans(session)}
    p = domain_lanes
    found = []
    for row in session.execute(sa.select(p).order_by(p.c.domain, p.c.account, p.c.lane)).mappings():
        own, common = (row["account"], row["domain"]), (EVERY_ACCOUNT, row["domain"])
        plan = by_plan.get(own) or by_plan.get(common)
        if plan is not None:
            stands = {name: row[name] for name in STANDS}
            found.append(Warming(row["account"], row["domain"], row["lane"], plan, **stands))
    return found


def step_domain(session: Session, due: Due, now: datetime) -> bool:
    """Let a domain's warm-up take its step in one lane; False: it did, or began anew, in the meantime.

    One that was idle for long is forgotten: its next mail is of a first day.
    """
    one = _stand(session, Warming(due.account, due.domain, due.lane, due.plan), locked=True)
    if one.date != due.date:
        return False
    if is_long_ago(one.sent_on or one.taken_on, now):
        session.execute(sa.delete(domain_lanes).where(_here(one)))
        _tell(session, one, 0, f"{Step.BACK}: idle", now)
        return True
    gone = Yesterday(one.sent, one.hard + due.hard, due.hard, due.complained, one.deferred)
    step, day, why = judge(one.plan, one.day, gone)
    word = f"{step}: {why}" if why else step.value
    values = {"day": day, "date": day_of(now), "word": word, "sent": 0, "deferred": 0, "hard": 0}
    session.execute(sa.update(domain_lanes).where(_here(one)).values(values))
    if (day, word) != (one.day, one.word):
        _tell(session, one, day, word, now)
    return True


def _tell(session: Session, one: Warming, day: int, word: str, now: datetime) -> None:
    what = f"warm-up of {one.domain}, day {day + 1}: at most {one.plan.cap(day)} ({word})"
    log(session, one.account, one.lane, what, actor=WORKER, now=now)


def is_long_ago(day: str, now: datetime) -> bool:
    """Whether a UTC date is so long ago that a lane has forgotten us."""
    return day < day_of(now - timedelta(days=IDLE_DAYS))
