"""The list of customers: searched, narrowed, leafed through."""

from typing import Any

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from campaigns.records import customers as store
from campaigns.records import staff
from campaigns.records.customers import Found, Wanted
from campaigns.records.customers.finding import countries
from campaigns.records.customers.people import STAGES
from web.numbers import number_from
from web.sales import words
from web.sales.desk import customers, me
from web.session import read

MOST_PAGES = 1000


@customers.get("", endpoint="index")
def index() -> ResponseReturnValue:
    """Show customers: those that match what was typed, or all, the newest first."""
    text = request.args.get("q", "").strip()
    wanted = wanted_of(me().id)
    page = page_asked()
    with read() as session:
        if text:
            found = store.search(session, text, wanted=wanted, page=page)
        else:
            found = store.browse(session, wanted=wanted, before=whole(request.args.get("before")))
        people = staff.listing(session)
        places = sorted(countries(session), key=words.country)
    return render_template(
        "customers/index.html",
        found=found,
        text=text,
        page=page,
        owners=people,
        stages=STAGES,
        countries=places,
        narrowed=wanted != Wanted(),
        next_url=_next(found, text, page),
        back_url=_here(page=page - 1) if text and page > 1 else None,
    )


def wanted_of(mine: int) -> Wanted:
    """Read the filters of the address; "me" is whoever asks."""
    owner = request.args.get("owner", "")
    return Wanted(
        stage=_plain("stage"),
        owner=mine if owner == "me" else whole(owner),
        country=_plain("country"),
    )


def _plain(name: str) -> str | None:
    return request.args.get(name, "").replace("\0", "") or None


def page_asked() -> int:
    """Read which page is asked for, the first where that is unclear."""
    return min(whole(request.args.get("page")) or 1, MOST_PAGES)


def whole(text: str | None) -> int | None:
    """Read a positive whole number that fits an id; None for anything else."""
    return number_from(text) or None


def _next(found: Found, text: str, page: int) -> str | None:
    if not found.more:
        return None
    return _here(page=page + 1) if text else _here(before=found.next)


def _here(**over: int | None) -> str:
    kept: dict[str, Any] = {
        key: value
        for key, value in request.args.items()
        if key in {"q", "stage", "owner", "country"} and value
    }
    return url_for("customers.index", **{**kept, **over})
