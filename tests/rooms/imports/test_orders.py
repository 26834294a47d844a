"""Rows of orders files: what a line says, and why it is refused."""

import csv
from datetime import UTC, datetime

import pytest

from campaigns.imports.mapping import ORDER_FIELDS, read_layout
from campaigns.imports.orders import OrderLine, OrderReading, OrderRows, quantity, status

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
HEADER = "Order,Customer,SKU,Product,Category,Quantity,Amount,Currency,Status,Placed at"
LINE = "A-1,C1,ROC-1,North by Night,Rock,2,31.67,EUR,paid,2026-05-22T10:16:11+00:00"


@pytest.mark.parametrize(
    ("old", "new", "column", "why"),
    [
        ("A-1", "", "Order", "empty"),
        ("A-1", "A" * 101, "Order", "longer than 100"),
        ("C1", "C" * 201, "Customer", "longer than 200"),
        ("ROC-1", "", "SKU", "empty"),
        ("ROC-1", "R" * 101, "SKU", "longer than 100"),
        (",Rock", "," + "R" * 101, "Category", "longer than 100"),
        (",2,", ",,", "Quantity", "empty"),
        (",2,", ",0,", "Quantity", "whole number"),
        (",2,", ",-1,", "Quantity", "whole number"),
        (",2,", ",1.5,", "Quantity", "whole number"),
        (",2,", ",9999999999,", "Quantity", "whole number"),
        ("31.67", "", "Amount", "empty"),
        ("31.67", "lots", "Amount", "no amount"),
        ("31.67", "31.670001", "Amount", "more decimals"),
        ("31.67", '"1,234"', "Amount", "--decimal"),
        ("31.67", "-3", "Amount", "below zero"),
        ("EUR", "", "Currency", "empty"),
        ("EUR", "EURO", "Currency", "no currency"),
        ("paid", "maybe", "Status", "no status"),
        ("2026-05-22T10:16:11+00:00", "yesterday", "Placed at", "no date"),
        ("2026-05-22T10:16:11+00:00", "2027-01-01", "Placed at", "future"),
        (",paid", ",paid,more", "", "11 cells"),
        (",EUR,paid", ",EUR", "", "9 cells"),
        ("North", "No\x00rth", "", "NUL"),
    ],
)
def test_a_bad_cell_is_refused_with_its_place_and_reason(old, new, column, why):
    found = []
    reader = OrderRows(read_layout(HEADER.split(","), ORDER_FIELDS), OrderReading(NOW), found.append)
    cells = next(csv.reader([LINE.replace(old, new)]))
    read = list(reader.read([7], [cells]))
    [complaint] = found
    assert (complaint.line, complaint.column) == (7, column)
    assert why in complaint.reason
    assert [row.refused for row in read] == ["x"] * (
        1 - reader.lost
    )  # the order is known, but for its own cell


@pytest.mark.parametrize(
    ("cell", "known"),
    [
        ("placed", "placed"),
        ("In  Bearbeitung", "placed"),
        ("BEZAHLT", "paid"),
        ("Versandt", "shipped"),
        ("completed", "shipped"),
        ("canceled", "cancelled"),
        ("Storniert", "cancelled"),
        ("zurückgesendet", "returned"),
    ],
)
def test_a_status_is_known_by_its_words(cell, known):
    assert status(cell) == known


@pytest.mark.parametrize(("cell", "count"), [("1", 1), ("12.0", 12), ("3,00", 3), ("007", 7)])
def test_a_quantity_is_a_whole_number(cell, count):
    assert quantity(cell) == count


def test_a_line_is_read_whole():
    found = []
    reader = OrderRows(read_layout(HEADER.split(","), ORDER_FIELDS), OrderReading(NOW), found.append)
    [row] = reader.read([2], [LINE.split(",")])
    assert found == []
    assert row == OrderLine(
        2, "A-1", "C1", None, "ROC-1", "North by Night", "Rock", 2, 3167, "EUR", "paid",
        datetime(2026, 5, 22, 10, 16, 11, tzinfo=UTC),
    )  # fmt: skip
