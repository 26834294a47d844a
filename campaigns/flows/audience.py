"""Who gets a campaign: freeze a run's audience, or say beforehand whom it would reach."""

from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from campaigns.delivery.routes import Routing
from campaigns.records import audience, campaigns, gates, lanes, routes, segments
from campaigns.records.audience import Timing
from campaigns.records.campaigns import Campaign, Run
from campaigns.values import CampaignState, RunState

log = structlog.get_logger()


def freeze_open_runs(session: Session, now: datetime, routing: Routing | None = None) -> list[int]:
    """Freeze the audience of the oldest run that is open; gives its id, or nothing.

    One run a transaction: a large one does not hold up the next for longer than its own time.
    """
    for run in campaigns.runs_in(session, RunState.OPEN):
        if run.segment_version_id is not None:
            _freeze_or_pause(session, run, now, routing)
            return [run.id]
    return []


def _freeze_or_pause(session: Session, run: Run, now: datetime, routing: Routing | None) -> None:
    """Pause for a person what cannot be frozen; else it would hold up every other run, tick by tick."""
    try:
        with session.begin_nested():
            freeze(session, run.id, now, routing)
    except OperationalError:
        raise  # about the store, not the run
    except Exception as error:
        log.exception("an audience could not be frozen", run=run.id)
        campaigns.move(
            session,
            run.campaign_id,
            CampaignState.PAUSED,
            expected=[CampaignState.RUNNING, CampaignState.SCHEDULED],
            actor="worker",
            what=f"paused: the audience could not be frozen: {str(error) or type(error).__name__}",
            now=now,
        )
        campaigns.move_runs(
            session, run.campaign_id, RunState.PAUSED, expected=[RunState.OPEN, RunState.RUNNING]
        )


def freeze(session: Session, run_id: int, now: datetime, routing: Routing | None = None) -> int:
    """Turn the run's segment into messages; gives how many may be mailed. Doing it again does nothing.

    `routing` gives its chunks to accounts; without it all go through the one.
    """
    run = campaigns.get_run(session, run_id)
    campaign = campaigns.get(session, run.campaign_id)
    assert run.segment_version_id is not None
    members = segments.members_of_version(session, run.segment_version_id, now=now)
    mailable = audience.freeze(
        session,
        run_id,
        members,
        gates.of_campaign(session, campaign, run.topic_id, now=now),
        hold_out_percent=campaign.hold_out_percent,
        salt=campaign.id,
        timing=_timing(session, campaign, run),
        now=now,
    )
    routes.assign(session, run_id, routing, now)
    return mailable


def _timing(session: Session, campaign: Campaign, run: Run) -> Timing:
    spread = campaign.spread_minutes
    return Timing(
        run.per_minute,
        None if spread is None else timedelta(minutes=spread),
        by_zone=campaign.window_zone == "recipient" and not campaigns.window_of(campaign).is_always_open,
        engaged_first=lanes.is_warming(session),
    )


def reach(session: Session, campaign: Campaign, now: datetime) -> dict[str, int]:
    """Count whom the campaign would mail now ("mailable") and whom each gate would stop.

    Empty without a segment.
    """
    if campaign.segment_id is None or campaign.topic_id is None:
        return {}
    members = segments.members_of_version(
        session, segments.newest_version(session, campaign.segment_id), now=now
    )
    asked = gates.of_campaign(session, campaign, campaign.topic_id, now=now)
    return audience.preview(
        session, members, asked, hold_out_percent=campaign.hold_out_percent, salt=campaign.id
    )
