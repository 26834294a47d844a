"""`postroom import`: contacts and orders from CSV files, shown first, then merged in one transaction."""

import getpass
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

import click
from sqlalchemy.orm import Session

from campaigns.cli.import_progress import Told, progressing
from campaigns.cli.import_words import contacts_result, mapping_preview, orders_result, plain, some_complaints
from campaigns.cli.opening import bring_up_to_date
from campaigns.clock import utc_now
from campaigns.config import Settings, from_environment
from campaigns.errors import BadImport
from campaigns.flows import importing
from campaigns.flows.importing_orders import import_orders, prepare_orders, preview_orders, register_orders
from campaigns.imports.complaints import Complaints, sort_by_line
from campaigns.imports.mapping import Attribute, read_attribute
from campaigns.imports.money import currency
from campaigns.imports.values import ATTRIBUTE_TYPES, Bad, country, moment
from campaigns.records import consent
from campaigns.records.imports import Import
from campaigns.records.staging import staging
from campaigns.records.statistics import analyze
from campaigns.values import Problem
from campaigns.wiring import Stores, open_stores

Option = Callable[[Any], Any]
R = TypeVar("R")
V = TypeVar("V")


#: What helps a column that nothing reads.
MAPPED = "To read one: --map COLUMN=FIELD."
KEPT = f"To keep one as an attribute of its own: --attribute COLUMN=key:type ({', '.join(ATTRIBUTE_TYPES)})."
MOST_SORTED = 200_000  #: refused rows that are put in the file's order; more would not fit into memory


@dataclass(slots=True)
class Door:
    """What an import goes through, whatever it brings."""

    settings: Settings
    stores: Stores
    now: datetime
    actor: str
    dry_run: bool
    complaints: Complaints
    progress: Told
    seconds: float = 0.0  #: that the merge took
    listed: Path | None = None  #: where the complaints are, if there were any


_PATH = click.Path(dir_okay=False, path_type=Path)
_many = partial(click.option, multiple=True)


@click.group("import")
def import_() -> None:
    """Bring contacts or orders in from a CSV file."""


def _shared(command: Any) -> Any:
    options: list[Option] = [
        click.argument("file", metavar="FILE.csv", type=click.Path(path_type=Path)),
        _many("--map", "chosen", metavar="COLUMN=FIELD", help="Read a column as FIELD; '-': as none."),
        click.option("--delimiter", help="Of the cells; found by itself if not given."),
        click.option("--encoding", default="utf-8", show_default=True, help="Of the file's text."),
        click.option("--preview", is_flag=True, help="Only show how the file would be read."),
        click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing."),
        click.option("--yes", is_flag=True, help="Do not ask."),
        click.option("--rejects", type=_PATH, help="Where refused rows are listed; else FILE.rejects.csv."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@import_.command()
@_shared
@click.option(
    "--attribute",
    "attributes",
    metavar="COLUMN=key:type",
    multiple=True,
    help="Keep a column as a custom attribute.",
)
@click.option("--topic", metavar="KEY", help="What the consent column speaks of.")
@click.option("--consent-source", help="Where the consents were given, for rows that do not say.")
@click.option("--consent-date", "consent_at", help="When the consents were given, for rows that do not say.")
@click.option("--country", "home", metavar="DE", help="By which phone numbers without a plus are read.")
def contacts(  # noqa: PLR0913 - one argument an option
    *,
    file: Path,
    chosen: tuple[str, ...],
    attributes: tuple[str, ...],
    delimiter: str | None,
    encoding: str,
    rejects: Path | None,
    topic: str | None,
    consent_source: str | None,
    consent_at: str | None,
    home: str | None,
    preview: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Bring in the contacts of FILE.csv, matched by external id, then by address.

    The same file again changes nothing. A consent is taken as far as its row proves it, never further.
    """
    now = utc_now()
    asked = importing.Asked(
        file,
        encoding,
        delimiter,
        chosen=_chosen(chosen),
        attributes=_attributes(attributes),
        topic=topic,
        consent_source=consent_source,
        consent_at=_read("--consent-date", consent_at, moment(now)),
        country=_read("--country", home, country),
    )
    prepared = importing.prepare_contacts(asked)
    if topic:
        _require_topic(topic)
    shown, wrong = importing.preview_contacts(prepared, now=now)
    click.echo(mapping_preview(prepared.source, prepared.layout, shown, f"{MAPPED} {KEPT}"))
    click.echo(some_complaints("Of these rows:", wrong), nl=False)
    if preview or not _is_wanted(file, yes=yes or dry_run):
        return
    with _door(file, rejects, now, dry_run=dry_run) as door:
        result = _merge(
            door,
            partial(importing.register, kind="contacts", prepared=prepared, actor=door.actor, now=now),
            partial(
                importing.import_contacts,
                prepared=prepared,
                secret=door.settings.secret,
                now=now,
                complaints=door.complaints,
                progress=door.progress,
            ),
        )
    click.echo(contacts_result(file.name, result, topic, door.seconds, door.listed, dry_run=dry_run))


@import_.command()
@_shared
@click.option("--decimal", metavar="MARK", help="Before the decimals of amounts, ',' or '.', if not clear.")
@click.option("--currency", "code", metavar="EUR", help="Of the lines that name none.")
def orders(  # noqa: PLR0913 - one argument an option
    *,
    file: Path,
    chosen: tuple[str, ...],
    delimiter: str | None,
    encoding: str,
    rejects: Path | None,
    decimal: str | None,
    code: str | None,
    preview: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Bring in the orders of FILE.csv, one row a line of an order.

    The file speaks of each of its orders whole: all its lines, in any place. The same file again changes
    nothing; an order of which any line is refused is refused whole.
    """
    now = utc_now()
    home = _read("--currency", code, currency)
    columns = _chosen(chosen)
    found = prepare_orders(
        file, encoding=encoding, delimiter=delimiter, chosen=columns, decimal=decimal, currency=home
    )
    shown, wrong = preview_orders(found, now=now)
    click.echo(mapping_preview(found.source, found.layout, shown, MAPPED))
    click.echo(some_complaints("Of these rows:", wrong), nl=False)
    if preview or not _is_wanted(file, yes=yes or dry_run):
        return
    with _door(file, rejects, now, dry_run=dry_run) as door:
        result = _merge(
            door,
            partial(register_orders, file=found, actor=door.actor, now=now),
            partial(import_orders, file=found, now=now, complaints=door.complaints, progress=door.progress),
        )
    click.echo(orders_result(file.name, result, door.seconds, door.listed, dry_run=dry_run))


# -- what both commands do ------------------------------------------------------------------------


@contextmanager
def _door(file: Path, rejects: Path | None, now: datetime, *, dry_run: bool) -> Iterator[Door]:
    settings = from_environment()
    bring_up_to_date(settings.database_url)
    path = rejects or file.with_name(f"{file.stem}.rejects.csv")
    stores = open_stores(settings.database_url)
    try:
        with _listed(file, path, always=rejects is not None) as complaints, progressing() as progress:
            door = Door(settings, stores, now, _actor(), dry_run, complaints, progress)
            yield door
        if complaints.counts:
            door.listed = path
    finally:
        stores.engine.dispose()


def _merge(door: Door, register: Callable[[Session], Import], merge: Callable[..., R]) -> R:
    """Merge in one transaction; it is undone if this is a dry run, or anything fails."""
    began = time.monotonic()
    made_by = None
    if not door.dry_run:
        with door.stores.sessions.begin() as session:
            made_by = register(session)
    with (
        door.stores.engine.connect() as connection,
        staging(connection) as staged,
        Session(connection) as session,
    ):
        result = merge(session, staged, made_by=made_by or register(session))
        if door.dry_run:
            session.rollback()
        else:
            session.commit()
    if not door.dry_run:
        with door.stores.sessions.begin() as session:
            analyze(session)
    door.seconds = time.monotonic() - began
    return result


def _require_topic(key: str) -> None:
    """See that a topic is there before anything is shown.

    Raises:
        NotFound: it is not.
    """
    url = from_environment().database_url
    bring_up_to_date(url)
    stores = open_stores(url)
    try:
        with stores.readers() as session:
            consent.topic(session, key)
    finally:
        stores.engine.dispose()


def _actor() -> str:
    try:
        return f"shell: {getpass.getuser()}"
    except (KeyError, OSError):  # a container may run under a number that has no name
        return "shell"


def _is_wanted(file: Path, *, yes: bool) -> bool:
    if yes:
        return True
    if not _has_terminal():
        raise click.ClickException("nobody is there to ask; add --yes to import, or --preview only to look.")
    return click.confirm(f"Import {plain(file.name)} so?")


def _has_terminal() -> bool:
    return sys.stdin.isatty()


@contextmanager
def _listed(file: Path, path: Path, *, always: bool) -> Iterator[Complaints]:
    """Collect complaints in a file, which appears once all is done, if it holds anything or always."""
    if path.exists() and path.samefile(file):
        raise BadImport([Problem("--rejects", "is the file to be read.", "Give it another name.")])
    with _beside(path) as (written, made):
        complaints = Complaints(written)
        yield complaints
        written.flush()
        if complaints.counts.total() <= MOST_SORTED:
            sort_by_line(made)
        if always or complaints.counts:
            made.replace(path)


@contextmanager
def _beside(path: Path) -> Iterator[tuple[IO[str], Path]]:
    try:
        number, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=".part", dir=path.parent)
    except OSError as error:
        cure = "Name a file elsewhere with --rejects."
        raise BadImport([Problem(str(path), f"cannot be written: {error.strerror}.", cure)]) from error
    made = Path(name)
    try:
        with os.fdopen(
            number, "w", encoding="utf-8-sig", newline=""
        ) as written:  # spreadsheets need the mark
            yield written, made
    finally:
        with suppress(FileNotFoundError):
            made.unlink()


def _chosen(texts: tuple[str, ...]) -> dict[str, str]:
    """Read every `COLUMN=FIELD`; a column's name may hold an equals sign."""
    parts = {text: text.rpartition("=") for text in texts}
    problems = [
        Problem(f"--map {text}", "cannot be read.", "Write COLUMN=FIELD, or COLUMN=- to leave a column out.")
        for text, (column, _, to) in parts.items()
        if not (column and to)
    ]
    if problems:
        raise BadImport(problems)
    return {column.strip(): to.strip() for column, _, to in parts.values()}


def _attributes(texts: tuple[str, ...]) -> dict[str, Attribute]:
    return {column.strip(): attribute for column, attribute in map(read_attribute, texts)}


def _read(option: str, text: str | None, read: Callable[[str], V | Bad]) -> V | None:
    if text is None:
        return None
    found = read(text)
    if isinstance(found, Bad):
        raise BadImport([Problem(f"{option} {text}", found.reason)])
    return found
