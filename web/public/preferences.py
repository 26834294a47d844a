"""A contact's own page of topics: what they hear about, changed by POST."""

from flask import request
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _

from campaigns.clock import utc_now
from campaigns.flows import preferring
from campaigns.flows.preferring import Choice, Shown
from campaigns.tracking.tokens import Purpose
from web.public.visitor import Visitor, by_token, show
from web.session import read, write


@by_token(Purpose.PREFERENCES)
def page(visitor: Visitor) -> ResponseReturnValue:
    """Show the topics with what the contact said; do what a POST asks for."""
    if request.method != "POST" or visitor.whom.erased:
        return _show(visitor, done="")
    if request.form.get("do") == "leave everything":
        with write() as session:
            preferring.leave_everything(session, visitor.whom, Shown(_language(), {}), now=utc_now())
        return _show(visitor, done="left")
    wanted, shown = _numbers("topic"), _numbers("shown")
    with write() as session:
        offered = [one for one in preferring.choices(session, visitor.whom) if one.topic.id in shown]
        wordings = {one.topic.id: words(one, visitor.whom.sender) for one in offered}
        preferring.choose(session, visitor.whom, wanted, Shown(_language(), wordings), now=utc_now())
    return _show(visitor, done="saved")


def question(sender: str) -> str:
    """Write what stands above the topics: the beginning of each sentence that a contact agrees to."""
    begun: str = _("Yes, %(sender)s may write to me about", sender=sender)
    return begun


def words(choice: Choice, sender: str) -> str:
    """Write what a contact agrees to who ticks a topic: all that the page shows of it."""
    return "\n".join(filter(None, (question(sender), choice.topic.name, choice.topic.description)))


def _language() -> str:
    language: str = get_locale().language
    return language


def _numbers(name: str) -> set[int]:
    return {int(text) for text in request.form.getlist(name) if text.isascii() and text.isdigit()}


def _show(visitor: Visitor, *, done: str) -> ResponseReturnValue:
    with read() as session:
        offered = preferring.choices(session, visitor.whom)
    return show(
        "public/preferences.html", visitor, choices=offered, question=question(visitor.whom.sender), done=done
    )
