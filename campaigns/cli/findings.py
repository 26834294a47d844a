"""Findings as lines on a terminal."""

import click

from campaigns.doctor.findings import Finding, Level

COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.BAD: "red"}


def show(finding: Finding) -> None:
    """Print a finding, what helps, and the records to set."""
    level = click.style(f"{finding.level.value:<5}", fg=COLOURS[finding.level])
    click.echo(f"{level} {finding.check}: {_plain(finding.found)}")
    if finding.cure:
        click.echo(f"      → {_plain(finding.cure)}")
    for line in finding.records:
        click.echo(f"        {_plain(line)}")


def _plain(text: str) -> str:
    """One line, without anything that steers a terminal: servers' and name servers' words are in it."""
    return "".join(one if one.isprintable() else " " for one in text)
