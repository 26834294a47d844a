"""Attributes that a company defines itself: their types, every dated and sourced value, and the newest."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.errors import BadForm
from campaigns.model.customers import attribute_definitions, attribute_facts, contacts
from campaigns.model.dialect import insert_many
from campaigns.values import Problem

#: What an attribute may be, as segments and imports read it.
TYPES = ("text", "number", "boolean", "date", "moment", "list")


@dataclass(frozen=True, slots=True)
class Definition:
    """What an attribute is."""

    key: str
    type: str
    label: str
    personal: bool


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value comes from: "survey", "import" or "staff", and which one."""

    kind: str
    ref: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """One dated, sourced value; None says that it was taken back."""

    key: str
    value: object
    at: datetime
    source: Source


def definitions(session: Session, entity: str = "contact") -> dict[str, Definition]:
    """What is defined for contacts (or customers), by key."""
    c = attribute_definitions.c
    query = sa.select(c.key, c.type, c.label, c.personal).where(c.entity == entity).order_by(c.key)
    return {row.key: Definition(row.key, row.type, row.label, row.personal) for row in session.execute(query)}


def define(session: Session, types: Mapping[str, str], *, now: datetime, entity: str = "contact") -> None:
    """Define attributes, key to type; those already defined so stay as they are.

    Raises:
        BadForm: naming each attribute that is known with another type.
    """
    known = definitions(session, entity)
    problems = [
        Problem(
            key,
            f"is an attribute of type {known[key].type}, not {kind}.",
            "Use another key, or ask for that type.",
        )
        for key, kind in types.items()
        if key in known and known[key].type != kind
    ]
    problems += [
        Problem(key, f"has the type {kind!r}.", f"Types: {', '.join(TYPES)}.")
        for key, kind in types.items()
        if kind not in TYPES
    ]
    if problems:
        raise BadForm(problems)
    new = [
        {"entity": entity, "key": key, "type": kind, "created_at": now}
        for key, kind in types.items()
        if key not in known
    ]
    if new:
        session.execute(sa.insert(attribute_definitions), new)


def learn(
    session: Session, contact: int, values: Mapping[str, object], *, at: datetime, source: Source
) -> None:
    """Append what was learnt of a contact; contacts.attributes then holds the newest value of each.

    A value of None takes the earlier one back. What is older than the newest fact of its key is kept, but
    changes no attribute.
    """
    if not values:
        return
    held = session.execute(
        sa.select(contacts.c.attributes).where(contacts.c.id == contact).with_for_update(key_share=True)
    ).scalar_one()
    newest = _newest(session, contact, list(values))
    rows = ((contact, key, value, at, source.kind, source.ref) for key, value in values.items())
    insert_many(session, attribute_facts, ("contact_id", "key", "value", "at", "source", "source_ref"), rows)
    current = {key: value for key, value in values.items() if key not in newest or newest[key] <= at}
    merged = {key: value for key, value in {**held, **current}.items() if value is not None}
    if merged != held:
        session.execute(
            sa.update(contacts).where(contacts.c.id == contact).values(attributes=merged, updated_at=at)
        )


def facts(session: Session, contact: int) -> list[Known]:
    """Every value that was ever learnt of a contact, newest first."""
    c = attribute_facts.c
    query = sa.select(attribute_facts).where(c.contact_id == contact).order_by(c.at.desc(), c.id.desc())
    return [
        Known(row.key, row.value, row.at, Source(row.source, row.source_ref))
        for row in session.execute(query)
    ]


def _newest(session: Session, contact: int, keys: list[str]) -> dict[str, datetime]:
    c = attribute_facts.c
    query = (
        sa.select(c.key, sa.func.max(c.at).label("at"))
        .where(c.contact_id == contact, c.key.in_(keys))
        .group_by(c.key)
    )
    return {row.key: row.at for row in session.execute(query)}
