"""What contacts answered: one response for each survey, contact and run; the last post holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.dialect import insert_many
from campaigns.model.mail import messages
from campaigns.model.surveys import answers, responses
from campaigns.surveys.answers import Answer


@dataclass(frozen=True, slots=True)
class Place:
    """What a response is to: a version of a survey, asked of one contact by one message."""

    survey: int
    version: int
    contact: int
    run: int
    seq: int


@dataclass(frozen=True, slots=True)
class Response:
    """A contact's response; without a post it is provisional and has no answers."""

    id: int
    posted_at: datetime | None
    answers: tuple[Answer, ...]


def is_posted(session: Session, *, contact: int, run: int) -> bool:
    """Tell whether the contact posted a survey that this run invited to."""
    query = sa.select(responses.c.id).where(
        responses.c.contact_id == contact, responses.c.run_id == run, responses.c.posted.is_(sa.true())
    )
    return session.scalar(query.limit(1)) is not None


def posted_among(session: Session, keys: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """Who posted a survey that a run invited to, as (run, contact), among the contacts of these messages."""
    found: set[tuple[int, int]] = set()
    for at in range(0, len(keys), 400):
        mine = sa.tuple_(messages.c.run_id, messages.c.seq).in_(keys[at : at + 400])
        same = sa.and_(
            responses.c.contact_id == messages.c.contact_id, responses.c.run_id == messages.c.run_id
        )
        query = (
            sa.select(messages.c.run_id, messages.c.contact_id)
            .join(responses, same)
            .where(mine, responses.c.posted.is_(sa.true()))
        )
        found.update((row.run_id, row.contact_id) for row in session.execute(query))
    return found


def counts(session: Session) -> dict[int, int]:
    """Count what was posted to each survey, by its id; a score clicked in a mail alone is no response."""
    c = responses.c
    query = sa.select(c.survey_id, sa.func.count()).where(c.posted).group_by(c.survey_id)
    return {row[0]: row[1] for row in session.execute(query)}


def start(session: Session, place: Place, *, language: str, now: datetime) -> int:
    """Open a provisional response, unless there is one; gives its id."""
    insert_many(
        session,
        responses,
        ("survey_id", "version_id", "contact_id", "run_id", "seq", "posted", "started_at", "language"),
        [(place.survey, place.version, place.contact, place.run, place.seq, False, now, language)],
        conflict="ON CONFLICT (survey_id, contact_id, run_id) DO NOTHING",
    )
    return session.execute(sa.select(responses.c.id).where(*_of(place))).scalar_one()


def forget(session: Session, place: Place) -> None:
    """Take away a provisional response; what was posted stays."""
    session.execute(sa.delete(responses).where(*_of(place), responses.c.posted.is_(sa.false())))


def find(session: Session, place: Place, *, lock: bool = False) -> Response | None:
    """The response at a place with its answers, or None; `lock` keeps other posts away until the end."""
    query = sa.select(responses.c.id, responses.c.posted_at).where(*_of(place))
    row = session.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else Response(row.id, row.posted_at, answers_of(session, row.id))


def post(
    session: Session, place: Place, given: Sequence[Answer], *, language: str, now: datetime
) -> Response | None:
    """Store a post in place of the earlier one; None if it says nothing new.

    Gives the response as it stood before, whose answers are those that were replaced.
    """
    start(session, place, language=language, now=now)
    before = find(session, place, lock=True)
    assert before is not None
    if before.posted_at is not None and _same(before.answers, given):
        return None
    session.execute(sa.delete(answers).where(answers.c.response_id == before.id))
    rows = [row for answer in given for row in _rows(before.id, place, answer, now)]
    if rows:
        session.execute(sa.insert(answers), rows)
    session.execute(
        sa.update(responses)
        .where(responses.c.id == before.id)
        .values(posted=True, posted_at=now, version_id=place.version, seq=place.seq, language=language)
    )
    return before


def answers_of(session: Session, response: int) -> tuple[Answer, ...]:
    """The answers of a response, in the order they were stored."""
    query = sa.select(answers).where(answers.c.response_id == response).order_by(answers.c.id)
    found: dict[str, Answer] = {}
    for row in session.execute(query):
        if row.choice is None:
            number = None if row.number is None else int(row.number)
            found[row.question] = Answer(row.question, number=number, text=row.text)
        else:
            earlier = found[row.question].choices if row.question in found else ()
            found[row.question] = Answer(row.question, choices=(*earlier, row.choice))
    return tuple(found.values())


def _of(place: Place) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        responses.c.survey_id == place.survey,
        responses.c.contact_id == place.contact,
        responses.c.run_id == place.run,
    )


def _same(one: Sequence[Answer], other: Sequence[Answer]) -> bool:
    return {answer.question: answer for answer in one} == {answer.question: answer for answer in other}


def _rows(response: int, place: Place, answer: Answer, now: datetime) -> list[dict[str, object]]:
    row = {
        "response_id": response,
        "survey_id": place.survey,
        "contact_id": place.contact,
        "question": answer.question,
        "choice": None,
        "number": answer.number,
        "text": answer.text,
        "at": now,
    }
    if answer.number is None and answer.text is None:
        return [{**row, "choice": choice} for choice in answer.choices]
    return [row]
