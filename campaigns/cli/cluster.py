"""The command that joins this machine to a cluster."""

import sys
from collections.abc import Sequence

import click

from campaigns.cli.accounts import account_option, chosen_account
from campaigns.cli.opening import require_store
from campaigns.config import Settings, from_environment
from campaigns.delivery.lanes import ALL_LANES
from campaigns.errors import NotAllowed
from campaigns.executor import Executor
from campaigns.wiring import routing_of


@click.command("celery-worker")
@click.option(
    "--processes", type=click.IntRange(1, 64), help="Sender processes; POSTROOM_SENDERS if not given."
)
@click.option(
    "--lane",
    "lanes",
    multiple=True,
    type=click.Choice(ALL_LANES),
    help="Send only to this mailbox provider; may be given again. All, if none is named.",
)
@account_option
def celery_worker(processes: int | None, lanes: Sequence[str], name: str | None) -> None:
    """Send what the broker passes on, until asked to end; start one for each account on each machine."""
    settings = from_environment()
    if not settings.broker_url:
        raise NotAllowed(
            "POSTROOM_BROKER_URL names no broker; on one machine start `postroom sender` instead."
        )
    try:
        from campaigns.cluster.worker import serve
    except ModuleNotFoundError as error:
        raise NotAllowed(missing(error)) from error
    routing = routing_of(settings)
    account = chosen_account(routing, name, "celery-worker")
    require_store(settings)
    many = processes or routing.senders.get(account.name, settings.senders)
    sys.exit(serve(settings, account=account, processes=many, lanes=lanes or ALL_LANES))


def executor_of(settings: Settings) -> Executor | None:
    """The way to this installation's other machines, if it has any."""
    if not settings.broker_url:
        return None
    try:
        from campaigns.cluster.publisher import Publisher
    except ModuleNotFoundError as error:
        raise NotAllowed(missing(error)) from error
    return Publisher(settings.broker_url, list(routing_of(settings).accounts))


def missing(error: ModuleNotFoundError) -> str:
    """Say what a cluster needs beside the core."""
    return f"A cluster needs {error.name}: python -m pip install --require-hashes -r requirements/cluster.txt"
