"""A lane's row as values: what a person set, and what servers said."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.delivery.backoff import State, grown
from campaigns.delivery.lanes import STARTS, usual_rate
from campaigns.delivery.warmup import Plan
from campaigns.model.dialect import insert_many
from campaigns.model.lanes import lane_log, lanes

LOG_KEPT = timedelta(days=366)
EVERY_ACCOUNT = "*"  #: stands for the accounts that say nothing themselves
WHOLE = "*"  #: stands for all lanes of an account together
FOR_EVER = datetime(9999, 1, 1, tzinfo=UTC)  #: until a person opens it
OF_STATE = ("rate", "strikes", "held_until", "half_open", "quiet_from", "slow", "slow_until")

#: Made once: each claim asks for it.
BOTH = sa.select(lanes).where(
    lanes.c.lane == sa.bindparam("lane"),
    sa.or_(lanes.c.account == sa.bindparam("account"), lanes.c.account == EVERY_ACCOUNT),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a lane is allowed; None: nothing is said, 0: no limit."""

    per_minute: float | None = None
    per_day: int | None = None
    plan: Plan | None = None
    connections: int | None = None  #: mails under way at once, over SMTP

    @property
    def cap(self) -> float | None:
        """Mails a minute at most; None: no limit."""
        return self.per_minute or None

    def cap_of_day(self, warm_day: int) -> int | None:
        """Mails on a day, by the cap and by the warm-up's day."""
        caps = [self.per_day, None if self.plan is None else self.plan.cap(warm_day)]
        return min((one for one in caps if one is not None), default=None)

    def ceiling(self, lane: str) -> float:
        """Mails a minute to which a rate may grow, and from which a first back-off starts."""
        return self.per_minute or usual_rate(lane)

    def over(self, other: "Limits") -> "Limits":
        """These limits, and another's where these say nothing."""
        return Limits(
            self.per_minute if self.per_minute is not None else other.per_minute,
            self.per_day if self.per_day is not None else other.per_day,
            self.plan or other.plan,
            self.connections if self.connections is not None else other.connections,
        )


def limits_at_start(lane: str) -> Limits:
    """What a lane starts with, where it starts with caps."""
    start = STARTS.get(lane)
    return Limits() if start is None else Limits(start.per_minute, connections=start.connections)


@dataclass(frozen=True, slots=True)
class Row:
    """A lane of an account."""

    account: str
    lane: str
    limits: Limits  #: its own, or those of every account, or those that lanes start with
    own: Limits  #: what was set for it alone
    starts: bool  #: its cap is the one that lanes start with
    state: State
    open_at: datetime | None
    rule: str
    sample: str
    tallies: dict[str, Any]
    day: str
    taken: int
    warm_day: int
    warm_date: str
    warm_word: str

    def at(self, now: datetime) -> State:
        """The state with what the quiet time gave back."""
        return grown(self.state, now, ceiling=self.limits.ceiling(self.lane))

    def taken_on(self, now: datetime) -> int:
        """Mails of the day's cap that are given out."""
        return self.taken if self.day == day_of(now) else 0


def day_of(now: datetime) -> str:
    """The UTC date that a day's figures are kept under."""
    return now.astimezone(UTC).date().isoformat()


def tomorrow(now: datetime) -> datetime:
    """When the next day of all figures begins."""
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), datetime.min.time(), UTC)


def find(session: Session, account: str, lane: str) -> Row | None:
    """Read a lane's row; one of every account stands in for it. None: nothing was ever set or said."""
    named = {"lane": lane, "account": account}
    found = {row["account"]: row for row in session.execute(BOTH, named).mappings()}
    if not found:
        return None
    own, common = found.get(account), found.get(EVERY_ACCOUNT)
    return row_of(account, lane, own, common)


def take(session: Session, account: str, lane: str, *, now: datetime) -> Row:
    """Read a lane's row and keep other writers from it until the transaction ends; it is made if need be."""
    made = [(account, lane, now)]
    insert_many(session, lanes, ("account", "lane", "changed_at"), made, conflict="ON CONFLICT DO NOTHING")
    here = sa.and_(lanes.c.account == account, lanes.c.lane == lane)
    own = session.execute(sa.select(lanes).where(here).with_for_update()).mappings().one()
    elsewhere = sa.and_(lanes.c.account == EVERY_ACCOUNT, lanes.c.lane == lane)
    common = session.execute(sa.select(lanes).where(elsewhere)).mappings().one_or_none()
    return row_of(account, lane, own, common)


def row_of(account: str, lane: str, own: Any, common: Any) -> Row:
    """Put a row together; `own` and `common` are None where there is none."""
    alone = _limits(own)
    kept = own or {}
    chosen = alone.over(_limits(common))
    starts = bool(kept.get("starts"))
    return Row(
        account,
        lane,
        chosen.over(limits_at_start(lane)) if starts else chosen,
        alone,
        starts and chosen.per_minute is None,
        State(**{name: own[name] for name in OF_STATE}) if own else State(),
        kept.get("open_at"),
        kept.get("rule", ""),
        kept.get("sample", ""),
        kept.get("tallies", {}),
        kept.get("day", ""),
        kept.get("taken", 0),
        kept.get("warm_day", 0),
        kept.get("warm_date", ""),
        kept.get("warm_word", ""),
    )


def _limits(row: Any) -> Limits:
    if row is None:
        return Limits()
    plan = None
    if row["warm_base"] is not None:
        plan = Plan(row["warm_base"], row["warm_growth"], row["warm_target"])
    return Limits(row["per_minute"], row["per_day"], plan, row["connections"])


def write(session: Session, row: Row, *, now: datetime, state: State | None = None, **values: Any) -> None:
    """Change a row that `take` gave."""
    if state is not None:
        values |= {name: value for name, value in asdict(state).items() if name in OF_STATE}
    here = sa.and_(lanes.c.account == row.account, lanes.c.lane == row.lane)
    session.execute(sa.update(lanes).where(here).values(changed_at=now, **values))


def log(session: Session, account: str, lane: str, what: str, *, actor: str, now: datetime) -> None:
    """Append a line to the lanes' log."""
    line = [(now, account, lane, actor, what)]
    columns = ("at", "account", "lane", "actor", "what")
    insert_many(session, lane_log, columns, line, conflict="ON CONFLICT DO NOTHING")


def _old_lines(now: datetime) -> sa.ColumnElement[bool]:
    return lane_log.c.at < now - LOG_KEPT


def is_log_old(session: Session, now: datetime) -> bool:
    """Whether lines of the lanes' log have been kept long enough."""
    return session.scalar(sa.select(sa.exists().where(_old_lines(now)))) or False


def forget_log(session: Session, now: datetime) -> None:
    """Let go of what was said of lanes more than a year ago."""
    session.execute(sa.delete(lane_log).where(_old_lines(now)))
