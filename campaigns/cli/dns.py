"""`postroom dns`: what the DNS says of a sender, and what it should say."""

import json
import sys
from dataclasses import asdict

import click

from campaigns.cli.findings import show
from campaigns.cli.opening import opened
from campaigns.clock import utc_now
from campaigns.doctor.findings import Level
from campaigns.doctor.senders import Identity, ask, checks_of, delivering_host_of
from campaigns.doctor.ways import ways_of
from campaigns.doctor.welcome import more_checks_of
from campaigns.errors import NotFound
from campaigns.records import dkim_keys, senders
from campaigns.values import Sender
from campaigns.wiring import routing_of


@click.command()
@click.argument("sender")
@click.option("--host", help="The server that delivers our mail to others, if it is none of the accounts'.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
def dns(sender: str, host: str | None, *, as_json: bool) -> None:
    """Read SPF, DKIM, DMARC, MX, PTR, MTA-STS, TLS-RPT and BIMI of SENDER, and print the records to set.

    SENDER is a number, a mail address, or a domain. Exits 1 if something is bad.
    """
    with opened() as (settings, stores), stores.readers() as session:
        chosen = find(sender, senders.listing(session))
        keys = dkim_keys.listing(session)
    routing = routing_of(settings)
    host = host or delivering_host_of(routing, chosen)
    identity = Identity.of(chosen, keys, host, ways_of(routing, chosen))
    now = utc_now()
    found = ask(f"{identity.own}: DNS", [*checks_of(identity, now), *more_checks_of(identity)])
    bad = any(finding.level is Level.BAD for finding in found)
    if as_json:
        click.echo(json.dumps({"ok": not bad, "findings": [asdict(finding) for finding in found]}, indent=1))
    else:
        for finding in found:
            show(finding)
        if not identity.host and identity.ways.returned:
            click.echo(
                "The server that delivers to others is unknown, so its name (PTR) is not looked at: --host."
            )
    sys.exit(1 if bad else 0)


def find(text: str, known: list[tuple[int, Sender]]) -> Sender:
    """The sender that somebody means: by number, address, or its address's domain.

    Raises:
        NotFound: nobody is meant.
    """
    wanted = text.strip().lower()
    for number, one in known:
        address = one.address.lower()
        if wanted in {str(number), address, address.rpartition("@")[2]}:
            return one
    there = ", ".join(f"{number} ({one.address})" for number, one in known) or "none yet"
    raise NotFound(f"There is no sender {text!r}; there are: {there}.")
