"""`postroom webhooks`: where providers are to call, what they told, and what of it could not be read."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

import click

from campaigns.cli.numbers import many
from campaigns.cli.opening import opened
from campaigns.clock import utc_now
from campaigns.config import Settings
from campaigns.delivery.providers.calling import calling
from campaigns.delivery.smtp.replies import plain_text
from campaigns.delivery.webhooks import hook_url
from campaigns.records import webhooks as records
from campaigns.records.webhooks import Count, Unread
from campaigns.values import Account
from campaigns.wiring import Stores, routing_of

DAYS = 30
SHOWN = 160  #: letters of a call that cannot be read
CALLS = ("call", "refused")  #: what is counted by call; all else is counted by event


@click.command()
@click.option("--again", is_flag=True, help="Read once more what could not be read.")
@click.option("--days", type=click.IntRange(1, 3650), default=DAYS, show_default=True, help="Count so many.")
def webhooks(again: bool, days: int) -> None:  # noqa: FBT001 - click's shape
    """Tell for each account where its provider is to call, when it last did, and what it told.

    The addresses are secret: whoever knows one of an account whose provider signs nothing can tell us
    anything about our own mails.
    """
    with opened() as (settings, stores):
        accounts = routing_of(settings).accounts
        if again:
            with stores.sessions.begin() as session:
                number = records.read_again(session, now=utc_now())
            click.echo(f"{many(number, 'call is', 'calls are')} read again by the worker.")
            return
        _tell(settings, stores, list(accounts.values()), days)


def _tell(settings: Settings, stores: Stores, accounts: Sequence[Account], days: int) -> None:
    now = utc_now()
    with stores.readers() as session:
        counts = records.counts(session, since=now - timedelta(days=days))
        unread = records.unread(session, now=now)
    for account in accounts:
        click.echo(
            "\n".join(_about(settings, account, [one for one in counts if one.account == account.name]))
        )
    names = {account.name for account in accounts}
    for name in sorted({one.account for one in counts} - names):
        click.echo(f"{name} (no longer in the accounts file)")
        click.echo("\n".join(_told([one for one in counts if one.account == name])))
    for line in _unread(unread):
        click.echo(line)


def _returned(settings: Settings) -> str:
    """Say where the returned mail is read that an account without calls leads to."""
    boxes = settings.mailboxes
    known = {
        "a Maildir": settings.bounce_maildir,
        "a mailbox by IMAP": boxes.imap_url,
        "a mailbox by POP3": boxes.pop3_url,
    }
    found = [name for name, where in known.items() if where]
    if found:
        return f"returned mail is read from {' and '.join(found)}"
    return "no mailbox is set (POSTROOM_BOUNCE_…), so only `postroom receive` hears of returned mail"


def _about(settings: Settings, account: Account, counts: Sequence[Count]) -> list[str]:
    caller = calling(account)
    if caller is None:
        return [f"{account.name} ({account.kind}): makes no calls; {_returned(settings)}"]
    title, reader = caller.title, caller.webhooks
    lines = [
        f"{account.name} ({title})",
        f"  address   {hook_url(account, settings.secret, settings.public_url)}",
        f"  believed  by {reader.scheme}",
    ]
    if settings.public_url.startswith("http://"):
        lines.append(
            "  warning   the address is not https: set POSTROOM_PUBLIC_URL to one that providers reach"
        )
    missing = [name for name in reader.needs if not account.options.get(name)]
    lines += [
        f"  missing   {name}: without it no call is believed; set it in the accounts file" for name in missing
    ]
    return lines + _told(counts)


def _told(counts: Sequence[Count]) -> list[str]:
    last = max((one.last_at for one in counts if one.what == "call"), default=None)
    lines = [f"  last call {last:%Y-%m-%d %H:%M:%S} UTC" if last else "  last call never"]
    lines += _sorts("calls", (one for one in counts if one.what in CALLS))
    return lines + _sorts("events", (one for one in counts if one.what not in CALLS))


def _sorts(what: str, counts: Iterable[Count]) -> list[str]:
    told = ", ".join(f"{one.count:,} {one.what}" for one in sorted(counts, key=lambda one: -one.count))
    return [f"  {what:<9} {told}"] if told else []


def _unread(unread: Sequence[Unread]) -> list[str]:
    if not unread:
        return []
    lines = ["", "Not read (the newest; `postroom webhooks --again` reads them once more):"]
    for one in unread:
        beginning = plain_text(one.body.decode("utf-8", "replace"))[:SHOWN]
        why = one.problem or "waits for the worker"
        lines.append(f"  {one.id} {one.account} {one.at:%Y-%m-%d %H:%M} UTC, {one.size:,} bytes: {why}")
        lines.append(f"     {beginning}")
    return lines
