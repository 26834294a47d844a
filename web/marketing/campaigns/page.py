"""A campaign's page: four cards in any order; and how it stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from campaigns.clock import utc_now
from campaigns.records import campaign_desk, forms
from campaigns.records import campaigns as records
from campaigns.records.campaigns import Campaign
from campaigns.values import CampaignState, Problem
from web.marketing.campaigns import times
from web.marketing.campaigns.blueprint import campaigns
from web.marketing.campaigns.cards import Rhythm, rhythm_of
from web.marketing.campaigns.choices import choices, is_complete
from web.marketing.campaigns.hours import DAYS, hours_words, stored_hours, typed_days
from web.marketing.campaigns.words import FIELDS, GATES, WEEKDAYS, label_of
from web.session import read

CARDS = ("who", "what", "when")


@dataclass(frozen=True, slots=True)
class Typed:
    """A card's form that was sent and does not hold."""

    card: str = ""
    form: Mapping[str, str] = field(default_factory=dict)
    problems: Sequence[Problem] = ()


@campaigns.get("/<int:campaign_id>")
def show(campaign_id: int) -> ResponseReturnValue:
    """Show a campaign."""
    with read() as session:
        form = forms.of_campaign(session, campaign_id)
    return page(campaign_id) if form is None else redirect(url_for("forms.show", form_id=form))


def page(campaign_id: int, typed: Typed | None = None) -> ResponseReturnValue:
    """Put the page together; with what was typed where it could not be saved."""
    with read() as session:
        campaign = campaign_desk.shown(session, campaign_id)
        known = {**about(session, campaign), **card_values(campaign, typed or Typed())}
        html = render_template("marketing/campaigns/show.html", counted="count" in request.args, **known)
    return html, 422 if typed else 200


def about(session: Session, campaign: Campaign) -> dict[str, Any]:
    """Load what every view of a campaign shows."""
    runs = records.runs_of(session, campaign.id)
    under_way = next((run for run in runs if run.finished_at is None), None)
    log = records.log_lines(session, campaign.id)
    now, offered = utc_now(), choices(session)
    return {
        "campaign": campaign,
        "editable": campaign.state is CampaignState.DRAFT,
        "choices": offered,
        "options": offered.options(),
        "complete": {card: is_complete(campaign, card) for card in CARDS},
        "runs": runs,
        "run": under_way,
        "progress": times.progress(under_way, now, log) if under_way else None,
        "soon": times.is_soon(campaign, now),
        "log": log,
        "tests": records.runs_of(session, campaign.id, kind="test"),
        "schedule_words": times.schedule_words(campaign),
        "hours_words": hours_words(campaign),
        "coming": times.coming(campaign, now),
        "gate_words": GATES,
        "field_words": FIELDS,
        "label_of": label_of,
        "in_zone": times.in_zone,
    }


def card_values(campaign: Campaign, typed: Typed) -> dict[str, Any]:
    """Give the cards' fields: as typed in a form that does not hold, else as stored."""
    fields = stored(campaign)
    if typed.card:
        fields |= {"tracking": "tracking" in typed.form} if typed.card == "what" else {}
        if typed.card == "when":
            fields |= {**typed_days(typed.form), "until_reply": "until_reply" in typed.form}
        fields |= typed.form
    return {
        "fields": fields,
        "problems": {card: typed.problems if typed.card == card else () for card in (*CARDS, "name")},
        "weekdays": WEEKDAYS,
        "days": DAYS,
    }


def stored(campaign: Campaign) -> dict[str, Any]:
    """Give a campaign's settings as the cards' fields hold them."""
    zone = campaign.time_zone
    rhythm: Rhythm = rhythm_of(campaign.cron)
    names = (
        *("name", "goal", "topic_id", "segment_id", "template_id", "sender_id", "survey_id", "tracking"),
        *("schedule", "time_zone", "cron", "per_minute", "send_within_hours"),
        *("hold_out_percent", "cap_count", "cap_days", "until_reply"),
    )
    values = {name: getattr(campaign, name) for name in names}
    ends = times.local_input(campaign.ends_at and campaign.ends_at - timedelta(seconds=1), zone)
    return {
        **{name: "" if value is None else value for name, value in values.items()},
        "starts_at": times.local_input(campaign.starts_at, zone),
        "ends_at": ends.partition("T")[0],
        "every": rhythm.every,
        "at_time": rhythm.at_time,
        "weekday": rhythm.weekday,
        "month_day": rhythm.month_day,
        **stored_hours(campaign),
    }
