"""What `postroom import` shows: how a file will be read, and what came of it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from campaigns.cli.numbers import chosen, many
from campaigns.flows.importing import Result
from campaigns.flows.importing_orders import OrderResult
from campaigns.imports.complaints import Complaint
from campaigns.imports.mapping import Layout
from campaigns.imports.source import Source
from campaigns.model.base import from_microseconds
from campaigns.values import ConsentState

WIDTH = 130  #: where there is no terminal to measure
NAMES = 20  #: of a column, as it is shown
LONGEST = 60  #: of a value in a sentence
#: Where a contact's field stands in what was read of its row.
_READ_AS = {
    "consent": "said",
    "consent_at": "said_at",
    "consent_source": "proof",
    "consent_proof": "proof",
    "consent_wording": "wording_id",
}
_MOMENTS = {"said_at", "placed_at", "status_at"}


def mapping_preview(source: Source, layout: Layout, shown: Sequence[Mapping[str, Any]], cure: str) -> str:
    """Show each column, what it becomes, and how the first rows are read; `cure` helps columns not read."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    table = Table(box=None, pad_edge=False, header_style="")
    for title in ("Column", "becomes"):
        table.add_column(title, no_wrap=True, overflow="ellipsis", max_width=NAMES)
    room = max((console.width - 2 * NAMES) // max(len(shown), 1) - 2, 6)
    for row in shown:
        table.add_column(f"line {row['line']}", no_wrap=True, overflow="ellipsis", max_width=room)
    for name, column in layout.fields.items():
        values = [_value(row, _READ_AS.get(name, name)) for row in shown]
        table.add_row(*map(Text, (plain(layout.header[column]), name, *values)))
    for attribute, column in layout.attributes.items():
        values = [_word(json.loads(row.get("attributes") or "{}").get(attribute.key)) for row in shown]
        table.add_row(
            *map(Text, (plain(layout.header[column]), f"{attribute.key} ({attribute.kind})", *values))
        )
    with console.capture() as written:
        console.print(table)
    name = plain_path(source.path)
    head = f"{name}: {source.size:,} bytes, {source.encoding}, cells divided by {source.delimiter!r}."
    lines = [head, "", *(line.rstrip() for line in written.get().splitlines())]
    if layout.unmapped:
        told = f"Not read: {', '.join(repr(plain(name)) for name in layout.unmapped)}."
        lines += ["", f"{told} {cure}".rstrip()]
    return "\n".join(lines) + "\n"


def _value(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if name == "said_at" and row.get("said") == ConsentState.PENDING:
        return "unproven"  # it was given a moment of its own: that of this import
    if name in _MOMENTS and isinstance(value, int):
        value = from_microseconds(value)
    return _word(value)


def _word(value: object) -> str:
    if value is None:
        return ""
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else plain(str(value))


def plain(text: str) -> str:
    """Make a file's text safe to show: nothing in it steers a terminal, and it is short."""
    cut = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in cut)


def some_complaints(title: str, complaints: Iterable[Complaint]) -> str:
    """List complaints, one a line; nothing where there are none."""
    lines = [
        f"  line {c.line}"
        + (f", {plain(c.column)} {plain(c.value)!r}" if c.column else "")
        + f": {c.reason}  ({c.effect})"
        for c in sorted(complaints)
    ]
    return "\n".join([title, *lines]) + "\n\n" if lines else ""


def orders_result(
    file: str, result: OrderResult, seconds: float, listed: Path | None, *, dry_run: bool
) -> str:
    """Say what came of an import of orders, in counts and words."""
    tally = result.tally
    counts = dict(tally.orders) | {
        "refused rows": result.refused_rows,
        "new products": tally.new_products,
        "changed products": tally.changed_products,
        "first orders": tally.first_orders,
    }
    lines = [_headline(file, result.rows, seconds, dry_run=dry_run)]
    lines += _counts(
        counts,
        {
            "new": "new order|new orders",
            "changed": "order changed|orders changed",
            "unchanged": "order unchanged|orders unchanged",
            "refused": "order refused|orders refused",
            "refused rows": "row refused; an order is taken whole or not at all"
            "|rows refused; an order is taken whole or not at all",
            "new products": "new product|new products",
            "changed products": "product renamed or put into another category"
            "|products renamed or put into another category",
            "first orders": "customer is a prospect no longer: this was their first order"
            "|customers are prospects no longer: this was their first order",
        },
    )
    if tally.statuses:
        told = ", ".join(f"{count:,} {status}" for status, count in sorted(tally.statuses.items()))
        lines.append(f"Orders that came to a status: {told}.")
    lines += _changes((f"order {plain(c.order)}", c.field, c.old, c.new) for c in result.changes)
    return "\n".join([*lines, *_closing(listed, dry_run=dry_run)])


def contacts_result(
    file: str, result: Result, topic: str | None, seconds: float, listed: Path | None, *, dry_run: bool
) -> str:
    """Say what came of an import of contacts, in counts and words."""
    counts = result.counts
    lines = [_headline(file, result.rows, seconds, dry_run=dry_run)]
    lines += _counts(
        counts,
        {
            "new": "new contact|new contacts",
            "changed": "contact changed|contacts changed",
            "unchanged": "contact unchanged|contacts unchanged",
            "refused": "row refused|rows refused",
            "repeats": "row that repeats an earlier row's contact (that one stands)"
            "|rows that repeat an earlier row's contact (that one stands)",
            "values left out": "value left empty because it could not be read (its row was taken)"
            "|values left empty because they could not be read (their rows were taken)",
            "suppressed": "contact whose address is suppressed: it is kept, and never mailed"
            "|contacts whose address is suppressed: they are kept, and never mailed",
        },
    )
    lines += _consents(result.words, topic)
    lines += _changes((f"line {c.line}", c.field, c.old, c.new) for c in result.changes)
    return "\n".join([*lines, *_closing(listed, dry_run=dry_run)])


def _changes(changes: Iterable[tuple[str, str, str, str]]) -> list[str]:
    shown = [f"  {where}: {field} {plain(old)!r} → {plain(new)!r}" for where, field, old, new in changes]
    return ["Changed, for example:", *shown] if shown else []


def _headline(file: str, rows: int, seconds: float, *, dry_run: bool) -> str:
    rate = f", {rows / seconds:,.0f} a second" if seconds > 0 else ""
    would = "A dry run: this would come of it." if dry_run else ""
    return f"{plain(file)}: {many(rows, 'row')} in {seconds:.1f} s{rate}. {would}".rstrip()


def _counts(counts: Mapping[str, int], words: Mapping[str, str]) -> list[str]:
    shown = [
        (counts.get(name, 0), text)
        for name, text in words.items()
        if name in {"new", "changed", "unchanged", "refused"} or counts.get(name)
    ]
    width = max(len(f"{count:,}") for count, _ in shown)
    return [f"  {count:>{width},} {chosen(count, text)}" for count, text in shown]


#: What became of the file's words on consent; a word that did not count says why.
_WORDS = {
    "granted": "granted",
    "pending": "pending (a yes without date and source proves nothing yet; these get no promotion)",
    "withdrawn": "withdrawn",
    "same": "as it was already",
    "left: withdrawn since": "left withdrawn: no newer, proven yes",
    "left: a newer word stands": "left as they were: a newer word stands",
}


def _consents(words: Mapping[str, int], topic: str | None) -> list[str]:
    if not topic:
        return []
    if not words:
        return [f"Consent to {plain(topic)!r}: no row said anything."]
    known = {name: _WORDS.get(name, name) for name in (*_WORDS, *words)}
    told = [(words[name], text) for name, text in known.items() if words.get(name)]
    width = max(len(f"{count:,}") for count, _ in told)
    return [f"Consent to {plain(topic)!r}:", *(f"  {count:>{width},} {text}" for count, text in told)]


def _closing(listed: Path | None, *, dry_run: bool) -> list[str]:
    lines = [f"What was refused, repeated or left out is listed in {plain_path(listed)}"] if listed else []
    return [*lines, "Nothing was changed."] if dry_run else lines


def plain_path(path: Path) -> str:
    """Give a path as it can be shown."""
    return click.format_filename(path)
