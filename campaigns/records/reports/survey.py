"""What was answered to the survey that a run invited to."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.events import events
from campaigns.model.surveys import answers, responses
from campaigns.records import catalog, surveys
from campaigns.records.campaigns import Run
from campaigns.surveys.form import Question, QuestionType, Wording
from campaigns.surveys.scoring import Nps, Share, nps, share
from campaigns.values import EventKind, Verdict

TEXTS = 5  #: of each question, the last ones
NPS_SCALE = (0, 10)


@dataclass(frozen=True, slots=True)
class ChoiceCount:
    """How many responses hold one choice, of all that answered the question."""

    key: str
    text: Wording
    share: Share


@dataclass(frozen=True, slots=True)
class TextAnswer:
    """What a contact wrote: hostile text."""

    contact: int
    at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class QuestionSummary:
    """What came in to one question."""

    key: str
    type: QuestionType
    text: Wording
    n: int  #: responses that answer it
    nps: Nps | None = None  #: scales from 0 to 10
    mean: float | None = None  #: other scales
    choices: tuple[ChoiceCount, ...] = ()
    texts: tuple[TextAnswer, ...] = ()


@dataclass(frozen=True, slots=True)
class SurveySummary:
    """The answers of one run's contacts."""

    title: Wording
    invited: int  #: messages sent
    clicked_score: int  #: contacts who clicked a score in the mail, posted or not
    posted: int  #: contacts who posted their answers
    questions: tuple[QuestionSummary, ...]


def summary(session: Session, run: Run, scores: int) -> SurveySummary | None:
    """Sum up the posted responses of a run; None if it invites to no survey.

    `scores` is how many contacts clicked a score in the mail.
    """
    if run.survey_version_id is None:
        return None
    form = surveys.form_of(session, run.survey_version_id)
    counted = _counts(session, run.id)
    return SurveySummary(
        title=form.title,
        invited=run.sent,
        clicked_score=scores,
        posted=_posted(session, run.id),
        questions=tuple(_question(session, run.id, one, counted) for one in form.questions),
    )


def _posted(session: Session, run: int) -> int:
    query = sa.select(sa.func.count()).where(responses.c.run_id == run, responses.c.posted)
    return session.scalar(query) or 0


def clicked_score(session: Session, run: int) -> int:
    """Count the contacts who clicked a score in the mail; machines click each of them."""
    query = sa.select(sa.func.count(sa.distinct(events.c.contact_id))).where(
        events.c.run_id == run,
        events.c.kind == EventKind.SCORE_CLICKED.value,
        events.c.verdict == Verdict.HUMAN.value,
    )
    return session.scalar(query) or 0


@dataclass(frozen=True, slots=True)
class _Counts:
    """Responses by question; by question and choice; by question and number."""

    answered: dict[str, int]
    choices: dict[tuple[str, str], int]
    numbers: dict[tuple[str, int], int]


def _counts(session: Session, run: int) -> _Counts:
    mine = sa.select(responses.c.id).where(responses.c.run_id == run, responses.c.posted)
    here = answers.c.response_id.in_(mine)
    each = sa.select(answers.c.question, sa.func.count(sa.distinct(answers.c.response_id)))
    answered = session.execute(each.where(here).group_by(answers.c.question))
    columns = (answers.c.question, answers.c.choice, answers.c.number)
    rows = session.execute(
        sa.select(*columns, sa.func.count(sa.distinct(answers.c.response_id)).label("n"))
        .where(here, answers.c.text.is_(None))
        .group_by(*columns)
    ).all()
    return _Counts(
        {name: count for name, count in answered},  # noqa: C416 - rows are no tuples to the type checker
        {(row.question, row.choice): row.n for row in rows if row.choice is not None},
        {(row.question, int(row.number)): row.n for row in rows if row.number is not None},
    )


def _question(session: Session, run: int, question: Question, counted: _Counts) -> QuestionSummary:
    n = counted.answered.get(question.key, 0)
    known = (question.key, question.type, question.text, n)
    if question.type is QuestionType.TEXT:
        return QuestionSummary(*known, texts=tuple(_texts(session, run, question.key)))
    if question.type is QuestionType.SCALE:
        found = {number: c for (key, number), c in counted.numbers.items() if key == question.key}
        scores = [number for number, count in sorted(found.items()) for _ in range(count)]
        bars = tuple(
            ChoiceCount(str(number), Wording((("", str(number)),)), share(found.get(number, 0), n))
            for number in range(question.low, question.high + 1)
        )
        if (question.low, question.high) == NPS_SCALE:
            return QuestionSummary(*known, nps=nps(scores), choices=bars)
        return QuestionSummary(*known, mean=sum(scores) / len(scores) if scores else None, choices=bars)
    return QuestionSummary(*known, choices=tuple(_choices(session, question, counted, n)))


def _choices(session: Session, question: Question, counted: _Counts, n: int) -> Iterator[ChoiceCount]:
    """Every choice of the form, then those of older versions that were chosen; products by name."""
    wordings = {choice.key: choice.text for choice in question.choices}
    chosen = {key: count for (name, key), count in counted.choices.items() if name == question.key}
    if question.type is QuestionType.PRODUCT:
        names = catalog.names(session, [*question.skus, *chosen])
        wordings |= {sku: Wording((("", names.get(sku, sku)),)) for sku in (*question.skus, *chosen)}
    for key in [*wordings, *sorted(set(chosen) - set(wordings))]:
        yield ChoiceCount(key, wordings.get(key, Wording((("", key),))), share(chosen.get(key, 0), n))


def _texts(session: Session, run: int, question: str) -> Iterator[TextAnswer]:
    query = (
        sa.select(answers.c.contact_id, answers.c.at, answers.c.text)
        .join(responses, responses.c.id == answers.c.response_id)
        .where(responses.c.run_id == run, responses.c.posted)
        .where(answers.c.question == question, answers.c.text.is_not(None))
        .order_by(answers.c.at.desc(), answers.c.id.desc())
        .limit(TEXTS)
    )
    for row in session.execute(query):
        yield TextAnswer(row.contact_id, row.at, row.text)
