"""A contact's own page of topics: what they hear about, changed by POST."""

from typing import NamedTuple

from flask import request
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _

from campaigns.clock import utc_now
from campaigns.flows import preferring
from campaigns.flows.preferring import Choice, Shown
from campaigns.forms.visits import masked
from campaigns.idn import told_address
from campaigns.tracking.tokens import Purpose
from campaigns.values import Tracking
from web.numbers import numbers_from
from web.public.visitor import Visitor, by_token, parts, show
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
    if request.form.get("do") == "track":
        return _track(visitor)
    wanted, shown = (set(numbers_from(request.form.getlist(name))) for name in ("topic", "shown"))
    with write() as session:
        offered = [one for one in preferring.choices(session, visitor.whom) if one.topic.id in shown]
        wordings = {one.topic.id: words(one, visitor.whom.sender) for one in offered}
        preferring.choose(session, visitor.whom, wanted, Shown(_language(), wordings), now=utc_now())
    return _show(visitor, done="saved")


def _track(visitor: Visitor) -> ResponseReturnValue:
    """Take how closely the contact lets us look; what is none of our levels changes nothing."""
    chosen = next((one for one in levels() if one.level.value == request.form.get("level")), None)
    if chosen is None:
        return _show(visitor, done="")
    wording = "\n".join((track_question(visitor.whom.sender), chosen.name, chosen.hint))
    with write() as session:
        preferring.track(
            session, visitor.whom, chosen.level, language=_language(), wording=wording, now=utc_now()
        )
    return _show(visitor, done="tracking")


class Level(NamedTuple):
    """A level of tracking in the contact's words."""

    level: Tracking
    name: str
    hint: str


def levels() -> list[Level]:
    """The levels, the closest first."""
    return [
        Level(
            Tracking.INDIVIDUAL,
            _("Yes, and remember what I open and click"),
            _("So what comes next can fit what interested you."),
        ),
        Level(
            Tracking.AGGREGATE,
            _("Only count, without my name"),
            _("How many opened and clicked is known, but nobody can tell who."),
        ),
        Level(
            Tracking.OFF,
            _("No, do not look at all"),
            _("Your mails have no hidden picture, and links lead straight to where they go."),
        ),
    ]


def track_question(sender: str) -> str:
    """Write what stands above the levels."""
    begun: str = _("May %(sender)s see what you do with these mails?", sender=sender)
    return begun


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


def _show(visitor: Visitor, *, done: str) -> ResponseReturnValue:
    with read() as session:
        offered = preferring.choices(session, visitor.whom)
        level = preferring.level_of(session, visitor.whom) or parts().signing.tracking
    return show(
        "public/preferences.html",
        visitor,
        choices=offered,
        question=question(visitor.whom.sender),
        levels=levels(),
        level=level,
        track_question=track_question(visitor.whom.sender),
        done=done,
        whose=_whose(visitor),
    )


def _whose(visitor: Visitor) -> str:
    """Whose page it is, told so that only they know it again."""
    address = visitor.whom.address
    return told_address(masked(address)) if address and not visitor.whom.erased else ""
