"""Orders as the desks read them: what a customer bought, and what it is worth."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.commerce import order_lines, orders, products

CANCELLED, RETURNED = "cancelled", "returned"
LINES_SHOWN = 20  #: of one order


@dataclass(frozen=True, slots=True)
class Sum:
    """Orders of one currency, added up."""

    currency: str
    count: int
    minor: int


@dataclass(frozen=True, slots=True)
class Value:
    """What a customer bought; cancelled and returned orders stand apart and are in no other number."""

    held: tuple[Sum, ...]  #: by currency, the largest count first
    cancelled: tuple[Sum, ...]
    returned: tuple[Sum, ...]
    first_at: datetime | None
    last_at: datetime | None

    @property
    def count(self) -> int:
        """Orders that stand."""
        return sum(one.count for one in self.held)


@dataclass(frozen=True, slots=True)
class Line:
    """One product of an order."""

    product: str
    quantity: int
    minor: int


@dataclass(frozen=True, slots=True)
class Order:
    """An order with its first lines."""

    id: int
    number: str
    customer: int
    contact: int | None
    status: str
    placed_at: datetime
    minor: int
    currency: str
    lines: tuple[Line, ...]


def value(session: Session, customer: int) -> Value:
    """Add up a customer's orders."""
    c = orders.c
    query = (
        sa.select(
            c.status,
            c.currency,
            sa.func.count().label("orders"),
            sa.func.sum(c.total_minor).label("minor"),
            sa.func.min(c.placed_at).label("first_at"),
            sa.func.max(c.placed_at).label("last_at"),
        )
        .where(c.customer_id == customer)
        .group_by(c.status, c.currency)
    )
    rows = session.execute(query).all()
    standing = [row for row in rows if row.status not in {CANCELLED, RETURNED}]
    return Value(
        held=_sums(standing),
        cancelled=_sums([row for row in rows if row.status == CANCELLED]),
        returned=_sums([row for row in rows if row.status == RETURNED]),
        first_at=min((row.first_at for row in standing), default=None),
        last_at=max((row.last_at for row in standing), default=None),
    )


def _sums(rows: Sequence[sa.Row[Any]]) -> tuple[Sum, ...]:
    found: dict[str, Sum] = {}
    for row in rows:
        before = found.get(row.currency, Sum(row.currency, 0, 0))
        count = before.count + row.orders
        found[row.currency] = Sum(row.currency, count, before.minor + int(row.minor))
    return tuple(sorted(found.values(), key=lambda one: (-one.count, one.currency)))


def by_number(session: Session, numbers: Sequence[str]) -> dict[str, Order]:
    """Orders by the number that the shop gave them, each with its first lines."""
    query = sa.select(orders).where(orders.c.external_id.in_(list(numbers)))
    rows = session.execute(query).all() if numbers else []
    lines = _lines(session, [row.id for row in rows])
    return {
        row.external_id: Order(
            id=row.id,
            number=row.external_id,
            customer=row.customer_id,
            contact=row.contact_id,
            status=row.status,
            placed_at=row.placed_at,
            minor=row.total_minor,
            currency=row.currency,
            lines=tuple(lines.get(row.id, ())),
        )
        for row in rows
    }


def _lines(session: Session, of_orders: Sequence[int]) -> dict[int, list[Line]]:
    query = (
        sa.select(order_lines.c.order_id, order_lines.c.quantity, order_lines.c.amount_minor, products.c.name)
        .join(products, products.c.id == order_lines.c.product_id)
        .where(order_lines.c.order_id.in_(list(of_orders)), order_lines.c.number <= LINES_SHOWN)
        .order_by(order_lines.c.order_id, order_lines.c.number)
    )
    found: dict[int, list[Line]] = {}
    for row in session.execute(query) if of_orders else ():
        found.setdefault(row.order_id, []).append(Line(row.name, row.quantity, row.amount_minor))
    return found
