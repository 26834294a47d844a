"""The sales desk's blueprints, and who may do what on their pages."""

from typing import Any

from flask import Blueprint, abort, current_app

from campaigns.records.staff import Desk, Staff
from web import auth
from web.sales import words

customers = Blueprint("customers", __name__, url_prefix="/customers", template_folder="templates")
tasks = Blueprint("tasks", __name__, url_prefix="/tasks", template_folder="templates")

ACTING = (Desk.SALES, Desk.SERVICE)  #: may write on a customer's record
LIFTING = (Desk.SERVICE,)  #: may take an address off the never-mail list
ERASING = (Desk.SERVICE,)  #: may forget a person, and have all that is kept of them as a file
LARGEST = 10**18 - 1  #: of an id, within 63 bits
READING = (Desk.SALES, Desk.SERVICE, Desk.MARKETING)


@customers.before_request
def _read() -> None:
    auth.require_desk(*READING)


@tasks.before_request
def _act() -> None:
    auth.require_desk(*ACTING)


@customers.url_value_preprocessor
@tasks.url_value_preprocessor
def fits(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Stop with 404 at a number that no store could hold."""
    if any(isinstance(value, int) and value > LARGEST for value in (values or {}).values()):
        abort(404)


@customers.app_context_processor
def _words() -> dict[str, object]:
    person = auth.current()
    return {
        "words": words,
        "has_page": lambda endpoint: endpoint in current_app.view_functions,
        "links_campaigns": links_campaigns,
        "may_act": person is not None and any(person.sits_at(desk) for desk in ACTING),
        "may_erase": person is not None and any(person.sits_at(desk) for desk in ERASING),
        "may_lift": person is not None and any(person.sits_at(desk) for desk in LIFTING),
    }


def links_campaigns() -> bool:
    """Tell whether a campaign's name leads to its page: it is there, and open to who is asking."""
    person = auth.current()
    known = "campaigns.show" in current_app.view_functions
    return known and person is not None and person.sits_at(Desk.MARKETING)


def me() -> Staff:
    """Give who is logged in; every page of the desk has somebody."""
    person = auth.current()
    assert person is not None
    return person
