"""`postroom preview`: a mail as one contact would get it, as files to look at."""

import re
from pathlib import Path

import click

from campaigns.cli.opening import opened
from campaigns.cli.whom import NUMBER
from campaigns.clock import utc_now
from campaigns.flows.previewing import preview as make_preview
from campaigns.mailing import Signing
from campaigns.tracking.tokens import Keyring


@click.command()
@click.argument("template")
@click.option("--contact", required=True, type=int, help=NUMBER)
@click.option(
    "--out", default=".", show_default=True, type=click.Path(file_okay=False, path_type=Path), help="Folder."
)
def preview(template: str, contact: int, out: Path) -> None:
    """Write TEMPLATE (a key, a starter or a file) as CONTACT would get it: one .eml and one .html."""
    with opened() as (settings, stores), stores.readers() as session:
        signing = Signing(Keyring(settings.secret), settings.public_url)
        made = make_preview(session, template, contact, signing, now=utc_now())
    out.mkdir(parents=True, exist_ok=True)
    stem = re.sub(r"[^\w-]+", "-", Path(template).stem) + f"-{contact}"
    mail = out / f"{stem}.eml"
    mail.write_bytes(made.eml)
    click.echo(f"{mail}  {made.content.subject}")
    if made.content.html is not None:
        page = out / f"{stem}.html"
        page.write_text(made.content.html, encoding="utf-8")
        click.echo(str(page))
