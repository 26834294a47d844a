"""How each account is: whether it may be used, since when it fails and why, and what it sent lately.

An account that never failed has no row. One that failed is closed, a little longer each time, until somebody
has tried it without a mail; what it sends then opens it for good. If it fails again instead, it counts as
broken since it first did: a server that only greets is not a working one. That holds for some minutes after
the try, for an account that had nothing to send since has not been broken all the while.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.errors import BackendError
from campaigns.model.accounts import account_uses, accounts
from campaigns.model.dialect import changed, database_now, insert_many
from campaigns.values import AccountState, Outcome, OutcomeKind

FIRST_REST = timedelta(seconds=5)  #: after the first failure; then twice as long each time
LONGEST_REST = timedelta(minutes=1)  #: a try costs one connection
PROBE_LEASE = timedelta(seconds=90)  #: whoever tries an account has so long; more than any try takes
LONGEST_WAIT = timedelta(hours=24)  #: that an account may ask for
SAMPLE = 500  #: characters kept of what the other side said
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
KEPT = timedelta(days=2)
STEADY = timedelta(minutes=5)  #: after a good try so long ago, a failure is a new one, mail or no mail
COUNTED = (OutcomeKind.SENT, OutcomeKind.FAILED, OutcomeKind.DEFERRED, OutcomeKind.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Standing:
    """How an account is."""

    failing_since: datetime | None = None  #: the first failure after which nothing went out
    failures: int = 0
    busy: bool = False  #: it works, and asked to be left alone
    closed_until: datetime | None = None
    probed_at: datetime | None = None  #: when a try succeeded after the last failure
    sample: str = ""
    changed_at: datetime | None = None

    @property
    def state(self) -> AccountState:
        """What that comes to."""
        if self.failing_since is None or self.probed_at is not None:
            return AccountState.OPEN
        return AccountState.RESTING if self.busy else AccountState.BROKEN

    @property
    def is_shut(self) -> bool:
        """Whether it has to be tried before mail goes through it."""
        return self.state is not AccountState.OPEN

    def silent_for(self, now: datetime) -> timedelta:
        """How long nothing could go through it; 0 while it is open."""
        since = self.failing_since if self.is_shut else None
        return timedelta(0) if since is None else max(timedelta(0), now - since)


OPEN = Standing()  #: of an account that never failed


@dataclass(frozen=True, slots=True)
class Use:
    """What went through an account lately."""

    hour: int = 0  #: sent within
    day: int = 0  #: sent within
    failed: int = 0  #: within the day
    deferred: int = 0  #: within the day
    unknown: int = 0  #: within the day


def standings(session: Session) -> dict[str, Standing]:
    """Every account that ever was not well, by name."""
    return {row.name: _standing(row) for row in session.execute(sa.select(accounts))}


def standing(session: Session, name: str) -> Standing:
    """How one account is."""
    row = session.execute(sa.select(accounts).where(accounts.c.name == name)).one_or_none()
    return OPEN if row is None else _standing(row)


def _standing(row: sa.Row[tuple[object, ...]]) -> Standing:
    return Standing(
        row.failing_since,
        row.failures,
        row.busy,
        row.closed_until,
        row.probed_at,
        row.sample,
        row.changed_at,
    )


def silences(session: Session) -> dict[str, timedelta]:
    """How long nothing could go through each account that ever was not well, by the database's clock."""
    now = database_now(session)
    return {name: one.silent_for(now) for name, one in standings(session).items()}


def is_closed(name: str) -> sa.Exists:
    """Whether nothing may be claimed for an account: it failed, and nobody has tried it since."""
    c = accounts.c
    return sa.exists().where(c.name == name, c.failing_since.is_not(None), c.probed_at.is_(None))


def failed(session: Session, name: str, error: BackendError, now: datetime) -> Standing:
    """Note that an account failed as a whole, and close it: as long as it asked to, or longer each time.

    Of many senders that fail at the same time the first counts. One that was tried with success some minutes
    before fails anew, even if nothing was sent since.
    """
    _lock(session, name, now)
    before = standing(session, name)
    told, asked = _one_line(str(error)), error.retry_after
    if before.is_shut and (before.closed_until or now) > now:
        _write(session, name, sample=told)
        return standing(session, name)
    if before.probed_at is not None and now - before.probed_at > STEADY:
        before = OPEN
    doubled = min(FIRST_REST * 2 ** min(before.failures, 10), LONGEST_REST)
    _write(
        session,
        name,
        failing_since=before.failing_since or now,
        failures=before.failures + 1,
        busy=error.busy,
        closed_until=now + (doubled if asked is None else min(max(asked, FIRST_REST), LONGEST_WAIT)),
        probed_at=None,
        sample=told,
        changed_at=now,
    )
    return standing(session, name)


def take_probe(session: Session, name: str, now: datetime) -> bool:
    """Take the right to try a broken account whose time has come; one at a time gets it."""
    c = accounts.c
    due = sa.update(accounts).where(
        c.name == name, c.failing_since.is_not(None), c.probed_at.is_(None), c.closed_until <= now
    )
    return bool(changed(session, due.values(closed_until=now + PROBE_LEASE)))


def refused_again(session: Session, name: str, error: BackendError, now: datetime) -> None:
    """Note that a try failed: the account stays closed, longer."""
    _lock(session, name, now)
    _write(session, name, closed_until=now)
    failed(session, name, error, now)


def opened(session: Session, name: str, now: datetime) -> bool:
    """Note that a try succeeded: mail may go, and what becomes of it decides. False: it was open already."""
    c = accounts.c
    shut = (c.failing_since.is_not(None), c.probed_at.is_(None))
    values = {"probed_at": now, "closed_until": None, "changed_at": now}
    return bool(changed(session, sa.update(accounts).where(c.name == name, *shut).values(values)))


def used(
    session: Session,
    name: str,
    outcomes: Mapping[int, Outcome],
    moments: Mapping[int, datetime],
    now: datetime,
) -> None:
    """Note what became of a chunk's mails; one that was sent after a failure proves that it works again."""
    if not outcomes:
        return
    counts = Counter(one.kind for one in outcomes.values())
    row = (name, now, *(counts[kind] for kind in COUNTED))
    insert_many(session, account_uses, ("account", "at", "sent", "failed", "deferred", "unknown"), [row])
    if counts[OutcomeKind.SENT]:
        sent_at = max(moments.get(at, now) for at, one in outcomes.items() if one.kind is OutcomeKind.SENT)
        none = dict.fromkeys(("failing_since", "closed_until", "probed_at"))
        values = {**none, "failures": 0, "changed_at": now}
        c = accounts.c
        failing = sa.update(accounts).where(c.name == name, c.failing_since < sent_at)
        session.execute(failing.values(values))


def uses(session: Session, now: datetime) -> dict[str, Use]:
    """What went through each account within a day."""
    c = account_uses.c
    lately = sa.func.coalesce(sa.func.sum(c.sent).filter(c.at > now - HOUR), 0)
    sums = [sa.func.sum(one) for one in (c.sent, c.failed, c.deferred, c.unknown)]
    query = sa.select(c.account, lately, *sums).where(c.at > now - DAY).group_by(c.account)
    return {name: Use(*(int(one) for one in numbers)) for name, *numbers in session.execute(query)}


def has_old(session: Session, now: datetime) -> bool:
    """Whether there is something to `forget`."""
    query = sa.select(account_uses.c.id).where(account_uses.c.at < now - KEPT - HOUR).limit(1)
    return session.execute(query).one_or_none() is not None


def forget(session: Session, now: datetime) -> None:
    """Drop what is too old to be asked for."""
    session.execute(sa.delete(account_uses).where(account_uses.c.at < now - KEPT))


def _one_line(said: str) -> str:
    """What another machine said, without what no database and no terminal bears."""
    return "".join(one if one.isprintable() else " " for one in said[:SAMPLE])


def _lock(session: Session, name: str, now: datetime) -> None:
    """Make sure that there is a row, and hold it until the transaction ends."""
    once = "ON CONFLICT (name) DO UPDATE SET name = excluded.name"
    insert_many(session, accounts, ("name", "failures", "changed_at"), [(name, 0, now)], conflict=once)


def _write(session: Session, name: str, **values: object) -> None:
    session.execute(sa.update(accounts).where(accounts.c.name == name).values(values))
