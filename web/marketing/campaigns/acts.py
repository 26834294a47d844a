"""What is done with a campaign: taken back, paused, resumed, cancelled, copied, deleted."""

from collections.abc import Callable

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from campaigns.clock import utc_now
from campaigns.errors import NotAllowed
from campaigns.flows import schedule as flow
from campaigns.records import campaign_desk
from web.marketing.campaigns.blueprint import campaigns
from web.marketing.campaigns.words import refusal
from web.marketing.desk import actor
from web.session import read, write


@campaigns.post("/<int:campaign_id>/unschedule")
def unschedule(campaign_id: int) -> ResponseReturnValue:
    """Take a scheduled campaign back to draft."""
    return _do(campaign_id, flow.unschedule, _("It is a draft again; nothing goes out."))


@campaigns.post("/<int:campaign_id>/pause")
def pause(campaign_id: int) -> ResponseReturnValue:
    """Stop it for now."""
    return _do(campaign_id, flow.pause, _("Paused. Nothing further goes out until you resume it."))


@campaigns.post("/<int:campaign_id>/resume")
def resume(campaign_id: int) -> ResponseReturnValue:
    """Let it go on."""
    return _do(campaign_id, flow.resume, _("It goes on where it stopped."))


@campaigns.get("/<int:campaign_id>/cancel")
def ask_cancel(campaign_id: int) -> ResponseReturnValue:
    """Ask whether to end it."""
    return _ask(campaign_id, "cancel")


@campaigns.post("/<int:campaign_id>/cancel")
def cancel(campaign_id: int) -> ResponseReturnValue:
    """End it; what was not sent never will be."""
    return _do(campaign_id, flow.cancel, _("Cancelled. What had not been sent never will be."))


@campaigns.get("/<int:campaign_id>/delete")
def ask_delete(campaign_id: int) -> ResponseReturnValue:
    """Ask whether to put it away."""
    return _ask(campaign_id, "delete")


@campaigns.post("/<int:campaign_id>/delete")
def delete(campaign_id: int) -> ResponseReturnValue:
    """Put it away; its report and its links stay."""
    try:
        with write() as session:
            campaign_desk.shown(session, campaign_id)
            campaign_desk.delete(session, campaign_id, actor=actor(), now=utc_now())
    except NotAllowed:
        return _refuse(campaign_id)
    flash(_("Deleted. Unsubscribe links in its mails keep working."), "success")
    return redirect(url_for("campaigns.index"))


@campaigns.post("/<int:campaign_id>/copy")
def copy(campaign_id: int) -> ResponseReturnValue:
    """Start a draft that says the same."""
    with write() as session:
        old = campaign_desk.shown(session, campaign_id)
        name = _("Copy of %(name)s", name=old.name)[:200]
        made = campaign_desk.copy(session, campaign_id, name, actor=actor(), now=utc_now())
    flash(_("This is the copy, a draft."), "success")
    return redirect(url_for("campaigns.show", campaign_id=made))


def _ask(campaign_id: int, what: str) -> ResponseReturnValue:
    with read() as session:
        campaign = campaign_desk.shown(session, campaign_id)
    return render_template("marketing/campaigns/ask.html", campaign=campaign, what=what)


def _do(campaign_id: int, act: Callable[..., None], done: str) -> ResponseReturnValue:
    try:
        with write() as session:
            campaign_desk.shown(session, campaign_id)
            act(session, campaign_id, actor=actor(), now=utc_now())
    except NotAllowed:
        return _refuse(campaign_id)
    flash(done, "success")
    return redirect(url_for("campaigns.show", campaign_id=campaign_id))


def _refuse(campaign_id: int) -> ResponseReturnValue:
    with read() as session:
        campaign = campaign_desk.shown(session, campaign_id)
    flash(refusal(campaign.state), "warning")
    return redirect(url_for("campaigns.show", campaign_id=campaign_id))
