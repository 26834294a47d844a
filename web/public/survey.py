"""A survey's page: shown by GET, which stores no answer, and answered by POST."""

from collections.abc import Mapping, Sequence

from flask import request
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, ngettext
from flask_babel import gettext as _

from campaigns.clock import utc_now
from campaigns.errors import BadForm, NotAllowed
from campaigns.flows import answering
from campaigns.flows.answering import Sheet
from campaigns.surveys.answers import LONGEST_TEXT, Answer, read_click
from campaigns.surveys.form import Form, Question, QuestionType
from campaigns.tracking.instrument import SURVEY_PAGE
from campaigns.tracking.tokens import Purpose
from web.public.visitor import Visitor, by_token, note_hit, show
from web.session import read, write

Given = Mapping[str, Sequence[str]]


@by_token(Purpose.SURVEY)
def page(visitor: Visitor) -> ResponseReturnValue:
    """Show the survey, or take what was posted."""
    with read() as session:
        sheet = answering.sheet(session, visitor.whom)
    if sheet is None or sheet.edition.closed or visitor.whom.erased:
        return show("public/closed.html", visitor, 410)
    if request.method == "POST":
        return _take(visitor, sheet)
    clicked = _clicked(visitor, sheet)
    given = _as_posted(sheet.earlier)
    if clicked is not None:
        given[clicked.question] = [str(clicked.number)]
    return _show(visitor, sheet, given, clicked=clicked is not None)


def _clicked(visitor: Visitor, sheet: Sheet) -> Answer | None:
    """Read a score clicked in the mail: a raw hit to be judged, chosen on the page, no answer yet.

    Whoever came by the survey's plain link made a click.
    """
    question = next((one for one in sheet.form.questions if one.type is QuestionType.SCALE), None)
    score = request.args.get("score")
    if score is None:
        note_hit(visitor, "click", SURVEY_PAGE)
    if question is None or score is None:
        return None
    answer = read_click(sheet.form, question.key, score)
    if answer is not None:
        note_hit(visitor, "score", answer.number)
    return answer


def _take(visitor: Visitor, sheet: Sheet) -> ResponseReturnValue:
    posted = request.form.to_dict(flat=False)
    try:
        with write() as session:
            answering.answer(
                session, visitor.whom, posted, language=_language(visitor, sheet.form), now=utc_now()
            )
    except BadForm as error:
        wrong = [problem.where for problem in error.problems]
        problems = {one.key: _problem(one, posted) for one in sheet.form.questions if one.key in wrong}
        return _show(visitor, sheet, posted, problems=problems)
    except NotAllowed:
        return show("public/closed.html", visitor, 410)
    return _show_form("public/thanks.html", visitor, sheet)


def _show(
    visitor: Visitor,
    sheet: Sheet,
    given: Given,
    *,
    problems: Mapping[str, str] | None = None,
    clicked: bool = False,
) -> ResponseReturnValue:
    return _show_form(
        "public/survey.html",
        visitor,
        sheet,
        422 if problems else 200,
        given=given,
        problems=problems or {},
        clicked=clicked,
    )


def _show_form(
    page: str, visitor: Visitor, sheet: Sheet, status: int = 200, **names: object
) -> ResponseReturnValue:
    language = _language(visitor, sheet.form)
    return show(
        page, visitor, status, sheet=sheet, form=sheet.form, language=language, longest=LONGEST_TEXT, **names
    )


def _language(visitor: Visitor, form: Form) -> str:
    """Choose the language of the questions: the contact's, else the browser's, else the page's."""
    offered = {tag.lower() for tag in form.languages()}
    for tag in [visitor.whom.locale or "", *request.accept_languages.values()]:
        wanted = tag.replace("_", "-").lower()
        if wanted in offered or wanted.partition("-")[0] in offered:
            return wanted[:20]
    page_language: str = get_locale().language
    return page_language


def _as_posted(earlier: Sequence[Answer]) -> dict[str, Sequence[str]]:
    """Earlier answers as a form would send them, to be shown again."""
    return {
        one.question: list(one.choices) if one.number is None and one.text is None else [str(one.value())]
        for one in earlier
    }


def _problem(question: Question, posted: Given) -> str:
    """Say what to do about a question, in the reader's language."""
    given = [text for text in posted.get(question.key, ()) if text.strip()]
    words: str
    if not given:
        words = _("Please answer this question.")
    elif question.type is QuestionType.TEXT:
        words = ngettext(
            "Your text has one character. Please use %(most)s at most.",
            "Your text has %(num)s characters. Please use %(most)s at most.",
            len(given[0]),
            most=LONGEST_TEXT,
        )
    elif question.type is QuestionType.SCALE:
        words = _("Please choose one number from %(low)s to %(high)s.", low=question.low, high=question.high)
    else:
        words = _("Please choose from the answers shown here.")
    return words
