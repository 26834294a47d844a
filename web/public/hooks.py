"""Where providers call: an account's secret address; each call is proven, and stored before it is answered.

Whoever is refused learns nothing, not even whether the account exists.
"""

from typing import NamedTuple, cast

import structlog
from flask import Blueprint, Flask, Response, current_app, request
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from campaigns import metrics
from campaigns.clock import utc_now
from campaigns.delivery.providers.calling import calling
from campaigns.delivery.webhooks import MOST_BYTES, Call, Unproven, Webhooks, hook_secret
from campaigns.delivery.webhooks.proofs import same
from campaigns.errors import BackendError, BadSettings
from campaigns.records import webhooks
from campaigns.records.webhooks import Kept, NewCall
from campaigns.values import Account
from campaigns.wiring import routing_of
from web.public.book import Unwritten
from web.public.visitor import parts
from web.session import settings, write

log = structlog.get_logger()
PATH = "/hooks/"
HEADERS = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex"}
STRAY = "webhook"

hooks = Blueprint("hooks", __name__)


class Place(NamedTuple):
    """One account's address."""

    account: Account
    kind: str  #: whose calls they are
    secret: str
    webhooks: Webhooks


def places_of(accounts: dict[str, Account], installation: bytes) -> dict[str, Place]:
    """The addresses of those accounts whose provider calls."""
    found = {}
    for name, account in accounts.items():
        if caller := calling(account):
            found[name] = Place(account, caller.kind, hook_secret(account, installation), caller.webhooks)
    return found


@hooks.record_once
def _furnish(state: BlueprintSetupState) -> None:
    app = cast("Flask", state.app)
    own = app.extensions["settings"]
    try:
        app.extensions["hooks"] = places_of(dict(routing_of(own).accounts), own.secret)
    except BadSettings as bad:  # customers must be able to leave all the same
        log.error("the accounts file does not hold; every webhook is put off", why=str(bad))  # noqa: TRY400
        app.extensions["hooks"] = None


@hooks.post("/hooks/<account>/<secret>", strict_slashes=False)
def receive(account: str, secret: str) -> Response:
    """Take one call."""
    if current_app.extensions["hooks"] is None:
        return _answer(503)
    place = _place(account, secret)
    if place is None:
        metrics.webhook("stray")
        _count_stray()
        return _answer(404)
    request.max_content_length = MOST_BYTES
    try:
        call = Call(request.get_data(cache=False), {name.lower(): value for name, value in request.headers})
    except RequestEntityTooLarge:
        return _refuse(place, "larger than 5 MB", 413)
    except ClientDisconnected:
        return _answer(400)
    return _take(place, call)


def admits(app: Flask, path: str) -> bool:
    """Whether a path is the address of an account: only then is a large body waited for."""
    account, _, secret = path.removeprefix(PATH).rstrip("/").partition("/")
    places: dict[str, Place] = app.extensions["hooks"] or {}
    place = places.get(account)
    return path.startswith(PATH) and place is not None and same(secret[:200], place.secret)


def _place(name: str, secret: str) -> Place | None:
    """The account's address, if the secret is its own; the comparison takes as long either way."""
    places: dict[str, Place] = current_app.extensions["hooks"]
    place = places.get(name)
    expected = place.secret if place else hook_secret(Account(name[:60], "none"), settings().secret)
    return place if same(secret[:200], expected) and place else None


def _take(place: Place, call: Call) -> Response:
    now = utc_now()
    try:
        name = place.webhooks.check(call, place.account, now)
    except Unproven as unproven:
        return _refuse(place, str(unproven), unproven.status)
    except BackendError as error:
        log.warning("a webhook cannot be proven now", account=place.account.name, why=str(error))
        return _answer(503)
    new = NewCall(place.account.name, place.kind, now, name, call.body)
    try:
        with write() as session:
            kept = webhooks.keep(session, new)
    except Exception:  # whatever it is: what is not stored must come again
        log.exception("a webhook could not be stored", account=place.account.name)
        return _answer(503)
    if kept is Kept.REPLAY:
        return _refuse(place, "another call came by this name before", 401)
    metrics.webhook(kept.value)
    return _answer(200)


def _refuse(place: Place, why: str, status: int) -> Response:
    """Count it with the account, and say nothing to who called."""
    log.info("webhook refused", account=place.account.name, why=why)
    metrics.webhook("refused")
    try:
        with write() as session:
            webhooks.count(session, place.account.name, {"refused": 1}, now=utc_now())
    except Exception:  # noqa: BLE001 - counting is no reason to fail
        log.warning("a refused webhook could not be counted")
    _count_stray()
    return _answer(status)


def _count_stray() -> None:
    """Anybody may ask anything: strays share their commits."""
    try:
        parts().book.write(STRAY)
    except Unwritten:
        log.warning("a stray webhook could not be counted")


def _answer(status: int) -> Response:
    headers = HEADERS | ({"Retry-After": "30"} if status == 503 else {})
    return Response("" if status == 200 else "no\n", status, headers, mimetype="text/plain")
