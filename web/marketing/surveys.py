"""Surveys: the list, and a page for each with its questions in words and its form as JSON."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _

from campaigns.clock import utc_now
from campaigns.errors import BadForm, NotFound
from campaigns.records import responses
from campaigns.records import surveys as records
from campaigns.records.surveys import SurveyRow
from campaigns.surveys.form import Form, Question, QuestionType, parse_form, write_form
from campaigns.values import Problem
from web.marketing.desk import actor, desk
from web.marketing.keys import new_key
from web.marketing.lines import noted
from web.session import read, write

surveys = desk("surveys", "/surveys")

LONGEST_FORM = 200_000
EXAMPLE = {
    "version": 1,
    "title": {"en": "How did we do?", "de": "Wie waren wir?"},
    "intro": {
        "en": "Three short questions. Only the first needs an answer.",
        "de": "Drei kurze Fragen. Nur die erste braucht eine Antwort.",
    },
    "thanks": {"en": "We read what you wrote.", "de": "Wir lesen, was Sie geschrieben haben."},
    "questions": [
        {
            "key": "recommend",
            "type": "scale",
            "required": True,
            "text": {
                "en": "How likely are you to recommend us?",
                "de": "Wie wahrscheinlich ist es, dass Sie uns weiterempfehlen?",
            },
            "low_text": {"en": "not at all", "de": "gar nicht"},
            "high_text": {"en": "very likely", "de": "sehr wahrscheinlich"},
            "attribute": "nps",
        },
        {
            "key": "reason",
            "type": "multiple",
            "text": {"en": "What did you like?", "de": "Was hat Ihnen gefallen?"},
            "choices": [
                {"key": "range", "text": {"en": "The range", "de": "Die Auswahl"}},
                {"key": "price", "text": {"en": "The prices", "de": "Die Preise"}},
                {"key": "service", "text": {"en": "The service", "de": "Die Beratung"}},
            ],
        },
        {
            "key": "better",
            "type": "text",
            "text": {"en": "What should we do better?", "de": "Was sollen wir besser machen?"},
        },
    ],
}


@surveys.get("/")
def index() -> ResponseReturnValue:
    """List the surveys."""
    with read() as session:
        rows, counts = records.listing(session), responses.counts(session)
    return render_template("marketing/surveys/index.html", rows=rows, counts=counts, language=_language())


@surveys.get("/new")
def new() -> ResponseReturnValue:
    """Show an example to start from."""
    return _edit(None, {"name": "", "form": written(EXAMPLE)}, ())


@surveys.post("/")
def create() -> ResponseReturnValue:
    """Save a new survey."""
    name = " ".join(request.form.get("name", "").split())
    problems = _problems_of_name(name)
    try:
        form = _read(request.form.get("form", ""))
        made = None if problems else _add(name, form)
    except BadForm as bad:
        problems += bad.problems
        made = None
    if made is None:
        return _edit(None, request.form, problems)
    flash(_("Saved. A campaign invites to it when it is chosen there, under “What”."), "success")
    return redirect(url_for("surveys.show", survey_id=made))


def _add(name: str, form: Form) -> int:
    with write() as session:
        key = new_key(name, lambda taken: records.find(session, taken) is not None)
        records.save(session, key, name, form, author=actor(), now=utc_now())
        made = records.find(session, key)
    assert made is not None
    return made


@surveys.get("/<int:survey_id>")
def show(survey_id: int) -> ResponseReturnValue:
    """Show what a survey asks, in words."""
    with read() as session:
        row, counts = _row(records.listing(session), survey_id), responses.counts(session)
    return render_template(
        "marketing/surveys/show.html", row=row, posted=counts.get(row.id, 0), **_asked(row.form)
    )


@surveys.get("/<int:survey_id>/edit")
def edit(survey_id: int) -> ResponseReturnValue:
    """Show a survey's form, to be changed."""
    with read() as session:
        row = _row(records.listing(session), survey_id)
    return _edit(row, {"name": row.name, "form": written(write_form(row.form))}, ())


@surveys.post("/<int:survey_id>")
def save(survey_id: int) -> ResponseReturnValue:
    """Save the form as a new version; mails that are out lead to the version they were sent with."""
    text = request.form.get("form", "")
    with read() as session:
        row = _row(records.listing(session), survey_id)
    try:
        form = _read(text)
        with write() as session:
            records.save(session, row.key, row.name, form, author=actor(), now=utc_now())
    except BadForm as bad:
        return _edit(row, {"name": row.name, "form": text}, bad.problems)
    flash(_("Saved. Campaigns use it from their next run on."), "success")
    return redirect(url_for("surveys.show", survey_id=survey_id))


@surveys.post("/<int:survey_id>/archive")
def archive(survey_id: int) -> ResponseReturnValue:
    """Close a survey for good."""
    with write() as session:
        row = _row(records.listing(session), survey_id)
        records.archive(session, survey_id, now=utc_now())
    flash(_("“%(name)s” is closed and takes no more answers.", name=row.name), "success")
    return redirect(url_for("surveys.index"))


@surveys.post("/check")
def check() -> ResponseReturnValue:
    """Say what a form asks, before it is saved: a part of a page."""
    return render_template("marketing/surveys/asked.html", **_checked(request.form.get("form", "")))


def _checked(text: str) -> dict[str, Any]:
    try:
        return {"found": (), **_asked(_read(text))}
    except BadForm as bad:
        return {"found": noted(bad.problems, text)}


def _asked(form: Form) -> dict[str, Any]:
    language = _language()
    return {
        "form": form,
        "language": language,
        "questions": [(question, in_words(question, language)) for question in form.questions],
    }


def in_words(question: Question, language: str) -> str:
    """Say how a question is answered."""
    choices = ", ".join(choice.text.read(language) for choice in question.choices)
    words: str
    match question.type:
        case QuestionType.SINGLE:
            words = _("One of: %(choices)s", choices=choices)
        case QuestionType.MULTIPLE:
            words = _("Any of: %(choices)s", choices=choices)
        case QuestionType.SCALE:
            words = _("A number from %(low)s to %(high)s", low=question.low, high=question.high)
        case QuestionType.TEXT:
            words = _("In their own words")
        case QuestionType.PRODUCT if question.category:
            words = _("Any products of “%(category)s”", category=question.category)
        case QuestionType.PRODUCT:
            words = _("Any of these products: %(skus)s", skus=", ".join(question.skus))
    return words


def _edit(row: SurveyRow | None, form: Mapping[str, str], problems: Sequence[Problem]) -> ResponseReturnValue:
    page = render_template(
        "marketing/surveys/edit.html",
        row=row,
        typed=form,
        problems=problems,
        in_form=[one.where for one in problems if one.where != "name"],
        notes=noted([one for one in problems if one.where != "name"], form.get("form", "")),
        checked=_checked(form.get("form", "")),
    )
    return page, 422 if problems else 200


def _problems_of_name(name: str) -> list[Problem]:
    if 0 < len(name) <= 200 and name.isprintable():
        return []
    return [Problem("name", _("is empty or too long."), _("Use 1 to %(most)s characters.", most=200))]


def _read(text: str) -> Form:
    if len(text) > LONGEST_FORM:
        raise BadForm([Problem("form", _("is too long."), _("Ask less."))])
    return parse_form(text)


def _row(rows: Sequence[SurveyRow], survey_id: int) -> SurveyRow:
    found = next((row for row in rows if row.id == survey_id), None)
    if found is None:
        raise NotFound(f"There is no survey {survey_id}, or it is closed.")
    return found


def _language() -> str:
    language: str = get_locale().language
    return language


def written(document: dict[str, Any]) -> str:
    """Write a form as people edit it."""
    return json.dumps(document, indent=2, ensure_ascii=False)
