"""`postroom check`: what speaks against sending a mail."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

import click

from campaigns.cli.numbers import many
from campaigns.cli.opening import opened
from campaigns.clock import utc_now
from campaigns.config import Settings
from campaigns.delivery.fetching import Fetcher, Memory, ask_all
from campaigns.delivery.spam import Score, ask, find_filter
from campaigns.errors import BackendError
from campaigns.flows.checking import ways
from campaigns.flows.checking.outside import judge_differing, judge_links, judge_spam
from campaigns.flows.checking.specimen import Specimen, of_template
from campaigns.mailing import Signing
from campaigns.templates.preflight import Finding, Level, check_all, sorted_by_level
from campaigns.tracking.tokens import Keyring
from campaigns.wiring import routing_of

COLOURS = {Level.BLOCKER: "red", Level.WARNING: "yellow", Level.HINT: "blue"}
MATTERS = 0.1  #: points of a spam filter's rule below which it is not worth a line


@click.command()
@click.argument("template")
@click.option("--links", is_flag=True, help="Ask the sites behind its links and pictures, too.")
@click.option("--spam", is_flag=True, help="Ask the spam filter (POSTROOM_SPAM_URL, or one on this machine).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
def check(template: str, *, links: bool, spam: bool, as_json: bool) -> None:
    """Look at TEMPLATE (a key, a starter or a file) before it goes out.

    Exits 1 if something must be mended first.
    """
    settings, specimen = _specimen(template)
    found: list[Finding] = [
        *check_all(specimen.letters),
        *ways.of_template(specimen.letters, routing_of(settings)),
    ]
    score = None
    if links:
        found += judge_differing(specimen.differing)
        found += judge_links(
            specimen.links, ask_all(Fetcher(), (one.wanted for one in specimen.links), Memory())
        )
    if spam:
        score = _judged(settings, specimen)
        found += judge_spam(score)
    found = sorted_by_level(found)
    if as_json:
        click.echo(json.dumps(_as_json(found, score), indent=1, ensure_ascii=False, default=str))
    else:
        _show(found, score, [one.compiled.language for one in specimen.letters])
    sys.exit(1 if any(one.level is Level.BLOCKER for one in found) else 0)


def _specimen(template: str) -> tuple[Settings, Specimen]:
    with opened() as (settings, stores), stores.readers() as session:
        signing = Signing(Keyring(settings.secret), settings.public_url)
        return settings, of_template(session, template, signing, utc_now())


def _judged(settings: Settings, specimen: Specimen) -> Score | None:
    where = find_filter(settings.spam_url)
    if where is None or specimen.mail is None:
        return None
    try:
        return ask(where, specimen.mail)
    except BackendError as error:
        click.echo(f"postroom: {error}", err=True)
        return None


def _as_json(found: Sequence[Finding], score: Score | None) -> dict[str, object]:
    findings = [
        {
            "level": one.level.value,
            "what": one.words,
            "cure": one.cure % one.values,
            "near": one.near,
            "line": one.line,
            "languages": one.languages,
        }
        for one in found
    ]
    return {"ok": not any(one.level is Level.BLOCKER for one in found), "findings": findings} | (
        {"spam": asdict(score)} if score else {}
    )


def _show(found: Sequence[Finding], score: Score | None, languages: Sequence[str]) -> None:
    for one in found:
        level = click.style(f"{one.level.value:<7}", fg=COLOURS[one.level])
        click.echo(f"{level} {_plain(one.words)}{_where(one)}")
        if one.cure:
            click.echo(f"        → {_plain(one.cure % one.values)}")
    for rule in score.rules if score else ():
        if abs(rule.points) >= MATTERS:
            click.echo(f"        {rule.points:+5.1f} {_plain(rule.name)}: {_plain(rule.words)}")
    counts = [many(sum(one.level is level for one in found), level.value) for level in Level]
    click.echo(f"{', '.join(counts)} in {', '.join(languages)}.")


def _where(one: Finding) -> str:
    parts = [", ".join(one.languages), f"line {one.line}" if one.line else ""]
    parts.append(f"“{_plain(one.near)}”" if one.near else "")
    known = ", ".join(part for part in parts if part)
    return click.style(f" [{known}]", dim=True) if known else ""


def _plain(text: str) -> str:
    """One line, without anything that steers a terminal: a template's words are in it."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
