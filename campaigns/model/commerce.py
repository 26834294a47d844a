"""What was bought: products, orders and their lines. Money is in minor units of its currency."""

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text

from campaigns.model.base import Id, Moment, Ref, metadata

products = Table(
    "products",
    metadata,
    Column("id", Id, primary_key=True),
    Column("sku", String(100), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("category", String(100), nullable=False, server_default=""),
    Column("price_minor", Ref, comment="null: not on sale"),
    Column("currency", String(3), nullable=False, server_default="EUR"),
    Column("url", Text, nullable=False, server_default=""),
)

orders = Table(
    "orders",
    metadata,
    Column("id", Id, primary_key=True),
    Column("external_id", String(200), nullable=False, unique=True),
    Column("customer_id", Ref, ForeignKey("customers.id"), nullable=False),
    Column("contact_id", Ref, comment="who ordered, where known"),
    Column("status", String(12), nullable=False, comment="placed, paid, shipped, cancelled or returned"),
    Column("placed_at", Moment, nullable=False),
    Column("total_minor", Ref, nullable=False),
    Column("currency", String(3), nullable=False, server_default="EUR"),
    Column("import_id", Ref, comment="null: not by an import"),
    Column("updated_at", Moment, nullable=False),
    Index("ix_orders_customer_id_placed_at", "customer_id", "placed_at"),
    Index("ix_orders_contact_id", "contact_id"),
    Index("ix_orders_placed_at", "placed_at"),
)

order_lines = Table(
    "order_lines",
    metadata,
    Column("order_id", Ref, ForeignKey("orders.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("product_id", Ref, ForeignKey("products.id"), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("amount_minor", Ref, nullable=False, comment="for the whole line"),
    Index("ix_order_lines_product_id", "product_id"),
)
