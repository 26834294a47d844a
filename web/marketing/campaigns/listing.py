"""The list of campaigns, and a new one."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from campaigns.clock import utc_now
from campaigns.errors import BadForm
from campaigns.records import campaign_desk, consent, segments, templates
from campaigns.records import campaigns as records
from campaigns.records.reports import campaign_list_numbers
from campaigns.records.templates import TemplateRow
from campaigns.values import CampaignState
from web.language import chosen_timezone
from web.marketing.campaigns import times
from web.marketing.campaigns.blueprint import campaigns
from web.marketing.campaigns.cards import read_name
from web.marketing.campaigns.words import TABS
from web.marketing.desk import actor
from web.numbers import number_from
from web.session import read, write

PAGE = 50


@campaigns.get("/")
def index() -> ResponseReturnValue:
    """List campaigns by state, newest first."""
    name = request.args.get("state", "all")
    states = next((states for key, _label, states in TABS if key == name), ())
    search = request.args.get("q", "").strip()[:200]
    before = number_from(request.args.get("before"))
    with read() as session:
        found = campaign_desk.page(session, states, search=search, before=before, limit=PAGE + 1)
        shown, more = found[:PAGE], len(found) > PAGE
        return render_template(
            "marketing/campaigns/index.html",
            rows=shown,
            more=more,
            state=name,
            search=search,
            tabs=_tabs(campaign_desk.counts(session)),
            numbers=campaign_list_numbers(session, [one.id for one in shown]),
            topics={one.id: one.name for one in consent.all_topics(session)},
            segments={one.id: one.name for one in segments.listing(session)},
            schedule_words=times.schedule_words,
        )


def _tabs(counts: dict[CampaignState, int]) -> list[tuple[str, object, int]]:
    everything = sum(counts.values())
    return [
        (key, label, sum(counts.get(state, 0) for state in states) if states else everything)
        for key, label, states in TABS
    ]


@campaigns.get("/new")
def new() -> ResponseReturnValue:
    """Ask what a new campaign is called; it may begin with a template."""
    with read() as session:
        template = _template(session, request.args.get("template"))
    return render_template("marketing/campaigns/new.html", form={}, problems=(), template=template)


def _template(session: Session, wanted: str | None) -> TemplateRow | None:
    """The template that a campaign is to begin with, if there is such a one."""
    number = number_from(wanted)
    return next((one for one in templates.listing(session) if one.id == number), None)


@campaigns.post("/")
def create() -> ResponseReturnValue:
    """Start a draft."""
    try:
        chosen = read_name(request.form)
    except BadForm as bad:
        with read() as session:
            template = _template(session, request.form.get("template"))
        page = render_template(
            "marketing/campaigns/new.html", form=request.form, problems=bad.problems, template=template
        )
        return page, 422
    with write() as session:
        if (template := _template(session, request.form.get("template"))) is not None:
            chosen["template_id"] = template.id
        made = records.create(
            session,
            chosen.pop("name"),
            actor=actor(),
            now=utc_now(),
            time_zone=str(chosen_timezone()),
            **chosen,
        )
    return redirect(url_for("campaigns.show", campaign_id=made))
