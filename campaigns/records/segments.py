"""Segments in the store: saved, loaded, counted, explained; and the statistics and indexes they live on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.errors import BadRule, NotFound
from campaigns.model.commerce import products
from campaigns.model.consent import topics
from campaigns.model.customers import attribute_definitions, contacts
from campaigns.model.mail import campaigns, segment_versions, segments
from campaigns.model.surveys import surveys
from campaigns.records.surveys import questions_of
from campaigns.segments.compile import compile_rule
from campaigns.segments.compile.evidence import evidence, holds_for
from campaigns.segments.describe import describe
from campaigns.segments.explain import Finding, Why, explain_rule, found_text
from campaigns.segments.fields import Definitions, FieldType, nearest
from campaigns.segments.reading import parse_rule
from campaigns.segments.rules import Answered, Bought, ConsentIs, Did, InSegment, Leaf, Rule
from campaigns.segments.walking import leaves_of, resolve
from campaigns.segments.writing import to_json
from campaigns.values import Problem


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """A segment as lists show it."""

    id: int
    key: str
    name: str
    version: int
    sentence: str  #: the rule in English


def definitions(session: Session) -> Definitions:
    """Give the attributes that this installation knows, with their types."""
    rows = session.execute(
        sa.select(attribute_definitions.c.entity, attribute_definitions.c.key, attribute_definitions.c.type)
    )
    return {(entity, key): FieldType(type_) for entity, key, type_ in rows}


def read(session: Session, document: object, *, key: str = "this rule") -> Rule:
    """Read a rule from outside, and check that all it names is there.

    `key` is the segment it is meant for, so that a circle is found before it is saved.

    Raises:
        BadRule: with every problem and its path.
    """
    rule = parse_rule(document, definitions(session))
    if problems := _missing(session, rule):
        raise BadRule(problems)
    segments_of(session, rule, key=key)
    return rule


def _missing(session: Session, rule: Rule) -> list[Problem]:
    """List what a rule names that is not in the store: a wrong word must not read as nobody or everybody."""
    problems = []
    for path, leaf in leaves_of(rule):
        for what, column, value in _names(leaf):
            if not session.scalar(sa.select(sa.exists().where(column == value))):
                hint = "" if isinstance(value, int) else _near(session, value, column)
                problems.append(Problem(path, f"names the {what} {value!r}, which is not there.", hint))
        if isinstance(leaf, Answered) and leaf.question is not None:
            problems += _never_asked(session, path, leaf.survey, leaf.question)
    return problems


def _never_asked(session: Session, path: str, survey: str, question: str) -> list[Problem]:
    """Tell of a question that no version of its survey has."""
    asked = questions_of(session, survey)
    if not asked or question in asked:
        return []
    what = f"names the question {question!r}, which the survey {survey!r} never asked."
    return [Problem(path, what, f"It has asked {', '.join(asked)}.")]


def _names(leaf: Leaf) -> list[tuple[str, sa.Column[Any], Any]]:  # noqa: PLR0911 - one branch a kind of leaf
    """Give what a leaf names: what it is, where it must be, and its name."""
    match leaf:
        case Did(campaign=int(campaign)):
            return [("campaign", campaigns.c.id, campaign)]
        case Bought(sku=str(sku)):
            return [("product", products.c.sku, sku)]
        case Bought(category=str(category)):
            return [("category", products.c.category, category)]
        case Answered():
            return [("survey", surveys.c.key, leaf.survey)]
        case ConsentIs():
            return [("topic", topics.c.key, leaf.topic)]
        case InSegment(key):
            return [("segment", segments.c.key, key)]
        case _:
            return []


def _near(session: Session, word: str, column: sa.Column[Any]) -> str:
    return nearest(word, session.scalars(sa.select(column).distinct().limit(1000)))


def save(session: Session, key: str, name: str, document: object, *, author: str, now: datetime) -> int:
    """Add a version, and the segment itself if its key is new; gives the version's id.

    Raises:
        BadRule: with every problem and its path.
    """
    rule = read(session, document, key=key)
    segment = find(session, key)
    if segment is None:
        made = sa.insert(segments).values(key=key, name=name, created_at=now).returning(segments.c.id)
        segment = session.scalars(made).one()
    newest = sa.select(sa.func.max(segment_versions.c.version)).where(
        segment_versions.c.segment_id == segment
    )
    row = {
        "segment_id": segment,
        "version": (session.scalar(newest) or 0) + 1,
        "rule": to_json(rule),
        "author": author,
        "created_at": now,
    }
    return session.scalars(sa.insert(segment_versions).values(row).returning(segment_versions.c.id)).one()


def find(session: Session, key: str) -> int | None:
    """Give the id of the segment with this key, or None."""
    return session.scalar(sa.select(segments.c.id).where(segments.c.key == key))


def newest_version(session: Session, segment: int) -> int:
    """Give the id of a segment's newest version.

    Raises:
        NotFound: there is no such segment.
    """
    found = session.scalar(
        sa.select(segment_versions.c.id)
        .where(segment_versions.c.segment_id == segment)
        .order_by(segment_versions.c.version.desc())
        .limit(1)
    )
    if found is None:
        raise NotFound(f"There is no segment {segment}.")
    return found


def load_version(session: Session, version: int) -> Rule:
    """Load the rule of a version.

    Raises:
        NotFound: there is no such version.
        BadRule: the rule asks for an attribute that is no longer defined, or not as it was.
    """
    document = session.scalar(sa.select(segment_versions.c.rule).where(segment_versions.c.id == version))
    if document is None:
        raise NotFound(f"There is no segment version {version}.")
    return parse_rule(document, definitions(session))


def load(session: Session, key: str) -> Rule:
    """Load the newest rule of the segment with this key.

    Raises:
        NotFound: there is no such segment.
    """
    segment = find(session, key)
    if segment is None:
        raise NotFound(f"There is no segment {key!r}.")
    return load_version(session, newest_version(session, segment))


def listing(session: Session, language: str = "en") -> list[SegmentRow]:
    """List the segments that are offered, by name, each with its newest rule in words of that language."""
    newest = (
        sa.select(segment_versions.c.segment_id, sa.func.max(segment_versions.c.version).label("version"))
        .group_by(segment_versions.c.segment_id)
        .subquery()
    )
    same = sa.and_(
        segment_versions.c.segment_id == newest.c.segment_id, segment_versions.c.version == newest.c.version
    )
    rows = session.execute(
        sa.select(segments.c.id, segments.c.key, segments.c.name, newest.c.version, segment_versions.c.rule)
        .join(newest, newest.c.segment_id == segments.c.id)
        .join(segment_versions, same)
        .where(segments.c.archived_at.is_(None))
        .order_by(segments.c.name, segments.c.id)
    )
    known = definitions(session)
    return [
        SegmentRow(row.id, row.key, row.name, row.version, _sentence(row.rule, known, language))
        for row in rows
    ]


def _sentence(document: object, known: Definitions, language: str) -> str:
    try:
        return describe(parse_rule(document, known), language)
    except BadRule as error:
        return f"This rule no longer holds: {error.problems[0]}"


def segments_of(session: Session, rule: Rule, *, key: str = "this rule") -> Mapping[str, Rule]:
    """Load the newest rules of all segments that a rule stands on.

    Raises:
        BadRule: they stand on each other in a circle.
    """
    return resolve(rule, lambda name: load(session, name), key)


def select_members(
    session: Session, rule: Rule, now: datetime, *, only: Sequence[int] | None = None
) -> sa.Select[tuple[int]]:
    """Compile a rule to a Select of contact ids in one column `id`; runs nothing but look-ups of segments.

    With `only`, these few contacts are asked about.
    """
    dialect = session.get_bind().dialect.name
    return compile_rule(rule, now=now, dialect=dialect, segments=segments_of(session, rule), only=only)


def members_of_version(
    session: Session, version: int, *, now: datetime, only: Sequence[int] | None = None
) -> sa.Select[tuple[int]]:
    """Compile a segment's version; segments that it stands on count as their newest version."""
    return select_members(session, load_version(session, version), now, only=only)


def count(session: Session, rule: Rule, now: datetime) -> int:
    """Count the contacts that a rule means."""
    members_ = select_members(session, rule, now).subquery()
    return session.scalars(sa.select(sa.func.count()).select_from(members_)).one()


def members(session: Session, rule: Rule, now: datetime, limit: int) -> list[int]:
    """Give the first ids, in order, of the contacts that a rule means."""
    found = select_members(session, rule, now).order_by(contacts.c.id).limit(limit)
    return list(session.scalars(found))


def explain(session: Session, rule: Rule, contact: int, now: datetime) -> Why:
    """Say why a contact is meant by a rule or not.

    Raises:
        NotFound: there is no such contact.
    """
    row = session.execute(sa.select(contacts.c.erased_at).where(contacts.c.id == contact)).one_or_none()
    if row is None:
        raise NotFound(f"There is no contact {contact}.")
    tree = explain_rule(rule, lambda leaf: _found(session, leaf, contact, now), segments_of(session, rule))
    erased = row.erased_at is not None
    return Why(tree.holds and not erased, erased, tree)


def _found(session: Session, leaf: Leaf, contact: int, now: datetime) -> Finding:
    dialect = session.get_bind().dialect.name
    holds = session.scalar(holds_for(leaf, contact, now=now, dialect=dialect)) is not None
    asked = evidence(leaf, contact, now=now, dialect=dialect)
    rows = [] if asked is None else [tuple(row) for row in session.execute(asked)]
    return Finding(holds, "" if asked is None else found_text(leaf, rows))
