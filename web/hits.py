"""The process that serves what mails lead to: tracked addresses in front, customers' pages behind."""

import os
import sys
from functools import partial
from threading import Thread
from time import sleep
from typing import Any

from campaigns.config import Settings
from campaigns.logs import GRANIAN
from campaigns.wiring import Stores, enter, open_stores
from web.app import create_public_app
from web.public.door import Door
from web.public.front import Front
from web.public.hooks import admits
from web.public.visitor import Parts

HOST = "127.0.0.1"
#: Seconds a thread keeps the interpreter while another wants it. By the usual 0.005 the thread that commits
#: would mostly wait for the event loop; measured: two and a half times as many hits with synchronous=NORMAL.
SWITCH = 0.0002


def application(stores: Stores, settings: Settings) -> Front:
    """Put the front before the pages; a WSGI application for any server."""
    app = create_public_app(stores, settings)
    parts: Parts = app.extensions["public"]
    return Front(
        app.wsgi_app,
        keyring=parts.signing.keyring,
        book=parts.book,
        destinations=parts.destinations,
        takes_calls=partial(admits, app),
    )


def serve(stores: Stores, settings: Settings, *, host: str = HOST) -> None:
    """Serve until the process is asked to end; what was answered is stored even if it is killed."""
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    stores.engine.dispose()  # the worker process opens its own connections
    Granian(
        "web.hits",
        address=host,
        port=settings.hits_port,
        interface=Interfaces.RSGI,
        workers=1,
        websockets=False,
        log_access=False,
        log_level=LogLevels.error,
        log_dictconfig=GRANIAN,
    ).serve(target_loader=partial(_load, settings, os.getpid()), wrap_loader=False)


def _load(settings: Settings, parent: int) -> Any:
    """Make the application in the worker process, which must not outlive its parent and keep the port."""
    enter(settings, "hits")
    Thread(target=_end_with, args=(parent,), daemon=True).start()
    sys.setswitchinterval(SWITCH)
    return Door(application(open_stores(settings.database_url), settings))


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        sleep(0.5)
    os._exit(1)
