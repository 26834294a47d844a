"""Staged lines become orders, products and events, by a handful of set-based statements.

Writes: products (name and category only; what is on sale, and for how much, is not ours to say), orders,
order_lines, customers.stage (prospect, new at the first order, active at the second), and events.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from campaigns.imports.orders import OrderLine
from campaigns.model.base import from_microseconds, to_microseconds
from campaigns.model.commerce import orders, products
from campaigns.model.dialect import lock_table
from campaigns.records import stages
from campaigns.records.history import record_many
from campaigns.records.import_order_checks import Fault, OrderChecks
from campaigns.records.import_sql import Statements
from campaigns.records.imports import Import
from campaigns.values import EventKind, Fact

COLUMNS = OrderLine._fields
SAMPLES = 5  #: changed orders shown
_PAGE = 5_000
_ENDED = {"cancelled": EventKind.ORDER_CANCELLED, "returned": EventKind.ORDER_RETURNED}
_STAGED = (
    "line integer PRIMARY KEY, number text, customer text, email text, sku text, product text, category text,"
    " quantity bigint, amount_minor bigint, currency text, status text, placed_at bigint, status_at bigint,"
    " refused text"
)

_ITEMS = (
    "number text, position integer, product_id bigint, quantity bigint, amount_minor bigint,"
    " PRIMARY KEY (number, position)"
)


@dataclass(frozen=True, slots=True)
class OrderChange:
    """One value of an order that an import changes, for people to look at."""

    order: str
    field: str
    old: str
    new: str


@dataclass(slots=True)
class OrderTally:
    """What a merge did, or would do."""

    orders: Counter[str] = field(default_factory=Counter)  #: new, changed, unchanged, refused
    lines: int = 0  #: of the orders that were taken
    refused_lines: int = 0
    new_products: int = 0
    changed_products: int = 0
    statuses: Counter[str] = field(default_factory=Counter)  #: orders that came to a status
    first_orders: int = 0  #: customers who were prospects until now
    events: int = 0
    changes: list[OrderChange] = field(default_factory=list)


def staged(row: OrderLine) -> tuple[Any, ...]:
    """Give a line as it is staged: moments as microseconds."""
    placed, changed = row.placed_at, row.status_at
    return row._replace(
        placed_at=None if placed is None else to_microseconds(placed),  # type: ignore[arg-type]
        status_at=None if changed is None else to_microseconds(changed),  # type: ignore[arg-type]
    )


class OrderMerge:
    """Merges one file in the caller's transaction: `add` its parts, then `merge` once."""

    def __init__(self, session: Session, made_by: Import, *, now: datetime) -> None:
        self.tally = OrderTally()
        self._session = session
        self._now = now
        self._do = Statements(session, made_by)
        self._at_now = self._do.sql.moment(str(to_microseconds(now)))
        for table in (products, orders):
            lock_table(session, table)
        self._do.make_temporary("staged_lines", _STAGED)
        self._do.make_temporary("staged_products", "sku text PRIMARY KEY, name text, category text")
        self._do.make_temporary("staged_items", _ITEMS)

    def add(self, table: str) -> None:
        """Take in a staged part; an order's lines may lie in several."""
        names = ", ".join(COLUMNS)
        self._do.run(f"INSERT INTO staged_lines ({names}) SELECT {names} FROM {table} ORDER BY line")

    def merge(self, report: Callable[[Fault], None]) -> None:
        """Check and merge all that was added; `report` hears of every line that is refused here."""
        self._do.run("CREATE INDEX IF NOT EXISTS staged_lines_number ON staged_lines (number, line)")
        self.tally.refused_lines = OrderChecks(self._do).check(report)
        self.tally.orders["refused"] = self._do.count(
            "SELECT count(*) FROM staged_orders WHERE refused IS NOT NULL"
        )
        self._do.run("DELETE FROM staged_orders WHERE refused IS NOT NULL")
        self.tally.lines = self._do.count("SELECT count(*) FROM staged_lines")
        self._write_products()
        self._number_lines()
        self._compare()
        self._sample()
        self._write_orders()
        self._write_lines()
        self.tally.first_orders = stages.move_by_import(self._do.run, self._at_now)
        self._record()

    def _write_products(self) -> None:
        """Add products that are not there, rename those that are called otherwise; the last line decides."""
        self._do.run(
            "INSERT INTO staged_products (sku, name, category) SELECT k.sku, n.product, c.category FROM"
            " (SELECT sku, max(CASE WHEN product IS NOT NULL THEN line END) AS named,"
            " max(CASE WHEN category IS NOT NULL THEN line END) AS placed FROM staged_lines GROUP BY sku) k"
            " LEFT JOIN staged_lines n ON n.line = k.named LEFT JOIN staged_lines c ON c.line = k.placed"
        )
        self.tally.changed_products = self._do.run(
            "UPDATE products SET name = coalesce(s.name, products.name),"
            " category = coalesce(s.category, products.category) FROM staged_products s"
            " WHERE s.sku = products.sku AND (s.name <> products.name OR s.category <> products.category)"
        )
        self.tally.new_products = self._do.run(
            "INSERT INTO products (sku, name, category)"
            " SELECT s.sku, coalesce(s.name, s.sku), coalesce(s.category, '') FROM staged_products s"
            " WHERE NOT EXISTS (SELECT 1 FROM products p WHERE p.sku = s.sku) ORDER BY s.sku"
        )

    def _number_lines(self) -> None:
        """Number each order's lines in the file's order, and add them up."""
        self._do.run(
            "INSERT INTO staged_items (number, position, product_id, quantity, amount_minor)"
            " SELECT l.number, row_number() OVER (PARTITION BY l.number ORDER BY l.line), p.id,"
            " l.quantity, l.amount_minor FROM staged_lines l JOIN products p ON p.sku = l.sku"
        )
        if self._do.sql.postgres:
            self._do.run("ANALYZE staged_items")
        total = "SELECT sum(i.amount_minor) FROM staged_items i WHERE i.number = o.number"
        self._do.run(f"UPDATE staged_orders AS o SET total = ({total})")

    def _compare(self) -> None:
        """Tell new, changed and unchanged orders apart; an empty status changes nothing."""
        self._do.run(
            "UPDATE staged_orders AS o SET order_id = e.id, was = e.status, customer_id = e.customer_id"
            " FROM orders e WHERE e.external_id = o.number"
        )
        kept = "order_lines x ON x.order_id = o.order_id AND x.number = i.position"
        same = "x.product_id = i.product_id AND x.quantity = i.quantity AND x.amount_minor = i.amount_minor"
        self._do.run(
            "UPDATE staged_orders AS o SET relined = 1 WHERE order_id IS NOT NULL AND (lines <>"
            " (SELECT count(*) FROM order_lines x WHERE x.order_id = o.order_id) OR lines <>"
            f" (SELECT count(*) FROM staged_items i JOIN {kept} AND {same} WHERE i.number = o.number))"
        )
        differs = " OR ".join(f"({test})" for test in _DIFFERENCES.values())
        placed = self._do.sql.moment("o.placed_at")
        self._do.run(
            "UPDATE staged_orders AS o SET change ="
            " CASE WHEN order_id IS NULL THEN 'new' WHEN relined = 1 OR EXISTS"
            f" (SELECT 1 FROM orders e WHERE e.id = o.order_id AND ({differs} OR e.placed_at <> {placed}))"
            " THEN 'changed' ELSE 'unchanged' END"
        )
        for row in self._do.rows("SELECT change, count(*) AS orders FROM staged_orders GROUP BY change"):
            self.tally.orders[row.change] = row.orders

    def _sample(self) -> None:
        olds = ", ".join(f"e.{name} AS old_{name}, o.{new} AS new_{name}" for name, new in _SHOWN.items())
        rows = self._do.rows(
            f"SELECT o.number, o.relined, {olds} FROM staged_orders o JOIN orders e"
            f" ON e.id = o.order_id WHERE change = 'changed' ORDER BY o.line LIMIT {SAMPLES}"
        )
        for row in rows:
            for name in _SHOWN:
                old, new = getattr(row, f"old_{name}"), getattr(row, f"new_{name}")
                if new is not None and old != new:
                    self.tally.changes.append(OrderChange(row.number, name, str(old), str(new)))
            if row.relined:
                self.tally.changes.append(OrderChange(row.number, "lines", "as they were", "as in the file"))

    def _write_orders(self) -> None:
        placed = self._do.sql.moment("s.placed_at")
        self._do.run(
            "INSERT INTO orders (external_id, customer_id, contact_id, status, placed_at, total_minor,"
            " currency, import_id, updated_at)"
            f" SELECT s.number, s.customer_id, s.contact_id, coalesce(s.status, 'placed'), {placed}, s.total,"
            f" s.currency, :import, {self._at_now}"
            " FROM staged_orders s WHERE s.change = 'new' ORDER BY s.line"
        )
        self._do.run(
            "UPDATE orders SET status = coalesce(s.status, orders.status),"
            f" contact_id = coalesce(s.contact_id, orders.contact_id), placed_at = {placed},"
            f" total_minor = s.total, currency = s.currency, updated_at = {self._at_now}"
            " FROM staged_orders s WHERE s.order_id = orders.id AND s.change = 'changed'"
        )
        self._do.run(
            "UPDATE staged_orders AS o SET order_id = e.id FROM orders e"
            " WHERE e.external_id = o.number AND o.change = 'new'"
        )

    def _write_lines(self) -> None:
        self._do.run(
            "DELETE FROM order_lines WHERE order_id IN (SELECT order_id FROM staged_orders WHERE relined = 1)"
        )
        self._do.run(
            "INSERT INTO order_lines (order_id, number, product_id, quantity, amount_minor)"
            " SELECT s.order_id, i.position, i.product_id, i.quantity, i.amount_minor FROM staged_items i"
            " JOIN staged_orders s ON s.number = i.number"
            " WHERE s.change = 'new' OR s.relined = 1 ORDER BY 1, 2"
        )

    # -- history ----------------------------------------------------------------------------------

    def _record(self) -> None:
        last = 0
        while page := self._do.rows(
            "SELECT line, number, customer_id, contact_id, total, currency, status, was, placed_at,"
            " status_at, change FROM staged_orders WHERE change <> 'unchanged' AND line > :last"
            f" ORDER BY line LIMIT {_PAGE}",
            last=last,
        ):
            self.tally.events += record_many(
                self._session, [fact for row in page for fact in self._facts(row)]
            )
            last = page[-1].line

    def _facts(self, row: Any) -> Iterator[Fact]:
        """What happened to one order; when it ended is the file's word, else known only within bounds."""
        placed = from_microseconds(row.placed_at)
        status = row.status or row.was or "placed"
        if row.change == "new":
            yield self._fact(row, EventKind.ORDERED, "ordered", placed)
        if status == row.was:
            return
        self.tally.statuses[status] += 1
        if status in _ENDED:
            unsaid = placed if row.change == "new" else self._now
            at = unsaid if row.status_at is None else from_microseconds(row.status_at)
            yield self._fact(row, _ENDED[status], status, max(at, placed))

    def _fact(self, row: Any, kind: EventKind, word: str, at: datetime) -> Fact:
        return Fact(
            kind,
            at,
            f"order:{row.number}:{word}",
            contact=row.contact_id,
            customer=row.customer_id,
            source="import",
            detail={"order": row.number, "total_minor": row.total, "currency": row.currency},
        )


#: What of an order may change, each with the test whether it does (its moment apart).
_DIFFERENCES = {
    "status": "e.status <> o.status",
    "total": "e.total_minor <> o.total",
    "currency": "e.currency <> o.currency",
    "contact": "o.contact_id IS NOT NULL AND (e.contact_id IS NULL OR e.contact_id <> o.contact_id)",
}
_SHOWN = {"status": "status", "total_minor": "total", "currency": "currency", "contact_id": "contact_id"}
