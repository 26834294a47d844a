"""`postroom retain`: let raw events go that are older than so many months."""

import time

import click

from campaigns.clock import utc_now
from campaigns.config import from_environment
from campaigns.flows import retaining
from campaigns.records.retention import Old
from campaigns.wiring import Stores, open_stores

DAYS = 30  #: that raw webhooks are kept


@click.command()
@click.option(
    "--events",
    "months",
    type=click.IntRange(min=1),
    required=True,
    help="Keep the running month and so many whole months before it.",
)
@click.option(
    "--webhooks",
    "days",
    type=click.IntRange(min=3),
    default=DAYS,
    show_default=True,
    help="Keep what providers called with so many days; their repeats come within three.",
)
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def retain(months: int, days: int, dry_run: bool, yes: bool) -> None:  # noqa: FBT001 - click's shape
    """Let raw events and hits go that are older than so many months, and raw webhooks after some days.

    Reports keep all their numbers; customers' records and segments no longer know what went. The consent
    ledger, suppressions, messages, orders, cases and answers are never touched.
    """
    stores = open_stores(from_environment().database_url)
    try:
        with stores.readers() as session:
            old, runs = retaining.plan(session, months, utc_now())
            calls = retaining.old_calls(session, days, utc_now())
        click.echo(_plan_in_words(old, len(runs)))
        click.echo(f"Older than {days} days: {calls:,} webhooks.")
        if dry_run or not (old.events or old.hits or old.months or calls):
            return
        if not yes:
            click.confirm("They cannot be brought back. Go on?", abort=True)
        _carry_out(stores, old, runs)
        _forget_calls(stores, days)
    finally:
        stores.engine.dispose()


def _plan_in_words(old: Old, runs: int) -> str:
    what = f"Older than {old.before:%d %B %Y}: {old.events:,} events and {old.hits:,} hits"
    months = ", ".join(f"{month:%B %Y}" for month in old.months)
    dropped = f"; dropped as a whole: {months}" if months else ""
    return f"{what}{dropped}.\nBefore that the counts of {runs:,} runs are made final."


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
    click.echo(f"{deleted:,} rows deleted in small batches.")


def _forget_calls(stores: Stores, days: int) -> None:
    deleted = 0
    while True:
        with stores.sessions.begin() as session:
            gone = retaining.forget_calls(session, days, utc_now())
        if not gone:
            break
        deleted += gone
    click.echo(f"{deleted:,} webhooks deleted.")
