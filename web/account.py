"""A person's own account: everybody may change their password."""

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from campaigns.clock import utc_now
from campaigns.errors import BadForm
from campaigns.records import staff
from campaigns.records.staff import NewStaff, Staff
from campaigns.values import Problem
from web import auth
from web.session import read, write
from web.throttle import Throttle

account = Blueprint("account", __name__, url_prefix="/account")


@account.get("/password")
def password() -> ResponseReturnValue:
    """Show the form for a new password."""
    return render_template("auth/password.html", problems=())


@account.post("/password")
def change_password() -> ResponseReturnValue:
    """Take a new password from whoever knows the present one; all their other logins end."""
    person = auth.current()
    assert person is not None
    problems = _problems_of_present(person)
    if request.form.get("password", "") != request.form.get("again", ""):
        problems.append(Problem("again", _("differs from the password."), _("Type the same in both fields.")))
    wanted = request.form.get("password", "")
    try:
        staff.check(NewStaff(person.email, person.name, wanted, person.desks))
    except BadForm as bad:
        problems += bad.problems
    if problems:
        return render_template("auth/password.html", problems=problems), 422
    with write() as session:
        staff.set_password(session, person.id, wanted)
        found = staff.credentials(session, person.email)
    assert found is not None
    auth.enter(*found)
    flash(_("Your password was changed. You are logged out everywhere else."), "success")
    return redirect(url_for("shell.home"))


def _problems_of_present(person: Staff) -> list[Problem]:
    """Check the present password; whoever found an open screen may not try many."""
    throttle: Throttle = current_app.extensions["login throttle"]
    limits = {f"password of {person.id}": auth.PER_PAIR}
    if throttle.wait(limits, utc_now()):
        return [Problem("present", _("was tried too often."), _("Try again in a quarter of an hour."))]
    with read() as session:
        found = staff.credentials(session, person.email)
    if staff.matches(found[1] if found else None, request.form.get("present", "")):
        return []
    throttle.fail(limits, utc_now())
    return [Problem("present", _("is wrong."), _("Type the password that you logged in with."))]
