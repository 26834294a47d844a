"""The contacts of sign-up forms: known ones, those that wait for a confirmation, and how these go again.

Until its owner confirms an address, no contact has it as theirs: it stands as a further address, marked
unconfirmed, and nothing that mails contacts can reach it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.commerce import orders
from campaigns.model.consent import consents, tracking_choices
from campaigns.model.customers import activity, addresses, attribute_facts, contacts, customers, roles
from campaigns.model.dialect import changed
from campaigns.model.events import events
from campaigns.model.service import cases, tasks
from campaigns.model.surveys import responses
from campaigns.records import messages
from campaigns.values import ConsentState

UNCONFIRMED = "unconfirmed"
SOURCE = "form"
_NAMES = ("given_name", "family_name", "country")


def known(session: Session, address: str) -> int | None:
    """The contact whose own address this is; the oldest, if several share it."""
    query = (
        sa.select(contacts.c.id)
        .where(contacts.c.email == address, contacts.c.erased_at.is_(None))
        .order_by(contacts.c.id)
        .limit(1)
    )
    return session.scalar(query)


def is_pending(session: Session, contact: int) -> bool:
    """Tell whether a contact is still there, without an address of its own."""
    query = sa.select(contacts.c.id).where(
        contacts.c.id == contact, contacts.c.email.is_(None), contacts.c.erased_at.is_(None)
    )
    return session.execute(query).first() is not None


def customer_of(session: Session, contact: int) -> int | None:
    """The customer of a contact; None if it is gone or erased."""
    query = sa.select(contacts.c.customer_id).where(contacts.c.id == contact, contacts.c.erased_at.is_(None))
    return session.scalar(query)


def attributes_of(session: Session, contact: int) -> frozenset[str]:
    """The keys of what is known of a contact."""
    held = session.scalar(sa.select(contacts.c.attributes).where(contacts.c.id == contact))
    return frozenset(held or {})


def make_pending(session: Session, address: str, language: str, *, now: datetime) -> int:
    """Make a contact, and a customer for it, of whom nothing is known but an unconfirmed address."""
    customer = session.execute(
        sa.insert(customers).values(kind="person", created_at=now, updated_at=now).returning(customers.c.id)
    ).scalar_one()
    values = {
        "customer_id": customer,
        "locale": language,
        "source": SOURCE,
        "created_at": now,
        "updated_at": now,
    }
    made: int = session.execute(sa.insert(contacts).values(values).returning(contacts.c.id)).scalar_one()
    further = {
        "contact_id": made,
        "kind": "email",
        "value": address,
        "label": UNCONFIRMED,
        "created_at": now,
    }
    session.execute(sa.insert(addresses).values(further))
    return made


def settle(
    session: Session, contact: int, address: str, hashed: bytes, typed: Mapping[str, Any], *, now: datetime
) -> None:
    """Give a contact its confirmed address, where it has none, and what was typed where nothing is known."""
    row = session.execute(
        sa.select(contacts.c.email, contacts.c.customer_id, *[contacts.c[name] for name in _NAMES])
        .where(contacts.c.id == contact)
        .with_for_update(key_share=True)
    ).one()
    values: dict[str, Any] = {
        name: typed[name] for name in _NAMES if typed.get(name) and not getattr(row, name)
    }
    if row.email is None:
        values |= {"email": address, "email_hash": hashed}
        further = sa.delete(addresses).where(
            addresses.c.contact_id == contact, addresses.c.value == address, addresses.c.label == UNCONFIRMED
        )
        session.execute(further)
    if values:
        session.execute(sa.update(contacts).where(contacts.c.id == contact).values(updated_at=now, **values))
    _name_customer(session, row.customer_id, typed, now)


def _name_customer(session: Session, customer: int, typed: Mapping[str, Any], now: datetime) -> None:
    name = " ".join(typed[part] for part in ("given_name", "family_name") if typed.get(part))
    if name:
        nameless = sa.update(customers).where(
            customers.c.id == customer, customers.c.name == "", customers.c.kind == "person"
        )
        session.execute(nameless.values(name=name, updated_at=now))


def unmake(session: Session, contact: int) -> bool:
    """Delete a contact that a form made and nobody confirmed; False, and nothing done, if it is more by now.

    Its questions to consent go with it, and what was recorded of the mail that nobody answered.
    """
    row = session.execute(sa.select(contacts).where(contacts.c.id == contact).with_for_update()).one_or_none()
    if row is None or not _is_nothing_more(session, row):
        return False
    for table in (consents, events, activity, addresses):
        session.execute(sa.delete(table).where(table.c.contact_id == contact))
    messages.forget_addresses(session, contact)
    session.execute(sa.delete(contacts).where(contacts.c.id == contact))
    return changed(session, sa.delete(customers).where(customers.c.id == row.customer_id)) == 1


def _is_nothing_more(session: Session, row: Any) -> bool:
    """Tell whether a contact is only what an unconfirmed form made of it."""
    plain = row.source == SOURCE and not any(
        (row.email, row.phone, row.external_id, row.import_id, row.erased_at, row.attributes)
    )
    if not plain:
        return False
    return not session.execute(sa.select(sa.or_(*_traces(row.id, row.customer_id)))).scalar_one()


def _traces(contact: int, customer: int) -> list[sa.ColumnElement[bool]]:
    """What would show that people of ours, an import or the person made more of it."""
    one = sa.select(sa.literal(1))
    columns = (
        (responses.c.contact_id, contact),
        (attribute_facts.c.contact_id, contact),
        (roles.c.contact_id, contact),
        (tracking_choices.c.contact_id, contact),
        (roles.c.customer_id, customer),
        (orders.c.customer_id, customer),
        (cases.c.customer_id, customer),
        (tasks.c.customer_id, customer),
    )
    owned = sa.or_(customers.c.owner_id.is_not(None), customers.c.external_id.is_not(None))
    return [
        *[one.where(column == number).exists() for column, number in columns],
        one.where(consents.c.contact_id == contact, consents.c.state != ConsentState.PENDING.value).exists(),
        one.where(contacts.c.customer_id == customer, contacts.c.id != contact).exists(),
        one.where(customers.c.id == customer, owned).exists(),
        one.where(addresses.c.contact_id == contact, addresses.c.label != UNCONFIRMED).exists(),
    ]
