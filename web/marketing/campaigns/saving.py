"""Saves the cards, each by itself: a whole page without scripts, a line that says so with them."""

from collections.abc import Callable
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from campaigns.clock import utc_now
from campaigns.errors import BadForm, NotAllowed
from campaigns.records import campaign_desk
from campaigns.records import campaigns as records
from web.marketing.campaigns import cards
from web.marketing.campaigns.blueprint import campaigns
from web.marketing.campaigns.cards import Offered
from web.marketing.campaigns.choices import choices, is_complete
from web.marketing.campaigns.page import Typed, page
from web.marketing.campaigns.words import label_of, refusal
from web.marketing.desk import is_part
from web.session import read, write

Reader = Callable[[Offered], dict[str, Any]]


@campaigns.post("/<int:campaign_id>/who")
def save_who(campaign_id: int) -> ResponseReturnValue:
    """Save the card that says who is meant."""
    return _save(campaign_id, "who", lambda offered: cards.read_who(request.form, offered))


@campaigns.post("/<int:campaign_id>/what")
def save_what(campaign_id: int) -> ResponseReturnValue:
    """Save the card that says what is said."""
    return _save(campaign_id, "what", lambda offered: cards.read_what(request.form, offered))


@campaigns.post("/<int:campaign_id>/when")
def save_when(campaign_id: int) -> ResponseReturnValue:
    """Save the card that says when."""
    return _save(campaign_id, "when", lambda _offered: cards.read_when(request.form, utc_now()))


@campaigns.post("/<int:campaign_id>/name")
def save_name(campaign_id: int) -> ResponseReturnValue:
    """Save the name and the goal."""
    return _save(campaign_id, "name", lambda _offered: cards.read_name(request.form))


def _save(campaign_id: int, card: str, reader: Reader) -> ResponseReturnValue:
    try:
        with write() as session:
            campaign_desk.shown(session, campaign_id)
            chosen = reader(choices(session).offered)
            records.edit(session, campaign_id, now=utc_now(), **chosen)
            campaign = campaign_desk.shown(session, campaign_id)
    except BadForm as bad:
        if is_part():
            return _part(card, problems=bad.problems), 422
        return page(campaign_id, Typed(card, request.form.to_dict(), bad.problems))
    except NotAllowed:
        with read() as session:
            refused = refusal(campaign_desk.shown(session, campaign_id).state)
        if is_part():
            return _part(card, refused=refused), 409
        flash(refused, "warning")
        return redirect(url_for("campaigns.show", campaign_id=campaign_id))
    if is_part():
        return _part(card, complete=is_complete(campaign, card)), 200, {"HX-Trigger": f"saved, saved-{card}"}
    flash(_("Saved."), "success")
    return redirect(url_for("campaigns.show", campaign_id=campaign_id, _anchor=card))


def _part(card: str, **told: Any) -> str:
    return render_template("marketing/campaigns/saved.html", card=card, label_of=label_of, **told)
