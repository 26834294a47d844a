"""`postroom retain`: let raw events go that are old, and what of hits and webhooks tells too much."""

import time

import click

from campaigns.cli.numbers import many
from campaigns.cli.opening import opened
from campaigns.clock import utc_now
from campaigns.flows import confirming, retaining
from campaigns.records.retention import Old
from campaigns.wiring import Stores

DAYS = 30  #: that raw webhooks are kept
ADDRESS_DAYS = 90  #: that addresses of hits are kept whole


@click.command()
@click.option(
    "--events",
    "months",
    type=click.IntRange(min=1),
    help="Keep the running month and so many whole months before it; without it, all events stay.",
)
@click.option(
    "--webhooks",
    "days",
    type=click.IntRange(min=3),
    default=DAYS,
    show_default=True,
    help="Keep what providers called with so many days; their repeats come within three.",
)
@click.option(
    "--addresses",
    "address_days",
    type=click.IntRange(min=1),
    default=ADDRESS_DAYS,
    show_default=True,
    help="Keep whole IP addresses of hits so many days, then only their networks (/24, /48).",
)
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def retain(months: int | None, days: int, address_days: int, dry_run: bool, yes: bool) -> None:  # noqa: FBT001 - click's shape
    """Let raw events and hits go after some months, raw webhooks and whole addresses after some days.

    Reports keep all their numbers; customers' records and segments no longer know what went. The consent
    ledger, suppressions, messages, orders, cases and answers are never touched. Sign-ups that nobody
    confirmed within 14 days go as well, as they do with every tick of a worker.
    """
    with opened() as (_settings, stores):
        old, runs = _plan(stores, months)
        with stores.readers() as session:
            calls = retaining.old_calls(session, days, utc_now())
            whole = retaining.whole_addresses(session, address_days, utc_now())
        click.echo(f"Older than {days} days: {many(calls, 'webhook')}.")
        click.echo(f"Older than {address_days} days: {many(whole, 'hit')} with a whole address.")
        if not dry_run:
            _forget_unconfirmed(stores)
        is_idle = old is None or not (old.events or old.hits or old.months)
        if dry_run or (is_idle and not calls and not whole):
            return
        if not yes:
            click.confirm("They cannot be brought back. Go on?", abort=True)
        if old is not None:
            _carry_out(stores, old, runs)
        _forget_calls(stores, days)
        _cut_addresses(stores, address_days)


def _plan(stores: Stores, months: int | None) -> tuple[Old | None, list[int]]:
    if months is None:
        return None, []
    with stores.readers() as session:
        old, runs = retaining.plan(session, months, utc_now())
    click.echo(_plan_in_words(old, len(runs)))
    return old, runs


def _cut_addresses(stores: Stores, days: int) -> None:
    cut = 0
    place: int | None = 0
    while place is not None:
        with stores.sessions.begin() as session:
            count, place = retaining.cut_addresses(session, days, utc_now(), after=place)
        cut += count
    click.echo(f"{many(cut, 'address', 'addresses')} cut to their networks.")


def _forget_unconfirmed(stores: Stores) -> None:
    gone = 0
    while True:
        with stores.sessions.begin() as session:
            some = confirming.forget_unconfirmed(session, utc_now())
        gone += some
        if not some:
            break
    click.echo(f"{many(gone, 'sign-up')} that nobody confirmed {'was' if gone == 1 else 'were'} forgotten.")


def _plan_in_words(old: Old, runs: int) -> str:
    what = f"Older than {old.before:%d %B %Y}: {many(old.events, 'event')} and {many(old.hits, 'hit')}"
    months = ", ".join(f"{month:%B %Y}" for month in old.months)
    dropped = f"; dropped as a whole: {months}" if months else ""
    return f"{what}{dropped}.\nBefore that the counts of {many(runs, 'run')} are made final."


def _carry_out(stores: Stores, old: Old, runs: list[int]) -> None:
    for run in runs:
        with stores.readers() as session:
            counted = retaining.count(session, run)
        with stores.sessions.begin() as session:
            retaining.close(session, counted, utc_now())
    for month in old.months:
        began = time.perf_counter()
        with stores.sessions.begin() as session:
            retaining.drop(session, month)
        click.echo(f"{month:%B %Y} dropped in {(time.perf_counter() - began) * 1000:.0f} ms")
    deleted = 0
    while True:
        with stores.sessions.begin() as session:
            gone = retaining.delete_some(session, old)
        if not gone:
            break
        deleted += gone
    click.echo(f"{many(deleted, 'row')} deleted in small batches.")


def _forget_calls(stores: Stores, days: int) -> None:
    deleted = 0
    while True:
        with stores.sessions.begin() as session:
            gone = retaining.forget_calls(session, days, utc_now())
        if not gone:
            break
        deleted += gone
    click.echo(f"{many(deleted, 'webhook')} deleted.")
