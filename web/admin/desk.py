"""The settings' blueprints, shut to all but administrators, and how their forms read a line of text."""

from typing import Any

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from campaigns.records import consent, senders
from campaigns.records.staff import Desk
from campaigns.values import Problem
from web import auth
from web.session import read

settings = Blueprint("settings", __name__, url_prefix="/settings", template_folder="templates")
staff = Blueprint("staff", __name__, url_prefix="/staff", template_folder="templates")

LARGEST = 10**18 - 1  #: of an id, within 63 bits


@settings.before_request
@staff.before_request
def _administer() -> None:
    auth.require_desk(Desk.ADMIN)


@settings.url_value_preprocessor
@staff.url_value_preprocessor
def _fits(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Stop with 404 at a number that no store could hold."""
    if any(isinstance(value, int) and value > LARGEST for value in (values or {}).values()):
        abort(404)


@settings.get("/")
def index() -> ResponseReturnValue:
    """Show the topics and the senders."""
    with read() as session:
        topics, known = consent.all_topics(session), senders.listing(session)
    return render_template("admin/index.html", topics=topics, senders=known)


def line(name: str) -> str:
    """Read a field of one line; blanks between words become one."""
    return " ".join(request.form.get(name, "").split())


def written(name: str) -> str:
    """Read a field of several lines."""
    return request.form.get(name, "").replace("\r\n", "\n").strip()


def too_long(field: str, text: str, most: int, least: int = 1) -> list[Problem]:
    """Find what is wrong with a text's length, or with signs that nobody can see."""
    if not all(sign.isprintable() or sign == "\n" for sign in text):
        return [Problem(field, _("holds signs that cannot be shown."), _("Type it anew."))]
    if len(text) < least or len(text) > most:
        return [Problem(field, _("is empty or too long."), _("Use 1 to %(most)s characters.", most=most))]
    return []
