"""The catalog: products as pages name them."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.commerce import products


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
