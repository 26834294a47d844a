"""Where the people of a segment have their mailboxes."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.delivery.lanes import OTHER, lane_of
from campaigns.model.customers import contacts
from campaigns.model.expressions import domain_of
from campaigns.model.lanes import domains

LOOKED_AT = 20_000  #: members of a large segment who stand for all


def by_provider(session: Session, members: sa.Select[Any]) -> dict[str, int]:
    """How many have their mailbox with which provider, among the first members of a large segment.

    A company's own domain counts for the provider that hosts it, once its mail servers are known.
    """
    looked_at = members.limit(LOOKED_AT).subquery()
    domain = domain_of(session, contacts.c.email)
    counted = (
        sa.select(domain.label("domain"), sa.func.count().label("count"))
        .where(contacts.c.id.in_(sa.select(looked_at.c.id)), contacts.c.email.is_not(None))
        .group_by(domain)
        .subquery()
    )
    query = sa.select(counted.c.domain, counted.c.count, domains.c.lane).outerjoin(
        domains, domains.c.domain == counted.c.domain
    )
    found: dict[str, int] = {}
    for name, count, known in session.execute(query):
        own = lane_of(name)
        lane = own if own != OTHER else known or OTHER
        found[lane] = found.get(lane, 0) + count
    return found


def some(session: Session, most: int) -> list[int]:
    """Some contacts with an address, whoever they are."""
    query = sa.select(contacts.c.id).where(contacts.c.email.is_not(None)).order_by(contacts.c.id).limit(most)
    return list(session.scalars(query))
