"""Customers given to reps by the thousand: who is meant by a line of a file, and the change itself."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.customers import contacts, customers
from campaigns.model.dialect import update_many
from campaigns.records import history, staff
from campaigns.records.customers.acting import owner_fact
from campaigns.records.staff import Desk, Staff

AT_ONCE = 500


def reps(session: Session) -> dict[str, Staff]:
    """Those who may look after customers, by mail address."""
    return {one.email: one for one in staff.listing(session) if one.active and one.sits_at(Desk.SALES)}


def customers_of(session: Session, names: Sequence[str]) -> dict[str, int]:
    """The customers meant by external ids, or by mail addresses of their contacts."""
    found: dict[str, int] = {}
    for at in range(0, len(names), AT_ONCE):
        some = list(names[at : at + AT_ONCE])
        c = contacts.c
        by_mail = sa.select(c.email, c.customer_id).where(c.email.in_([name.lower() for name in some]))
        mails = {row.email: row.customer_id for row in session.execute(by_mail.order_by(c.id.desc()))}
        by_id = sa.select(customers.c.external_id, customers.c.id).where(customers.c.external_id.in_(some))
        ids = {row.external_id: row.id for row in session.execute(by_id)}
        found |= {name: mails[name.lower()] for name in some if name.lower() in mails} | ids
    return found


def assign(session: Session, wanted: Mapping[int, Staff | None], *, actor: str, now: datetime) -> int:
    """Give customers to reps, each with its line in the history; gives how many changed hands."""
    ids = list(wanted)
    facts = []
    for at in range(0, len(ids), AT_ONCE):
        some = ids[at : at + AT_ONCE]
        had = sa.select(customers.c.id, customers.c.owner_id).where(customers.c.id.in_(some))
        for customer, before in session.execute(had).all():
            rep = wanted[customer]
            number = rep.id if rep else None
            if number != before:
                facts.append(owner_fact(customer, number, rep.name if rep else "", actor=actor, now=now))
    rows = [(fact.customer, fact.detail["owner"], now) for fact in facts]
    update_many(session, customers, ("id",), ("owner_id", "updated_at"), rows)
    history.record_many(session, facts)
    return len(facts)
