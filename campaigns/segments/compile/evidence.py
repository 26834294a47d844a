"""What is asked of the store to explain one leaf for one contact."""

from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from campaigns.model.consent import consent_states, topics
from campaigns.model.customers import activity, contacts, customers, roles
from campaigns.model.surveys import answers, responses, surveys
from campaigns.segments.compile.dialect import speech_of
from campaigns.segments.compile.frame import Frame
from campaigns.segments.compile.history import did_evidence, order_evidence
from campaigns.segments.compile.rows import TABLES, stored_of
from campaigns.segments.compile.tree import conditions
from campaigns.segments.rules import Answered, Bought, Condition, ConsentIs, Did, HasRole, Leaf

MOST = 5  #: rows shown of what there may be many of


def holds_for(leaf: Leaf, contact: int, *, now: datetime, dialect: str) -> Select[tuple[int]]:
    """Select the contact's id if the leaf holds, by the same conditions as for everybody; else nothing."""
    source, where = conditions(leaf, Frame(now, speech_of(dialect), only=(contact,)))
    return select(contacts.c.id).select_from(source).where(*where)


def evidence(  # noqa: PLR0911 - one branch a kind of leaf
    leaf: Leaf, contact: int, *, now: datetime, dialect: str
) -> Select[*tuple[Any, ...]] | None:
    """Select what the contact has where the leaf looks (see explain.found_text); None if it looks nowhere."""
    frame = Frame(now, speech_of(dialect), only=(contact,))
    match leaf:
        case Condition():
            return _field(leaf, frame, contact)
        case Did():
            return did_evidence(leaf, frame)
        case Bought():
            return order_evidence(leaf, frame)
        case Answered():
            return _answers(leaf, contact)
        case ConsentIs(topic):
            states = consent_states.c
            known = select(states.state, states.at).join(topics, topics.c.id == states.topic_id)
            return known.where(topics.c.key == topic, states.contact_id == contact)
        case HasRole():
            return select(roles.c.role, roles.c.customer_id).where(roles.c.contact_id == contact).limit(MOST)
        case _:
            return None


def _field(leaf: Condition, frame: Frame, contact: int) -> Select[Any]:
    """Take an attribute as it stands, so that a value of the wrong type is seen."""
    field = leaf.field
    if field.attribute is not None:
        value: Any = TABLES[field.entity].c.attributes[field.attribute]
    else:
        value = stored_of(field, frame.speech).value
    source = contacts.join(customers, customers.c.id == contacts.c.customer_id)
    source = source.outerjoin(activity, activity.c.contact_id == contacts.c.id)
    return select(value).select_from(source).where(contacts.c.id == contact)


def _answers(leaf: Answered, contact: int) -> Select[*tuple[Any, ...]]:
    if leaf.question is None:
        posted = select(responses.c.posted_at).join(surveys, surveys.c.id == responses.c.survey_id)
        return posted.where(surveys.c.key == leaf.survey, responses.c.contact_id == contact).limit(MOST)
    given = select(answers.c.choice, answers.c.number, answers.c.text)
    return (
        given.join(surveys, surveys.c.id == answers.c.survey_id)
        .where(
            surveys.c.key == leaf.survey,
            answers.c.question == leaf.question,
            answers.c.contact_id == contact,
        )
        .limit(MOST)
    )
