"""The pages that mails lead to, by their first path element (campaigns/mailing.PAGES)."""

from typing import cast

from flask import Blueprint, Flask, Response, render_template
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from campaigns.config import Settings
from campaigns.mailing import Signing
from campaigns.wiring import Stores, open_stores
from web.public import forms, message, preferences, survey, unsubscribe
from web.public.book import Book, Unwritten
from web.public.destinations import Destinations
from web.public.visitor import Parts, keyring_of, nowhere

MOST_BYTES = 1024 * 1024  #: of one request: fifty long answers
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}

public = Blueprint("public", __name__, template_folder="templates")
public.add_url_rule(
    "/u/<token>", "unsubscribe", view_func=unsubscribe.page, methods=["GET", "POST"], strict_slashes=False
)
public.add_url_rule(
    "/p/<token>", "preferences", view_func=preferences.page, methods=["GET", "POST"], strict_slashes=False
)
public.add_url_rule(
    "/s/<token>", "survey", view_func=survey.page, methods=["GET", "POST"], strict_slashes=False
)
public.add_url_rule("/v/<token>", "view", view_func=message.page, methods=["GET"], strict_slashes=False)

forms.add_rules(public)


@public.record_once
def _furnish(state: BlueprintSetupState) -> None:
    app = cast("Flask", state.app)
    stores, settings = app.extensions["stores"], app.extensions["settings"]
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_FORM_MEMORY_SIZE"] = MOST_BYTES
    app.extensions["public"] = Parts(
        Signing(keyring_of(settings.secret), settings.public_url, settings.tracking),
        Book(_hit_stores(stores, settings).sessions, tracking=settings.tracking),
        Destinations(stores.readers),
    )


def _hit_stores(stores: Stores, settings: Settings) -> Stores:
    """Give hits a store of their own where they may be synced less than what customers say is."""
    if settings.hits_sync == "full":
        return stores
    return open_stores(settings.database_url, synchronous=settings.hits_sync.upper())


@public.after_request
def _quiet(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


@public.get("/c/<path:rest>")
def lost_click(rest: str) -> ResponseReturnValue:  # noqa: ARG001 - Flask names it
    """Say that a link leads nowhere; those that lead somewhere were answered by the front."""
    return nowhere("click")


@public.get("/n", strict_slashes=False)
def nothing() -> ResponseReturnValue:
    """Say that there is nothing to see, to who followed a link that only machines find."""
    return render_template("public/nothing.html")


@public.get("/robots.txt")
def robots() -> ResponseReturnValue:
    """Ask crawlers to stay away."""
    return Response("User-agent: *\nDisallow: /\n", mimetype="text/plain")


@public.app_errorhandler(Unwritten)
def _busy(_error: Unwritten) -> ResponseReturnValue:
    return render_template("public/busy.html"), 503, {"Retry-After": "2"}
