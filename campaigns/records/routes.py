"""In which account's queue each chunk waits; the only writer of that."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.delivery.routes import Route, Routing, deal, shares
from campaigns.model.consent import topics
from campaigns.model.dialect import is_postgres, update_many
from campaigns.model.mail import chunks, runs, senders
from campaigns.records import accounts, campaigns
from campaigns.records.accounts import Standing

MOST_MOVED = 20_000  #: chunks that leave an account in one transaction; the next tick goes on


@dataclass(frozen=True, slots=True)
class Moved:
    """Chunks of a run that went over to another account."""

    run: int
    campaign: int
    account: str  #: that they left
    to: str
    chunks: int
    mails: int  #: at most; some may have been sent before


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits for an account."""

    chunks: int = 0
    mails: int = 0  #: in chunks that nobody has begun; in others at most


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Ready chunks of one run, lane and account."""

    run: int
    campaign: int
    topic_class: str
    sender: str
    lane: str
    account: str
    number: int | None = None  #: of the one chunk that is meant; None: all

    def route(self, routing: Routing) -> Route:
        return routing.route_of(self.topic_class, self.sender, self.lane)


def assign(
    session: Session, run: int, routing: Routing | None, now: datetime, *, number: int | None = None
) -> None:
    """Give the chunks of a run that was just frozen to accounts, as the routes say; or one chunk of it.

    An account through which nothing went for longer than its route bears is left out. Equal runs are dealt
    alike.
    """
    if routing is None or routing.is_plain():
        return
    known = accounts.standings(session)
    which = chunks.c.run_id == run if number is None else _this(run, number)
    for found in _stretches(session, which):
        one = replace(found, number=number)
        route = one.route(routing)
        weights = shares(route, lost(routing, route, known, now)) or route.accounts
        if len(weights) > 1:
            _give(session, one, deal(weights, _seed(one)))
        elif one.account not in weights:
            [account] = weights
            session.execute(sa.update(chunks).where(*_ready(one)).values(account=account))


def move(session: Session, routing: Routing, now: datetime) -> list[Moved]:
    """Take what waits for accounts that are lost over to others of its route, in proportion to their weights.

    Lost is through whom nothing went for longer than the route bears, and who left the accounts file. What
    waits for an account that its route names no more goes over too.
    What a sender holds stays where it is, and so does what no account of its route can take.
    """
    known = accounts.standings(session)
    found = _stretches(session, chunks.c.account.in_(suspects(session, routing, now)))
    for campaign in sorted({one.campaign for one in found}):
        campaigns.hold(session, campaign)  # before its chunks, as all do who change both
    moved: list[Moved] = []
    for one in found:
        route = one.route(routing)
        is_lost = lost(routing, route, known, now)
        leaves = is_lost(one.account) or one.account not in route.names()
        weights = shares(route, is_lost) if leaves else {}
        if weights:
            moved += _give(session, one, deal(weights, f"{_seed(one)}:{one.account}"), MOST_MOVED)
        if sum(each.chunks for each in moved) >= MOST_MOVED:
            break
    return moved


def suspects(session: Session, routing: Routing, now: datetime) -> set[str]:
    """The accounts that something waits for and that are closed, or that its route does not name."""
    waiting = _waiting(session)
    shut = {name for name, one in accounts.standings(session).items() if one.silent_for(now)}
    found = waiting & (shut | (waiting - routing.accounts.keys()))
    others = _stretches(session, chunks.c.account.in_(waiting - found)) if waiting - found else []
    return found | {one.account for one in others if one.account not in one.route(routing).names()}


def lost(routing: Routing, route: Route, known: dict[str, Standing], now: datetime) -> Callable[[str], bool]:
    """Tells of an account whether a route must do without it."""

    def is_lost(name: str) -> bool:
        silent = known[name].silent_for(now) if name in known else None
        return name not in routing.accounts or (silent is not None and silent > route.failover_after)

    return is_lost


def queues(session: Session) -> dict[str, Queue]:
    """What waits in each account's queue, by name."""
    c = chunks.c
    mails = sa.func.sum(c.last_seq - c.first_seq + 1)
    query = sa.select(c.account, sa.func.count(), mails).where(c.state == "ready").group_by(c.account)
    return {name: Queue(count, int(sum_)) for name, count, sum_ in session.execute(query)}


def _seed(one: _Stretch) -> str:
    return f"{one.run}:{one.lane}:{one.number or ''}"


def _this(run: int, number: int) -> sa.ColumnElement[bool]:
    return sa.and_(chunks.c.run_id == run, chunks.c.number == number)


def _stretches(session: Session, which: sa.ColumnElement[bool]) -> list[_Stretch]:
    """What is ready, counted by the index alone."""
    c = chunks.c
    ready = (
        sa.select(c.run_id, c.lane, c.account)
        .where(c.state == "ready", which)
        .group_by(c.run_id, c.lane, c.account)
        .subquery()
    )
    query = (
        sa.select(
            ready.c.run_id,
            runs.c.campaign_id,
            topics.c.topic_class,
            senders.c.address,
            ready.c.lane,
            ready.c.account,
        )
        .join(runs, runs.c.id == ready.c.run_id)
        .join(topics, topics.c.id == runs.c.topic_id)
        .join(senders, senders.c.id == runs.c.sender_id)
        .order_by(ready.c.run_id, ready.c.lane, ready.c.account)
    )
    return [_Stretch(*row) for row in session.execute(query)]


def _ready(one: _Stretch) -> tuple[sa.ColumnElement[bool], ...]:
    c = chunks.c
    which = c.run_id == one.run if one.number is None else _this(one.run, one.number)
    return (which, c.state == "ready", c.lane == one.lane, c.account == one.account)


def _give(session: Session, one: _Stretch, dealt: Iterator[str], most: int | None = None) -> list[Moved]:
    """Deal a stretch's chunks out, at most so many; those that are being claimed stay where they are."""
    c = chunks.c
    query = sa.select(c.number, c.last_seq - c.first_seq + 1).where(*_ready(one)).order_by(c.number)
    query = query.limit(most)
    free = query.with_for_update(skip_locked=True) if is_postgres(session) else query
    given: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for row, account in zip(session.execute(free).all(), dealt, strict=False):
        given[account].append((row[0], row[1]))
    given.pop(one.account, None)
    # a broker holds their numbers for those who serve the account that they leave
    rows = [(one.run, number, account, None) for account in given for number, _ in given[account]]
    update_many(session, chunks, ("run_id", "number"), ("account", "published_until"), rows)
    return [
        Moved(one.run, one.campaign, one.account, name, len(taken), sum(mails for _, mails in taken))
        for name, taken in given.items()
    ]


def _waiting(session: Session) -> set[str]:
    """The accounts that something waits for: a step of the index for each, however many chunks there are."""
    found: set[str] = set()
    after = ""
    while (name := session.scalar(_first_account(after))) is not None:
        found.add(name)
        after = name
    return found


def _first_account(after: str) -> sa.Select[str]:
    c = chunks.c
    return (
        sa.select(c.account)
        .where(c.state == "ready", c.account > after)
        .order_by(c.state, c.account, c.lane, c.run_id, c.number)
        .limit(1)
    )
