"""`postroom doctor`: look at the whole installation, and say what is wrong and what helps."""

import json
import os
import sys
from dataclasses import asdict

import click

from campaigns.cli.findings import show
from campaigns.clock import utc_now
from campaigns.doctor.findings import Level
from campaigns.doctor.round import examine


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
            show(finding)
    bad = sum(finding.level is Level.BAD for finding in found)
    if as_json:
        click.echo(json.dumps({"ok": not bad, "findings": [asdict(finding) for finding in found]}, indent=1))
    else:
        warned = sum(finding.level is Level.WARN for finding in found)
        click.echo(f"\n{len(found)} looked at: {bad} bad, {warned} to be mended when there is time.")
    sys.exit(1 if bad else 0)
