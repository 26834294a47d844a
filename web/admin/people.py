"""Staff: who may log in, and which desks they see."""

from collections.abc import Mapping
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from campaigns.clock import utc_now
from campaigns.errors import BadForm, NotAllowed, NotFound
from campaigns.records import staff as records
from campaigns.records.staff import Desk, NewStaff, Staff
from campaigns.values import Problem
from web import auth
from web.admin.desk import line, staff
from web.session import read, write


@staff.get("/")
def index() -> ResponseReturnValue:
    """List everybody."""
    with read() as session:
        rows = records.listing(session)
    return render_template("admin/staff_index.html", rows=rows, desk_names=desk_names())


@staff.get("/new")
def new() -> ResponseReturnValue:
    """Show the form that lets a person in."""
    return _form(None, {}, frozenset(), ())


@staff.post("/")
def create() -> ResponseReturnValue:
    """Let a person in."""
    desks = chosen_desks()
    wanted = NewStaff(line("email"), line("name"), request.form.get("password", ""), desks)
    problems = _problems_of_desks(desks)
    try:
        records.check(wanted)
    except BadForm as bad:
        problems = [*bad.problems, *problems]
    if problems:
        return _form(None, request.form, desks, problems)
    try:
        with write() as session:
            records.add(session, wanted, utc_now())
    except NotAllowed:
        taken = Problem("email", _("is taken."), _("Each person needs an address of their own."))
        return _form(None, request.form, desks, [taken])
    words = _("%(name)s may log in now. Tell them their password by another way than mail.", name=wanted.name)
    flash(words, "success")
    return redirect(url_for("staff.index"))


@staff.get("/<int:number>")
def show(number: int) -> ResponseReturnValue:
    """Show a person, to be changed."""
    row = _row(number)
    return _form(row, {"name": row.name}, row.desks, ())


@staff.post("/<int:number>")
def save(number: int) -> ResponseReturnValue:
    """Save a person's name and desks."""
    row, desks = _row(number), chosen_desks()
    if problems := _problems_of_desks(desks):
        return _form(row, request.form, desks, problems)
    try:
        with write() as session:
            records.change(session, number, line("name"), desks, active=row.active)
    except BadForm as bad:
        return _form(row, request.form, desks, bad.problems)
    except NotAllowed:
        return _form(row, request.form, desks, [_last("desks")])
    flash(_("Saved."), "success")
    return redirect(url_for("staff.index"))


@staff.post("/<int:number>/password")
def set_password(number: int) -> ResponseReturnValue:
    """Give a person a new password; whoever is logged in with the old one is out."""
    row = _row(number)
    try:
        with write() as session:
            records.set_password(session, number, request.form.get("password", ""))
            found = records.credentials(session, row.email)
    except BadForm as bad:
        return _form(row, {"name": row.name}, row.desks, bad.problems)
    me = auth.current()
    if found is not None and me is not None and me.id == number:
        auth.enter(*found)
    flash(_("%(name)s has a new password.", name=row.name), "success")
    return redirect(url_for("staff.index"))


@staff.post("/<int:number>/active")
def set_active(number: int) -> ResponseReturnValue:
    """Shut a person out, or let them in again."""
    row = _row(number)
    try:
        with write() as session:
            if request.form.get("active") == "1":
                records.change(session, number, row.name, row.desks, active=True)
            else:
                records.deactivate(session, number)
    except NotAllowed:
        return _form(row, {"name": row.name}, row.desks, [_last("active")])
    flash(_("Saved."), "success")
    return redirect(url_for("staff.index"))


def chosen_desks() -> frozenset[Desk]:
    """Read the desks that were ticked; what is none is left out."""
    return frozenset(desk for desk in Desk if desk in request.form.getlist("desks"))


def desk_names() -> dict[Desk, tuple[str, str]]:
    """What each desk is called, and what it is for."""
    return {
        Desk.MARKETING: (_("Marketing"), _("Campaigns, segments, content, surveys, reports.")),
        Desk.SALES: (_("Sales"), _("Customers and tasks.")),
        Desk.SERVICE: (_("Service"), _("Look-up and cases.")),
        Desk.ADMIN: (_("Settings"), _("Topics, senders, staff; sees every desk.")),
    }


def _problems_of_desks(desks: frozenset[Desk]) -> list[Problem]:
    return [] if desks else [Problem("desks", _("is empty."), _("Choose one desk at least."))]


def _last(where: str) -> Problem:
    return Problem(where, _("would leave no administrator."), _("Make somebody else one first."))


def _row(number: int) -> Staff:
    with read() as session:
        found = next((row for row in records.listing(session) if row.id == number), None)
    if found is None:
        raise NotFound(f"Nobody has the number {number}.")
    return found


def _form(
    row: Staff | None, form: Mapping[str, Any], desks: frozenset[Desk], problems: Any
) -> ResponseReturnValue:
    page = render_template(
        "admin/staff_show.html", row=row, form=form, seats=desks, problems=problems, desk_names=desk_names()
    )
    return page, 422 if problems else 200
