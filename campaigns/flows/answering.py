"""A posted survey: its answers, what they teach of the contact, and a task where somebody is unhappy."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from campaigns.errors import NotAllowed
from campaigns.records import attributes, catalog, history, hits, responses, surveys, tasks
from campaigns.records.addressees import Addressee
from campaigns.records.attributes import Source
from campaigns.records.responses import Place, Response
from campaigns.records.surveys import Edition
from campaigns.records.tasks import NewTask
from campaigns.surveys.answers import Answer, read_answers
from campaigns.surveys.answers import attributes as attributes_of
from campaigns.surveys.form import Form, Question, QuestionType
from campaigns.surveys.scoring import NpsClass, nps_class
from campaigns.values import EventKind, Fact, Verdict

CALL_WITHIN = timedelta(days=2)  #: an unhappy customer hears from us by then
MOST_PRODUCTS = 100  #: of one category, on one page


@dataclass(frozen=True, slots=True)
class Sheet:
    """A survey as one contact sees it: its version, the products it offers by name, the earlier answers."""

    edition: Edition
    products: Mapping[str, Mapping[str, str]]  #: by question: SKU to name
    earlier: tuple[Answer, ...]
    posted_at: datetime | None

    @property
    def form(self) -> Form:
        return self.edition.form


def sheet(session: Session, whom: Addressee) -> Sheet | None:
    """Load the survey that the contact's message invited to; None if it invited to none."""
    if whom.survey_version is None:
        return None
    edition = surveys.edition(session, whom.survey_version)
    offered = {
        question.key: _offered(session, question)
        for question in edition.form.questions
        if question.type is QuestionType.PRODUCT
    }
    found = responses.find(session, _place(edition, whom))
    posted = None if found is None else found.posted_at
    return Sheet(edition, offered, found.answers if found else (), posted)


def _offered(session: Session, question: Question) -> dict[str, str]:
    if question.category is not None:
        return catalog.names_in_category(session, question.category, limit=MOST_PRODUCTS)
    known = catalog.names(session, question.skus)
    return {sku: known.get(sku, sku) for sku in question.skus}


def answer(
    session: Session,
    whom: Addressee,
    posted: Mapping[str, Sequence[str]],
    *,
    language: str,
    now: datetime,
) -> Sheet:
    """Take a posted survey; the same post again changes nothing, another one takes the earlier one's place.

    Raises:
        BadForm: with every problem, each at its question's key; nothing is stored.
        NotAllowed: there is no survey here, it is closed, or the contact was forgotten.
    """
    asked = sheet(session, whom)
    if asked is None or asked.edition.closed or whom.erased:
        raise NotAllowed("This survey takes no more answers.")
    given = read_answers(asked.form, posted, products=_by_category(asked))
    if whom.is_test:
        return asked
    before = responses.post(session, _place(asked.edition, whom), given, language=language, now=now)
    if before is not None:
        _record(session, whom, asked.edition, before, given, now)
    return asked


def _by_category(asked: Sheet) -> dict[str, Collection[str]]:
    return {
        question.category: list(asked.products[question.key])
        for question in asked.form.questions
        if question.category is not None
    }


def _place(edition: Edition, whom: Addressee) -> Place:
    return Place(edition.survey, edition.id, whom.contact, whom.run, whom.seq)


def _record(
    session: Session,
    whom: Addressee,
    edition: Edition,
    before: Response,
    given: Sequence[Answer],
    now: datetime,
) -> None:
    learnt = attributes_of(edition.form, given)
    taken_back = dict.fromkeys(attributes_of(edition.form, before.answers).keys() - learnt.keys())
    source = Source("survey", f"response {before.id}, {edition.name} version {edition.version}")
    attributes.learn(session, whom.contact, {**taken_back, **learnt}, at=now, source=source)
    detail: dict[str, object] = {
        "survey": edition.survey,
        "name": edition.name,
        "response": before.id,
        "scores": {one.question: one.number for one in given if one.number is not None},
    }
    history.record(
        session, _fact(whom, EventKind.ANSWERED, f"answered:{before.id}:{now.isoformat()}", now, detail)
    )
    hits.judge_again(session, whom.run, whom.seq)
    _care(session, whom, edition, before.id, given, now)


def _care(
    session: Session, whom: Addressee, edition: Edition, response: int, given: Sequence[Answer], now: datetime
) -> None:
    """Give the customer's rep a task if the contact would not recommend us; one for each response."""
    score = nps_score(edition.form, given)
    if score is None or nps_class(score) is not NpsClass.DETRACTOR:
        return
    dedupe = f"survey:{response}"
    title = f"Call about the survey: {score} of 10"
    words = next((one.text for one in given if one.text), None)
    reason = f"{edition.name}: gave {score} of 10" + (f" and wrote: {words}" if words else "")
    new = NewTask(whom.customer, whom.contact, title, reason, whom.owner, now + CALL_WITHIN, dedupe)
    if tasks.add(session, new, now=now):
        detail: dict[str, object] = {"title": title}
        history.record(session, _fact(whom, EventKind.TASK_CREATED, f"task:{dedupe}", now, detail))


def nps_score(form: Form, given: Sequence[Answer]) -> int | None:
    """The answer to the first question that is asked from 0 to 10, if it was answered."""
    question = next(
        (one for one in form.questions if one.type is QuestionType.SCALE and (one.low, one.high) == (0, 10)),
        None,
    )
    return next((one.number for one in given if question and one.question == question.key), None)


def _fact(whom: Addressee, kind: EventKind, dedupe: str, now: datetime, detail: dict[str, object]) -> Fact:
    return Fact(
        kind,
        now,
        dedupe,
        whom.contact,
        whom.customer,
        whom.run,
        whom.seq,
        "web",
        Verdict.HUMAN if kind is EventKind.ANSWERED else Verdict.UNKNOWN,
        detail,
    )
