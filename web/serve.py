"""Serve the desks' pages: granian in front, one worker process, a pool of threads."""

from flask import Flask

from campaigns.config import Settings, from_environment
from campaigns.logs import GRANIAN
from campaigns.wiring import enter, open_stores
from web.app import create_app

THREADS = 8  #: pages wait for the store more than they compute


def desk_app() -> Flask:
    """Make the desks' app from the environment; granian calls this in its worker process."""
    settings = from_environment()
    enter(settings, "web")
    return create_app(open_stores(settings.database_url), settings)


def serve(settings: Settings) -> None:
    """Serve until the process is asked to end."""
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    Granian(
        "web.serve:desk_app",
        address=settings.host,
        port=settings.web_port,
        interface=Interfaces.WSGI,
        blocking_threads=THREADS,
        factory=True,
        websockets=False,
        log_access=False,
        log_level=LogLevels.error,
        log_dictconfig=GRANIAN,
    ).serve()
