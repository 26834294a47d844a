"""What a lane may be given: asked at each claim, shared by all senders, in the claim's own transaction.

A lane with a rate gives out mails for about a second at once and is closed until they are paid for (GCRA);
nobody waits for it, and chunks of other lanes go meanwhile.
"""

from collections import defaultdict
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.delivery.backoff import TRIAL, TRIAL_PATIENCE, allowed, tried
from campaigns.model.base import Moment
from campaigns.model.dialect import is_postgres
from campaigns.model.lanes import lanes
from campaigns.model.mail import chunks
from campaigns.records.lanes.rows import (
    EVERY_ACCOUNT,
    WHOLE,
    Row,
    day_of,
    find,
    limits_at_start,
    take,
    tomorrow,
    write,
)
from campaigns.records.lanes.warming import UNJUDGED, Warming, give_warm, is_unjudged, take_free_warm

BURST = timedelta(seconds=1)  #: for which mails are given out at once, and which a late sender may catch up

_of_account = sa.select(lanes.c.lane).where(lanes.c.account == sa.bindparam("account"))
_held = lanes.c.held_until > sa.bindparam("now", type_=Moment())
#: Made once: each claim, and each look of each sender, asks for them.
HELD = _of_account.where(_held)
CLOSED = _of_account.where(sa.or_(_held, lanes.c.open_at > sa.bindparam("now", type_=Moment())))
#: Who serves which lane, and what is said of how many mails a lane bears at once.
SERVED = (
    sa.select(chunks.c.lane, chunks.c.owner)
    .where(chunks.c.state == "claimed", chunks.c.account == sa.bindparam("account"))
    .distinct()
)
BEARS = (
    sa.select(lanes.c.lane, lanes.c.connections, lanes.c.starts)
    .where(lanes.c.account.in_([sa.bindparam("account"), EVERY_ACCOUNT]))
    .where(sa.or_(lanes.c.connections.is_not(None), lanes.c.starts))
    .order_by(sa.case((lanes.c.account == EVERY_ACCOUNT, 1), else_=0))
)


def closed(session: Session, account: str, now: datetime, owner: str | None = None) -> frozenset[str]:
    """The lanes of an account from which nothing may be claimed now, for whatever reason; `WHOLE`: none.

    One that others serve, as many as it bears, is closed; who serves it may go on there.
    """
    shut = frozenset(session.scalars(CLOSED, {"account": account, "now": now}))
    return shut | _full(session, account, owner)


def _full(session: Session, account: str, owner: str | None) -> frozenset[str]:
    served: defaultdict[str, set[str]] = defaultdict(set)
    for lane, one in session.execute(SERVED, {"account": account}):
        served[lane].add(one)
    by_others = {lane: len(owners) for lane, owners in served.items() if owner not in owners}
    if not by_others:
        return frozenset()
    bears: dict[str, int] = {}
    starts: set[str] = set()
    for lane, connections, is_start in session.execute(BEARS, {"account": account}):
        if connections is not None:
            bears.setdefault(lane, connections)
        starts |= {lane} if is_start else set()
    bears = {lane: limits_at_start(lane).connections or 0 for lane in starts} | bears
    return frozenset(lane for lane, count in by_others.items() if 0 < bears.get(lane, 0) <= count)


def held(session: Session, account: str, now: datetime) -> frozenset[str]:
    """The lanes of an account to which nothing more may be begun, even of what is claimed; `WHOLE`: none."""
    return frozenset(session.scalars(HELD, {"account": account, "now": now}))


def budgeted(session: Session, account: str) -> frozenset[str]:
    """The lanes of an account that give out a few mails at a time: it is no use to queue more for them."""
    c = lanes.c
    limits = (c.per_day, c.warm_base, c.rate, c.slow)
    capped = sa.or_(c.per_minute > 0, sa.and_(c.starts, c.per_minute.is_(None)))
    few = sa.or_(c.half_open, capped, *[one.is_not(None) for one in limits])
    query = sa.select(c.lane).where(c.account.in_([account, EVERY_ACCOUNT]), few)
    return frozenset(session.scalars(query))


def grant(
    session: Session,
    account: str,
    lane: str,
    wanted: int,
    *,
    now: datetime,
    warming: Warming | None = None,
) -> int | None:
    """Give out so many mails of a lane's budget; 0: none now. None: it has no budget, and all may go.

    What is given of the lane's is at most what the warm-up of the sending domain, if it has one, gives.
    """
    if warming is not None:
        wanted = give_warm(session, warming, wanted, now=now)
    given = _within_quota(session, account, lane, wanted, now) if wanted else 0
    if warming is None:
        return given
    if given is not None and given < wanted:
        give_warm(session, warming, given - wanted, now=now)
        return given
    return wanted


def take_free(session: Session, account: str, lane: str, warming: Warming | None) -> bool:
    """Take what a grant of a lane's takes, unless somebody has it, or it is new: then False.

    For one who has another lane's in their hands, and must not wait: two who did so would wait in a ring.
    SQLite's writers are alone.
    """
    if not is_postgres(session):
        return True
    quota = find(session, account, WHOLE)
    wanted = [WHOLE] if quota is not None and quota.limits.per_day is not None else []
    wanted += [] if find(session, account, lane) is None else [lane]
    mine = sa.select(lanes.c.lane).where(lanes.c.account == account, lanes.c.lane.in_(wanted))
    free = warming is None or take_free_warm(session, warming)
    return free and len(session.execute(mine.with_for_update(skip_locked=True)).all()) == len(wanted)


def _within_quota(session: Session, account: str, lane: str, wanted: int, now: datetime) -> int | None:
    """What the lane gives, and at most what is left of the account's day."""
    quota = find(session, account, WHOLE)
    if quota is not None and quota.at(now).is_held(now):
        return 0
    if quota is None or quota.limits.per_day is None:
        return _grant(session, account, lane, wanted, now)
    quota = take(session, account, WHOLE, now=now)
    left = _left_today(quota, now) or 0
    if not left:
        return _give(session, quota, 0, tomorrow(now), now)
    of_lane = _grant(session, account, lane, min(wanted, left), now)
    given = min(wanted, left) if of_lane is None else of_lane
    return _give(session, quota, given, quota.open_at or now, now)


def _grant(session: Session, account: str, lane: str, wanted: int, now: datetime) -> int | None:
    if find(session, account, lane) is None:
        return None
    row = take(session, account, lane, now=now)
    state = row.at(now)
    if state.is_held(now) or (row.open_at is not None and row.open_at > now) or _is_full(session, row):
        return 0  # another sender was faster
    left = _left_today(row, now)
    if row.limits.plan is not None and is_unjudged(row.warm_date, now):
        left, until = 0, now + UNJUDGED
    else:
        until = tomorrow(now)
    if left == 0:
        return _give(session, row, 0, until, now)
    most = wanted if left is None else min(wanted, left)
    if state.half_open:
        return _give(session, row, min(most, TRIAL), now + TRIAL_PATIENCE, now)
    if state != row.state:
        write(session, row, now=now, state=state)
    rate = allowed(state, now, cap=row.limits.cap, ceiling=row.limits.ceiling(lane))
    if rate is not None:
        given = min(most, max(1, int(rate / 60 * BURST.total_seconds())))
        since = max(row.open_at or now - BURST, now - BURST)
        return _give(session, row, given, since + timedelta(minutes=given / rate), now)
    return None if left is None else _give(session, row, most, now, now)


def is_limited(session: Session, account: str, lane: str, now: datetime) -> bool:
    """Whether a lane gives out a few mails at a time by now: what was claimed without a budget must end."""
    row = find(session, account, lane)
    if row is None:
        return False
    state = row.at(now)
    rate = allowed(state, now, cap=row.limits.cap, ceiling=row.limits.ceiling(lane))
    return state.half_open or rate is not None or _left_today(row, now) is not None


def share(session: Session, owner: str, account: str, lane: str) -> int | None:
    """How many mails of a lane one of the senders that serve it may have under way at once; None: any."""
    row = find(session, account, lane)
    if row is None or not row.limits.connections:
        return None
    owners = _owners(session, account, lane)
    each, over = divmod(row.limits.connections, max(1, len(owners)))
    place = owners.index(owner) if owner in owners else len(owners)
    return max(1, each + (place < over))


def _is_full(session: Session, row: Row) -> bool:
    """Whether more senders serve a lane than it bears mails at once; who asks has its chunk by now."""
    most = row.limits.connections
    return bool(most) and len(_owners(session, row.account, row.lane)) > (most or 0)


def _owners(session: Session, account: str, lane: str) -> list[str]:
    """The senders that hold a chunk of a lane."""
    c = chunks.c
    query = sa.select(c.owner).where(c.state == "claimed", c.account == account, c.lane == lane)
    return [owner for owner in session.scalars(query.distinct().order_by(c.owner)) if owner]


def _left_today(row: Row, now: datetime) -> int | None:
    cap = row.limits.cap_of_day(row.warm_day)
    return None if cap is None else max(0, cap - row.taken_on(now))


def _give(session: Session, row: Row, given: int, open_at: datetime, now: datetime) -> int:
    taken = row.taken_on(now) + given
    write(session, row, now=now, open_at=open_at, day=day_of(now), taken=taken)
    return given


def release(
    session: Session, account: str, lane: str, *, given: int, begun: int, sent: int, now: datetime
) -> None:
    """Take back what was given out and not begun; a mail that was taken opens a lane that was held."""
    if lane != WHOLE and find(session, account, WHOLE) is not None:
        release(session, account, WHOLE, given=given, begun=begun, sent=0, now=now)
    row = take(session, account, lane, now=now)
    spare = max(0, given - begun)
    if spare and row.day == day_of(now):
        shut_for_today = row.open_at is not None and row.open_at >= tomorrow(now)
        open_at = now if shut_for_today else row.open_at
        write(session, row, now=now, taken=max(0, row.taken - spare), open_at=open_at)
    if row.state.half_open and not row.state.is_held(now):
        state = tried(row.state, now) if sent else row.state
        write(session, row, now=now, state=state, open_at=now)
