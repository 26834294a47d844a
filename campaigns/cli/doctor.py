"""`postroom doctor`: look at the whole installation, and say what is wrong and what helps."""

import json
import os
import sys
from dataclasses import asdict

import click

from campaigns.clock import utc_now
from campaigns.doctor.findings import Finding, Level
from campaigns.doctor.round import examine

COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.BAD: "red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
def doctor(*, as_json: bool) -> None:
    """Look at clock, database, folders, mail server, DNS and addresses; exit 1 if something is bad.

    Sends no mail and changes nothing.
    """
    found = []
    for finding in examine(os.environ, utc_now()):
        found.append(finding)
        if not as_json:
            _show(finding)
    bad = sum(finding.level is Level.BAD for finding in found)
    if as_json:
        click.echo(json.dumps({"ok": not bad, "findings": [asdict(finding) for finding in found]}, indent=1))
    else:
        warned = sum(finding.level is Level.WARN for finding in found)
        click.echo(f"\n{len(found)} looked at: {bad} bad, {warned} to be mended when there is time.")
    sys.exit(1 if bad else 0)


def _show(finding: Finding) -> None:
    level = click.style(f"{finding.level.value:<5}", fg=COLOURS[finding.level])
    click.echo(f"{level} {finding.check}: {_plain(finding.found)}")
    if finding.cure:
        click.echo(f"      → {finding.cure}")


def _plain(text: str) -> str:
    """One line, without anything that steers a terminal: servers' and name servers' words are in it."""
    return "".join(one if one.isprintable() else " " for one in text)
