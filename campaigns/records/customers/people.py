"""Customers, contacts, their addresses and roles, as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.errors import NotFound
from campaigns.model.customers import addresses, contacts, customers, roles
from campaigns.model.staff import staff

KINDS = ("person", "household", "organisation")
STAGES = ("prospect", "new", "active", "at risk", "lapsed", "won back")
BUYING_ROLES = (
    "economic buyer", "decider", "evaluator", "influencer", "gatekeeper", "user", "champion",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Customer:
    """Whom we do business with."""

    id: int
    external_id: str | None
    kind: str
    name: str  #: empty where not known
    owner_id: int | None
    owner: str | None  #: the rep's name
    stage: str
    country: str | None
    region: str | None
    city: str | None
    attributes: Mapping[str, Any]
    hold_until: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Contact:
    """A person at a customer; every name may be missing."""

    id: int
    customer: int
    external_id: str | None
    email: str | None
    email_hash: bytes | None
    phone: str | None
    given_name: str | None
    family_name: str | None
    salutation: str | None
    locale: str | None
    time_zone: str | None
    country: str | None
    region: str | None
    city: str | None
    birthday: date | None
    attributes: Mapping[str, Any]
    erased_at: datetime | None

    @property
    def name(self) -> str:
        """Given and family name, or what else there is to call them by; never empty."""
        parts = (self.given_name, self.family_name)
        written = " ".join(part.strip() for part in parts if part and part.strip())
        return written or self.email or self.phone or self.external_id or f"#{self.id}"


@dataclass(frozen=True, slots=True)
class Address:
    """A further address or phone of a contact."""

    kind: str  #: email or phone
    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Role:
    """What a contact is at a customer."""

    contact: int
    customer: int
    role: str
    since: datetime


def get(session: Session, customer: int) -> Customer:
    """Load a customer.

    Raises:
        NotFound: there is no such customer.
    """
    query = (
        sa.select(customers, staff.c.name.label("owner"))
        .outerjoin(staff, staff.c.id == customers.c.owner_id)
        .where(customers.c.id == customer)
    )
    row = session.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"There is no customer {customer}.")
    return Customer(
        id=row.id,
        external_id=row.external_id,
        kind=row.kind,
        name=row.name.strip(),
        owner_id=row.owner_id,
        owner=row.owner,
        stage=row.stage,
        country=row.country,
        region=row.region,
        city=row.city,
        attributes=row.attributes or {},
        hold_until=row.hold_until,
        created_at=row.created_at,
    )


def contacts_at(session: Session, customer: int, *, limit: int) -> list[Contact]:
    """The people at a customer: those who belong to it, then those who only have a role there."""
    with_role = sa.select(roles.c.contact_id).where(roles.c.customer_id == customer)
    theirs = sa.select(contacts).where(contacts.c.customer_id == customer)
    others = sa.select(contacts).where(contacts.c.id.in_(with_role), contacts.c.customer_id != customer)
    found = [_contact(row) for row in session.execute(theirs.order_by(contacts.c.id).limit(limit))]
    if len(found) < limit:
        rest = others.order_by(contacts.c.id).limit(limit - len(found))
        found += [_contact(row) for row in session.execute(rest)]
    return found


def contact_of(session: Session, customer: int, contact: int) -> Contact:
    """Load a contact at a customer.

    Raises:
        NotFound: there is no such contact at this customer.
    """
    with_role = sa.select(roles.c.contact_id).where(roles.c.customer_id == customer)
    query = sa.select(contacts).where(
        contacts.c.id == contact,
        sa.or_(contacts.c.customer_id == customer, contacts.c.id.in_(with_role)),
    )
    row = session.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"There is no contact {contact} at customer {customer}.")
    return _contact(row)


def addresses_of(session: Session, of_contacts: Sequence[int]) -> dict[int, list[Address]]:
    """Further addresses and phones, by contact."""
    query = (
        sa.select(addresses)
        .where(addresses.c.contact_id.in_(list(of_contacts)))
        .order_by(addresses.c.kind, addresses.c.id)
    )
    found: dict[int, list[Address]] = {}
    for row in session.execute(query) if of_contacts else ():
        found.setdefault(row.contact_id, []).append(Address(row.kind, row.value, row.label))
    return found


def roles_at(session: Session, customer: int, of_contacts: Sequence[int]) -> dict[int, list[Role]]:
    """What contacts are at a customer, by contact."""
    query = (
        sa.select(roles)
        .where(roles.c.customer_id == customer, roles.c.contact_id.in_(list(of_contacts)))
        .order_by(roles.c.role)
    )
    found: dict[int, list[Role]] = {}
    for row in session.execute(query) if of_contacts else ():
        role = Role(row.contact_id, row.customer_id, row.role, row.since)
        found.setdefault(row.contact_id, []).append(role)
    return found


def names_of(session: Session, of_contacts: Sequence[int]) -> dict[int, str]:
    """What to call contacts by, by id."""
    query = sa.select(contacts).where(contacts.c.id.in_(list(of_contacts)))
    rows = session.execute(query) if of_contacts else ()
    return {row.id: _contact(row).name for row in rows}


def _contact(row: sa.Row[Any]) -> Contact:
    return Contact(
        id=row.id,
        customer=row.customer_id,
        external_id=row.external_id,
        email=row.email,
        email_hash=row.email_hash,
        phone=row.phone,
        given_name=row.given_name,
        family_name=row.family_name,
        salutation=row.salutation,
        locale=row.locale,
        time_zone=row.time_zone,
        country=row.country,
        region=row.region,
        city=row.city,
        birthday=row.birthday,
        attributes=row.attributes or {},
        erased_at=row.erased_at,
    )
