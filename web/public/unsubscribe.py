"""Leaving a topic: GET shows, POST acts at once, without a cookie, a login or a redirect.

Source: RFC 8058.
"""

from flask import request
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _

from campaigns.clock import utc_now
from campaigns.flows import intake, preferring
from campaigns.flows.preferring import Shown
from campaigns.records import consent
from campaigns.tracking.tokens import Purpose
from campaigns.values import ConsentState, ContactId, TopicClass
from web.public.visitor import Visitor, by_token, show
from web.session import read, write


@by_token(Purpose.UNSUBSCRIBE)
def page(visitor: Visitor) -> ResponseReturnValue:
    """Show the topic and a button; do what a POST asks for."""
    if visitor.whom.topic_class is TopicClass.TRANSACTIONAL:
        return show("public/transactional.html", visitor)
    if request.method != "POST":
        return _show(visitor, "left" if _has_left(visitor) else "asked")
    if request.form.get("do") == "take back":
        return _take_back(visitor)
    # RFC 8058 fixes the body, but a request to leave is never refused for its form.
    one_click = request.form.get("List-Unsubscribe") == "One-Click"
    with write() as session:
        how = "one-click post" if one_click else "page"
        intake.unsubscribe(session, visitor.token, how=how, now=utc_now())
    return _show(visitor, "left")


def _has_left(visitor: Visitor) -> bool:
    with read() as session:
        said = consent.state(session, ContactId(visitor.whom.contact), visitor.whom.topic)
    return said is ConsentState.WITHDRAWN


def _take_back(visitor: Visitor) -> ResponseReturnValue:
    wording = take_back_words(visitor.whom.topic_name, visitor.whom.sender)
    shown = Shown(get_locale().language, {visitor.whom.topic: wording})
    with write() as session:
        preferring.take_back(session, visitor.whom, shown, now=utc_now())
    return _show(visitor, "back")


def _show(visitor: Visitor, state: str) -> ResponseReturnValue:
    words = take_back_words(visitor.whom.topic_name, visitor.whom.sender)
    return show("public/unsubscribe.html", visitor, state=state, take_back_words=words)


def take_back_words(topic: str, sender: str) -> str:
    """Write what a contact agrees to who takes an unsubscribe back: the button's own words."""
    words: str = _("Please keep sending me “%(topic)s” from %(sender)s", topic=topic, sender=sender)
    return words
