"""What the DNS says of recipients' domains: whom to ask about, what was heard, what the freeze joins.

A domain is wanted when a campaign is scheduled or sends to it, and asked again at most once a day. One that
takes no mail is dead: its contacts are not mailed. That it does not exist must be heard twice, hours apart.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.delivery.lanes import LANES
from campaigns.delivery.mx import Heard, Mail, is_askable
from campaigns.model.customers import contacts
from campaigns.model.dialect import insert_many, update_many
from campaigns.model.expressions import domain_of
from campaigns.model.lanes import domains

UNASKED, TAKEN, DOUBTFUL, DEAD = "unasked", "taken", "doubtful", "dead"
KEPT = timedelta(hours=24)  #: what was heard
AGAIN = timedelta(hours=3)  #: until a domain that was missing once is asked about again
REST = timedelta(minutes=15)  #: until it is asked about again where nobody answered; doubled each time
DEAD_KEPT = timedelta(days=30)  #: until a domain that says it takes no mail is asked about again
LONGEST_REST = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Asked:
    """A domain that is to be asked about, and how often nothing good was heard of it."""

    domain: str
    state: str
    failures: int


def unknown(session: Session, members: sa.Select[Any], *, now: datetime) -> list[str]:
    """The domains of some contacts that nothing is known of, or nothing new enough.

    `members` selects contact ids in one column `id`.
    """
    domain = domain_of(session, contacts.c.email).label("domain")
    theirs = sa.select(domain).where(contacts.c.id.in_(members), contacts.c.email.is_not(None))
    inner = theirs.distinct().subquery()
    known = sa.and_(domains.c.domain == inner.c.domain, sa.not_(_is_stale(now)))
    query = sa.select(inner.c.domain).where(~sa.exists().where(known))
    return sorted(one for one in session.scalars(query) if one not in LANES and is_askable(one))


def want(session: Session, names: Iterable[str], *, now: datetime) -> None:
    """Let domains be asked about."""
    anew = "ON CONFLICT (domain) DO UPDATE SET ask_at = excluded.ask_at"
    insert_many(session, domains, ("domain", "ask_at"), [(one, now) for one in names], conflict=anew)


def _is_stale(now: datetime) -> sa.ColumnElement[bool]:
    """Whether a domain that nobody waits for was heard of too long ago."""
    c = domains.c
    return sa.and_(c.ask_at.is_(None), c.checked_at < now - KEPT)


def due(session: Session, *, now: datetime, limit: int = 200) -> list[Asked]:
    """The domains that should be asked about now, those that wait longest first."""
    c = domains.c
    query = sa.select(c.domain, c.state, c.failures).where(c.ask_at <= now).order_by(c.ask_at).limit(limit)
    return [Asked(*row) for row in session.execute(query)]


def hear(session: Session, asked: Sequence[Asked], heard: Iterable[Heard], *, now: datetime) -> None:
    """Write down what was heard; that nobody answered changes nothing but when to ask again."""
    before = {one.domain: one for one in asked}
    answered, silent = [], []
    for one in heard:
        known = before[one.domain]
        if one.mail is Mail.UNHEARD:
            rest = min(REST * 2 ** min(known.failures, 8), LONGEST_REST)
            silent.append((one.domain, known.failures + 1, now + rest))
        else:
            state, failures, ask_at = _state(one.mail, known, now)
            answered.append((one.domain, one.lane, one.servers, state, failures, now, ask_at))
    columns = ("lane", "mx", "state", "failures", "checked_at", "ask_at")
    update_many(session, domains, ("domain",), columns, answered)
    update_many(session, domains, ("domain",), ("failures", "ask_at"), silent)


def _state(mail: Mail, known: Asked, now: datetime) -> tuple[str, int, datetime | None]:
    if mail is Mail.TAKEN:
        return TAKEN, 0, None
    if mail is Mail.REFUSED:
        return DEAD, known.failures + 1, now + DEAD_KEPT
    if known.state in {DOUBTFUL, DEAD}:
        return DEAD, known.failures + 1, now + KEPT
    return DOUBTFUL, known.failures + 1, now + AGAIN


def any_dead(session: Session) -> bool:
    """Whether the gate of dead domains must be asked at all."""
    query = sa.select(domains.c.domain).where(domains.c.state == DEAD).limit(1)
    return session.execute(query).one_or_none() is not None


def is_dead(session: Session) -> sa.ColumnElement[bool]:
    """Whether the domain of a contact's address takes no mail; looked up by index for each."""
    c = domains.c
    here = sa.select(c.domain).where(c.state == DEAD, c.domain == domain_of(session, contacts.c.email))
    return here.correlate(contacts).exists()
