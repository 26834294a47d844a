"""What the store knows, as the plain data that templates may name (see templates/names.py)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from babel.numbers import get_currency_precision
from sqlalchemy.orm import Session

from campaigns.idn import told_address
from campaigns.model.commerce import order_lines, orders, products
from campaigns.model.customers import contacts, customers
from campaigns.model.staff import staff
from campaigns.records.outbox import PERSON, Recipient, recipient_of
from campaigns.values import Sender

LAST_ORDERS = 3
OFFERS = 3
RECENT_ORDERS = 5000  #: what sells is read off so many of the newest orders


@dataclass(frozen=True, slots=True)
class Common:
    """What every recipient of a run reads alike."""

    campaign: str
    sender: Sender
    offers: tuple[dict[str, Any], ...]
    owners: Mapping[int, str]


def common(session: Session, campaign: str, sender: Sender) -> Common:
    """Load what is alike for all recipients of a run."""
    owners = {row.id: row.name for row in session.execute(sa.select(staff.c.id, staff.c.name))}
    return Common(campaign, sender, tuple(_offers(session)), owners)


def personal(
    recipient: Recipient,
    shared: Common,
    *,
    links: Mapping[str, str],
    bought: list[dict[str, Any]],
    now: datetime,
) -> dict[str, Any]:
    """Put together all names for one recipient."""
    contact, customer = recipient.contact, recipient.customer
    return {
        "contact": {
            **{
                key: contact[key]
                for key in ("given_name", "family_name", "salutation", "locale", "country", "region", "city")
            },
            "name": full_name(contact),
            "email": told_address(recipient.address),
            "attributes": dict(contact["attributes"] or {}),
        },
        "customer": {
            "name": customer["name"] or None,
            "stage": customer["stage"],
            "owner": shared.owners.get(customer["owner_id"] or 0),
        },
        "sender": {
            "name": shared.sender.name,
            "address": shared.sender.address,
            "postal_address": shared.sender.postal_address,
        },
        "campaign": {"name": shared.campaign},
        "links": dict(links),
        "orders": bought,
        "order": bought[0] if bought else None,
        "products": [dict(offer) for offer in shared.offers],
        "today": now.date(),
    }


def full_name(contact: Mapping[str, Any]) -> str | None:
    """Given and family name as far as they are known, or None."""
    return " ".join(part for part in (contact["given_name"], contact["family_name"]) if part) or None


def last_orders(session: Session, of_customers: Iterable[int]) -> dict[int, list[dict[str, Any]]]:
    """The last orders of each customer, newest first, with their lines; cancelled ones left out."""
    ranked = (
        sa.select(
            orders,
            sa.func.row_number()
            .over(partition_by=orders.c.customer_id, order_by=(orders.c.placed_at.desc(), orders.c.id.desc()))
            .label("place"),
        )
        .where(orders.c.customer_id.in_(list(of_customers)), orders.c.status != "cancelled")
        .subquery()
    )
    newest = {
        row.id: row
        for row in session.execute(
            sa.select(ranked).where(ranked.c.place <= LAST_ORDERS).order_by(ranked.c.place)
        )
    }
    lines = _lines(session, newest)
    found: dict[int, list[dict[str, Any]]] = {}
    for row in newest.values():
        found.setdefault(row.customer_id, []).append(
            {
                "number": row.external_id,
                "placed_at": row.placed_at,
                "total": _units(row.total_minor, row.currency),
                "currency": row.currency,
                "lines": lines.get(row.id, []),
            }
        )
    return found


def _lines(session: Session, of_orders: Mapping[int, Any]) -> dict[int, list[dict[str, Any]]]:
    query = (
        sa.select(order_lines, products.c.name)
        .join(products, products.c.id == order_lines.c.product_id)
        .where(order_lines.c.order_id.in_(list(of_orders)))
        .order_by(order_lines.c.order_id, order_lines.c.number)
    )
    found: dict[int, list[dict[str, Any]]] = {}
    for row in session.execute(query):
        found.setdefault(row.order_id, []).append(
            {
                "product": row.name,
                "quantity": row.quantity,
                "amount": _units(row.amount_minor, of_orders[row.order_id].currency),
                "currency": of_orders[row.order_id].currency,
            }
        )
    return found


def offered_pages(session: Session) -> list[str]:
    """The pages of the products that mails offer now."""
    return [offer["url"] for offer in _offers(session) if offer["url"]]


def _offers(session: Session) -> Iterable[dict[str, Any]]:
    """The products on sale that sold best of late."""
    newest = sa.select(orders.c.id).order_by(orders.c.id.desc()).limit(RECENT_ORDERS)
    sold = sa.and_(order_lines.c.product_id == products.c.id, order_lines.c.order_id.in_(newest))
    query = (
        sa.select(products)
        .outerjoin(order_lines, sold)
        .where(products.c.price_minor.is_not(None))
        .group_by(products.c.id)
        .order_by(sa.func.count(order_lines.c.order_id).desc(), products.c.id)
        .limit(OFFERS)
    )
    for row in session.execute(query):
        yield {
            "name": row.name,
            "price": _units(row.price_minor, row.currency),
            "currency": row.currency,
            "url": row.url or None,
            "image": None,
            "description": None,
        }


def _units(minor: int, currency: str) -> Decimal:
    """Minor units as a sum: yen have no decimals, euros two."""
    return Decimal(minor).scaleb(-get_currency_precision(currency))


def recipient(session: Session, contact: int) -> Recipient | None:
    """One contact as a recipient of nothing in particular, for previews; None if there is no such contact."""
    query = (
        sa.select(*PERSON)
        .join(customers, customers.c.id == contacts.c.customer_id)
        .where(contacts.c.id == contact)
    )
    row = session.execute(query).one_or_none()
    if row is None:
        return None
    return recipient_of(row, seq=0, attempts=0, address=row.contact_email or "")
