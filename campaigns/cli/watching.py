"""`postroom metrics`: export the metrics without a worker beside it."""

import sys

import click

from campaigns.cli.opening import require_store
from campaigns.cli.running import Stopping
from campaigns.config import from_environment
from campaigns.exporter import start_exporter
from campaigns.wiring import enter, open_stores


@click.command("metrics")
def metrics_() -> None:
    """Serve /metrics, where no worker of this machine does."""
    settings = from_environment()
    enter(settings, "metrics")
    require_store(settings)
    stopping = Stopping()
    exporter = start_exporter(open_stores(settings.database_url), settings)
    if exporter is None:
        sys.exit(1)
    while not stopping():
        stopping.wait(1.0)
    exporter.stop()
