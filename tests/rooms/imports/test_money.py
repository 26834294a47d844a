"""Sums of money: what is written is what is stored, or it is refused."""

from decimal import Decimal

import pytest
from babel.numbers import format_decimal, get_currency_precision
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.imports.money import LARGEST, currency, minor_units
from campaigns.imports.values import Bad

CURRENCIES = ("EUR", "USD", "CHF", "JPY", "KRW", "KWD", "TND", "CLF")


@pytest.mark.parametrize(
    ("cell", "code", "units"),
    [
        ("12.5", "EUR", 1250),
        ("12,5", "EUR", 1250),
        ("12", "EUR", 1200),
        ("0", "EUR", 0),
        ("0.00", "EUR", 0),
        ("0,07", "EUR", 7),
        ("1.234,56", "EUR", 123456),
        ("1,234.56", "EUR", 123456),
        ("1234.56", "EUR", 123456),
        ("12.345.678,90", "EUR", 1234567890),
        ("1.234.567", "EUR", 123456700),
        ("1'234.50", "CHF", 123450),
        ("1 234,5", "EUR", 123450),
        ("1\u00a0234,5", "EUR", 123450),
        ("1\u202f234", "EUR", 123400),
        ("12.5000", "EUR", 1250),
        ("1234.500", "EUR", 123450),
        ("0.500", "EUR", 50),
        ("500", "JPY", 500),
        ("500.00", "JPY", 500),
        ("1,234,567", "JPY", 1234567),
        ("0.125", "KWD", 125),
        ("1234.125", "KWD", 1234125),
    ],
)
def test_amounts_are_read_as_people_write_them(cell, code, units):
    assert minor_units(cell, code) == units


@pytest.mark.parametrize("code", CURRENCIES)
@pytest.mark.parametrize("cell", ["1,234", "1.234", "12.500", "999,999", "1.000"])
def test_an_amount_that_may_be_read_in_two_ways_is_refused_in_every_currency(cell, code):
    refused = minor_units(cell, code)
    assert isinstance(refused, Bad)
    assert "--decimal" in refused.reason


@pytest.mark.parametrize(
    ("cell", "decimal", "code", "units"),
    [
        ("1,234", ".", "EUR", 123400),
        ("1.234", ",", "JPY", 1234),
        ("1,234", ",", "KWD", 1234),
        ("12,500", ",", "EUR", 1250),
        ("1.234,5", ",", "EUR", 123450),
        ("12.5", ".", "EUR", 1250),
    ],
)
def test_the_decimal_mark_decides_where_it_is_given(cell, decimal, code, units):
    assert minor_units(cell, code, decimal) == units


@pytest.mark.parametrize(
    ("cell", "decimal", "code", "why"),
    [
        ("12.345678", None, "EUR", "more decimals"),
        ("12.5", None, "JPY", "more decimals"),
        ("0.1234", None, "KWD", "more decimals"),
        ("1,23,456", None, "EUR", "no amount"),
        ("1.234,567,89", None, "EUR", "no amount"),
        ("1,234,56", None, "EUR", "same mark"),
        ("12,5", ".", "EUR", "another decimal mark"),
        ("1,234.5", ",", "EUR", "another decimal mark"),
        ("1,234,567", ",", "EUR", "another decimal mark"),
        ("-5", None, "EUR", "below zero"),
        ("\u22125", None, "EUR", "below zero"),
        ("+5", None, "EUR", "no amount"),
        ("1e3", None, "EUR", "no amount"),
        ("5 EUR", None, "EUR", "no amount"),
        (".5", None, "EUR", "no amount"),
        ("5.", None, "EUR", "no amount"),
        ("", None, "EUR", "no amount"),
        ("NaN", None, "EUR", "no amount"),
        ("=1+1", None, "EUR", "no amount"),
        ("\u0661\u0662", None, "EUR", "no amount"),
        ("9" * 5000, None, "EUR", "too large"),
        (str(LARGEST), None, "EUR", "too large"),
    ],
)
def test_what_is_no_sure_amount_is_refused_with_its_reason(cell, decimal, code, why):
    refused = minor_units(cell, code, decimal)
    assert isinstance(refused, Bad)
    assert why in refused.reason


@given(
    units=st.integers(0, LARGEST),
    code=st.sampled_from(CURRENCIES),
    locale=st.sampled_from(["de", "en", "de_CH", "fr"]),
)
@settings(max_examples=300, deadline=None)
def test_every_sum_written_by_any_locale_comes_back_exactly(units, code, locale):
    precision = get_currency_precision(code)
    value = Decimal(units).scaleb(-precision)
    written = format_decimal(value, "#,##0." + "0" * precision if precision else "#,##0", locale=locale)
    mark = "," if locale in {"de", "fr"} else "."
    assert minor_units(written, code, mark) == int(value.scaleb(precision)) == units


@given(cell=st.text("0123456789.,' ", max_size=14), code=st.sampled_from(CURRENCIES))
@settings(max_examples=500, deadline=None)
def test_nothing_that_is_taken_was_rounded_or_read_otherwise_than_a_decimal(cell, code):
    found = minor_units(cell.strip(), code)
    if isinstance(found, Bad):
        return
    plain = cell.strip()
    last = max(plain.rfind("."), plain.rfind(","))
    tail = plain[last + 1 :]
    decimals = (
        last >= 0 and plain.count(plain[last]) == 1
    )  # a mark that groups comes more than once, or is refused
    digits = "".join(sign for sign in plain if sign.isdigit())
    value = Decimal(digits).scaleb(-len(tail)) if decimals else Decimal(digits)
    assert Decimal(found).scaleb(-get_currency_precision(code)) == value


@pytest.mark.parametrize(("cell", "code"), [("EUR", "EUR"), ("eur", "EUR"), ("€", "EUR"), ("Jpy", "JPY")])
def test_currencies_are_known_by_code(cell, code):
    assert currency(cell) == code


@pytest.mark.parametrize("cell", ["$", "EURO", "XXQ", "", "E\x00R"])
def test_an_unknown_currency_is_refused(cell):
    assert isinstance(currency(cell), Bad)


@pytest.mark.parametrize("code", ["XXX", "XTS", "XAU", "XBA"])
def test_codes_that_are_no_money_are_no_currencies(code):
    assert isinstance(currency(code), Bad)


@pytest.mark.parametrize("code", ["XOF", "XPF", "xcd", "EUR", "JPY"])
def test_currencies_of_unions_are_currencies(code):
    assert currency(code) == code.upper()
