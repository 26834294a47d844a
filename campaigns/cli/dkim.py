"""`postroom dkim …`: the keys that sign our mail, and the DNS records that let others verify it."""

import click
from sqlalchemy.orm import Session

from campaigns.cli.opening import opened
from campaigns.clock import utc_now
from campaigns.delivery.dkim import Algorithm
from campaigns.delivery.dkim_keys import SEEN, Vault, published, record_name, record_text, zone_line
from campaigns.delivery.domains import Unasked, open_resolver
from campaigns.errors import NotAllowed
from campaigns.flows import keying
from campaigns.records import dkim_keys
from campaigns.records.dkim_keys import DkimKey, KeyState
from campaigns.wiring import Stores

COLOURS = {KeyState.SIGNING: "green", KeyState.WAITING: "yellow"}


@click.group()
def dkim() -> None:
    """Make, show, rotate and retire the keys that sign our mail."""


def _open() -> tuple[Stores, Vault]:
    settings, stores = click.get_current_context().with_resource(opened())
    return stores, Vault(settings.secret)


@dkim.command()
@click.argument("domain")
@click.option("--selector", help="The name of the key's record; made from today's date unless given.")
@click.option(
    "--algorithm",
    type=click.Choice([algorithm.value for algorithm in Algorithm]),
    default=Algorithm.RSA.value,
    show_default=True,
    help="ed25519 only beside an RSA key.",
)
@click.option("--force", is_flag=True, help="Sign at once, though nobody has seen the record yet.")
def make(domain: str, selector: str | None, algorithm: str, *, force: bool) -> None:
    """Make a key for DOMAIN and print the DNS record to set; it signs once `dkim check` has seen that."""
    stores, vault = _open()
    now = utc_now()
    with stores.sessions.begin() as session:
        if selector is None:
            _require_none_waits(session, domain, algorithm)
        key = keying.make(session, vault, domain, Algorithm(algorithm), selector=selector, now=now)
        if force:
            keying.activate(session, [key], now=now)
    _show_record(key)
    if force:
        click.echo("It signs from now on. Set the record at once: till then nobody can verify such mail.")
    else:
        click.echo(f"Set this record, then run: postroom dkim check {key.domain}")


def _require_none_waits(session: Session, domain: str, algorithm: str) -> None:
    """See that nobody makes a second key for having lost the first one's record."""
    known = dkim_keys.listing(session, keying.read_domain(domain))
    state = dkim_keys.states(known)
    for key in known:
        if state[key.id] is KeyState.WAITING and key.algorithm == algorithm:
            raise NotAllowed(
                f"{key.domain} has a key that waits for its DNS record already: {key.selector}. To see the "
                f"record: postroom dkim list {key.domain} --records. For a further key name its --selector."
            )


@dkim.command("list")
@click.argument("domain", required=False)
@click.option("--records", is_flag=True, help="With the DNS record of each.")
def list_(domain: str | None, *, records: bool) -> None:
    """Show the keys of all domains, or of DOMAIN, and where each stands."""
    stores, _ = _open()
    with stores.readers() as session:
        keys = dkim_keys.listing(session, keying.read_domain(domain) if domain else None)
    if not keys:
        click.echo("There is no key. Make one: postroom dkim make DOMAIN")
    for name in dict.fromkeys(key.domain for key in keys):
        _show_keys([key for key in keys if key.domain == name], records=records)


def _show_keys(keys: list[DkimKey], *, records: bool) -> None:
    state, now = dkim_keys.states(keys), utc_now()
    for key in keys:
        where = state[key.id]
        until = dkim_keys.rested_until(key, keys)
        words = f"since {key.active_from:%Y-%m-%d}" if key.active_from else f"made {key.created_at:%Y-%m-%d}"
        if until is not None and until > now:
            words += f"; its record must stay until {until:%Y-%m-%d}"
        elif where is KeyState.RESTING:
            words += "; it may be retired"
        elif where is KeyState.RETIRED:
            words += "; its record may go"
        coloured = click.style(f"{where.value:<8}", fg=COLOURS.get(where))
        click.echo(f"{coloured} {key.domain} {key.selector} {key.algorithm} {words}")
        if records and where is not KeyState.RETIRED:
            _show_record(key)


@dkim.command()
@click.argument("domain", required=False)
@click.option("--force", is_flag=True, help="Let them sign unseen.")
def check(domain: str | None, *, force: bool) -> None:
    """Look for the DNS records of the keys that wait, and let those sign whose record is there."""
    stores, _ = _open()
    with stores.readers() as session:
        keys = dkim_keys.listing(session, keying.read_domain(domain) if domain else None)
    waiting = [key for key in keys if key.active_from is None and key.retired_at is None]
    if not waiting:
        click.echo("No key waits.")
        return
    ready = [key for key in waiting if force or _is_seen(key)]
    with stores.sessions.begin() as session:
        keying.activate(session, ready, now=utc_now())
    for key in ready:
        click.echo(f"{key.domain} {key.selector} signs from now on.")
    if len(ready) < len(waiting):
        raise NotAllowed(f"{len(waiting) - len(ready)} of {len(waiting)} keys wait on.")


def _is_seen(key: DkimKey) -> bool:
    name = record_name(key.selector, key.domain)
    try:
        seen = published(key.algorithm, key.public, open_resolver(), name)
    except Unasked as error:
        click.echo(f"{name}: nobody could be asked: {error}", err=True)
        return False
    if seen not in SEEN:
        click.echo(f"{name}: {seen.value}. It should be:", err=True)
        _show_record(key, err=True)
    return seen in SEEN


@dkim.command()
@click.argument("domain")
def rotate(domain: str) -> None:
    """Make new keys for DOMAIN; the old ones sign until `dkim check` has seen the new records."""
    stores, vault = _open()
    with stores.sessions.begin() as session:
        keys = keying.rotate(session, vault, domain, now=utc_now())
    for key in keys:
        _show_record(key)
    click.echo("Set these records and leave the old ones. Then run: postroom dkim check " + keys[0].domain)


@dkim.command()
@click.argument("domain")
@click.argument("selector")
@click.option("--force", is_flag=True, help="Even if it signs.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def retire(domain: str, selector: str, *, force: bool, yes: bool) -> None:
    """Forget the private half of a key, for good."""
    stores, _ = _open()
    if not yes:
        with stores.sessions() as session:  # what forbids it is told before anybody is asked
            key = keying.retire(session, domain, selector, force=force, now=utc_now())
            session.rollback()
        asked = f"Forget the private half of {key.selector} of {key.domain}? It cannot be brought back."
        click.confirm(asked, abort=True)
    with stores.sessions.begin() as session:
        key = keying.retire(session, domain, selector, force=force, now=utc_now())
        known = dkim_keys.listing(session, key.domain)
    until = dkim_keys.rested_until(key, known)
    click.echo(f"{key.domain} {key.selector} is retired.")
    if key.active_from is not None and until is not None:
        click.echo(f"Leave its DNS record until {until:%Y-%m-%d}: mails that it signed are still read.")


def _show_record(key: DkimKey, *, err: bool = False) -> None:
    name = record_name(key.selector, key.domain)
    click.echo(zone_line(name, record_text(key.algorithm, key.public)), err=err)
