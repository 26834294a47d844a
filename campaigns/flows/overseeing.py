"""Overseeing: how the accounts are, for people who look after them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from campaigns.delivery.providers import PROVIDERS
from campaigns.delivery.routes import Routing
from campaigns.records import accounts, routes, serving
from campaigns.records.accounts import Standing, Use
from campaigns.records.routes import Queue
from campaigns.records.serving import Alive
from campaigns.values import Account, AccountState

NOBODY = "No sender serves it: nothing goes out."


@dataclass(frozen=True, slots=True)
class Overview:
    """One account, as people see it; nothing secret is in it."""

    name: str
    kind: str  #: empty: the accounts file names it no more
    title: str  #: what its makers call the kind
    state: AccountState
    standing: Standing
    queue: Queue
    use: Use
    rate: float | None
    is_known: bool = True  #: the accounts file names it
    senders: int = 0  #: processes that serve it

    def told(self) -> dict[str, Any]:
        """As a command tells it."""
        standing = self.standing
        return {
            "account": self.name,
            "kind": self.kind or "not in the file",
            "state": self.state.value,
            "waiting": self.queue.mails,
            "sent_hour": self.use.hour,
            "sent_day": self.use.day,
            "failed_day": self.use.failed,
            "rate": self.rate,
            "senders": self.senders,
            "failing_since": standing.failing_since,
            "failures": standing.failures,
            "opens_at": standing.closed_until,
            "said": self._said(),
        }

    def _said(self) -> str:
        if not self.is_known:
            return "The accounts file names it no more; what waits goes over to others."
        return " ".join(one for one in (self._failed(), "" if self.senders else NOBODY) if one)

    def _failed(self) -> str:
        standing = self.standing
        if not standing.is_shut or standing.failing_since is None or standing.closed_until is None:
            return ""
        since, then = f"{standing.failing_since:%Y-%m-%d %H:%M}", f"{standing.closed_until:%H:%M:%S}"
        what = "Asked to be left alone" if self.state is AccountState.RESTING else "Failed"
        return f"{what} since {since} UTC, next try {then}: {standing.sample}"


def overview(session: Session, routing: Routing, now: datetime) -> list[Overview]:
    """Every account that the file names, and every other that something waits for."""
    known, queues, uses = accounts.standings(session), routes.queues(session), accounts.uses(session, now)
    names = [*routing.accounts, *sorted(queues.keys() - routing.accounts.keys())]
    served = Counter(one.account for one in serving.alive(session) if one.door == serving.SENDER)
    return [_one(name, routing.accounts, known, queues, uses, served[name]) for name in names]


def behind(session: Session, routing: Routing, secret: bytes) -> list[Alive]:
    """The processes that send or tick, and read another accounts file when they began."""
    digest = routing.digest(secret)
    return [one for one in serving.alive(session) if one.routing != digest]


def _one(
    name: str,
    named: Mapping[str, Account],
    known: Mapping[str, Standing],
    queues: Mapping[str, Queue],
    uses: Mapping[str, Use],
    senders: int,
) -> Overview:
    account = named.get(name)
    kind = account.kind if account else ""
    standing = known.get(name, accounts.OPEN)
    return Overview(
        name=name,
        kind=kind,
        title=PROVIDERS[kind].title if kind in PROVIDERS else kind,
        state=standing.state,
        standing=standing,
        queue=queues.get(name, Queue()),
        use=uses.get(name, Use()),
        rate=account.rate if account else None,
        is_known=account is not None,
        senders=senders,
    )
