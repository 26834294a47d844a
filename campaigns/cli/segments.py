"""The shell's commands on segments."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from sqlalchemy.orm import Session

from campaigns.cli.opening import opened
from campaigns.cli.whom import NUMBER
from campaigns.clock import utc_now
from campaigns.errors import BadRule, NotFound
from campaigns.records import names, segments
from campaigns.segments.describe import describe
from campaigns.segments.explain import lines
from campaigns.segments.reading import decode
from campaigns.segments.rules import Rule

_RULE = click.argument(
    "file", metavar="RULE.json", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
)


@click.command()
@_RULE
@click.option(
    "--list", "shown", type=click.IntRange(0, 1000), default=0, help="Show so many of them, with ids."
)
def count(file: Path, shown: int) -> None:
    """Count the contacts that RULE.json means (-: standard input); the number is the last line."""
    with _reading() as session:
        rule = _read(session, file)
        click.echo(describe(rule))
        for contact in segments.members(session, rule, utc_now(), shown) if shown else ():
            whom = names.recipient(session, contact)
            if whom is not None:
                click.echo(f"{contact:>8}  {names.full_name(whom.contact) or '-'}  {whom.address}")
        click.echo(segments.count(session, rule, utc_now()))


@click.command()
@_RULE
@click.option("--contact", type=int, required=True, help=NUMBER)
def explain(file: Path, contact: int) -> None:
    """Say why a contact is meant by RULE.json or not: what decided, and the value found there."""
    with _reading() as session:
        rule = _read(session, file)
        try:
            why = segments.explain(session, rule, contact, utc_now())
        except NotFound as error:
            raise click.ClickException(str(error)) from error
        click.echo(describe(rule))
        click.echo("\n".join(lines(why)))


@contextmanager
def _reading() -> Iterator[Session]:
    with opened() as (_settings, stores), stores.readers() as session:
        yield session


def _read(session: Session, file: Path) -> Rule:
    try:
        return segments.read(
            session, decode(sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes())
        )
    except BadRule as error:
        for problem in error.problems:
            click.echo(f"{file}: {problem}", err=True)
        raise SystemExit(1) from error
