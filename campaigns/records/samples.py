"""Looks at a segment's people before a mail goes out: what they lack, who would read it worst."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.customers import activity, contacts
from campaigns.model.expressions import is_beyond_ascii
from campaigns.model.mail import messages, runs
from campaigns.values import MessageState

#: Of what a template may name of a contact, the parts that a contact may lack.
LACKABLE = ("given_name", "family_name", "salutation", "locale", "country", "region", "city")
LOOKED_AT = 20_000  #: members among whom the worst are looked for
EARLIER = 10  #: runs that tell what is a usual size


def worst_first(session: Session, members: sa.Select[Any], named: Sequence[str], *, limit: int) -> list[int]:
    """Members that lack the most of what is `named`, then by id; all that can be lacked if nothing is.

    Looked for among the first members of a large segment.
    """
    asked = [contacts.c[name] for name in named if name in LACKABLE] or [
        contacts.c[name] for name in LACKABLE
    ]
    lacks = sum((sa.case((_empty(column), 1), else_=0) for column in asked), sa.literal(0))
    looked_at = members.limit(LOOKED_AT).subquery()
    query = (
        sa.select(contacts.c.id)
        .where(contacts.c.id.in_(sa.select(looked_at.c.id)))
        .order_by(lacks.desc(), contacts.c.id)
        .limit(limit)
    )
    return list(session.scalars(query))


def mailed(session: Session, run: int, named: Sequence[str] | None, *, limit: int) -> list[int]:
    """Contacts whom a run's mail went to; with `named` those first who lack the most of it."""
    went = (MessageState.SENT.value, MessageState.UNKNOWN.value, MessageState.FAILED.value)
    c = messages.c
    theirs = (
        sa.select(c.contact_id.label("id"))
        .join(contacts, contacts.c.id == c.contact_id)
        .where(c.run_id == run, c.state.in_(went), contacts.c.erased_at.is_(None))
        .order_by(c.seq)
    )
    if named is not None:
        return worst_first(session, theirs, named, limit=limit)
    return list(session.scalars(theirs.limit(limit)))


def lacking(session: Session, members: sa.Select[Any], named: Sequence[str]) -> tuple[int, dict[str, int]]:
    """How many members there are, and how many of them lack each thing `named`."""
    columns = [contacts.c[name] for name in named if name in LACKABLE]
    counts = [
        sa.func.coalesce(sa.func.sum(sa.case((_empty(column), 1), else_=0)), 0).label(column.name)
        for column in columns
    ]
    row = session.execute(sa.select(sa.func.count().label("all"), *counts).where(contacts.c.id.in_(members)))
    found = row.mappings().one()
    return found["all"], {column.name: found[column.name] for column in columns}


def _empty(column: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    return sa.func.coalesce(column, "") == ""


def languages(session: Session, members: sa.Select[Any]) -> dict[str, int]:
    """How many members read each language: the tag's first part, "" where it is not known."""
    tag = sa.func.coalesce(contacts.c.locale, "")
    query = sa.select(tag, sa.func.count()).where(contacts.c.id.in_(members)).group_by(tag)
    found: dict[str, int] = {}
    for locale, count in session.execute(query):
        language = locale.replace("_", "-").partition("-")[0].lower()
        found[language] = found.get(language, 0) + count
    return found


def beyond_ascii(session: Session, members: sa.Select[Any]) -> int:
    """How many members have an address that not every server can write to: its local part is not ASCII."""
    wide = is_beyond_ascii(session, contacts.c.email)
    return session.scalar(sa.select(sa.func.count()).where(wide, contacts.c.id.in_(members))) or 0


def mailed_since(session: Session, members: sa.Select[Any], since: datetime) -> int:
    """How many members were sent a mail since then."""
    query = sa.select(sa.func.count()).where(
        activity.c.last_sent_at >= since, activity.c.contact_id.in_(members)
    )
    return session.scalar(query) or 0


def usual_size(session: Session, *, but: int, now: datetime) -> tuple[int, int]:
    """Of the last runs of other campaigns: how many there were, and the largest number mailed."""
    last = (
        sa.select(runs.c.mailable)
        .where(
            runs.c.kind == "campaign",
            runs.c.campaign_id != but,
            runs.c.frozen_at > now - timedelta(days=365),
        )
        .order_by(runs.c.id.desc())
        .limit(EARLIER)
        .subquery()
    )
    query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.max(last.c.mailable), 0)).select_from(last)
    count, largest = session.execute(query).one()
    return count, largest
