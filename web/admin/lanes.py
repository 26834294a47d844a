"""Lanes: how fast each provider is served through each account, why, and what people set."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from campaigns.clock import utc_now
from campaigns.delivery.lanes import ALL_LANES, STARTS, usual_rate
from campaigns.delivery.warmup import Plan
from campaigns.errors import BadForm
from campaigns.records import lanes as records
from campaigns.records.lanes import EVERY_ACCOUNT, WHOLE, Limits
from campaigns.records.staff import Desk
from campaigns.values import Problem
from web import auth
from web.admin.desk import line, too_long
from web.admin.lane_words import HOLDS, warm_words
from web.session import read, routing, write

lanes = Blueprint("lanes", __name__, url_prefix="/lanes", template_folder="templates")

LONGEST_REASON = 200
MOST = 100_000_000
MOST_AT_ONCE = 1000


@lanes.before_request
def _administer() -> None:
    auth.require_desk(Desk.ADMIN)


@lanes.get("/")
def index() -> ResponseReturnValue:
    """Show every lane that is set, slowed, held or was used lately."""
    now = utc_now()
    with read() as session:
        lines = records.lane_lines(session, now)
        told = records.log_lines(session, limit=20)
        plans, warming = records.plans(session), records.warming_lines(session)
    return render_template(
        "admin/lanes.html",
        lines=lines,
        told=told,
        holds=[(name, words) for name, (words, _length) in HOLDS.items()],
        every=EVERY_ACCOUNT,
        accounts=_accounts(),
        lanes=[*ALL_LANES, WHOLE],
        whole=WHOLE,
        starts=STARTS,
        warm=warm_words,
        plans=plans,
        warming=warming,
        now=now,
    )


@lanes.get("/set")
def choose() -> ResponseReturnValue:
    """Go to the limits of the lane that was chosen."""
    account, lane = request.args.get("account", ""), request.args.get("lane", "")
    _require_known(account, lane)
    return redirect(url_for("lanes.limits", account=account, lane=lane))


@lanes.get("/<account>/<lane>")
def limits(account: str, lane: str) -> ResponseReturnValue:
    """Show a lane's limits, to be changed."""
    _require_known(account, lane)
    with read() as session:
        own = records.limits_of(session, account, lane)
    plan = own.plan
    form = {
        "per_minute": own.per_minute,
        "per_day": own.per_day,
        "connections": own.connections,
        "warm_base": plan and plan.base,
        "warm_growth": plan and plan.growth,
        "warm_target": plan and plan.target,
    }
    shown = {name: "" if value is None else f"{value:g}" for name, value in form.items()}
    return _form(account, lane, shown, ())


@lanes.post("/<account>/<lane>")
def save_limits(account: str, lane: str) -> ResponseReturnValue:
    """Set a lane's limits; senders keep to them from their next chunk on."""
    _require_known(account, lane)
    try:
        chosen = _read_limits(lane)
    except BadForm as bad:
        return _form(account, lane, request.form, bad.problems)
    with write() as session:
        records.set_limits(session, account, lane, chosen, actor=who(), now=utc_now())
    flash(_("The limits of %(lane)s were saved.", lane=lane), "success")
    return redirect(url_for("lanes.index"))


@lanes.post("/<account>/<lane>/hold")
def hold(account: str, lane: str) -> ResponseReturnValue:
    """Send a lane nothing for a while, for a reason."""
    _require_known(account, lane)
    reason, (_words, length) = line("reason"), HOLDS.get(request.form.get("length", ""), HOLDS["hour"])
    if too_long("reason", reason, LONGEST_REASON):
        flash(_("Say why, in at most %(most)s characters.", most=LONGEST_REASON), "danger")
        return redirect(url_for("lanes.index"))
    now = utc_now()
    until = None if length is None else now + length
    with write() as session:
        records.hold(session, account, lane, reason, until=until, actor=who(), now=now)
    flash(_("Nothing more is sent to %(lane)s.", lane=lane), "success")
    return redirect(url_for("lanes.index"))


@lanes.post("/<account>/<lane>/open")
def reopen(account: str, lane: str) -> ResponseReturnValue:
    """Open a lane at once, whatever was said."""
    _require_known(account, lane)
    with write() as session:
        records.reopen(session, account, lane, actor=who(), now=utc_now())
    flash(_("%(lane)s is open, up to its caps.", lane=lane), "success")
    return redirect(url_for("lanes.index"))


def _accounts() -> list[str]:
    return sorted(routing().accounts)


def _require_known(account: str, lane: str) -> None:
    """Stop with 404 at names that nothing bears; an account that the file lost may still have a lane."""
    if lane not in {*ALL_LANES, WHOLE} or not (account == EVERY_ACCOUNT or account in routing().accounts):
        with read() as session:
            known = {(one.account, one.lane) for one in records.lane_lines(session, utc_now())}
        if (account, lane) not in known:
            abort(404)


def who() -> str:
    """Who is logged in."""
    person = auth.current()
    assert person is not None, "only who has logged in comes here"
    return person.email


def _read_limits(lane: str) -> Limits:
    """Read the form.

    Raises:
        BadForm: with every problem.
    """
    problems: list[Problem] = []
    per_minute = _number("per_minute", 0, MOST, problems)
    per_day = _number("per_day", 1, MOST, problems)
    connections = _number("connections", 0, MOST_AT_ONCE, problems)
    plan = read_plan(problems)
    if lane == WHOLE and (per_minute is not None or connections is not None or plan is not None):
        cure = _("An account’s rate is in its own settings; here stands a number a day alone.")
        problems.append(Problem("per_minute", _("is not for all lanes together."), cure))
    if problems:
        raise BadForm(problems)
    return Limits(per_minute, _whole(per_day), plan, _whole(connections))


def read_plan(problems: list[Problem]) -> Plan | None:
    """Read a warm-up's three fields; None: they are empty, or there are problems."""
    base = _number("warm_base", 1, MOST, problems)
    growth = _number("warm_growth", 1.05, 3, problems)
    target = _number("warm_target", 1, MOST, problems)
    plan = None
    if base is not None and growth is not None and target is not None:
        plan = Plan(int(base), growth, int(target))
    elif not problems and (base, growth, target) != (None, None, None):
        problems.append(
            Problem("warm_base", _("is not the whole of a warm-up."), _("Fill its three fields, or none."))
        )
    return plan


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def _number(field: str, low: float, high: float, problems: list[Problem]) -> float | None:
    text = line(field).replace(",", ".")
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if low <= number <= high:
        return number
    what = _("is not a number from %(low)s to %(high)s.", low=f"{low:g}", high=f"{high:g}")
    problems.append(Problem(field, what, _("Correct it, or leave it empty.")))
    return None


def _form(
    account: str, lane: str, form: Mapping[str, Any], problems: tuple[Problem, ...]
) -> ResponseReturnValue:
    with read() as session:
        start = records.start_of(session, account, lane)
    page = render_template(
        "admin/lane.html",
        account=account,
        lane=lane,
        every=EVERY_ACCOUNT,
        form=form,
        usual=usual_rate(lane),
        whole=WHOLE,
        start=start,
        problems=problems,
    )
    return page, 422 if problems else 200
