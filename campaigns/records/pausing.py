"""Pausing a campaign that is under way, where no person asked for it: one is to look at it."""

from datetime import datetime

from sqlalchemy.orm import Session

from campaigns.errors import NotAllowed
from campaigns.records import campaigns
from campaigns.values import CampaignState, RunState


def pause(session: Session, campaign: int, why: str, *, actor: str, now: datetime) -> bool:
    """Pause a running campaign and its runs, frozen or not; False: it is paused or over by now."""
    try:
        campaigns.move(
            session,
            campaign,
            CampaignState.PAUSED,
            expected=[CampaignState.RUNNING],
            actor=actor,
            what=f"paused: {why}",
            now=now,
        )
    except NotAllowed:
        return False
    # a freeze that is under way is waited for, so that its run is paused too
    campaigns.move_runs(session, campaign, RunState.PAUSED, expected=[RunState.OPEN, RunState.RUNNING])
    return True
