"""Failover: what waits for an account that is lost goes through others."""

from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from campaigns.delivery.routes import Routing
from campaigns.records import accounts, campaigns, routes
from campaigns.records.accounts import Standing
from campaigns.records.routes import Moved

log = structlog.get_logger()


def has_news(session: Session, routing: Routing, now: datetime) -> bool:
    """Tell, without any lock, whether there is something for `move_on` to do."""
    return bool(routes.suspects(session, routing, now)) or accounts.has_old(session, now)


def move_on(session: Session, routing: Routing, now: datetime) -> list[Moved]:
    """Move what waits for lost accounts to others of its route, and tell the campaigns' logs."""
    accounts.forget(session, now)
    moved = routes.move(session, routing, now)
    known = accounts.standings(session) if moved else {}
    by_campaign: dict[tuple[int, str, str], int] = {}
    for one in moved:
        key = (one.campaign, one.account, one.to)
        by_campaign[key] = by_campaign.get(key, 0) + one.mails
    for (campaign, account, to), mails in by_campaign.items():
        why = _why(account, routing, known.get(account, accounts.OPEN))
        what = f"what waits, at most {mails} messages, goes through {to} instead of {account}, {why}"
        campaigns.log(session, campaign, what, actor="worker", now=now)
        log.warning("failover", campaign=campaign, account=account, to=to, mails=mails)
    return moved


def _why(account: str, routing: Routing, standing: Standing) -> str:
    if account not in routing.accounts:
        return "which the accounts file names no more"
    if not standing.is_shut:
        return "which their route does not name"
    return f"which has failed since {standing.failing_since:%Y-%m-%d %H:%M} UTC"
