"""One web server with the same front: NAME PORT. How the server of hits was chosen (docs/decisions/0018)."""

import os
import sys
from functools import partial
from typing import Any

from campaigns.config import from_environment
from campaigns.wiring import open_stores
from web.hits import application

#: What was compared: by name the server, and how many threads take requests.
SERVERS = {
    "granian_wsgi_1": ("granian", 1),
    "granian_wsgi_32": ("granian", 32),
    "granian_wsgi_64": ("granian", 64),
    "gunicorn_gthread_32": ("gunicorn", 32),
    "gunicorn_gthread_64": ("gunicorn", 64),
    "waitress_32": ("waitress", 32),
    "waitress_64": ("waitress", 64),
}


def make() -> Any:
    settings = from_environment()
    return application(open_stores(settings.database_url), settings)


def granian(port: int, threads: int) -> None:
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    Granian(
        "stage.servers:make",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.WSGI,
        factory=True,
        blocking_threads=threads,
        websockets=False,
        log_level=LogLevels.error,
    ).serve()


def gunicorn(port: int, threads: int) -> None:
    words = ["--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--workers", "1"]
    words += ["--threads", str(threads), "--keep-alive", "60", "--log-level", "error", "stage.servers:make()"]
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", *words])


def waitress(port: int, threads: int) -> None:
    from waitress import serve

    serve(make(), host="127.0.0.1", port=port, threads=threads, connection_limit=1000)


if __name__ == "__main__":
    server, threads = SERVERS[sys.argv[1]]
    run = {"granian": granian, "gunicorn": gunicorn, "waitress": waitress}[server]
    partial(run, int(sys.argv[2]), threads)()
