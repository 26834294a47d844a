"""The page that a form's mail leads to: what was asked for, what was typed, and a button."""

from flask import g, make_response, redirect, request
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _

from campaigns.clock import utc_now
from campaigns.flows import confirming
from campaigns.flows.confirming import Confirmation, Stand
from campaigns.forms.spec import ATTRIBUTE, origin_of
from campaigns.tracking.tokens import Purpose
from web.language import LANGUAGES
from web.public.policy import policy
from web.public.requests import agent, client
from web.public.visitor import Visitor, by_token, nowhere, show
from web.session import read, write


@by_token(Purpose.CONFIRM)
def confirm(visitor: Visitor) -> ResponseReturnValue:
    """Show a button; only a POST confirms, since scanners of mail open every link."""
    now = utc_now()
    if request.method != "POST":
        with read() as session:
            found = confirming.look(session, visitor.token, now=now)
        return _confirmation(visitor, found, fresh=False)
    with write() as session:
        found = confirming.confirm(
            session,
            visitor.token,
            client=client(request.environ),
            agent=agent(request.environ),
            now=now,
            bare=request.form.get("do") == "bare",
        )
    return _confirmation(visitor, found, fresh=True)


def _written(found: Confirmation) -> list[tuple[str, str]]:
    """What the yes would let us learn, as (label, text): the owner of an address sees it before."""
    names = {"given_name": _("First name"), "family_name": _("Last name"), "country": _("Country")}
    rows = []
    for key, value in found.typed.items():
        label = names.get(key) or found.labels.get(key.removeprefix(ATTRIBUTE), key)
        told = {True: _("Yes"), False: _("No")}[value] if isinstance(value, bool) else str(value)
        rows.append((label, get_locale().territories.get(told, told) if key == "country" else told))
    return rows


def _confirmation(visitor: Visitor, found: Confirmation | None, *, fresh: bool) -> ResponseReturnValue:
    if found is None or visitor.whom.erased:
        return nowhere("confirm")
    if found.sign_up.language in LANGUAGES:
        g.locale = found.sign_up.language
    after = found.form.spec.after
    if after and fresh and found.stand is Stand.DONE:
        return redirect(after, 303)
    _language, words = found.form.spec.said(found.sign_up.language)
    response = make_response(
        show(
            "public/confirm.html",
            visitor,
            410 if found.stand is Stand.OLD else 200,
            found=found,
            stand=found.stand.value,
            words=words,
            said=found.sign_up.topics,
            written=_written(found),
            form_url=f"/f/{found.form.key}" if found.form.is_open else "",
        )
    )
    response.headers["Content-Security-Policy"] = policy(target=origin_of(after))
    return response
