"""When campaigns run: schedule, open what is due, pause, resume, cancel, finish.

What is due stands in the tables, so a missed tick, a doubled one, and two schedulers do no harm:
whoever moves a campaign's due moment opens the run, and (campaign, occurrence) is unique besides.
"""

from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from campaigns import mailing
from campaigns.errors import BadForm, NotAllowed
from campaigns.records import campaigns, outbox, segments, surveys, templates
from campaigns.records.campaigns import Campaign, Pinned, Run
from campaigns.recurrence import next_occurrence, require_zone
from campaigns.values import CampaignState, Gate, Problem, RunState

log = structlog.get_logger()

LATE = timedelta(hours=6)  #: a start missed by more waits for a person
WORKER = "worker"
#: What a campaign must have before it can be scheduled, in words.
NEEDED = {
    "topic_id": "Choose the topic: it decides whose consent counts.",
    "segment_id": "Choose the segment: it says who is meant.",
    "template_id": "Choose the template: it is what is said.",
    "sender_id": "Choose the sender: it is who says it.",
}


def schedule(session: Session, campaign_id: int, *, actor: str, now: datetime) -> datetime:
    """Turn a draft into a scheduled campaign; gives the moment its first run is due.

    Raises:
        BadForm: with everything that is missing or wrong.
        NotAllowed: it is no draft.
    """
    campaign = campaigns.get(session, campaign_id)
    at, name = first_due(campaign, now)
    campaigns.move(
        session,
        campaign_id,
        CampaignState.SCHEDULED,
        expected=[CampaignState.DRAFT],
        actor=actor,
        what=f"scheduled for {at:%Y-%m-%d %H:%M} UTC",
        now=now,
        due_at=at,
        occurrence=name,
    )
    return at


def unschedule(session: Session, campaign_id: int, *, actor: str, now: datetime) -> None:
    """Take a scheduled campaign, whose run has not opened, back to draft."""
    campaigns.move(
        session,
        campaign_id,
        CampaignState.DRAFT,
        expected=[CampaignState.SCHEDULED],
        actor=actor,
        what="taken back to draft",
        now=now,
        due_at=None,
        occurrence=None,
    )


def first_due(campaign: Campaign, now: datetime) -> tuple[datetime, str]:
    """Say when a draft's first run would open, and the run's name.

    Raises:
        BadForm: with everything that is missing or wrong.
    """
    problems = [
        Problem(name.removesuffix("_id"), "is missing.", cure)
        for name, cure in NEEDED.items()
        if getattr(campaign, name) is None
    ]
    zone = require_zone(campaign.time_zone)
    due: tuple[datetime, str] | None = None
    if campaign.schedule == "recurring":
        due = _next_due(campaign, now)
        if due is None:
            problems.append(Problem("cron", "never comes due.", "Check the fields and the end date."))
    else:
        at = now if campaign.schedule == "now" else campaign.starts_at
        if at is None:
            problems.append(Problem("starts at", "is missing.", "Say when, or send now."))
        elif at < now - timedelta(minutes=5):
            problems.append(
                Problem(
                    "starts at", f"{at:%Y-%m-%d %H:%M} UTC is past.", "Choose a later moment, or send now."
                )
            )
        else:
            due = (at, at.astimezone(zone).replace(tzinfo=None).isoformat(timespec="seconds"))
    if problems or due is None:
        raise BadForm(problems)
    return due


def _next_due(campaign: Campaign, after: datetime) -> tuple[datetime, str] | None:
    """The next occurrence of a recurring campaign, or None when it has ended."""
    found = next_occurrence(campaign.cron or "", campaign.time_zone, after)
    if found is None or (campaign.ends_at is not None and found.at > campaign.ends_at):
        return None
    return found.at, found.name


def open_runs(session: Session, now: datetime) -> list[int]:
    """Open a run for each campaign that is due; gives the ids of those that this call opened.

    Of several missed occurrences only the last is sent; one that is too late waits for a person.
    """
    opened = []
    for campaign in campaigns.due(session, now):
        run = None
        try:
            with session.begin_nested():
                run = _open(session, campaign, now)
        except OperationalError:
            raise  # about the store, not the campaign
        except NotAllowed:
            continue  # a person has paused or cancelled it since it was read
        except Exception as error:
            log.exception("a run could not be opened", campaign=campaign.id)
            _hand_back(session, campaign, str(error) or type(error).__name__, now)
        if run is not None:
            opened.append(run)
    return opened


def _hand_back(session: Session, campaign: Campaign, why: str, now: datetime) -> None:
    """Take a campaign that cannot be opened back to a person; one with a run under way ends with that."""
    going = campaign.state is CampaignState.RUNNING
    what = f"run of {shown(campaign.occurrence or '')} could not be opened: {why}"
    campaigns.move(
        session,
        campaign.id,
        CampaignState.RUNNING if going else CampaignState.DRAFT,
        expected=[campaign.state],
        actor=WORKER,
        what=what,
        now=now,
        due_at=None,
        occurrence=None,
    )


def _open(session: Session, campaign: Campaign, now: datetime) -> int | None:
    at, name = campaign.due_at, campaign.occurrence
    assert at is not None
    assert name is not None
    following = None
    if campaign.schedule == "recurring":
        following = _next_due(campaign, at)
        while following is not None and following[0] <= now:
            at, name = following
            following = _next_due(campaign, at)
    if not campaigns.take_due(session, campaign, then=following):
        return None
    if now - at > LATE:
        _park(session, campaign, at, now)
        return None
    campaigns.move(
        session,
        campaign.id,
        CampaignState.RUNNING,
        expected=[CampaignState.SCHEDULED, CampaignState.RUNNING],
        actor=WORKER,
        what=f"run of {shown(name)} ({campaign.time_zone}) opened",
        now=now,
    )
    run = campaigns.open_run(
        session, campaign, _pin(session, campaign), occurrence=name, kind="campaign", now=now
    )
    mailing.number_links(session, run)
    return run


def shown(occurrence: str) -> str:
    """Write an occurrence's name for people: local time, to the minute."""
    return occurrence.replace("T", " ")[:16]


def _park(session: Session, campaign: Campaign, at: datetime, now: datetime) -> None:
    """Nobody was there at the time: a late start is a person's decision, never dropped, never a surprise."""
    if campaign.schedule == "recurring":
        campaigns.log(
            session,
            campaign.id,
            f"missed {at:%Y-%m-%d %H:%M} UTC: no worker was running; the next stands",
            actor=WORKER,
            now=now,
        )
        return
    campaigns.move(
        session,
        campaign.id,
        CampaignState.DRAFT,
        expected=[CampaignState.SCHEDULED],
        actor=WORKER,
        what=f"missed {at:%Y-%m-%d %H:%M} UTC: no worker was running; schedule it anew",
        now=now,
    )


def _pin(session: Session, campaign: Campaign) -> Pinned:
    assert campaign.topic_id is not None
    assert campaign.sender_id is not None
    assert campaign.template_id is not None
    assert campaign.segment_id is not None
    return Pinned(
        topic=campaign.topic_id,
        sender=campaign.sender_id,
        template_version=templates.newest_version(session, campaign.template_id),
        segment_version=segments.newest_version(session, campaign.segment_id),
        survey_version=None
        if campaign.survey_id is None
        else surveys.newest_version(session, campaign.survey_id),
    )


def pause(session: Session, campaign_id: int, *, actor: str, now: datetime) -> None:
    """Stop a campaign: senders start no further message within two seconds."""
    campaigns.move(
        session,
        campaign_id,
        CampaignState.PAUSED,
        expected=[CampaignState.RUNNING, CampaignState.SCHEDULED],
        actor=actor,
        what="paused",
        now=now,
    )
    # a freeze that is under way is waited for, so that its run is paused too
    campaigns.move_runs(session, campaign_id, RunState.PAUSED, expected=[RunState.OPEN, RunState.RUNNING])


def resume(session: Session, campaign_id: int, *, actor: str, now: datetime) -> None:
    """Let a paused campaign go on where it stopped."""
    campaign = campaigns.get(session, campaign_id)
    going = any(run.finished_at is None for run in campaigns.runs_of(session, campaign_id))
    if not going and campaign.due_at is None:
        raise NotAllowed("The campaign has no run to go on with. Cancel it, or schedule a copy.")
    campaigns.move(
        session,
        campaign_id,
        CampaignState.RUNNING if going else CampaignState.SCHEDULED,
        expected=[CampaignState.PAUSED],
        actor=actor,
        what="resumed",
        now=now,
    )
    for to, frozen in ((RunState.OPEN, False), (RunState.RUNNING, True)):
        campaigns.move_runs(session, campaign_id, to, expected=[RunState.PAUSED], frozen=frozen)
    for run in campaigns.runs_of(session, campaign_id):
        if run.state is RunState.RUNNING:
            outbox.shift(session, run.id, now)
            if run.per_minute is not None:
                outbox.space_out(session, run.id, run.per_minute, now=now)


def cancel(session: Session, campaign_id: int, *, actor: str, now: datetime) -> None:
    """End a campaign: what has not been sent never will be; the worker counts it as recalled."""
    campaigns.move(
        session,
        campaign_id,
        CampaignState.CANCELLED,
        expected=[CampaignState.SCHEDULED, CampaignState.RUNNING, CampaignState.PAUSED],
        actor=actor,
        what="cancelled",
        now=now,
        due_at=None,
        occurrence=None,
    )
    campaigns.move_runs(
        session, campaign_id, RunState.CANCELLED, expected=[RunState.OPEN, RunState.RUNNING, RunState.PAUSED]
    )


def finish_runs(session: Session, now: datetime) -> list[int]:
    """End the runs that have nothing left to send; gives their ids."""
    ended = []
    for run in campaigns.runs_in(session, RunState.CANCELLED, RunState.RUNNING):
        if _takes_more(run, now):
            continue
        cancelled = run.state is RunState.CANCELLED
        if cancelled or now >= run.expires_at:
            campaigns.hold(session, run.campaign_id)  # before its chunks, as all do who change both
            outbox.recall(session, run.id, Gate.RECALLED if cancelled else Gate.EXPIRED, now=now)
        if outbox.is_drained(session, run.id) and _end(session, run, now):
            ended.append(run.id)
    return ended


def _takes_more(run: Run, now: datetime) -> bool:
    """A sign-up form's run takes the mails of its day, one by one."""
    return run.kind == "form" and run.state is RunState.RUNNING and run.opened_at.date() == now.date()


def _end(session: Session, run: Run, now: datetime) -> bool:
    campaigns.hold(session, run.campaign_id)
    if not outbox.is_drained(session, run.id):  # a person has let some be sent again since it was asked
        return False
    fresh = campaigns.get_run(session, run.id)
    to = RunState.DOUBTS if fresh.unknown else RunState.FINISHED
    if run.state is RunState.CANCELLED:
        to = RunState.CANCELLED
    if not campaigns.end_run(session, run, to, now=now):
        return False
    if run.kind == "campaign":
        _end_campaign(session, fresh, to, now)
    return True


def _end_campaign(session: Session, run: Run, to: RunState, now: datetime) -> None:
    counts = f"{run.sent} sent, {run.failed} failed, {run.skipped} skipped, {run.unknown} in doubt"
    what = f"run of {shown(run.occurrence)} {to}: {counts}"
    campaigns.log(session, run.campaign_id, what, actor=WORKER, now=now)
    campaign = campaigns.get(session, run.campaign_id)
    others = any(other.finished_at is None for other in campaigns.runs_of(session, run.campaign_id))
    if campaign.state is not CampaignState.RUNNING or others:
        return
    after = CampaignState(to.value) if campaign.due_at is None else CampaignState.SCHEDULED
    campaigns.move(
        session,
        run.campaign_id,
        after,
        expected=[CampaignState.RUNNING],
        actor=WORKER,
        what=f"is {after}",
        now=now,
    )
