"""Whether staged orders can be taken: whose they are, whether their lines agree, and what is wrong where not.

An order is taken whole or not at all. Each fault stands at one line; `staged_faults` keeps the first of
each line, and every line of a faulty order is refused with it.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from campaigns.records.import_sql import Statements

MOST_LINES = 10_000  #: of one order
_PAGE = 5_000
_ORDERS = (
    "number text PRIMARY KEY, line integer, lines integer, total bigint, customer text, email text,"
    " currency text, status text, placed_at bigint, status_at bigint, refused text, differ integer,"
    " customer_id bigint, contact_id bigint, order_id bigint, was text, relined integer, change text"
)
#: Must be the same on all lines of an order that say them.
_OF_THE_ORDER = ("customer", "email", "currency", "status", "placed_at")


class Fault(NamedTuple):
    """What is wrong at a line; `field` is empty for the row as a whole."""

    line: int
    field: str
    value: str
    reason: str


class OrderChecks:
    """Gathers staged lines to orders, finds their customers, and refuses what cannot be taken."""

    def __init__(self, statements: Statements) -> None:
        self._do = statements
        statements.make_temporary("staged_orders", _ORDERS)
        statements.make_temporary(
            "staged_faults", "line integer PRIMARY KEY, field text, value text, reason text"
        )

    def check(self, report: Callable[[Fault], None]) -> int:
        """Refuse what cannot be taken, and take its lines away; say how many lines that were."""
        self._gather()
        self._compare_lines()
        self._find_customers()
        self._refuse_unknown()
        return self._refuse(report)

    def _gather(self) -> None:
        differ = " OR ".join(f"min({name}) <> max({name})" for name in _OF_THE_ORDER)
        firsts = ", ".join(f"min({name})" for name in _OF_THE_ORDER)
        self._do.run(
            f"INSERT INTO staged_orders (number, line, lines, {', '.join(_OF_THE_ORDER)},"
            f" status_at, refused, differ) SELECT number, min(line), count(*), {firsts},"
            f" max(status_at), min(refused), CASE WHEN {differ} THEN 1 END FROM staged_lines GROUP BY number"
        )
        self._analyze()
        self._fault(
            "''",
            "''",
            f"'is the first of an order of more than {MOST_LINES:,} lines.'",
            f"lines > {MOST_LINES}",
        )
        self._fault(
            "'placed_at'",
            "''",
            "'is empty on every line of the order.'",
            "placed_at IS NULL AND refused IS NULL",
        )
        self._fault(
            "'customer'",
            "''",
            "'is empty, and so is the address: nobody knows whose order it is.'",
            "customer IS NULL AND email IS NULL AND refused IS NULL",
        )

    def _analyze(self) -> None:
        if self._do.sql.postgres:  # nobody else keeps statistics of temporary tables
            self._do.run("ANALYZE staged_lines, staged_orders")

    def _compare_lines(self) -> None:
        """Find the lines that say something else than the first line of their order that says it."""
        if not self._do.count("SELECT count(*) FROM staged_orders WHERE differ = 1"):
            return
        for name in _OF_THE_ORDER:
            value = "''" if name == "placed_at" else f"l.{name}"
            self._do.run(
                f"INSERT INTO staged_faults SELECT l.line, '{name}', {value},"
                " 'differs from line ' || f.line || ' of the same order.'"
                " FROM (SELECT s.number, min(s.line) AS line FROM staged_lines s"
                " JOIN staged_orders o ON o.number = s.number"
                f" WHERE o.differ = 1 AND s.{name} IS NOT NULL GROUP BY s.number) f"
                " JOIN staged_lines g ON g.line = f.line"
                f" JOIN staged_lines l ON l.number = f.number AND l.{name} <> g.{name}"
                " WHERE true ON CONFLICT DO NOTHING"
            )

    # -- whose they are ---------------------------------------------------------------------------

    def _find_customers(self) -> None:
        """Find customer and contact: by the id (the customer's, else the contact's), else by the address."""
        self._set(
            "customer_id = (SELECT c.id FROM customers c WHERE c.external_id = o.customer),"
            " contact_id = (SELECT p.id FROM contacts p WHERE p.external_id = o.customer)",
            "customer IS NOT NULL",
        )
        self._fault(
            "'customer'",
            "customer",
            "'is the id of a customer, and of a contact at another customer.'",
            "customer_id IS NOT NULL AND contact_id IS NOT NULL AND customer_id <>"
            " (SELECT p.customer_id FROM contacts p WHERE p.id = o.contact_id)",
        )
        self._set(
            "customer_id = (SELECT p.customer_id FROM contacts p WHERE p.id = o.contact_id)",
            "customer_id IS NULL AND contact_id IS NOT NULL",
        )
        self._find_by_address("contacts p WHERE p.email = o.email")
        self._find_by_address(
            "contacts p JOIN addresses a ON a.contact_id = p.id WHERE a.kind = 'email' AND a.value = o.email"
        )
        self._find_contacts()

    def _find_by_address(self, people: str) -> None:
        alone = "customer IS NULL AND email IS NOT NULL AND customer_id IS NULL"
        self._fault(
            "'email'",
            "email",
            "'is the address of contacts at several customers; give the id of the one.'",
            f"{alone} AND (SELECT min(p.customer_id) <> max(p.customer_id) FROM {people})",
        )
        self._set(
            f"customer_id = (SELECT {_only('p.customer_id')} FROM {people}),"
            f" contact_id = (SELECT {_only('p.id')} FROM {people})",
            alone,
        )

    def _find_contacts(self) -> None:
        """Of a known customer take the contact of that address, and of a private person the only one."""
        for people, where in (
            ("p.email = o.email", "email IS NOT NULL"),
            ("true", "(SELECT c.kind FROM customers c WHERE c.id = o.customer_id) = 'person'"),
        ):
            self._set(
                f"contact_id = (SELECT {_only('p.id')} FROM contacts p"
                f" WHERE p.customer_id = o.customer_id AND {people})",
                f"contact_id IS NULL AND customer_id IS NOT NULL AND {where}",
            )

    def _refuse_unknown(self) -> None:
        alone = "customer_id IS NULL AND refused IS NULL AND customer IS"
        reason = "'is the id of no customer and no contact that is here; import those first.'"
        self._fault("'customer'", "customer", reason, f"{alone} NOT NULL")
        reason = "'is the address of no contact that is here; import the contacts first.'"
        self._fault("'email'", "email", reason, f"{alone} NULL AND email IS NOT NULL")
        same = "(e.contact_id = o.contact_id AND e.contact_id IS NOT NULL)"
        self._fault(
            "'order'",
            "number",
            "'is the number of an order of another customer.'",
            "EXISTS (SELECT 1 FROM orders e WHERE e.external_id = o.number"
            f" AND e.customer_id <> o.customer_id AND NOT coalesce({same}, false))",
        )

    # -- refusing ---------------------------------------------------------------------------------

    def _set(self, values: str, where: str) -> None:
        self._do.run(f"UPDATE staged_orders AS o SET {values} WHERE {where}")

    def _fault(self, field: str, value: str, reason: str, where: str) -> None:
        """Note a fault at the first line of every order for which it holds."""
        self._do.run(
            f"INSERT INTO staged_faults SELECT line, {field}, {value}, {reason} FROM staged_orders o"
            f" WHERE {where} ON CONFLICT DO NOTHING"
        )

    def _refuse(self, report: Callable[[Fault], None]) -> int:
        """Refuse every line of every faulty order, report each once, and take them out."""
        faulty = "SELECT l.number FROM staged_faults f JOIN staged_lines l ON l.line = f.line"
        self._do.run(f"UPDATE staged_orders SET refused = 'x' WHERE number IN ({faulty})")
        self._do.run(
            "INSERT INTO staged_faults"
            " SELECT l.line, '', '', 'belongs to an order that is refused for its line ' || w.line || '.'"
            " FROM staged_lines l JOIN staged_orders o ON o.number = l.number JOIN"
            " (SELECT x.number, min(x.line) AS line FROM staged_lines x"
            " LEFT JOIN staged_faults f ON f.line = x.line"
            " WHERE x.refused IS NOT NULL OR f.line IS NOT NULL GROUP BY x.number) w ON w.number = l.number"
            " WHERE o.refused IS NOT NULL AND l.refused IS NULL ON CONFLICT DO NOTHING"
        )
        for fault in self._faults():
            report(fault)
        refused = "SELECT number FROM staged_orders WHERE refused IS NOT NULL"
        return self._do.run(f"DELETE FROM staged_lines WHERE number IN ({refused})")

    def _faults(self) -> Iterator[Fault]:
        last = 0
        while page := self._do.rows(
            "SELECT line, field, value, reason FROM staged_faults WHERE line > :last"
            f" ORDER BY line LIMIT {_PAGE}",
            last=last,
        ):
            for row in page:
                yield Fault(*row)
            last = page[-1].line


def _only(column: str) -> str:
    """The one value that all rows have; null if there is none, or several."""
    return f"CASE WHEN min({column}) = max({column}) THEN min({column}) END"
