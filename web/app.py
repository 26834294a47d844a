"""The web app for people of ours: `create_app` puts the shell and every desk's pages together."""

import hmac
from datetime import timedelta
from importlib import import_module
from typing import Any

from flask import Blueprint, Flask, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.routing import IntegerConverter, Map

from campaigns.config import Settings
from campaigns.values import CampaignState, MessageState, RunState
from campaigns.wiring import Stores, routing_of
from web import assets, auth, faults, guard, hosts, language, nav, problems, recorded
from web.account import account
from web.health import alive, health

#: The desks' pages, "module:blueprint", one line each.
BLUEPRINTS: tuple[str, ...] = (
    "web.marketing.campaigns:campaigns",
    "web.marketing.segments:segments",
    "web.marketing.template_pages:templates",
    "web.marketing.surveys:surveys",
    "web.marketing.forms:forms",
    "web.marketing.forms:halted",
    "web.marketing.reports:reports",
    "web.marketing.doubts:doubts",
    "web.marketing.catcher:catcher",
    "web.sales.pages:customers",
    "web.sales.pages:tasks",
    "web.service.pages:lookup",
    "web.service.pages:cases",
    "web.admin.pages:settings",
    "web.admin.pages:accounts",
    "web.admin.pages:lanes",
    "web.admin.pages:staff",
)
#: Customers' pages and providers' webhooks; their blueprints are named in auth.OPEN_BLUEPRINTS.
PUBLIC_BLUEPRINTS: tuple[str, ...] = (
    "web.public.pages:public",
    "web.public.hooks:hooks",
)
MOST_BYTES = 32 * 1024 * 1024  #: of one request

shell = Blueprint("shell", __name__)


class RowNumbers(IntegerConverter):
    """Numbers of rows in addresses; what no database can hold leads nowhere."""

    regex = r"[0-9]{1,19}"

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, max=2**63 - 1)


def create_app(stores: Stores, settings: Settings) -> Flask:
    """Make the app for the desks.

    `stores` is what the pages read and write; `settings` gives the secret that signs sessions.
    """
    app = Flask(__name__)
    app.extensions["stores"] = stores
    app.extensions["settings"] = settings
    app.extensions["routing"] = routing_of(settings)
    dress(app, settings)
    auth.install(app)
    app.register_blueprint(shell)
    app.register_blueprint(account)
    app.register_blueprint(alive)
    app.register_blueprint(health)
    app.context_processor(_navigation)
    for place in BLUEPRINTS:
        add(app, place)
    return app


def create_public_app(stores: Stores, settings: Settings) -> Flask:
    """Make the app for what customers and providers reach: no login, no session cookie."""
    app = Flask(__name__)
    app.extensions["stores"] = stores
    app.extensions["settings"] = settings
    dress(app, settings)
    app.register_blueprint(alive)
    for place in PUBLIC_BLUEPRINTS:
        add(app, place)
    return app


def add(app: Flask, place: str) -> None:
    """Register a blueprint named "module:name"; one of the open ones takes POSTs from strangers."""
    module, _, name = place.partition(":")
    blueprint: Blueprint = getattr(import_module(module), name)
    if blueprint.name in auth.OPEN_BLUEPRINTS:
        guard.csrf.exempt(blueprint)
    app.register_blueprint(blueprint)


def dress(app: Flask, settings: Settings) -> None:
    """Give any of our apps what all share: secret, headers, languages, static files, error pages."""
    app.config.update(
        SECRET_KEY=hmac.digest(settings.secret, b"web session", "sha256"),
        MAX_CONTENT_LENGTH=MOST_BYTES,
        SEND_FILE_MAX_AGE_DEFAULT=timedelta(hours=1),
    )
    app.url_map.converters["int"] = RowNumbers
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(CampaignState=CampaignState, RunState=RunState, MessageState=MessageState)
    guard.install(app)
    language.install(app)
    hosts.install(app)
    recorded.install(app)
    problems.install(app)
    assets.install(app)
    faults.install(app)


@shell.get("/")
def home() -> ResponseReturnValue:
    """Send to the first page of the person's desks, or say that there is none yet."""
    person = auth.current()
    endpoint = nav.first_page(person) if person else None
    if endpoint:
        return redirect(url_for(endpoint))
    return render_template("home.html")


def _navigation() -> dict[str, Any]:
    return {"desks": nav.desks_of(auth.current()), "here": request.full_path.rstrip("?")}
