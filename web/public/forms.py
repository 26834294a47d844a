"""A sign-up form's page. Works without a script, and by JSON for sites.

A post is answered the same whatever we know of the address: flows/signing_up does not even look.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from babel import Locale
from flask import (
    Blueprint,
    Response,
    current_app,
    g,
    jsonify,
    make_response,
    render_template,
    request,
)
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _

from campaigns.clock import utc_now
from campaigns.flows import signing_up
from campaigns.flows.signing_up import Answer, Ask, Offer, Taken
from campaigns.forms.puzzle import puzzle
from campaigns.forms.spec import ATTRIBUTE, origin_of
from campaigns.forms.stamp import Stamper, Step, new_stamp
from campaigns.records import senders
from campaigns.records.forms import Use
from campaigns.records.sign_ups import Refusal
from campaigns.values import Problem
from web.language import LANGUAGES
from web.numbers import numbers_from
from web.public.book import Unwritten
from web.public.confirmation import confirm
from web.public.policy import policy
from web.public.requests import agent, client
from web.public.visitor import nowhere, parts
from web.session import read, settings, write

TRAP = "more"  #: a field that people do not see
LONGEST_JSON = 20_000
HOUR = "3600"  #: seconds that the busy are asked to wait


def add_rules(public: Blueprint) -> None:
    """Add the pages to the public blueprint."""
    public.add_url_rule("/f/<key>", "form", view_func=page, methods=["GET", "POST", "OPTIONS"])
    public.add_url_rule("/f/<key>/offer", "offer", view_func=offer, methods=["GET", "OPTIONS"])
    public.add_url_rule(
        "/y/<token>", "confirm", view_func=confirm, methods=["GET", "POST"], strict_slashes=False
    )


def page(key: str) -> ResponseReturnValue:
    """Show the form, or take what was posted; a script of a site that may ask gets JSON."""
    shown = _offered(key)
    if request.method == "OPTIONS":
        return _allowed(Response(status=204), shown)
    if shown is None:
        return nowhere("form")
    if request.method != "POST":
        if request.method == "GET":
            _count(shown, "shown")
        return _page(shown, {}, Step.FORM)
    if request.is_json:
        return _allowed(_posted_by_script(shown), shown)
    ask = _ask(shown, request.form.to_dict(), frozenset(numbers_from(request.form.getlist("topic"))))
    return _answered(shown, ask, _take(shown, ask))


def offer(key: str) -> ResponseReturnValue:
    """Give a form as JSON: what it offers and asks, with the stamp and the puzzle of one post."""
    shown = _offered(key)
    if request.method == "OPTIONS":
        return _allowed(Response(status=204), shown)
    if shown is None:
        return jsonify(error="There is no such form, or it takes no sign-ups."), 404
    if not _may_ask(shown):
        return jsonify(error="This site may not ask; the form's own page names those that may."), 403
    stamp, made = _stamp(shown, Step.FORM)
    _count(shown, "shown")
    return _allowed(
        jsonify(
            language=shown.language,
            title=shown.words.title,
            intro=shown.words.intro,
            wording=shown.words.wording,
            button=shown.words.button,
            topics=[{"id": one.id, "name": one.name, "description": one.description} for one in shown.topics],
            fields=[{"key": one.key, "required": one.required} for one in shown.form.spec.fields],
            stamp=stamp,
            challenge=made,
        ),
        shown,
    )


def _count(shown: Offer, what: str) -> None:
    """Count with the hits, many in one commit: anybody may ask for a page as often as they like."""
    try:
        parts().book.write(Use(shown.form.id, utc_now().date().isoformat(), what))
    except Unwritten:
        current_app.logger.warning("the use of a form could not be counted")


def _offered(key: str) -> Offer | None:
    wanted = request.args.get("lang") or request.accept_languages.best_match(list(LANGUAGES)) or "en"
    with read() as session:
        shown = signing_up.offer(session, key[:60], wanted)
    if shown is not None and shown.language in LANGUAGES:
        g.locale = shown.language
    return shown


def _take(shown: Offer, ask: Ask) -> Taken:
    with write() as session:
        return signing_up.take(session, shown, ask, settings().secret, now=utc_now())


def _ask(shown: Offer, typed: Mapping[str, str], topics: frozenset[int], *, by_script: bool = False) -> Ask:
    return Ask(
        address=typed.get("address", "")[:400],
        topics=topics,
        typed={one.key: typed.get(one.key, "") for one in shown.form.spec.fields},
        stamp=typed.get("stamp", ""),
        solution=typed.get("altcha", ""),
        trap=typed.get(TRAP, ""),
        client=client(request.environ),
        agent=agent(request.environ),
        page=_referring(),
        by_script=by_script,
    )


def _referring() -> str:
    """The page that the form stood on, without what its address may carry of people."""
    try:
        parts = urlsplit(request.referrer or "")
    except ValueError:
        return ""
    known = parts.scheme in {"http", "https"} and parts.netloc and "@" not in parts.netloc
    return f"{parts.scheme}://{parts.netloc}{parts.path}" if known else ""


def _answered(shown: Offer, ask: Ask, taken: Taken) -> ResponseReturnValue:
    if taken.answer is Answer.RECEIVED:
        return _dressed(shown, "public/form_received.html")
    if taken.answer is Answer.BUSY:
        response = _dressed(shown, "public/form_busy.html", 429)
        response.headers["Retry-After"] = HOUR
        return response
    typed = {"address": ask.address, **ask.typed}
    step = Step.CHECK if taken.answer is Answer.CHECK else Step.FORM
    return _page(shown, typed, step, chosen=ask.topics, problems=taken.problems)


def _page(
    shown: Offer,
    typed: Mapping[str, str],
    step: Step,
    *,
    chosen: frozenset[int] = frozenset(),
    problems: Sequence[Problem] = (),
) -> ResponseReturnValue:
    found = {one.where: _words(one) for one in problems}
    stamp, made = _stamp(shown, step)
    return _dressed(
        shown,
        "public/form.html",
        422 if found else 200,
        typed=typed,
        step=step,
        chosen=chosen,
        problems=found,
        stamp=stamp,
        puzzle=json.dumps(made),
        countries=_countries(),
        trap=TRAP,
    )


def _stamp(shown: Offer, step: Step) -> tuple[str, dict[str, object]]:
    stamper = Stamper(settings().secret)
    stamp = new_stamp(shown.form.id, shown.digest, utc_now(), step)
    return stamper.sign(stamp), puzzle(stamp.nonce, stamper.secret_of(b"puzzle"))


def _dressed(shown: Offer, name: str, status: int = 200, **names: object) -> Response:
    with read() as session:
        sender = senders.get(session, shown.form.sender_id)
    html = render_template(
        name,
        offer=shown,
        brand={"name": sender.name, "imprint": sender.postal_address},
        attribute=ATTRIBUTE,
        **names,
    )
    response = make_response(html, status)
    response.headers["Content-Security-Policy"] = policy(frames=shown.form.spec.origins)
    return response


def _countries() -> list[tuple[str, str]]:
    locale: Locale = get_locale()
    names = ((code, name) for code, name in locale.territories.items() if len(code) == 2 and code.isalpha())
    return sorted(
        ((code, name) for code, name in names if code not in {"EU", "EZ", "UN", "XA", "XB", "ZZ", "QO"}),
        key=lambda pair: pair[1],
    )


def _words(problem: Problem) -> str:
    """Say what is wrong with a field, in the reader's language."""
    words = {
        "is no mail address.": _("This is no mail address. Write it as in name@example.com."),
        "is thrown away after a while.": _("Please use an address that you keep."),
        "are missing.": _("Please choose at least one."),
        "is missing.": _("Please fill this in."),
        "is no country of the list.": _("Please choose a country of the list."),
        "is no date.": _("Please choose a date."),
        "is no number.": _("Please write a number."),
        "may hold none of < > { }.": _("Please leave out < > { }."),
        "looks like a web address; leave that out.": _(
            "This looks like a web address. Please leave that out."
        ),
    }
    return words.get(problem.what) or _("Please write less here.")


def _posted_by_script(shown: Offer) -> Response:
    if not _may_ask(shown):
        _count(shown, Refusal.ORIGIN.value)
        return _json(403, error="This site may not post; the form's own page names those that may.")
    data = _body()
    if data is None:
        return _json(400, error="The body is no JSON object.")
    typed = {key: str(value) for key, value in data.items() if isinstance(value, (str, int, float))}
    given = data.get("topics")
    topics = (
        frozenset(one for one in given if isinstance(one, int)) if isinstance(given, list) else frozenset()
    )
    taken = _take(shown, _ask(shown, typed, topics, by_script=True))
    if taken.answer is Answer.RECEIVED:
        return _json(202, status="received", message=received_words())
    if taken.answer is Answer.BUSY:
        response = _json(429, error="Too many sign-ups from there. Wait an hour.")
        response.headers["Retry-After"] = HOUR
        return response
    told = [{"where": one.where, "what": one.what, "cure": one.cure} for one in taken.problems]
    return _json(422, problems=told)


def _body() -> dict[str, Any] | None:
    """Read a body of JSON; None for whatever else it may be, nested a thousand times deep for one."""
    raw = request.get_data(cache=False)
    try:
        data = json.loads(raw) if len(raw) <= LONGEST_JSON else None
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def received_words() -> str:
    """Say what happens now, the same whatever is known of the address."""
    words: str = _("If the address can be signed up, a mail is on its way to it. Open it and confirm there.")
    return words


def _json(code: int, **values: object) -> Response:
    response = jsonify(**values)
    response.status_code = code
    return response


def _may_ask(shown: Offer) -> bool:
    """Browsers name the site that a script runs on; ours and the configured ones may ask."""
    origin = request.headers.get("Origin")
    return origin is None or origin in {origin_of(settings().public_url), *shown.form.spec.origins}


def _allowed(response: Response, shown: Offer | None) -> Response:
    """Let the scripts of configured sites read the answer, and nobody else's."""
    response.vary.add("Origin")
    origin = request.headers.get("Origin")
    if shown is not None and origin is not None and origin in shown.form.spec.origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Methods"] = "GET, POST"
        response.headers["Access-Control-Allow-Headers"] = "Content-Type"
        response.headers["Access-Control-Max-Age"] = "600"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response
