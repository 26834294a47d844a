"""The shell's commands on templates."""

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from campaigns.errors import BadTemplate
from campaigns.templates.render import compile_file
from campaigns.values import Problem


@click.command("compile")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def compile_(file: Path) -> None:
    """Compile FILE.mjml and print its HTML, or its errors with their lines.

    What keeps it from being read, such as a tag or an {% if %} without an end, is told first and alone, at
    the line where the end was missed; once it can be read, all that is wrong is told at once.
    """
    try:
        source = file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        _refuse(
            file, [Problem(f"line {line}", "is not UTF-8 text.", "Save the file as UTF-8 and try again.")]
        )
    try:
        html = compile_file(source)
    except BadTemplate as error:
        _refuse(file, error.problems)
    click.echo(html.encode(), nl=False)


def _refuse(file: Path, problems: Sequence[Problem]) -> NoReturn:
    for problem in problems:
        click.echo(f"{file}: {problem}", err=True)
    raise SystemExit(1)
