"""Customers given to reps by the thousand: who is meant by a line of a file."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.customers import contacts, customers
from campaigns.records import staff
from campaigns.records.staff import Desk, Staff

AT_ONCE = 500


def reps(session: Session) -> dict[str, Staff]:
    """Those who may look after customers, by mail address."""
    return {one.email: one for one in staff.listing(session) if one.active and one.sits_at(Desk.SALES)}


def customers_of(session: Session, names: Sequence[str]) -> dict[str, int]:
    """The customers meant by external ids of theirs or of their contacts, or by these' mail addresses."""
    found: dict[str, int] = {}
    for at in range(0, len(names), AT_ONCE):
        some = list(names[at : at + AT_ONCE])
        c = contacts.c
        by_mail = sa.select(c.email, c.customer_id).where(c.email.in_([name.lower() for name in some]))
        mails = {row.email: row.customer_id for row in session.execute(by_mail.order_by(c.id.desc()))}
        by_contact = sa.select(c.external_id, c.customer_id).where(c.external_id.in_(some))
        people = {row.external_id: row.customer_id for row in session.execute(by_contact)}
        by_id = sa.select(customers.c.external_id, customers.c.id).where(customers.c.external_id.in_(some))
        ids = {row.external_id: row.id for row in session.execute(by_id)}
        found |= {name: mails[name.lower()] for name in some if name.lower() in mails} | people | ids
    return found
