"""Accounts: which ways out there are, how each is, what waits for it, and which mail goes through which."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, abort, current_app, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from campaigns.clock import utc_now
from campaigns.config import CATCHER_URL
from campaigns.delivery.routes import Route, Routing, shares
from campaigns.delivery.trying import try_account
from campaigns.errors import BackendError, BadSettings
from campaigns.flows.overseeing import behind, overview
from campaigns.records import accounts as standings
from campaigns.records import routes
from campaigns.records.staff import Desk
from campaigns.wiring import routing_of
from web import auth
from web.session import read, routing, write
from web.session import settings as installation

accounts = Blueprint("accounts", __name__, url_prefix="/accounts", template_folder="templates")


@accounts.before_request
def _administer() -> None:
    auth.require_desk(Desk.ADMIN)


@dataclass(frozen=True, slots=True)
class ShownRoute:
    """One route, as people read it."""

    route: Route
    by_weight: dict[str, float]  #: shares of 1, of the accounts that it names
    now: dict[str, float]  #: what they are at the moment; empty: no account can be used


@accounts.get("/")
def index() -> ResponseReturnValue:
    """Show every account with its state, its queue and its use, and the routes."""
    now = utc_now()
    with read() as session:
        shown = overview(session, routing(), now)
        led = _routes(session, routing(), now)
        file, wrong = _as_it_is()
        old = behind(session, file, installation().secret) if file else []
    return render_template(
        "admin/accounts.html",
        accounts=shown,
        routes=led,
        file=installation().accounts_file,
        to_catcher=installation().smtp_url == CATCHER_URL,
        command="celery-worker" if installation().broker_url else "sender",
        wrong=wrong,
        changed=file is not None and file.digest(b"") != routing().digest(b""),
        behind=[f"{one.door} {one.account}".strip() for one in old],
        lanes_page="lanes.index" if "lanes.index" in current_app.view_functions else "",
        now=now,
    )


@accounts.post("/<name>/check")
def check(name: str) -> ResponseReturnValue:
    """Ask an account whether it would take mail; one that was closed and would is open again."""
    account = routing().accounts.get(name)
    if account is None:
        abort(404)
    try:
        found = try_account(account, installation().smtp_cafile)
    except (BackendError, BadSettings) as error:
        flash(_("%(name)s would take no mail: %(said)s", name=name, said=str(error)[:300]), "danger")
    else:
        with write() as session:
            standings.opened(session, name, utc_now())
        flash(_("%(name)s would take mail. No mail was sent. %(found)s", name=name, found=found), "success")
    return redirect(url_for("accounts.index"))


def _as_it_is() -> tuple[Routing | None, str]:
    """What the accounts file says now, or what is wrong with it."""
    try:
        return routing_of(installation()), ""
    except BadSettings as error:
        return None, str(error)


def _routes(session: Session, routing: Routing, now: datetime) -> list[ShownRoute]:
    known = standings.standings(session)
    return [
        ShownRoute(
            route,
            _of_one(route.accounts),
            _of_one(shares(route, routes.lost(routing, route, known, now))),
        )
        for route in routing.routes
    ]


def _of_one(weights: Mapping[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}
