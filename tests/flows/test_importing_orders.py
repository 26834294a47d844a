"""Orders from files: what is taken, refused, repeated and changed."""

import csv
import io
import os
import signal
import subprocess
import sys
import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from campaigns.errors import BadImport
from campaigns.flows.importing_orders import import_orders, prepare_orders, preview_orders, register_orders
from campaigns.imports.complaints import Complaints
from campaigns.model.commerce import order_lines, orders, products
from campaigns.model.customers import activity, addresses, contacts, customers
from campaigns.model.events import events, imports
from campaigns.records.staging import staging
from tests.factories import NOW, a_contact, a_customer

HEADER = "Order,Customer,SKU,Product,Category,Quantity,Amount,Currency,Status,Placed at"
ADA = "A-1,C1,ROC-1,North by Night,Rock,2,31.67,EUR,paid,2026-05-22T10:16:11+00:00"
LATER = NOW + timedelta(days=1)
ALL = (orders, order_lines, products, customers, contacts, events, activity)


@pytest.fixture
def shop(stores):
    """A store with two people, C1 and C2, and an organisation O1 of two more."""
    with stores.sessions.begin() as session:
        for number in (1, 2):
            customer = a_customer(session, name=f"Person {number}")
            a_contact(session, customer_id=customer, external_id=f"C{number}", email=f"c{number}@example.com")
        company = a_customer(session, name="Works", kind="organisation", external_id="O1")
        a_contact(session, customer_id=company, email="buyer@works.example")
        a_contact(session, customer_id=company, email="boss@works.example")
    return stores


class Outcome:
    """What came of one import: its result, and what it refused."""

    def __init__(self, result, listed):
        self.result = result
        self.tally = result.tally
        self.refused = [
            (int(row["line"]), row["column"], row["value"], row["reason"])
            for row in csv.DictReader(io.StringIO(listed))
        ]

    @property
    def reasons(self):
        return {line: reason for line, _, _, reason in self.refused}


def bring(stores, path, text, *, now=NOW, dry_run=False, **asked):
    """Import a file of this text as the command does."""
    path = path / "orders.csv"
    path.write_text(text if text.startswith(("Order", "Bestell")) else f"{HEADER}\n{text}\n", newline="")
    file = prepare_orders(path, **asked)
    listed = io.StringIO(newline="")
    with stores.engine.connect() as connection, staging(connection) as staged, Session(connection) as session:
        made_by = register_orders(session, file, actor="test", now=now)
        result = import_orders(session, staged, file, made_by, now=now, complaints=Complaints(listed))
        session.rollback() if dry_run else session.commit()
    return Outcome(result, listed.getvalue())


def rows(stores, *columns, where=None):
    with stores.readers() as session:
        query = sa.select(*columns).order_by(columns[0])
        return [tuple(row) for row in session.execute(query if where is None else query.where(where))]


def everything(stores):
    return {table.name: rows(stores, *table.c) for table in ALL}


def test_an_order_comes_with_its_lines_products_event_and_customer(shop, tmp_path):
    done = bring(
        shop, tmp_path, f"{ADA}\nA-1,C1,JAZ-2,Late Bus,Jazz,1,8.5,EUR,paid,2026-05-22T10:16:11+00:00"
    )
    assert done.refused == []
    assert done.tally.orders["new"] == 1
    with shop.readers() as session:
        order = session.execute(sa.select(orders)).one()
        person = session.execute(sa.select(contacts).where(contacts.c.external_id == "C1")).one()
        event = session.execute(sa.select(events)).one()
        last = session.execute(
            sa.select(activity.c.last_ordered_at).where(activity.c.contact_id == person.id)
        ).scalar_one()
    placed = datetime(2026, 5, 22, 10, 16, 11, tzinfo=UTC)
    assert (order.external_id, order.customer_id, order.contact_id) == ("A-1", person.customer_id, person.id)
    assert (order.status, order.placed_at, order.total_minor, order.currency) == ("paid", placed, 4017, "EUR")
    assert (order.updated_at, order.import_id) == (NOW, 1)
    assert rows(shop, order_lines.c.number, order_lines.c.quantity, order_lines.c.amount_minor) == [
        (1, 2, 3167),
        (2, 1, 850),
    ]
    assert rows(shop, products.c.sku, products.c.name, products.c.category) == [
        ("JAZ-2", "Late Bus", "Jazz"),
        ("ROC-1", "North by Night", "Rock"),
    ]
    assert (event.kind, event.at, event.dedupe) == ("ordered", placed, "order:A-1:ordered")
    assert (event.contact_id, event.customer_id) == (person.id, person.customer_id)
    assert event.detail == {"order": "A-1", "total_minor": 4017, "currency": "EUR"}
    assert last == placed


def test_the_import_is_in_the_books_with_its_counts(shop, tmp_path):
    bring(shop, tmp_path, f"{ADA}\nA-2,C9,X,,,1,1,EUR,paid,2026-05-22")
    [(kind, counts, finished)] = rows(shop, imports.c.kind, imports.c.counts, imports.c.finished_at)
    assert (kind, finished) == ("orders", NOW)
    assert (counts["rows"], counts["refused"], counts["orders"]["new"]) == (2, 1, 1)


def test_lines_of_an_order_may_stand_apart_and_name_a_product_twice(shop, tmp_path):
    one = "A-1,C1,ROC-1,North,Rock,1,{},EUR,paid,2026-05-22"
    other = "B-1,C2,ROC-1,North,Rock,1,9,EUR,paid,2026-05-23"
    bring(shop, tmp_path, "\n".join([one.format("1.10"), other, one.format("2.20"), one.format("1.10")]))
    held = sa.select(orders.c.id).where(orders.c.external_id == "A-1").scalar_subquery()
    assert rows(
        shop, order_lines.c.number, order_lines.c.amount_minor, where=order_lines.c.order_id == held
    ) == [
        (1, 110),
        (2, 220),
        (3, 110),
    ]
    assert rows(shop, orders.c.external_id, orders.c.total_minor) == [("A-1", 440), ("B-1", 900)]


def test_what_holds_for_the_order_may_stand_on_one_of_its_lines(shop, tmp_path):
    bring(shop, tmp_path, f"{ADA}\nA-1,,JAZ-2,,,1,1,EUR,,")
    assert rows(shop, orders.c.status, orders.c.total_minor) == [("paid", 3267)]
    assert rows(shop, products.c.sku, products.c.name, products.c.category)[0] == ("JAZ-2", "JAZ-2", "")


def test_the_same_file_again_changes_nothing(shop, tmp_path):
    text = f"{ADA}\nA-1,C1,ROC-1,North by Night,Rock,1,3,EUR,paid,2026-05-22T10:16:11+00:00\nA-2,C2,X,,,1,1,EUR,cancelled,2026-05-22"
    bring(shop, tmp_path, text)
    before = everything(shop)
    again = bring(shop, tmp_path, text, now=LATER)
    assert everything(shop) == before
    assert dict(again.tally.orders) == {"unchanged": 2, "refused": 0}
    assert (again.tally.events, again.tally.changed_products, again.tally.first_orders) == (0, 0, 0)


def test_a_dry_run_says_the_difference_and_writes_nothing(shop, tmp_path):
    bring(shop, tmp_path, ADA)
    before = everything(shop)
    done = bring(
        shop, tmp_path, ADA.replace("paid", "returned") + "\nA-2,C2,X,,,1,1,EUR,paid,2026-05-22", dry_run=True
    )
    assert everything(shop) == before
    assert (done.tally.orders["new"], done.tally.orders["changed"]) == (1, 1)
    assert [(c.order, c.field, c.old, c.new) for c in done.result.changes] == [
        ("A-1", "status", "paid", "returned")
    ]


def test_a_new_status_moves_the_order_and_only_an_end_makes_an_event(shop, tmp_path):
    numbers = {"A-1": "storniert", "A-2": "Returned", "A-3": "versandt"}
    bring(shop, tmp_path, "\n".join(ADA.replace("A-1", number) for number in numbers))
    later = "\n".join(
        ADA.replace("A-1", number).replace("paid", status) for number, status in numbers.items()
    )
    done = bring(shop, tmp_path, later, now=LATER)
    assert done.tally.orders["changed"] == 3
    assert rows(shop, orders.c.external_id, orders.c.status, orders.c.updated_at, orders.c.import_id) == [
        ("A-1", "cancelled", LATER, 1),
        ("A-2", "returned", LATER, 1),
        ("A-3", "shipped", LATER, 1),
    ]
    assert rows(shop, events.c.kind, events.c.at, events.c.dedupe, where=events.c.kind != "ordered") == [
        ("order cancelled", LATER, "order:A-1:cancelled"),
        ("order returned", LATER, "order:A-2:returned"),
    ]


def test_the_files_word_dates_the_end_but_never_before_the_order(shop, tmp_path):
    header = f"{HEADER},Status at"
    text = f"{header}\n{ADA.replace('paid', 'cancelled')},2026-06-01\n"
    bring(shop, tmp_path, text + "A-2,C2,X,,,1,1,EUR,returned,2026-05-22T14:00,2026-05-22\n")
    assert rows(shop, events.c.kind, events.c.at, where=events.c.kind != "ordered") == [
        ("order cancelled", datetime(2026, 6, 1, tzinfo=UTC)),
        ("order returned", datetime(2026, 5, 22, 14, tzinfo=UTC)),
    ]


def test_an_empty_status_leaves_the_status_as_it_was(shop, tmp_path):
    bring(shop, tmp_path, ADA)
    bring(shop, tmp_path, ADA.replace("paid", ""), now=LATER)
    assert rows(shop, orders.c.status, orders.c.updated_at) == [("paid", NOW)]
    bring(shop, tmp_path, ADA.replace("paid", "").replace("A-1", "A-2"))
    assert rows(shop, orders.c.external_id, orders.c.status)[1] == ("A-2", "placed")


def test_lines_are_replaced_when_they_differ(shop, tmp_path):
    bring(shop, tmp_path, f"{ADA}\n{ADA}")
    done = bring(shop, tmp_path, ADA.replace("2,31.67", "1,15.99"), now=LATER)
    assert rows(shop, order_lines.c.number, order_lines.c.quantity, order_lines.c.amount_minor) == [
        (1, 1, 1599)
    ]
    assert rows(shop, orders.c.total_minor, orders.c.updated_at) == [(1599, LATER)]
    assert ("A-1", "lines") in {(change.order, change.field) for change in done.result.changes}
    assert done.tally.events == 0


def test_a_line_that_differs_with_the_same_total_is_seen(shop, tmp_path):
    bring(shop, tmp_path, ADA)
    bring(shop, tmp_path, ADA.replace("ROC-1", "ROC-9"), now=LATER)
    [(sku,)] = rows(
        shop, products.c.sku, where=products.c.id == sa.select(order_lines.c.product_id).scalar_subquery()
    )
    assert sku == "ROC-9"


def test_a_product_is_renamed_but_never_priced(shop, tmp_path):
    with shop.sessions.begin() as session:
        session.execute(
            sa.insert(products).values(
                sku="ROC-1",
                name="Old",
                category="Pop",
                price_minor=999,
                currency="USD",
                url="https://x.example",
            )
        )
    done = bring(shop, tmp_path, ADA)
    c = products.c
    assert rows(shop, c.sku, c.name, c.category, c.price_minor, c.currency, c.url) == [
        ("ROC-1", "North by Night", "Rock", 999, "USD", "https://x.example")
    ]
    assert (done.tally.new_products, done.tally.changed_products) == (0, 1)
    bring(shop, tmp_path, ADA.replace("North by Night,Rock", ","), now=LATER)
    assert rows(shop, c.name, c.category) == [("North by Night", "Rock")]


def test_the_first_order_that_stands_makes_a_prospect_a_new_customer(shop, tmp_path):
    done = bring(shop, tmp_path, f"{ADA}\nB-1,C2,X,,,1,1,EUR,cancelled,2026-05-22")
    assert done.tally.first_orders == 1
    assert rows(shop, customers.c.name, customers.c.stage, customers.c.updated_at) == [
        ("Person 1", "new", NOW),
        ("Person 2", "prospect", NOW),
        ("Works", "prospect", NOW),
    ]
    with shop.sessions.begin() as session:
        session.execute(sa.update(customers).values(stage="lapsed"))
    bring(shop, tmp_path, ADA.replace("A-1", "A-2"), now=LATER)
    assert {stage for _, stage in rows(shop, customers.c.name, customers.c.stage)} == {"lapsed"}


# -- whose order it is ------------------------------------------------------------------------------

BY_ADDRESS = "Order,Customer,Email,SKU,Quantity,Amount,Currency,Placed at\n"


FOUND = {
    ("C1", ""): ("Person 1", "c1@example.com"),
    ("", "C1@Example.com"): ("Person 1", "c1@example.com"),
    ("", "second@example.com"): ("Person 2", "c2@example.com"),
    ("O1", "boss@works.example"): ("Works", "boss@works.example"),
    ("O1", ""): ("Works", None),
    ("O1", "stranger@works.example"): ("Works", None),
}


def test_an_order_finds_its_customer_and_contact(shop, tmp_path):
    with shop.sessions.begin() as session:
        two = session.execute(sa.select(contacts.c.id).where(contacts.c.external_id == "C2")).scalar_one()
        row = {"contact_id": two, "kind": "email", "value": "second@example.com", "created_at": NOW}
        session.execute(sa.insert(addresses).values(row))
    lines = [f"A-{at},{customer},{email},X,1,1,EUR,2026-05-22" for at, (customer, email) in enumerate(FOUND)]
    done = bring(shop, tmp_path, BY_ADDRESS + "\n".join(lines) + "\n")
    assert done.refused == []
    with shop.readers() as session:
        query = sa.select(customers.c.name, contacts.c.email).order_by(orders.c.external_id)
        owned = orders.join(customers, customers.c.id == orders.c.customer_id)
        owned = owned.outerjoin(contacts, contacts.c.id == orders.c.contact_id)
        assert [tuple(row) for row in session.execute(query.select_from(owned))] == list(FOUND.values())


def test_a_persons_only_contact_ordered(shop, tmp_path):
    with shop.sessions.begin() as session:
        alone = a_customer(session, name="Alone", external_id="P7")
        contact = a_contact(session, customer_id=alone)
    bring(shop, tmp_path, ADA.replace("C1", "P7"))
    assert rows(shop, orders.c.customer_id, orders.c.contact_id) == [(alone, contact)]


def test_an_unknown_or_ambiguous_customer_is_refused(shop, tmp_path):
    with shop.sessions.begin() as session:
        a_contact(session, email="twin@example.com")
        a_contact(session, email="twin@example.com")
        a_contact(session, external_id="O1")
    lines = [
        "A-1,C9,,X,1,1,EUR,2026-05-22",
        "A-2,,nobody@example.com,X,1,1,EUR,2026-05-22",
        "A-3,,,X,1,1,EUR,2026-05-22",
        "A-4,,twin@example.com,X,1,1,EUR,2026-05-22",
        "A-5,O1,,X,1,1,EUR,2026-05-22",
        "A-6,,no address,X,1,1,EUR,2026-05-22",
    ]
    done = bring(shop, tmp_path, BY_ADDRESS + "\n".join(lines) + "\n")
    told = [(line, column, value) for line, column, value, _ in done.refused]
    assert sorted(told) == [
        (2, "Customer", "C9"),
        (3, "Email", "nobody@example.com"),
        (4, "Customer", ""),
        (5, "Email", "twin@example.com"),
        (6, "Customer", "O1"),
        (7, "Email", "no address"),
    ]
    assert "of no customer" in done.reasons[2]
    assert "of no contact" in done.reasons[3]
    assert "several customers" in done.reasons[5]
    assert "another customer" in done.reasons[6]
    assert rows(shop, orders.c.id) == rows(shop, products.c.id) == rows(shop, events.c.id) == []


def test_two_contacts_of_one_customer_with_one_address_leave_the_contact_open(shop, tmp_path):
    with shop.sessions.begin() as session:
        house = a_customer(session, name="House", kind="household")
        for _ in range(2):
            a_contact(session, customer_id=house, email="us@home.example")
    done = bring(shop, tmp_path, BY_ADDRESS + "A-1,,us@home.example,X,1,1,EUR,2026-05-22\n")
    assert done.refused == []
    assert rows(shop, orders.c.customer_id, orders.c.contact_id) == [(house, None)]


def test_the_number_of_another_customers_order_is_refused(shop, tmp_path):
    bring(shop, tmp_path, ADA)
    before = everything(shop)
    done = bring(shop, tmp_path, ADA.replace("C1", "C2"), now=LATER)
    assert done.refused == [(2, "Order", "A-1", "is the number of an order of another customer.")]
    assert everything(shop) == before


def test_an_order_stays_with_its_customer_when_the_contact_has_moved(shop, tmp_path):
    bring(shop, tmp_path, ADA)
    with shop.sessions.begin() as session:
        works = session.execute(sa.select(customers.c.id).where(customers.c.external_id == "O1")).scalar_one()
        session.execute(sa.update(contacts).where(contacts.c.external_id == "C1").values(customer_id=works))
    before = everything(shop)
    assert bring(shop, tmp_path, ADA, now=LATER).refused == []
    assert everything(shop) == before


# -- what is refused --------------------------------------------------------------------------------


def test_a_bad_line_is_refused_with_its_place_and_good_ones_come_in(shop, tmp_path):
    bad = [(",2,", ",0,"), ("31.67", "lots"), ("2026-05-22T10:16:11+00:00", ""), (",paid", ",paid,more")]
    lines = [ADA.replace("A-1", f"BAD-{number}").replace(old, new) for number, (old, new) in enumerate(bad)]
    done = bring(shop, tmp_path, "\n".join([*lines, ADA]))
    assert sorted((line, column) for line, column, _, _ in done.refused) == [
        (2, "Quantity"),
        (3, "Amount"),
        (4, "Placed at"),
        (5, ""),
    ]
    assert rows(shop, orders.c.external_id) == [("A-1",)]
    assert (done.tally.orders["refused"], done.result.refused_rows) == (4, 4)


def test_an_order_with_a_bad_line_is_refused_whole_and_every_line_is_listed(shop, tmp_path):
    text = "\n".join([ADA, "B-1,C2,X,,,1,1,EUR,paid,2026-05-22", ADA.replace(",2,", ",0,"), ADA])
    done = bring(shop, tmp_path, text)
    assert sorted(done.reasons.items()) == [
        (2, "belongs to an order that is refused for its line 4."),
        (4, "is no quantity; write a whole number from 1 on."),
        (5, "belongs to an order that is refused for its line 4."),
    ]
    assert rows(shop, orders.c.external_id) == [("B-1",)]
    assert rows(shop, products.c.sku) == [("X",)]
    assert (done.tally.orders["refused"], done.result.refused_rows) == (1, 3)


def test_a_line_of_the_wrong_width_still_spoils_its_order(shop, tmp_path):
    done = bring(shop, tmp_path, f"{ADA}\nA-1,C1,JAZ")
    assert set(done.reasons) == {2, 3}
    assert rows(shop, orders.c.id) == []


def test_lines_that_disagree_about_their_order_are_refused(shop, tmp_path):
    other = {"C1": "C2", "EUR": "USD", "paid": "shipped", "2026-05-22T10": "2026-05-22T11"}
    lines = []
    for number, (old, new) in enumerate(other.items()):
        line = ADA.replace("A-1", f"A-{number}")
        lines += [line, line.replace(old, new)]
    done = bring(shop, tmp_path, "\n".join(lines))
    where = {line: column for line, column, _, _ in done.refused}
    assert where == {2: "", 3: "Customer", 4: "", 5: "Currency", 6: "", 7: "Status", 8: "", 9: "Placed at"}
    assert done.reasons[5] == "differs from line 4 of the same order."
    assert rows(shop, orders.c.id) == []


def test_every_bad_cell_of_a_row_is_listed_and_the_row_counts_once(shop, tmp_path):
    done = bring(shop, tmp_path, ADA.replace(",2,", ",x,").replace("EUR", "??").replace("paid", "eaten"))
    assert [column for _, column, _, _ in done.refused] == ["Quantity", "Currency", "Status"]
    assert done.result.refused_rows == 1


def test_the_list_of_refused_rows_holds_no_formula(shop, tmp_path):
    done = bring(shop, tmp_path, ADA.replace("C1", "=cmd|'/c calc'!A1").replace("A-1", "@A"))
    assert [value for _, _, value, _ in done.refused] == ["'=cmd|'/c calc'!A1"]


def test_a_file_that_cannot_be_read_as_orders_is_told_all_that_is_missing(tmp_path):
    path = tmp_path / "orders.csv"
    path.write_text("Order number,Article\nA,B\n")
    with pytest.raises(BadImport) as told:
        prepare_orders(path, decimal=";")
    wrong = str(told.value)
    for name in (
        "sku",
        "quantity",
        "amount",
        "placed_at",
        "currency",
        "customer nor an address",
        "--decimal",
    ):
        assert name in wrong
    assert "column for order" not in wrong


def test_a_file_that_breaks_off_half_way_changes_nothing(shop, tmp_path):
    before = everything(shop)
    text = "\n".join(ADA.replace("A-1", f"A-{number}") for number in range(5000))
    with pytest.raises(BadImport, match="cannot be split"):
        bring(shop, tmp_path, f'{text}\nA-x,"C1')
    assert everything(shop) == before
    assert rows(shop, imports.c.id) == []


# -- other files ------------------------------------------------------------------------------------


def test_a_german_file_is_read_by_its_own_words_and_marks(shop, tmp_path):
    text = (
        "Bestellnummer;Kundennummer;Artikelnummer;Bezeichnung;Warengruppe;Menge;Positionsbetrag;Währung;Bestellstatus;Bestelldatum\n"
        "B-7;C1;Ä-1;Größter Käse;Käse;3;1.234,50;EUR;In Bearbeitung;22.05.2026 14:30\n"
    )
    assert bring(shop, tmp_path, text).refused == []
    assert rows(shop, orders.c.total_minor, orders.c.status, orders.c.placed_at) == [
        (123450, "placed", datetime(2026, 5, 22, 14, 30, tzinfo=UTC))
    ]
    assert rows(shop, products.c.sku, products.c.name, products.c.category) == [
        ("Ä-1", "Größter Käse", "Käse")
    ]


def test_decimal_and_currency_may_be_said_for_the_whole_file(shop, tmp_path):
    text = 'Order,Customer,SKU,Quantity,Amount,Placed at\nA-1,C1,X,1,"1,234",2026-05-22\n'
    bring(shop, tmp_path, text, decimal=".", currency="JPY")
    assert rows(shop, orders.c.total_minor, orders.c.currency) == [(1234, "JPY")]


def test_the_preview_shows_rows_as_they_will_be_read(tmp_path):
    path = tmp_path / "orders.csv"
    path.write_text(f"{HEADER},Colour\n{ADA},red\n{ADA.replace('paid', 'eaten')},red\n")
    file = prepare_orders(path)
    [shown], [wrong] = preview_orders(file, now=NOW)
    assert (shown["order"], str(shown["amount"]), shown["quantity"], shown["status"]) == (
        "A-1",
        "31.67",
        2,
        "paid",
    )
    assert (wrong.line, wrong.column, wrong.value) == (3, "Status", "eaten")
    assert file.layout.unmapped == ("Colour",)


HOSTILE = st.text(st.characters(codec=None), max_size=12) | st.sampled_from(
    [
        "'; DROP TABLE orders; --",
        ":import",
        "{x}",
        "%s",
        "\\",
        "\\N",
        "\\.",
        "\u202eabc",
        "\ud800",
        "=1+1",
        "NULL",
        "🧀" * 60,
    ]
)


@given(cells=st.lists(st.tuples(HOSTILE, HOSTILE, HOSTILE), min_size=1, max_size=4))
@settings(max_examples=15, deadline=None)
def test_hostile_text_is_stored_as_text_or_refused(shop, tmp_path, cells):
    written = io.StringIO(newline="")
    writer = csv.writer(written)
    for order, sku, product in cells:
        row = (order, "C1", sku, product, product, 1, 1, "EUR", "paid", "2026-05-22")
        writer.writerow([str(cell).encode("utf-8", "replace").decode() for cell in row])
    text = f"{HEADER}\n{written.getvalue()}"
    done = bring(shop, tmp_path, text)
    taken = done.tally.orders["new"] + done.tally.orders["changed"] + done.tally.orders["unchanged"]
    assert taken + done.tally.orders["refused"] <= len(cells)
    assert done.tally.lines + done.result.refused_rows == done.result.rows
    for number, name in rows(shop, products.c.sku, products.c.name):
        assert not {unicodedata.category(sign) for sign in number + name} & {"Cc", "Cs"}
        assert "\u202e" not in number + name
    again = bring(shop, tmp_path, text, now=LATER)
    assert again.tally.orders["new"] == again.tally.orders["changed"] == 0


@given(
    lines=st.lists(
        st.tuples(st.integers(1, 4), st.sampled_from("XYZ"), st.integers(1, 9), st.integers(0, 99999)),
        min_size=1,
        max_size=12,
    )
)
@settings(max_examples=20, deadline=None)
def test_any_orders_come_out_as_they_went_in(shop, tmp_path, lines):
    with shop.sessions.begin() as session:
        for table in (order_lines, orders, products, events):
            session.execute(sa.delete(table))
    bring(
        shop,
        tmp_path,
        "\n".join(
            f"A-{o},C1,{sku},,,{count},{cents // 100}.{cents % 100:02},EUR,paid,2026-05-22"
            for o, sku, count, cents in lines
        ),
    )
    held = rows(
        shop,
        orders.c.external_id,
        order_lines.c.number,
        products.c.sku,
        order_lines.c.quantity,
        order_lines.c.amount_minor,
        orders.c.total_minor,
        where=(orders.c.id == order_lines.c.order_id) & (products.c.id == order_lines.c.product_id),
    )
    expected = []
    for name in sorted({line[0] for line in lines}):
        own = [line for line in lines if line[0] == name]
        total = sum(line[3] for line in own)
        expected += [
            (f"A-{name}", at, sku, count, cents, total) for at, (_, sku, count, cents) in enumerate(own, 1)
        ]
    assert sorted(held) == expected


def test_many_parts_make_one_import(shop, tmp_path):
    """Lines of one order may lie in different parts of what is staged."""
    text = "\n".join(ADA.replace("A-1", f"A-{number % 3000}") for number in range(9000))
    done = bring(shop, tmp_path, text)
    assert (done.tally.orders["new"], done.tally.lines, done.result.rows) == (3000, 9000, 9000)
    with shop.readers() as session:
        lines = sa.select(sa.func.count()).select_from(order_lines).group_by(order_lines.c.order_id)
        assert set(session.execute(lines).scalars()) == {3}
        assert session.execute(sa.select(sa.func.count()).select_from(events)).scalar_one() == 3000


KILLED = """
import os, signal, sys
from datetime import datetime, UTC
from pathlib import Path
from sqlalchemy.orm import Session
from campaigns.flows import importing_orders as flow
from campaigns.imports.complaints import Complaints
from campaigns.records import import_orders as merge
from campaigns.records.staging import staging
from campaigns.wiring import open_stores
file = flow.prepare_orders(Path(sys.argv[2]))
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
merge.OrderMerge._record = die  # after every row is written, before the end
stores = open_stores(sys.argv[1])
with stores.engine.connect() as c, staging(c) as held, Session(c) as s:
    made = flow.register_orders(s, file, actor="test", now=datetime.now(UTC))
    flow.import_orders(s, held, file, made, now=datetime.now(UTC), complaints=Complaints())
"""


def test_who_is_killed_half_way_has_changed_nothing(shop, database_url, tmp_path):
    before = everything(shop)
    path = tmp_path / "orders.csv"
    path.write_text(f"{HEADER}\n{ADA}\n")
    folder = tmp_path / "private"
    folder.mkdir()
    child = subprocess.run(
        [sys.executable, "-c", KILLED, database_url, str(path)],
        check=False,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    assert child.returncode == -signal.SIGKILL
    assert everything(shop) == before
    assert bring(shop, tmp_path, ADA).tally.orders["new"] == 1
