"""`postroom erase` and `postroom export-person`: what a person may ask of us about what we keep of them."""

import json
from pathlib import Path

import click

from campaigns.cli import whom
from campaigns.cli.opening import opened
from campaigns.clock import utc_now
from campaigns.errors import NotAllowed
from campaigns.flows import erasing
from campaigns.records import person_file
from campaigns.records.erasure import Plan


@click.command(epilog=whom.NUMBER)
@click.argument("contact", type=click.IntRange(min=1))
@click.option("--by", default="shell", show_default=True, help="Who does it: it stands in the history.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(contact: int, by: str, dry_run: bool, yes: bool) -> None:  # noqa: FBT001 - click's shape
    """Forget CONTACT (its number) for good; says before who that is, what goes and what stays.

    The addresses are kept as keyed hashes on the never-mail list, so that no import brings them back.
    """
    with opened() as (settings, stores):
        with stores.readers() as session:
            found = erasing.plan(session, contact)
            called = whom.in_words(session, contact)
        click.echo(in_words(found, called))
        if dry_run:
            return
        if not yes:
            click.confirm(f"Forget {called}? It cannot be brought back.", abort=True)
        with stores.sessions.begin() as session:
            new = erasing.erase(session, contact, settings.secret, actor=by, now=utc_now())
    said = "is forgotten." if new else "was forgotten before; what came in since is gone now."
    click.echo(f"Contact {contact} {said}")


@click.command("export-person", epilog=whom.NUMBER)
@click.argument("contact", type=click.IntRange(min=1))
@click.option(
    "--to", "file", type=click.Path(dir_okay=False, path_type=Path), help="Where; else it is shown."
)
def export_person(contact: int, file: Path | None) -> None:
    """Write everything that is kept about CONTACT (its number) as one JSON file."""
    with opened() as (_settings, stores), stores.readers() as session:
        found = person_file.collect(session, contact, now=utc_now())
        called = whom.in_words(session, contact)
    text = json.dumps(found, ensure_ascii=False, indent=2)
    if file is None:
        click.echo(text)
        return
    if file.exists():
        raise NotAllowed(f"{file} is there already; name another file.")
    file.touch(mode=0o600)
    file.write_text(text + "\n", encoding="utf-8")
    click.echo(f"Everything about {called} is in {file}.")


def in_words(found: Plan, called: str) -> str:
    """Whose, what goes and what stays, a line each."""
    customer = "The customer is only this person and loses its name." if found.alone else ""
    before = f"It was forgotten on {found.erased_at:%d %B %Y}." if found.erased_at else ""
    parts = (
        f"{called[0].upper()}{called[1:]}: names, addresses, phone, birthday, place, attributes go.",
        customer,
        before,
        f"Deleted: {_listed(found.deleted)}.",
        f"Emptied of all that is personal: {_listed(found.emptied)}.",
        f"Kept without the person: {_listed(found.kept)}; the address as a hash on the never-mail list.",
    )
    return "\n".join(part for part in parts if part)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())
