"""Campaigns and their runs: drafts, schedule and state; every change of state is in the campaign's log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.delivery.windows import Window, window_between
from campaigns.errors import NotAllowed, NotFound
from campaigns.model.dialect import changed
from campaigns.model.mail import campaign_log, campaigns, runs
from campaigns.values import CampaignState, RunState

#: What a marketer may set; nothing else is taken from a page.
EDITABLE = frozenset(
    [
        *("name", "goal", "topic_id", "segment_id", "template_id", "sender_id", "survey_id", "tracking"),
        *("schedule", "starts_at", "cron", "time_zone", "ends_at", "send_within_hours", "per_minute"),
        *("spread_minutes", "window_from", "window_to", "window_days", "window_zone"),
        *("hold_out_percent", "cap_count", "cap_days", "until_reply"),
    ]
)
ENDED = (RunState.FINISHED, RunState.CANCELLED, RunState.DOUBTS)


@dataclass(frozen=True, slots=True)
class Campaign:
    """What is said to whom, and when; ids are None while not chosen."""

    id: int
    name: str
    state: CampaignState
    topic_id: int | None
    segment_id: int | None
    template_id: int | None
    sender_id: int | None
    survey_id: int | None
    schedule: str
    starts_at: datetime | None
    cron: str | None
    time_zone: str
    due_at: datetime | None
    occurrence: str | None
    ends_at: datetime | None
    send_within_hours: int
    per_minute: int | None
    spread_minutes: int | None
    window_from: int | None
    window_to: int | None
    window_days: str
    window_zone: str
    hold_out_percent: int
    cap_count: int | None
    cap_days: int | None
    until_reply: bool
    tracking: bool
    goal: str
    created_by: str
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a campaign, with what was pinned when it opened, and its counts."""

    id: int
    campaign_id: int
    occurrence: str
    state: RunState
    kind: str
    topic_id: int
    sender_id: int
    template_version_id: int
    segment_version_id: int | None
    survey_version_id: int | None
    tracking: bool
    per_minute: int | None
    audience: int
    mailable: int
    sent: int
    failed: int
    skipped: int
    unknown: int
    opened_at: datetime
    frozen_at: datetime | None
    expires_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Pinned:
    """What a run holds on to, so that a later edit changes nothing that is under way."""

    topic: int
    sender: int
    template_version: int
    segment_version: int | None
    survey_version: int | None


@dataclass(frozen=True, slots=True)
class LogLine:
    """Who did what to a campaign."""

    at: datetime
    actor: str
    what: str


def create(session: Session, name: str, *, actor: str, now: datetime, **chosen: Any) -> int:
    """Start a draft and give its id."""
    _require_editable(chosen)
    made = session.execute(
        sa.insert(campaigns)
        .values(
            name=name,
            state=CampaignState.DRAFT.value,
            created_by=actor,
            created_at=now,
            updated_at=now,
            **chosen,
        )
        .returning(campaigns.c.id)
    ).scalar_one()
    log(session, made, "created", actor=actor, now=now)
    return made


def edit(session: Session, campaign: int, *, now: datetime, **chosen: Any) -> None:
    """Change a draft.

    Raises:
        NotAllowed: it is no draft any more.
    """
    _require_editable(chosen)
    if not changed(
        session,
        sa.update(campaigns)
        .where(campaigns.c.id == campaign, campaigns.c.state == CampaignState.DRAFT.value)
        .values(updated_at=now, **chosen),
    ):
        state = get(session, campaign).state
        raise NotAllowed(
            f"The campaign is {state}; only a draft can be changed. Take it back to draft first."
        )


def _require_editable(chosen: dict[str, Any]) -> None:
    if unknown := set(chosen) - EDITABLE:
        raise NotAllowed(f"A campaign has no such setting: {', '.join(sorted(unknown))}.")


def get(session: Session, campaign: int) -> Campaign:
    """Load a campaign, deleted ones too.

    Raises:
        NotFound: there is no such campaign.
    """
    row = session.execute(sa.select(campaigns).where(campaigns.c.id == campaign)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no campaign {campaign}.")
    return _campaign(row)


def window_of(campaign: Campaign) -> Window:
    """When its mails may leave."""
    return window_between(campaign.window_from, campaign.window_to, campaign.window_days)


def hold(session: Session, campaign: int) -> None:
    """Keep other writers of a campaign away until the end; ask before its runs change: no deadlock."""
    session.execute(sa.select(campaigns.c.id).where(campaigns.c.id == campaign).with_for_update())


def listing(session: Session, *, state: CampaignState | None = None, limit: int = 200) -> list[Campaign]:
    """Campaigns that are not deleted, newest first."""
    query = (
        sa.select(campaigns)
        .where(campaigns.c.deleted_at.is_(None))
        .order_by(campaigns.c.id.desc())
        .limit(limit)
    )
    if state is not None:
        query = query.where(campaigns.c.state == state.value)
    return [_campaign(row) for row in session.execute(query).mappings()]


def _campaign(row: Any) -> Campaign:
    return Campaign(**{**row, "state": CampaignState(row["state"])})


def move(
    session: Session,
    campaign: int,
    to: CampaignState,
    *,
    expected: Sequence[CampaignState],
    actor: str,
    what: str,
    now: datetime,
    **also: Any,
) -> None:
    """Change the state, if it is one of `expected`, and log it.

    Raises:
        NotAllowed: it is in another state.
    """
    if not changed(
        session,
        sa.update(campaigns)
        .where(campaigns.c.id == campaign, campaigns.c.state.in_([state.value for state in expected]))
        .values(state=to.value, updated_at=now, **also),
    ):
        state = get(session, campaign).state
        raise NotAllowed(
            f"The campaign is {state}; that cannot be done now. Possible when {' or '.join(expected)}."
        )
    log(session, campaign, what, actor=actor, now=now)


def log(session: Session, campaign: int, what: str, *, actor: str, now: datetime) -> None:
    """Append a line to the campaign's log."""
    session.execute(sa.insert(campaign_log).values(campaign_id=campaign, at=now, actor=actor, what=what))


def log_lines(session: Session, campaign: int) -> list[LogLine]:
    """The campaign's log, newest first."""
    query = (
        sa.select(campaign_log)
        .where(campaign_log.c.campaign_id == campaign)
        .order_by(campaign_log.c.id.desc())
    )
    return [LogLine(row.at, row.actor, row.what) for row in session.execute(query)]


def due(session: Session, now: datetime) -> list[Campaign]:
    """Campaigns whose next run should open."""
    active = (CampaignState.SCHEDULED.value, CampaignState.RUNNING.value)
    query = (
        sa.select(campaigns)
        .where(campaigns.c.due_at <= now, campaigns.c.state.in_(active), campaigns.c.deleted_at.is_(None))
        .order_by(campaigns.c.due_at)
        .limit(50)
    )
    return [_campaign(row) for row in session.execute(query).mappings()]


def take_due(session: Session, campaign: Campaign, *, then: tuple[datetime, str] | None) -> bool:
    """Take a due occurrence for oneself and set the next; False if another scheduler took it first."""
    at, name = then or (None, None)
    taken = sa.update(campaigns).where(campaigns.c.id == campaign.id, campaigns.c.due_at == campaign.due_at)
    return changed(session, taken.values(due_at=at, occurrence=name)) == 1


def open_run(
    session: Session, campaign: Campaign, pinned: Pinned, *, occurrence: str, kind: str, now: datetime
) -> int:
    """Open a run; its audience is frozen next."""
    return session.execute(
        sa.insert(runs)
        .values(
            campaign_id=campaign.id,
            occurrence=occurrence,
            kind=kind,
            state=RunState.OPEN.value,
            topic_id=pinned.topic,
            sender_id=pinned.sender,
            template_version_id=pinned.template_version,
            segment_version_id=pinned.segment_version,
            survey_version_id=pinned.survey_version,
            tracking=campaign.tracking,
            per_minute=campaign.per_minute,
            opened_at=now,
            expires_at=now + timedelta(hours=campaign.send_within_hours),
        )
        .returning(runs.c.id)
    ).scalar_one()


def get_run(session: Session, run: int) -> Run:
    """Load a run.

    Raises:
        NotFound: there is no such run.
    """
    row = session.execute(sa.select(runs).where(runs.c.id == run)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no run {run}.")
    return _run(row)


def runs_of(session: Session, campaign: int, *, kind: str = "campaign") -> list[Run]:
    """A campaign's runs, newest first."""
    query = (
        sa.select(runs).where(runs.c.campaign_id == campaign, runs.c.kind == kind).order_by(runs.c.id.desc())
    )
    return [_run(row) for row in session.execute(query).mappings()]


def runs_in(session: Session, *states: RunState) -> list[Run]:
    """The runs in one of these states that are not over, oldest first."""
    query = (
        sa.select(runs)
        .where(runs.c.state.in_([state.value for state in states]), runs.c.finished_at.is_(None))
        .order_by(runs.c.id)
    )
    return [_run(row) for row in session.execute(query).mappings()]


def move_runs(
    session: Session,
    campaign: int,
    to: RunState,
    *,
    expected: Sequence[RunState],
    frozen: bool | None = None,
) -> None:
    """Change the state of a campaign's runs that are in one of `expected` (and frozen or not, if said)."""
    change = (
        sa.update(runs)
        .where(runs.c.campaign_id == campaign, runs.c.state.in_([state.value for state in expected]))
        .values(state=to.value)
    )
    if frozen is not None:
        change = change.where(runs.c.frozen_at.is_not(None) if frozen else runs.c.frozen_at.is_(None))
    session.execute(change)


def end_run(session: Session, run: Run, to: RunState, *, now: datetime) -> bool:
    """Mark a run as over; False if another did so, or changed its state, since it was read."""
    as_read = sa.update(runs).where(
        runs.c.id == run.id, runs.c.state == run.state.value, runs.c.finished_at.is_(None)
    )
    return changed(session, as_read.values(state=to.value, finished_at=now)) == 1


def _run(row: Any) -> Run:
    return Run(**{**row, "state": RunState(row["state"])})
