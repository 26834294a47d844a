"""`postroom receive`: one returned mail from a mail server's pipe."""

import re
import sys

import click
import structlog

from campaigns import logs
from campaigns.cli.opening import opened, require_store
from campaigns.clock import utc_now
from campaigns.config import from_environment
from campaigns.delivery.mailboxes import MAX_OCTETS
from campaigns.errors import PostroomError
from campaigns.flows import intake
from campaigns.flows.intake import Again
from campaigns.tracking.tokens import Keyring
from campaigns.wiring import open_stores

log = structlog.get_logger()
#: What a mail server understands (sysexits.h).
DATA_ERROR, TRY_AGAIN = 65, 75
ADDRESS = re.compile(r"[\x21-\x7e\x80-\U0010ffff]{1,320}")


@click.command()
@click.option(
    "--recipient", default="", help="The envelope's recipient, where no header of the mail tells it."
)
@click.option("--again", is_flag=True, help="Read those of the last 30 days once more, by newer rules.")
def receive(recipient: str, *, again: bool) -> None:
    """Read one returned mail from standard input, and act on it.

    Exits 0 once it is stored, 75 if it should be delivered again later, and 65 if there was no mail.
    """
    if again:
        _judge_again()
        return
    raw = sys.stdin.buffer.read(MAX_OCTETS)
    while sys.stdin.buffer.read(1 << 16):
        pass  # a server that cannot write to the end would take it for a failure
    if not raw.strip() or (recipient and not ADDRESS.fullmatch(recipient)):
        click.echo("postroom: no mail on standard input, or a recipient that is no address.", err=True)
        raise SystemExit(DATA_ERROR)
    if recipient:
        raw = f"X-Original-To: {recipient}\n".encode() + re.sub(rb"\AFrom [^\n]*\n", b"", raw)
    try:
        kind = _receive(raw)
    except Exception as error:  # whatever it is, the mail must not be lost for it
        told = str(error) if isinstance(error, PostroomError) else type(error).__name__
        click.echo(f"postroom: not now: {told}", err=True)
        raise SystemExit(TRY_AGAIN) from error
    log.info("returned mail", kind=kind)


def _judge_again() -> None:
    """Read kept mails once more, some in each transaction; tell which are taken for something else now."""
    after: int | None = 0
    changed = 0
    with opened() as (settings, stores):
        while after is not None:
            with stores.sessions.begin() as session:
                keyring, secret = Keyring(settings.secret), settings.secret
                found, after = intake.judge_again(session, keyring, secret, now=utc_now(), after=after)
            for one in found:
                click.echo(_told(one))
            changed += len(found)
    click.echo(f"{changed} of the kept mails are judged otherwise by today's rules.")


def _told(one: Again) -> str:
    """A line about one; with what a person may have to do."""
    told = f"message {one.run}.{one.seq}: {one.was.kind}, now {one.now.kind}"
    if one.was.hard > one.now.hard and one.listed:
        return f"{told}; look whether its address is to be taken off the list of suppressions"
    if one.now.hard > one.was.hard and not one.listed:
        return (
            f"{told}; its address is not suppressed, for there was a sign of life, or it was taken off, since"
        )
    return told


def _receive(raw: bytes) -> str:
    settings = from_environment(make=False)
    logs.name_addresses_by(settings.secret)
    require_store(settings)
    stores = open_stores(settings.database_url)
    try:
        with stores.sessions.begin() as session:
            keyring, secret = Keyring(settings.secret), settings.secret
            return intake.receive_mail(session, raw, keyring, secret, now=utc_now())
    finally:
        stores.engine.dispose()
