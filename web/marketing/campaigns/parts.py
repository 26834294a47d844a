"""Parts of a campaign's page that are counted or computed, and so come by themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from flask import render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from campaigns.clock import utc_now
from campaigns.errors import BadForm, BadInput
from campaigns.flows import audience, checking, schedule
from campaigns.flows.checking import Finding
from campaigns.records import campaign_desk, outbox, segments
from campaigns.records import campaigns as records
from campaigns.records.campaigns import Campaign, Run
from campaigns.templates.preflight import Level
from campaigns.values import Gate, Problem
from web.language import reader_language
from web.marketing.campaigns import times
from web.marketing.campaigns.blueprint import campaigns
from web.marketing.campaigns.words import CARD_OF, GATES, field_of, label_of
from web.marketing.desk import signing
from web.session import read, routing


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom a campaign would mail now, and whom each gate would stop."""

    mailable: int
    stopped: tuple[tuple[Gate, int], ...]

    @property
    def meant(self) -> int:
        """All contacts of the segment."""
        return self.mailable + sum(count for _gate, count in self.stopped)


@dataclass(frozen=True, slots=True)
class Checked:
    """What speaks against sending."""

    missing: tuple[Problem, ...]  #: not chosen yet, or wrong
    findings: tuple[Finding, ...]
    at: datetime

    @property
    def blockers(self) -> tuple[Finding, ...]:
        """What must be mended first."""
        return tuple(one for one in self.findings if one.level is Level.BLOCKER)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What had better be mended."""
        return tuple(one for one in self.findings if one.level is Level.WARNING)

    @property
    def ready(self) -> bool:
        """Tell whether it may be scheduled."""
        return not self.missing and not self.blockers


def reach_of(session: Session, campaign: Campaign, now: datetime) -> tuple[Reach | None, str]:
    """Count whom a campaign reaches; None, and why, where that cannot be said."""
    try:
        counted = audience.reach(session, campaign, now)
    except BadInput as error:
        return None, str(error.problems[0])
    return (reach_from(counted) if counted else _nobody(campaign)), ""


def _nobody(campaign: Campaign) -> Reach | None:
    return None if campaign.segment_id is None or campaign.topic_id is None else Reach(0, ())


def reach_from(counted: Mapping[str, int]) -> Reach:
    """Put what was counted in the order of the gates."""
    stopped = tuple((gate, counted[gate.value]) for gate in Gate if gate.value in counted)
    return Reach(counted.get("mailable", 0), stopped)


def checked(session: Session, campaign: Campaign, reach: Reach | None, now: datetime) -> Checked:
    """Look at everything that speaks against sending."""
    missing: tuple[Problem, ...] = ()
    try:
        schedule.first_due(campaign, now)
    except BadForm as bad:
        missing = bad.problems
    counted = {"mailable": reach.mailable} if reach else {}
    try:
        found = checking.check(
            session, campaign, reach=counted, signing=signing(), routing=routing(), now=now
        )
    except BadInput as error:
        missing += error.problems
        found = []
    return Checked(missing, tuple(found), now)


@campaigns.get("/<int:campaign_id>/reach")
def reach(campaign_id: int) -> ResponseReturnValue:
    """Count whom it would reach."""
    with read() as session:
        campaign = campaign_desk.shown(session, campaign_id)
        counted, why = reach_of(session, campaign, utc_now())
        segment = next(
            (one for one in segments.listing(session, reader_language()) if one.id == campaign.segment_id),
            None,
        )
        return render_template(
            "marketing/campaigns/reach.html",
            campaign=campaign,
            reach=counted,
            why=why,
            gate_words=GATES,
            sentence=segment.sentence if segment else "",
        )


@campaigns.get("/<int:campaign_id>/dates")
def dates(campaign_id: int) -> ResponseReturnValue:
    """Say when it goes out next, and how long that takes."""
    now = utc_now()
    with read() as session:
        campaign = campaign_desk.shown(session, campaign_id)
        counted = reach_of(session, campaign, now)[0] if campaign.per_minute else None
    coming = times.coming(campaign, now)
    return render_template(
        "marketing/campaigns/dates.html",
        campaign=campaign,
        coming=coming,
        in_zone=times.in_zone,
        reach=counted,
        lasts=times.throttled(counted.mailable, campaign.per_minute) if counted else None,
        starts=campaign.starts_at if campaign.schedule == "at" else (coming[0] if coming else now),
        gap=times.shortest_gap(coming),
    )


@campaigns.get("/<int:campaign_id>/check")
def check(campaign_id: int) -> ResponseReturnValue:
    """Show what speaks against sending."""
    now = utc_now()
    with read() as session:
        campaign = campaign_desk.shown(session, campaign_id)
        found = checked(session, campaign, reach_of(session, campaign, now)[0], now)
    return render_template(
        "marketing/campaigns/check.html",
        campaign=campaign,
        checked=found,
        card_of=CARD_OF,
        field_of=field_of,
        label_of=label_of,
    )


@campaigns.get("/<int:campaign_id>/progress")
def progress(campaign_id: int) -> ResponseReturnValue:
    """Show how far the run is; asked for again and again while it lasts, or is just about to begin."""
    now = utc_now()
    with read() as session:
        campaign = campaign_desk.shown(session, campaign_id)
        run, soon = _latest(session, campaign), times.is_soon(campaign, now)
        html = render_template(
            "marketing/campaigns/progress.html",
            campaign=campaign,
            run=run,
            progress=times.progress(run, now, records.log_lines(session, campaign.id)) if run else None,
            soon=soon,
            drained=run is not None and outbox.is_drained(session, run.id),
        )
    begun = request.args.get("until") == "begun" and not soon
    over = begun or (not soon and (run is None or run.finished_at is not None))
    return html, 200, {"HX-Refresh": "true"} if over else {}


def _latest(session: Session, campaign: Campaign) -> Run | None:
    return next(iter(records.runs_of(session, campaign.id)), None)
