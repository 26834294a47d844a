"""Who is asking: login, log-out, the first administrator, and which desk a page belongs to.

Every page asks for a login unless its view is marked `@open_to_all` or its blueprint is in
`OPEN_BLUEPRINTS`, so that forgetting a decorator shuts a page rather than opening it.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from urllib.parse import urlsplit

from flask import (
    Blueprint,
    Flask,
    abort,
    current_app,
    flash,
    g,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from campaigns.clock import utc_now
from campaigns.errors import BadForm, NotAllowed
from campaigns.records import staff
from campaigns.records.staff import Desk, NewStaff, Staff
from campaigns.values import Problem
from web.language import LANGUAGES
from web.session import read, write
from web.throttle import Limit, Throttle

QUARTER = timedelta(minutes=15)
PER_PAIR = Limit(5, QUARTER)  #: one address from one place
PER_PLACE = Limit(30, QUARTER)  #: one IP address, whomever it tries
PER_ADDRESS = Limit(60, QUARTER)  #: one address, from anywhere; high, so that a stranger can hardly lock it
LOGIN_LASTS = timedelta(hours=12)
#: Customers' and machines' pages; they prove who they are by tokens and signatures.
OPEN_BLUEPRINTS = frozenset({"public", "hooks"})

auth = Blueprint("auth", __name__)

View = Callable[..., ResponseReturnValue]


def open_to_all(view: View) -> View:
    """Mark a view as one that needs no login."""
    view.__dict__["open_to_all"] = True
    return view


def login_required(view: View) -> View:
    """Say that a view needs a login; all do, this makes it plain to a reader."""

    @wraps(view)
    def guarded(*args: object, **kwargs: object) -> ResponseReturnValue:
        return to_login() if current() is None else view(*args, **kwargs)

    return guarded


def role_required(
    *desks: Desk | str,
) -> Callable[[View], View]:
    """Let a view be seen only by people of one of these desks, and by administrators."""
    wanted = [Desk(desk) for desk in desks]

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(*args: object, **kwargs: object) -> ResponseReturnValue:
            require_desk(*wanted)
            return view(*args, **kwargs)

        return guarded

    return decorate


def require_desk(*desks: Desk) -> None:
    """Stop with 403 unless the person sits at one of these desks; for `blueprint.before_request` too."""
    person = current()
    if person is None or not any(person.sits_at(desk) for desk in desks):
        abort(403)


def current() -> Staff | None:
    """Give who is logged in, read once per request."""
    if "staff" not in g:
        g.staff = _from_session()
    person: Staff | None = g.staff
    return person


def _from_session() -> Staff | None:
    number, seal = session.get("staff"), session.get("seal")
    if not isinstance(number, int) or not isinstance(seal, str):
        return None
    with read() as opened:
        if staff.seal(opened, number) != seal:
            return None
        return staff.by_id(opened, number)


def install(app: Flask) -> None:
    """Shut every page to those who are not logged in, and give templates `person`."""
    app.extensions["login throttle"] = Throttle()
    app.config["PERMANENT_SESSION_LIFETIME"] = LOGIN_LASTS
    app.register_blueprint(auth)
    app.before_request(_shut)
    app.context_processor(lambda: {"person": current()})


def _shut() -> ResponseReturnValue | None:
    if request.endpoint in {None, "static"} or request.blueprint in OPEN_BLUEPRINTS:
        return None
    view = current_app.view_functions[str(request.endpoint)]
    if getattr(view, "open_to_all", False) or current() is not None:
        return None
    return to_login()


def to_login() -> ResponseReturnValue:
    """Send to the login page and back; a partial update makes the whole page go there."""
    if request.headers.get("HX-Request") == "true":
        return "", 401, {"HX-Redirect": url_for("auth.login")}
    wanted = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("auth.login", next=wanted if wanted != "/" else None))


def safe_next(target: str | None) -> str:
    """Give a path of our own to go to; the home page instead of anything else."""
    if target and target.startswith("/") and target.isprintable() and "\\" not in target:
        try:
            parts = urlsplit(target)
        except ValueError:
            return url_for("shell.home")
        if not parts.scheme and not parts.netloc and not target.startswith("//"):
            return target
    return url_for("shell.home")


@auth.get("/login")
@open_to_all
def login() -> ResponseReturnValue:
    """Show the login page, or on an empty installation the way to the first one."""
    if current() is not None:
        return redirect(safe_next(request.args.get("next")))
    with read() as opened:
        if not staff.any_exist(opened):
            return redirect(url_for("auth.first"))
    return render_template("auth/login.html", email="", next=request.args.get("next", ""), refusal=None)


@auth.post("/login")
@open_to_all
def log_in() -> ResponseReturnValue:
    """Check address and password; the refusal never says which of them was wrong."""
    email, password = request.form.get("email", ""), request.form.get("password", "")
    normal = staff.normal_email(email)[: staff.EMAIL_LENGTH]
    place = request.remote_addr or "unknown"
    pair = f"pair {normal} {place}"
    limits = {pair: PER_PAIR, f"place {place}": PER_PLACE, f"address {normal}": PER_ADDRESS}
    throttle: Throttle = current_app.extensions["login throttle"]
    if wait := throttle.wait(limits, utc_now()):
        return _refuse(email, wait)
    with read() as opened:
        found = staff.credentials(opened, normal)
    if not staff.matches(found[1] if found else None, password) or found is None:
        throttle.fail(limits, utc_now())
        return _refuse(email, None)
    throttle.forget(pair)
    enter(*found)
    return redirect(safe_next(request.form.get("next")))


def _refuse(email: str, wait: timedelta | None) -> ResponseReturnValue:
    if wait:
        minutes = -(-int(wait.total_seconds()) // 60) or 1
        refusal = _("Too many attempts. Try again in %(minutes)d minutes.", minutes=minutes)
    else:
        refusal = _("The address or the password is wrong.")
    page = render_template("auth/login.html", email=email, next=request.form.get("next", ""), refusal=refusal)
    return page, 429 if wait else 401, {"Retry-After": str(int(wait.total_seconds()) + 1)} if wait else {}


def enter(person: Staff, password_hash: str) -> None:
    """Begin a login with a new session; nothing of the one before is kept."""
    session.clear()
    session.update(staff=person.id, seal=staff.seal_of(password_hash))
    if person.locale:
        session["locale"] = person.locale
    session.permanent = True
    g.staff = person


@auth.post("/logout")
@open_to_all
def log_out() -> ResponseReturnValue:
    """End the login."""
    session.clear()
    g.staff = None
    flash(_("You are logged out."), "success")
    return redirect(url_for("auth.login"))


@auth.get("/first")
@open_to_all
def first() -> ResponseReturnValue:
    """Show the page that makes the administrator; only while there is nobody."""
    with read() as opened:
        if staff.any_exist(opened):
            return redirect(url_for("auth.login"))
    return render_template("auth/first.html", form={}, problems=())


@auth.post("/first")
@open_to_all
def make_first() -> ResponseReturnValue:
    """Make the administrator, once, and log them in."""
    form = request.form
    new = NewStaff(
        form.get("email", ""), form.get("name", ""), form.get("password", ""), frozenset({Desk.ADMIN})
    )
    try:
        _same_twice(form.get("password", ""), form.get("again", ""), new)
        with write() as opened:
            staff.add_first(opened, new, utc_now())
            found = staff.credentials(opened, new.email)
    except BadForm as bad:
        return render_template("auth/first.html", form=form, problems=bad.problems), 422
    except NotAllowed:
        flash(_("There is an administrator already. Log in, or ask them to let you in."), "warning")
        return redirect(url_for("auth.login"))
    assert found is not None
    enter(*found)
    return redirect(url_for("shell.home"))


def _same_twice(password: str, again: str, new: NewStaff) -> None:
    problems: list[Problem] = []
    try:
        staff.check(new)
    except BadForm as bad:
        problems.extend(bad.problems)
    if password != again:
        problems.append(Problem("again", _("differs from the password."), _("Type the same in both fields.")))
    if problems:
        raise BadForm(problems)


@auth.post("/language")
@open_to_all
def choose_language() -> ResponseReturnValue:
    """Switch the language, for good if somebody is logged in."""
    chosen = request.form.get("locale", "")
    if chosen not in LANGUAGES:
        abort(400)
    session["locale"] = chosen
    if person := current():
        with write() as opened:
            staff.set_locale(opened, person.id, chosen)
    return redirect(safe_next(request.form.get("next")))
