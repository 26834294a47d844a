"""Pages for what went wrong; they say what to do, and nothing of what is inside."""

import logging
from contextlib import suppress

from flask import Flask, current_app, g, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.exceptions import HTTPException, InternalServerError, MethodNotAllowed, default_exceptions
from werkzeug.routing import RoutingException

from campaigns.errors import NotAllowed, NotFound

log = logging.getLogger(__name__)


def install(app: Flask) -> None:
    """Answer every error with a page of ours."""
    for code in default_exceptions:
        if code >= 400:
            app.register_error_handler(code, _page)
    app.register_error_handler(NotFound, lambda _error: _show(404, ""))
    app.register_error_handler(NotAllowed, lambda error: _show(409, str(error)))


def _page(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None:
        return error.response
    code = error.code or 500
    if isinstance(error, MethodNotAllowed) and (page := _page_above()):
        return redirect(page)
    if isinstance(error, InternalServerError):
        log.error("request %s failed", g.get("request_id"), exc_info=error.original_exception)
    return _show(code, "")


def _page_above() -> str | None:
    """Where somebody belongs who reloads the address that a form was sent to; None for anybody else."""
    if request.method != "GET" or "shell" not in current_app.blueprints:
        return None
    adapter = current_app.create_url_adapter(request)
    path = request.path.rstrip("/")
    while adapter is not None and (path := path.rpartition("/")[0]):
        for tried in (path, f"{path}/"):
            with suppress(RoutingException, HTTPException):
                adapter.match(tried, method="GET")
                return tried
    return None


def _show(code: int, reason: str) -> ResponseReturnValue:
    title, text = _words(code)
    page = "fault.html" if "shell" in current_app.blueprints else "public_fault.html"
    if request.headers.get("HX-Request") == "true":
        page = "fault_part.html"
    return render_template(page, code=code, title=title, text=reason or text), code


def _words(code: int) -> tuple[str, str]:
    words = {
        400: (
            _("That did not work"),
            _("The page may have been open for too long. Go back, reload it and try again."),
        ),
        403: (
            _("This page belongs to another desk"),
            _("Ask an administrator if you need it for your work."),
        ),
        404: (
            _("There is nothing here"),
            _("The address may be mistyped, or what it showed was removed."),
        ),
        409: (_("Not now"), _("The present state does not allow this.")),
        413: (_("Too large"), _("The file is larger than this page accepts.")),
        429: (_("Too many requests"), _("Wait a little and try again.")),
    }
    unknown = (
        _("Something went wrong on our side"),
        _("Nothing was changed. Try again; if it happens again, tell your administrator the number below."),
    )
    refused = (_("That did not work"), _("The request was not understood."))
    return words.get(code, unknown if code >= 500 else refused)
