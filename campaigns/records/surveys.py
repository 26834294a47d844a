"""Surveys and their versions: every save is a new version; runs pin the one they opened with."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.errors import NotFound
from campaigns.model.base import to_json
from campaigns.model.surveys import survey_versions, surveys
from campaigns.records import attributes
from campaigns.surveys.answers import attribute_types
from campaigns.surveys.form import Form, parse_form, write_form


@dataclass(frozen=True, slots=True)
class SurveyRow:
    """A survey as lists show it, by its newest version."""

    id: int
    key: str
    name: str
    version: int
    form: Form


@dataclass(frozen=True, slots=True)
class Edition:
    """One version of a survey, with what it belongs to."""

    id: int
    survey: int
    version: int
    name: str
    form: Form
    closed: bool  #: the survey was archived; nothing more is asked


def save(session: Session, key: str, name: str, form: Form, *, author: str, now: datetime) -> int:
    """Add a version, and the survey itself if its key is new; gives the version's id.

    Attributes that the form's answers become are defined where they are not yet.

    Raises:
        BadForm: an attribute is known with another type.
    """
    attributes.define(session, attribute_types(form), now=now)
    survey = find(session, key)
    if survey is None:
        survey = session.execute(
            sa.insert(surveys).values(key=key, name=name, created_at=now).returning(surveys.c.id)
        ).scalar_one()
    newest = session.scalar(
        sa.select(sa.func.max(survey_versions.c.version)).where(survey_versions.c.survey_id == survey)
    )
    made: int = session.execute(
        sa.insert(survey_versions)
        .values(
            survey_id=survey,
            version=(newest or 0) + 1,
            # As text: jsonb would sort the languages, and the first stands in for those missing.
            form=to_json(write_form(form)),
            author=author,
            created_at=now,
        )
        .returning(survey_versions.c.id)
    ).scalar_one()
    return made


def find(session: Session, key: str) -> int | None:
    """The id of the survey with this key, or None."""
    return session.scalar(sa.select(surveys.c.id).where(surveys.c.key == key))


def questions_of(session: Session, key: str) -> list[str]:
    """The keys of all questions that a survey asks or has asked, in their order; none if it is not there."""
    version = survey_versions.c
    forms = sa.select(version.form).join(surveys, surveys.c.id == version.survey_id)
    told = session.scalars(forms.where(surveys.c.key == key).order_by(version.id))
    return list(dict.fromkeys(one.key for form in told for one in parse_form(form).questions))


def newest_version(session: Session, survey: int) -> int:
    """The id of a survey's newest version.

    Raises:
        NotFound: there is no such survey.
    """
    found = session.scalar(
        sa.select(survey_versions.c.id)
        .where(survey_versions.c.survey_id == survey)
        .order_by(survey_versions.c.version.desc())
        .limit(1)
    )
    if found is None:
        raise NotFound(f"There is no survey {survey}.")
    return found


def form_of(session: Session, version: int) -> Form:
    """What a version asks.

    Raises:
        NotFound: there is no such version.
    """
    return edition(session, version).form


def edition(session: Session, version: int) -> Edition:
    """Load a version, by its id, with the survey it belongs to.

    Raises:
        NotFound: there is no such version.
    """
    query = (
        sa.select(survey_versions, surveys.c.name, surveys.c.archived_at)
        .join(surveys, surveys.c.id == survey_versions.c.survey_id)
        .where(survey_versions.c.id == version)
    )
    row = session.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"There is no survey version {version}.")
    return Edition(
        id=row.id,
        survey=row.survey_id,
        version=row.version,
        name=row.name,
        form=parse_form(row.form),
        closed=row.archived_at is not None,
    )


def archive(session: Session, survey: int, *, now: datetime) -> None:
    """Close a survey: it is offered for no new campaign, and its pages take no more answers."""
    session.execute(
        sa.update(surveys)
        .where(surveys.c.id == survey, surveys.c.archived_at.is_(None))
        .values(archived_at=now)
    )


def listing(session: Session) -> list[SurveyRow]:
    """All surveys that are not archived, by name."""
    newest = (
        sa.select(survey_versions.c.survey_id, sa.func.max(survey_versions.c.version).label("version"))
        .group_by(survey_versions.c.survey_id)
        .subquery()
    )
    query = (
        sa.select(surveys.c.id, surveys.c.key, surveys.c.name, newest.c.version, survey_versions.c.form)
        .join(newest, newest.c.survey_id == surveys.c.id)
        .join(
            survey_versions,
            sa.and_(
                survey_versions.c.survey_id == surveys.c.id,
                survey_versions.c.version == newest.c.version,
            ),
        )
        .where(surveys.c.archived_at.is_(None))
        .order_by(surveys.c.name, surveys.c.id)
    )
    return [
        SurveyRow(row.id, row.key, row.name, row.version, parse_form(row.form))
        for row in session.execute(query)
    ]
