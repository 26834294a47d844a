"""`postroom accounts`: how each account is, what waits for it, what it sent; `check` asks them all."""

import json
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import click

from campaigns.cli.opening import opened
from campaigns.clock import utc_now
from campaigns.config import from_environment
from campaigns.delivery.routes import Routing
from campaigns.errors import BackendError, BadSettings, NotAllowed
from campaigns.values import Account, AccountState
from campaigns.wiring import routing_of

COLOURS = {AccountState.OPEN: "green", AccountState.RESTING: "yellow", AccountState.BROKEN: "red"}
HEADINGS = ("account", "kind", "state", "senders", "waiting", "hour", "day", "rate/s")

account_option: Callable[..., Any] = click.option(
    "--account", "name", help="Which account of the accounts file; needed where it has several."
)


def chosen_account(routing: Routing, name: str | None, command: str) -> Account:
    """The account that a process serves.

    Raises:
        NotAllowed: there is no such account, or several and none is named.
    """
    names = ", ".join(routing.accounts)
    if name is None and len(routing.accounts) > 1:
        raise NotAllowed(
            f"There are several accounts, and each needs its own processes, so that a slow one holds up no "
            f"other: start `postroom {command} --account NAME` for each of {names}."
        )
    chosen = next(iter(routing.accounts)) if name is None else name
    if chosen not in routing.accounts:
        raise NotAllowed(f"There is no account {chosen!r}; there are {names}. The accounts file names them.")
    return routing.accounts[chosen]


@click.group("accounts", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
@click.pass_context
def accounts(context: click.Context, *, as_json: bool) -> None:
    """Show each account: its state, how many senders serve it, what waits, what went, its rate."""
    if context.invoked_subcommand is not None:
        return
    shown = _shown(utc_now())
    if as_json:
        click.echo(json.dumps({"accounts": shown}, indent=1, default=str))
    else:
        _print(shown)


@accounts.command()
@click.argument("names", nargs=-1)
def check(names: Sequence[str]) -> None:
    """Ask accounts whether they would take mail, all or those named; exit 1 if one would not. Sends none."""
    from campaigns.delivery.trying import try_account

    settings = from_environment(make=False)
    routing = routing_of(settings)
    chosen = [chosen_account(routing, name, "accounts check") for name in names or routing.accounts]
    wrong = 0
    for account in chosen:
        try:
            found, colour = try_account(account, settings.smtp_cafile), "green"
        except (BackendError, BadSettings) as error:
            found, colour = str(error), "red"
            wrong += 1
        click.echo(f"{click.style(account.name, fg=colour)}: {_plain(found)}")
    sys.exit(1 if wrong else 0)


def _shown(now: datetime) -> list[dict[str, Any]]:
    from campaigns.flows.overseeing import overview

    with opened() as (settings, stores), stores.readers() as session:
        return [one.told() for one in overview(session, routing_of(settings), now)]


def _print(shown: Sequence[dict[str, Any]]) -> None:
    rows = [
        (
            one["account"],
            one["kind"],
            one["state"],
            f"{one['senders']}",
            f"{one['waiting']}",
            f"{one['sent_hour']}",
            f"{one['sent_day']}",
            "-" if one["rate"] is None else f"{one['rate']:g}",
        )
        for one in shown
    ]
    widths = [max(len(row[at]) for row in (HEADINGS, *rows)) for at in range(len(HEADINGS))]
    click.echo("  ".join(text.ljust(width) for text, width in zip(HEADINGS, widths, strict=True)).rstrip())
    for row, one in zip(rows, shown, strict=True):
        cells = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
        cells[2] = click.style(cells[2], fg=COLOURS.get(one["state"]))
        click.echo("  ".join(cells).rstrip())
        if one["said"]:
            click.echo(f"    → {_plain(one['said'])}")


def _plain(text: str) -> str:
    """One line, without anything that steers a terminal: servers' words are in it."""
    return "".join(one if one.isprintable() else " " for one in text)
