"""What the marketing desk's pages share: a blueprint shut to others, who acts, ways to other desks."""

from typing import Any

from flask import Blueprint, current_app, request, url_for

from campaigns.mailing import Signing
from campaigns.records.staff import Desk
from campaigns.tracking.tokens import Keyring
from web import auth
from web.marketing.telling import FINDINGS
from web.session import settings


def desk(name: str, prefix: str) -> Blueprint:
    """Make a blueprint for people at the marketing desk, and administrators."""
    made = Blueprint(name, __name__, url_prefix=prefix, template_folder="templates")
    made.before_request(lambda: auth.require_desk(Desk.MARKETING))
    made.app_context_processor(lambda: {"customer_url": customer_url, **FINDINGS})
    return made


def actor() -> str:
    """Name who is asking, for logs."""
    person = auth.current()
    assert person is not None
    return person.email


def signing() -> Signing:
    """Give what addresses in mails are made with."""
    return Signing(Keyring(settings().secret), settings().public_url)


def is_part() -> bool:
    """Tell whether only a part of a page is asked for."""
    return request.headers.get("HX-Request") == "true"


def customer_url(customer: int) -> str | None:
    """Give the address of a customer's record, if there is a page for it."""
    if "customers.show" not in current_app.view_functions:
        return None
    rule = next(current_app.url_map.iter_rules("customers.show"))
    values: dict[str, Any] = dict.fromkeys(rule.arguments, customer)
    return url_for("customers.show", **values)
