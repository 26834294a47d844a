"""What the campaigns' desk asks of the store: lists by state, copies, tests, what is put away."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.errors import NotFound
from campaigns.model.mail import campaigns as table
from campaigns.model.mail import runs
from campaigns.records import campaigns
from campaigns.records.campaigns import Campaign
from campaigns.values import CampaignState

UNDER_WAY = (CampaignState.SCHEDULED, CampaignState.RUNNING, CampaignState.PAUSED)


def counts(session: Session) -> dict[CampaignState, int]:
    """How many campaigns stand in each state; deleted ones are not counted."""
    query = (
        sa.select(table.c.state, sa.func.count()).where(table.c.deleted_at.is_(None)).group_by(table.c.state)
    )
    return {CampaignState(state): count for state, count in session.execute(query)}


def page(
    session: Session,
    states: Sequence[CampaignState],
    *,
    search: str = "",
    before: int | None = None,
    limit: int = 50,
) -> list[Campaign]:
    """Campaigns in these states (all, if none is named), newest first; `before` is the last id seen."""
    query = sa.select(table.c.id).where(table.c.deleted_at.is_(None)).order_by(table.c.id.desc()).limit(limit)
    if states:
        query = query.where(table.c.state.in_([state.value for state in states]))
    if search:
        query = query.where(table.c.name.icontains(search, autoescape=True))
    if before is not None:
        query = query.where(table.c.id < before)
    return [campaigns.get(session, number) for number in session.scalars(query).all()]


def copy(session: Session, campaign: int, name: str, *, actor: str, now: datetime) -> int:
    """Start a draft that says what another campaign says, except for its moment; gives its id."""
    old = campaigns.get(session, campaign)
    chosen = {field: getattr(old, field) for field in campaigns.EDITABLE - {"name", "starts_at"}}
    if old.schedule == "at":
        chosen["schedule"] = "now"
    return campaigns.create(session, name, actor=actor, now=now, **chosen)


def delete(session: Session, campaign: int, *, actor: str, now: datetime) -> None:
    """Hide a campaign that is not under way; its runs and history stay, so links in its mails keep working.

    Raises:
        NotAllowed: it is scheduled, running or paused.
    """
    idle = [state for state in CampaignState if state not in UNDER_WAY]
    state = campaigns.get(session, campaign).state
    to = state if state in idle else CampaignState.DRAFT
    campaigns.move(session, campaign, to, expected=idle, actor=actor, what="deleted", now=now, deleted_at=now)


def next_test(session: Session, campaign: int) -> str:
    """The name of a campaign's next test run; two at a time wait for each other."""
    session.execute(sa.select(table.c.id).where(table.c.id == campaign).with_for_update())
    tests = sa.select(sa.func.count()).where(runs.c.campaign_id == campaign, runs.c.kind == "test")
    return f"test-{(session.scalar(tests) or 0) + 1}"


def shown(session: Session, campaign: int) -> Campaign:
    """Load a campaign that is not deleted.

    Raises:
        NotFound: there is no such campaign, or it was deleted.
    """
    found = campaigns.get(session, campaign)
    if found.deleted_at is not None:
        raise NotFound(f"Campaign {campaign} was deleted.")
    return found
