"""The command that joins this machine to a cluster."""

import sys
from collections.abc import Sequence

import click

from campaigns.config import Settings, from_environment
from campaigns.errors import NotAllowed
from campaigns.executor import Executor
from campaigns.flows.dispatching import ALL_LANES


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
def celery_worker(processes: int | None, lanes: Sequence[str]) -> None:
    """Send what the broker passes on, until asked to end; start one on each machine of a cluster."""
    settings = from_environment()
    if not settings.broker_url:
        raise NotAllowed(
            "POSTROOM_BROKER_URL names no broker; on one machine start `postroom sender` instead."
        )
    try:
        from campaigns.cluster.worker import serve
    except ModuleNotFoundError as error:
        raise NotAllowed(missing(error)) from error
    sys.exit(serve(settings, processes=processes or settings.senders, lanes=lanes or ALL_LANES))


def executor_of(settings: Settings) -> Executor | None:
    """The way to this installation's other machines, if it has any."""
    if not settings.broker_url:
        return None
    try:
        from campaigns.cluster.publisher import Publisher
    except ModuleNotFoundError as error:
        raise NotAllowed(missing(error)) from error
    return Publisher(settings.broker_url)


def missing(error: ModuleNotFoundError) -> str:
    """Say what a cluster needs beside the core."""
    return f"A cluster needs {error.name}: python -m pip install --require-hashes -r requirements/cluster.txt"
