"""Warm-ups of sending domains: which are new, how they grow, and where each lane stands."""

from collections.abc import Mapping
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from campaigns.clock import utc_now
from campaigns.records import lanes as records
from campaigns.records import senders
from campaigns.records.lanes import EVERY_ACCOUNT
from campaigns.values import Problem
from web.admin.desk import line
from web.admin.lanes import lanes, read_plan, who
from web.session import read, routing, write

USUAL = {"warm_base": "100", "warm_growth": "1.5", "warm_target": "50000"}


@lanes.get("/warm-ups/")
def warm_up() -> ResponseReturnValue:
    """Ask which domain is new, and how it is to grow."""
    return _form({**USUAL, "account": EVERY_ACCOUNT, "domain": request.args.get("domain", "")}, ())


@lanes.post("/warm-ups/")
def save_warm_up() -> ResponseReturnValue:
    """Warm a domain up from its first day on."""
    problems: list[Problem] = []
    plan = read_plan(problems)
    domain, account = line("domain"), line("account")
    if domain not in _domains():
        problems.append(Problem("domain", _("is no domain of a sender."), _("Choose one of the list.")))
    if account not in _accounts():
        problems.append(Problem("account", _("is no account."), _("Choose one of the list.")))
    if plan is None and not problems:
        problems.append(Problem("warm_base", _("is missing."), _("Fill its three fields.")))
    if problems:
        return _form(request.form, tuple(problems))
    with write() as session:
        records.set_plan(session, account, domain, plan, actor=who(), now=utc_now())
    flash(_("%(domain)s is warmed up from now on.", domain=domain), "success")
    return redirect(url_for("lanes.index"))


@lanes.post("/warm-ups/end")
def end_warm_up() -> ResponseReturnValue:
    """Hold a domain to no plan any more; what waited for tomorrow may go."""
    domain, account = line("domain"), line("account")
    with read() as session:
        known = {(one.account, one.domain) for one in records.plans(session)}
    if (account, domain) not in known:
        abort(404)
    with write() as session:
        records.set_plan(session, account, domain, None, actor=who(), now=utc_now())
    flash(_("%(domain)s is warm: no plan holds it any more.", domain=domain), "success")
    return redirect(url_for("lanes.index"))


def _domains() -> list[str]:
    with read() as session:
        found = {sender.address.rpartition("@")[2] for _number, sender in senders.listing(session)}
    return sorted(found)


def _accounts() -> list[str]:
    return [EVERY_ACCOUNT, *sorted(routing().accounts)]


def _form(form: Mapping[str, Any], problems: tuple[Problem, ...]) -> ResponseReturnValue:
    page = render_template(
        "admin/warm_up.html",
        form=form,
        problems=problems,
        domains=[(one, one) for one in _domains()],
        accounts=[(one, _("every account") if one == EVERY_ACCOUNT else one) for one in _accounts()],
    )
    return page, 422 if problems else 200
