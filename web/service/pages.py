"""The service desk's pages: one box that opens a record, and the cases that are open."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from campaigns.clock import utc_now
from campaigns.records import cases as store
from campaigns.records import customers as customer_store
from campaigns.records import staff
from campaigns.records.cases import KINDS
from campaigns.records.staff import Desk
from web import auth
from web.sales.desk import fits, me
from web.sales.finding import page_asked
from web.session import read, write

lookup = Blueprint("lookup", __name__, url_prefix="/lookup", template_folder="templates")
cases = Blueprint("cases", __name__, url_prefix="/cases", template_folder="templates")

ACTING = (Desk.SERVICE, Desk.SALES)


cases.url_value_preprocessor(fits)


@lookup.before_request
@cases.before_request
def _act() -> None:
    auth.require_desk(*ACTING)


@lookup.get("", endpoint="index")
def look_up() -> ResponseReturnValue:
    """Find a customer by whatever the caller gives; a single one opens at once."""
    text = request.args.get("q", "").strip()
    found = None
    if text:
        with read() as session:
            found = customer_store.search(session, text, size=20)
        if len(found.rows) == 1 and not found.more:
            return redirect(url_for("customers.show", customer=found.rows[0].id))
    return render_template("lookup/index.html", text=text, found=found)


@cases.get("", endpoint="index")
def index() -> ResponseReturnValue:
    """Show cases: open ones, the longest waiting first, or closed ones."""
    kind = request.args.get("kind", "")
    kind = kind if kind in KINDS else ""
    closed = request.args.get("state") == "closed"
    page = page_asked()
    with read() as session:
        found, more = store.listing(session, closed=closed, kind=kind or None, page=page)
        counts = store.counts_open(session)
        names = {one.id: one.name for one in staff.listing(session)}
    return render_template(
        "cases/index.html",
        cases=found,
        more=more,
        kind=kind,
        kinds=KINDS,
        closed=closed,
        page=page,
        counts=counts,
        names=names,
        now=utc_now(),
    )


@cases.post("/<int:case>/close", endpoint="close")
def close(case: int) -> ResponseReturnValue:
    """Close a case; after its last complaint a customer hears from marketing again."""
    outcome = request.form.get("outcome", "").replace("\0", "")
    with write() as session:
        found = store.close_case(session, case, outcome=outcome, actor=me().email, now=utc_now())
    flash(_("The case is closed."), "success")
    back = request.form.get("next")
    return redirect(auth.safe_next(back) if back else url_for("customers.show", customer=found.customer), 303)


@cases.post("/<int:case>/take", endpoint="take")
def take(case: int) -> ResponseReturnValue:
    """Make an open case one's own."""
    with write() as session:
        store.take(session, case, me().id)
    flash(_("The case is yours."), "success")
    return redirect(url_for("cases.index"), 303)
