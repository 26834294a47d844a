"""The catalog: products as pages name them."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.commerce import products
from campaigns.model.dialect import changed


@dataclass(frozen=True, slots=True)
class Offer:
    """A product as it is sold."""

    sku: str
    name: str
    category: str
    price_minor: int
    currency: str
    url: str


def names(session: Session, skus: Sequence[str]) -> dict[str, str]:
    """The names of products by SKU; those that are not in the catalog are left out."""
    query = sa.select(products.c.sku, products.c.name).where(products.c.sku.in_(list(skus)))
    return {row.sku: row.name for row in session.execute(query)}


def names_in_category(session: Session, category: str, *, limit: int) -> dict[str, str]:
    """The names by SKU of a category's products that are on sale, by name."""
    query = (
        sa.select(products.c.sku, products.c.name)
        .where(products.c.category == category, products.c.price_minor.is_not(None))
        .order_by(products.c.name, products.c.id)
        .limit(limit)
    )
    return {row.sku: row.name for row in session.execute(query)}


def first_category(session: Session) -> str | None:
    """A category of the catalog, to speak of one as an example; None where there is none."""
    return session.scalar(sa.select(sa.func.min(products.c.category)))


def put_on_sale(session: Session, new: Offer) -> None:
    """Add a product with its price and page, or change one that is there; imports never touch the two."""
    values = {
        "sku": new.sku,
        "name": new.name,
        "category": new.category,
        "price_minor": new.price_minor,
        "currency": new.currency,
        "url": new.url,
    }
    if not changed(session, sa.update(products).where(products.c.sku == new.sku).values(values)):
        session.execute(sa.insert(products).values(values))
