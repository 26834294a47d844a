"""Makes the contacts that a file names and nobody has, and the customers they are at."""

from collections.abc import Set as AbstractSet

from campaigns.imports.contacts import PROFILE
from campaigns.imports.repeats import REPEATS
from campaigns.records.import_sql import Statements
from campaigns.records.import_words import Words

_PLACES = ("country", "region", "city")


class People:
    """Writes new rows for staged ones that matched no contact; `at_now` is the import's moment, in SQL."""

    def __init__(self, statements: Statements, columns: AbstractSet[str], at_now: str) -> None:
        self._do = statements
        self._sql = statements.sql
        self._columns = columns
        self._at_now = at_now
        self._empty = self._sql.json("'{}'")
        self._contact, self._customer, self._odd = self._ids()
        #: The customer that a row names, in SQL; None where no column can name one.
        self.organisation = self._organisation()

    def make(self, table: str, turn: int, words: Words | None, *, matched: bool) -> int:
        """Make what is new in one turn of a part; say how many contacts."""
        fresh = f"{table} s WHERE s.turn = :turn"
        if matched:
            fresh += " AND NOT EXISTS (SELECT 1 FROM matched m WHERE m.line = s.line)"
        self._make_organisations(table)
        self._make_persons(fresh, turn)
        made = self._make_contacts(fresh, turn)
        if not made:
            return 0
        self.add_roles(fresh, self._contact, turn)
        if "attributes" in self._columns:
            self.record_facts(
                fresh.replace(" s WHERE", f" s, {self._sql.each('s.attributes')} WHERE"), self._contact, turn
            )
        if words is not None:
            words.append_first(fresh, self._contact, turn)
        return made

    def record_changes(self, source: str, contact: str, customer: str, fields: str) -> None:
        """Append one event for each row of a source: that the import changed these fields of this contact.

        A new contact needs none: its row says by which import it came (see history.arrivals).
        """
        detail = f'\', "change": "changed", "fields": [\' || {fields} || \']\''
        text = f"'{{\"import\": ' || :import || ', \"line\": ' || s.line || {detail} || '}}'"
        self._do.run(
            "INSERT INTO events (at, kind, contact_id, customer_id, verdict, source, dedupe, detail)"
            f" SELECT {self._at_now}, 'imported', {contact}, {customer}, 'unknown', 'import',"
            f" 'import:' || :import || ':' || {contact}, {self._sql.json(text)} FROM {source}"
            " ORDER BY s.line"
        )

    def record_facts(self, source: str, contact: str, turn: int = 0) -> None:
        """Append each custom attribute of a source's rows, dated and sourced."""
        self._do.run(
            "INSERT INTO attribute_facts (contact_id, key, value, at, source, source_ref)"
            f" SELECT {contact}, e.key, {self._sql.value('e')}, {self._at_now}, 'import',"
            f" 'import ' || :import || ', line ' || s.line FROM {source} ORDER BY s.line, e.key",
            turn=turn,
        )

    def add_roles(self, source: str, contact: str, turn: int = 0) -> None:
        """Add what contacts are at their customer; a role is never taken away by an import."""
        if "roles" not in self._columns:
            return
        tables, _, where = source.partition(" WHERE ")
        self._do.run(
            "INSERT INTO roles (contact_id, customer_id, role, since)"
            f" SELECT p.id, p.customer_id, i.value, {self._at_now}"
            f" FROM {tables} JOIN contacts p ON p.id = {contact} CROSS JOIN {self._sql.items('s.roles')}"
            f" WHERE {where} ON CONFLICT DO NOTHING",
            turn=turn,
        )

    def rename(self) -> None:
        """Give private persons' customers the name and place of their changed contacts."""
        name = "trim(coalesce(c.given_name, '') || ' ' || coalesce(c.family_name, ''))"
        self._do.run(
            f"UPDATE customers SET name = coalesce(nullif({name}, ''), customers.name), country = c.country,"
            f" region = c.region, city = c.city, updated_at = {self._at_now}"
            " FROM changes h JOIN contacts c ON c.id = h.contact_id"
            " WHERE customers.id = c.customer_id AND customers.kind = 'person'"
        )

    def _ids(self) -> tuple[str, str, str]:
        """Give the new rows' ids in SQL: of a contact, of its customer, of an organisation.

        PostgreSQL stages fresh ids with the rows. On SQLite nobody else writes now, so ids past the largest
        are ours: people's customers take the even ones, organisations the odd.
        """
        if self._sql.postgres:
            return "s.contact_id", "s.customer_id", ""
        contact, customer = (
            self._do.count(f"SELECT coalesce(max(id), 0) FROM {table}") for table in ("contacts", "customers")
        )
        return f"({contact} + s.line)", f"({customer} + 2 * s.line)", f"{customer} + 2 * min(s.line) + 1"

    def _organisation(self) -> str | None:
        by_id = "(SELECT o.id FROM customers o WHERE o.external_id = s.customer_external_id)"
        by_name = (
            "(SELECT min(o.id) FROM customers o WHERE o.kind = 'organisation' AND o.name = s.customer_name)"
        )
        if "customer_external_id" not in self._columns:
            return by_name if "customer_name" in self._columns else None
        return f"coalesce({by_id}, {by_name})" if "customer_name" in self._columns else by_id

    def _make_organisations(self, table: str) -> None:
        """Make the organisations that rows name and nobody has: by external id, else by name."""
        if "customer_external_id" in self._columns:
            name = "s.customer_external_id"
            if "customer_name" in self._columns:
                name = f"coalesce(min(s.customer_name), {name})"
            self._make_customers(
                table, "s.customer_external_id", name, "o.external_id = s.customer_external_id"
            )
        if "customer_name" in self._columns:
            known = "o.kind = 'organisation' AND o.name = s.customer_name"
            if "customer_external_id" in self._columns:
                known += " OR s.customer_external_id IS NOT NULL"
            self._make_customers(table, None, "s.customer_name", known)

    def _make_customers(self, table: str, external_id: str | None, name: str, known: str) -> None:
        key = external_id or name
        id_column, id_value = ("id, ", f"{self._odd}, ") if self._odd else ("", "")
        self._do.run(
            f"INSERT INTO customers ({id_column}external_id, kind, name, attributes, created_at, updated_at)"
            f" SELECT {id_value}{external_id or 'NULL'}, 'organisation', {name}, {self._empty},"
            f" {self._at_now}, {self._at_now} FROM {table} s WHERE s.turn <> {REPEATS} AND {key} IS NOT NULL"
            f" AND NOT EXISTS (SELECT 1 FROM customers o WHERE {known}) GROUP BY {key} ORDER BY min(s.line)"
        )

    def _make_persons(self, fresh: str, turn: int) -> None:
        """Make a customer for each new contact at no organisation: a private person is their own customer."""
        named = [name for name in ("customer_external_id", "customer_name") if name in self._columns]
        alone = "".join(f" AND s.{name} IS NULL" for name in named)
        places = [name for name in _PLACES if name in self._columns]
        columns = ("id", "kind", "name", *places, "attributes", "created_at", "updated_at")
        values = (self._customer, "'person'", self._full_name(), *(f"s.{name}" for name in places))
        self._do.run(
            f"INSERT INTO customers ({', '.join(columns)}) SELECT {', '.join(values)}, {self._empty},"
            f" {self._at_now}, {self._at_now} FROM {fresh}{alone}",
            turn=turn,
        )

    def _full_name(self) -> str:
        parts = [f"coalesce(s.{name}, '')" for name in ("given_name", "family_name") if name in self._columns]
        spaced = " || ' ' || ".join(parts) or "''"
        return f"coalesce(nullif(trim({spaced}), ''), s.email, s.external_id)"

    def _make_contacts(self, fresh: str, turn: int) -> int:
        profile = [name for name in PROFILE if name in self._columns]
        attributes = "coalesce(s.attributes, '{}')" if "attributes" in self._columns else "'{}'"
        customer = f"coalesce({self.organisation}, {self._customer})" if self.organisation else self._customer
        values = {
            "id": self._contact,
            "customer_id": customer,
            "external_id": "s.external_id",
            "email": "s.email",
            "email_hash": self._sql.hash("s"),
            **{name: self._sql.profile(name, f"s.{name}") for name in profile},
            "attributes": self._sql.json(attributes),
            "source": "'import'",
            "import_id": ":import",
            "import_line": "s.line",
            "created_at": self._at_now,
            "updated_at": self._at_now,
        }
        # staged rows lie in the order of lines, and the ids are theirs already: no need to sort
        return self._do.run(
            f"INSERT INTO contacts ({', '.join(values)}) SELECT {', '.join(values.values())} FROM {fresh}",
            turn=turn,
        )
