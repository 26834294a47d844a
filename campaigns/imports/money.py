"""Sums of money as people write them, to minor units of their currency: exactly, or not at all.

A currency has as many decimals as CLDR says (EUR 2, JPY 0, KWD 3), by which the pages write it too.
Nothing is ever rounded: more decimals than that, unless zeros, are refused.
"""

import re
from functools import cache

from babel.numbers import get_currency_precision, list_currencies

from campaigns.imports.values import Bad

LARGEST = 10**12  #: minor units: an order of ten thousand such lines still adds up
#: Digits, in groups of three or not, then perhaps a mark and decimals.
_SUM = re.compile(
    r"(?P<whole>\d+|\d{1,3}(?P<group>[.,'’ \u00a0\u2009\u202f])\d{3}(?:(?P=group)\d{3})*)"
    r"(?:(?P<mark>[.,])(?P<decimals>\d+))?",
    re.ASCII,
)
_OF_UNIONS = frozenset({"XAF", "XCD", "XCG", "XOF", "XPF"})
_NO_DIGIT = re.compile(r"\D", re.ASCII)


def currency(cell: str) -> str | Bad:
    """A currency by its ISO 4217 code, or the one sign that means a single currency."""
    code = {"€": "EUR"}.get(cell, cell.upper())
    return code if code in _currencies() else Bad("is no currency; write its code, as EUR.")


@cache
def _currencies() -> frozenset[str]:
    """All that CLDR knows as money; of the codes in X only those of monetary unions (ISO 4217, XXX: none)."""
    return frozenset(code for code in list_currencies() if code[0] != "X" or code in _OF_UNIONS)


def minor_units(cell: str, code: str, decimal: str | None = None) -> int | Bad:
    """Give a sum in minor units; `decimal` is the mark before its decimals, where known.

    One mark with three digits after it ("1,234") may be either mark: without `decimal` it is refused,
    whatever the currency. Marks that can only be read in one way need no `decimal`.
    """
    if cell.startswith(("-", "−")):
        return Bad(
            "is below zero; take a discount off the amounts of the lines, and name a return by the status."
        )
    found = _SUM.fullmatch(cell)
    if found is None:
        return Bad("is no amount; write it as 1234.50, without a currency.")
    whole, group, mark, decimals = found["whole"], found["group"], found["mark"], found["decimals"]
    if decimals and group is None and _could_be_group(whole, decimals):
        if decimal is None:
            other = "." if mark == "," else ","
            return Bad(
                f"may be {whole}{decimals} or {whole}.{decimals}; say which with --decimal {other} or {mark}"
            )
        if mark != decimal:
            whole, group, mark, decimals = whole + decimals, mark, None, None
    if decimal is not None and (mark not in {None, decimal} or group == decimal):
        return Bad(f"has another decimal mark than {decimal!r}.")
    if mark is not None and mark == group:
        return Bad("has the same mark for thousands and for decimals.")
    return _units(_NO_DIGIT.sub("", whole), decimals or "", code)


def _could_be_group(whole: str, decimals: str) -> bool:
    return len(decimals) == 3 and len(whole) <= 3 and not whole.startswith("0")


def _units(whole: str, decimals: str, code: str) -> int | Bad:
    precision = get_currency_precision(code)
    kept, rest = decimals[:precision], decimals[precision:]
    if rest.strip("0"):
        return Bad(f"has more decimals than {code}, which has {precision or 'none'}.")
    if len(whole) > 20:  # an integer so long is not even read
        return Bad("is too large to be an amount.")
    units = int(whole + kept.ljust(precision, "0"))
    return units if units <= LARGEST else Bad("is too large to be an amount.")
