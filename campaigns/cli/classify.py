"""`postroom classify`: say what returned mails are, without touching the store."""

import json
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import click

from campaigns.delivery.returns import RULES_VERSION, Returned, ReturnedRecipient, ReturnKind, read_return
from campaigns.delivery.returns.mail import MAX_BYTES

MAX_MBOX = 512 * 1024 * 1024
MBOX_LINE = b"From "
SEPARATOR = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From [^\n]{0,300}\d\d:\d\d[^\n]{0,100}\n")


@click.command()
@click.argument("paths", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
def classify(paths: tuple[Path, ...]) -> None:
    """Print one JSON line for each mail in FILE: what it is, about whom, its class, and which rule decided.

    FILE is a mail (.eml), an mbox, a folder of mails (and of folders), a Maildir, or - for a mail on
    standard input.
    """
    failed = False
    for path in paths:
        try:
            for name, raw in _mails(path):
                click.echo(json.dumps({"file": name, **told(read_return(raw))}, ensure_ascii=False))
        except OSError as error:
            click.echo(f"{path}: cannot be read: {error.strerror}. Name a file or folder of mails.", err=True)
            failed = True
    if failed:
        raise SystemExit(1)


def told(found: Returned) -> dict[str, Any]:
    """What a mail was taken for, as plain data; `class`, `status` and `rule` are the worst recipient's."""
    worst = _worst(found.recipients)
    finding = worst.finding if worst is not None else None
    complained = found.kind is ReturnKind.COMPLAINT
    return {
        "kind": found.kind.value,
        "recipients": [one.address for one in found.recipients if one.address],
        "class": finding.kind.value if finding else "complaint" if complained else None,
        "hard": bool(worst is not None and worst.hard),
        "status": worst.status if worst is not None else None,
        "rule": finding.rule if finding else found.rule,
        "kind_rule": found.rule,
        "rules": RULES_VERSION,
        "feedback": found.feedback,
        "each": [_each(one) for one in found.recipients],
    }


def _worst(recipients: tuple[ReturnedRecipient, ...]) -> ReturnedRecipient | None:
    """The one that is dead, else the first that failed, else the first."""
    hard = next((one for one in recipients if one.hard), None)
    failed = next((one for one in recipients if one.finding is not None), None)
    return hard or failed or next(iter(recipients), None)


def _each(one: ReturnedRecipient) -> dict[str, Any]:
    return {
        "recipient": one.address,
        "action": one.action,
        "class": one.finding.kind.value if one.finding else None,
        "hard": bool(one.hard),
        "status": one.status,
        "rule": one.finding.rule if one.finding else None,
        "diagnostic": one.diagnostic,
    }


def _mails(path: Path) -> Iterator[tuple[str, bytes]]:
    """Every mail at a path, with a name for it."""
    if str(path) == "-":
        yield from _of_bytes("-", sys.stdin.buffer.read(MAX_MBOX))
    elif path.is_dir():
        maildir = [path / name for name in ("new", "cur") if (path / name).is_dir()]
        within = (file for folder in maildir or [path] for file in folder.rglob("*"))
        for file in sorted(file for file in within if file.is_file()):
            yield from _of_file(file, whole=file.suffix != ".mbox")
    else:
        yield from _of_file(path, whole=path.suffix == ".eml")


def _of_file(path: Path, *, whole: bool) -> Iterator[tuple[str, bytes]]:
    with path.open("rb") as file:
        if whole or file.read(len(MBOX_LINE)) != MBOX_LINE:
            file.seek(0)
            yield str(path), file.read(MAX_BYTES + 1)
            return
        file.seek(0)
        yield from _of_bytes(str(path), file.read(MAX_MBOX))


def _of_bytes(name: str, octets: bytes) -> Iterator[tuple[str, bytes]]:
    """One mail, or those of an mbox, numbered."""
    starts = [found.start() for found in SEPARATOR.finditer(octets)] if octets.startswith(MBOX_LINE) else []
    if len(starts) < 2:
        yield name, octets
        return
    for number, (start, end) in enumerate(pairwise([*starts, len(octets)]), start=1):
        yield f"{name}:{number}", octets[start:end]
