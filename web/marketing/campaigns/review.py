"""The last look before a campaign is scheduled: everything once more, and a number to type for many."""

from datetime import datetime
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from campaigns import mailing
from campaigns.clock import utc_now
from campaigns.errors import BadForm, NotAllowed
from campaigns.flows import schedule as flow
from campaigns.flows.checking import times_uncapped
from campaigns.records import campaign_desk, names
from campaigns.records.campaigns import Campaign
from campaigns.values import CampaignState, Problem
from web.language import number
from web.marketing.campaigns import times
from web.marketing.campaigns.blueprint import campaigns
from web.marketing.campaigns.choices import choices
from web.marketing.campaigns.hours import hours_words
from web.marketing.campaigns.outside import MATTERS, lately
from web.marketing.campaigns.parts import Checked, Reach, checked, reach_of
from web.marketing.campaigns.preview import people_of, render
from web.marketing.campaigns.words import CARD_OF, GATES, field_of, label_of, refusal
from web.marketing.desk import actor, signing
from web.marketing.telling import tell
from web.numbers import number_from
from web.session import read, write

MANY = 1000  #: recipients above which their number is typed
DRIFT = 0.05  #: by which the audience may change between the look and the word


@campaigns.get("/<int:campaign_id>/review")
def review(campaign_id: int) -> ResponseReturnValue:
    """Show everything once more."""
    return _page(campaign_id)


def _page(campaign_id: int, problems: tuple[Problem, ...] = ()) -> ResponseReturnValue:
    now = utc_now()
    with read() as session:
        campaign = campaign_desk.shown(session, campaign_id)
        if campaign.state is not CampaignState.DRAFT:
            flash(_("The campaign is no draft any more."), "warning")
            return redirect(url_for("campaigns.show", campaign_id=campaign_id))
        reach = reach_of(session, campaign, now)[0]
        html = render_template(
            "marketing/campaigns/review.html",
            campaign=campaign,
            reach=reach,
            checked=checked(session, campaign, reach, now),
            choices=choices(session),
            subject=_subject(session, campaign),
            problems=problems,
            many=MANY,
            asked=lately(session, campaign),
            often=times_uncapped(campaign, now),
            matters=MATTERS,
            **_words(campaign, now, reach),
        )
    return html, 422 if problems else 200


def _words(campaign: Campaign, now: datetime, reach: Reach | None) -> dict[str, Any]:
    return {
        "gate_words": GATES,
        "label_of": label_of,
        "field_of": field_of,
        "card_of": CARD_OF,
        "schedule_words": times.schedule_words(campaign),
        "hours_words": hours_words(campaign),
        "coming": times.coming(campaign, now),
        "in_zone": times.in_zone,
        "lasts": times.throttled(reach.mailable, campaign.per_minute) if reach else None,
    }


def _subject(session: Session, campaign: Campaign) -> str | None:
    """The subject as the first contact of the segment reads it."""
    draft = mailing.draft(session, campaign, signing())
    if draft is None:
        return None
    people = people_of(session, campaign, draft, "first")
    contact = names.recipient(session, people[0]) if people else None
    content = render(session, draft, contact).content
    return content.subject if content else None


@campaigns.post("/<int:campaign_id>/schedule")
def schedule(campaign_id: int) -> ResponseReturnValue:
    """Schedule it, unless something speaks against it now."""
    now = utc_now()
    try:
        with read() as session:  # looking takes a while on a large store; the write lock is taken after
            campaign = campaign_desk.shown(session, campaign_id)
            reach = reach_of(session, campaign, now)[0]
            _agree(reach, checked(session, campaign, reach, now), times_uncapped(campaign, now))
        with write() as session:
            at = flow.schedule(session, campaign_id, actor=actor(), now=now)
    except BadForm as bad:
        return _page(campaign_id, bad.problems)
    except NotAllowed:
        with read() as session:
            flash(refusal(campaign_desk.shown(session, campaign_id).state), "warning")
        return redirect(url_for("campaigns.show", campaign_id=campaign_id))
    if campaign.schedule == "now":
        flash(_("It goes out now. You can pause or cancel it here."), "success")
    else:
        when = times.in_zone(at, campaign.time_zone)
        flash(_("It is scheduled for %(when)s. You can take it back until then.", when=when), "success")
    return redirect(url_for("campaigns.show", campaign_id=campaign_id))


def _agree(reach: Reach | None, found: Checked, often: int) -> None:
    """Make sure that what was seen is what is there.

    Raises:
        BadForm: something speaks against it, the number typed is not that of the recipients, or nobody
            agreed to mail the same people several times a day.
    """
    problems = list(found.missing)
    problems += [
        Problem(one.card, tell(one.what, one.values), tell(one.cure, one.values)) for one in found.blockers
    ]
    mailable = reach.mailable if reach else 0
    seen = number_from(request.form.get("counted"))
    if seen is None or abs(seen - mailable) > max(1, DRIFT * mailable):
        what = _("has changed since you looked; it is %(count)s now.", count=number(mailable))
        problems.append(Problem("typed", what, _("Look once more.")))
    elif mailable > MANY and _digits(request.form.get("typed", "")) != str(seen):
        what = _("is not the number of recipients.")
        problems.append(Problem("typed", what, _("Type %(count)s.", count=number(seen))))
    if often and request.form.get("often") != str(often):
        what = _("is to be said: it goes out up to %(times)s times a day.", times=number(often))
        problems.append(Problem("often", what, _("Tick it, or set a frequency cap.")))
    if problems:
        raise BadForm(problems)


def _digits(text: str) -> str:
    """What was typed, without the separators that people and pages put into numbers."""
    return "".join(letter for letter in text if letter not in ".,'’ \u00a0\u202f\t")
