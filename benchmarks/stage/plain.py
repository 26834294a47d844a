"""The plain way to take hits, for comparison: a Flask route that commits each hit before it answers."""

import os
from typing import Any

import sqlalchemy as sa
from flask import Flask, Response, abort, redirect, request

from campaigns.clock import utc_now
from campaigns.model.events import hits
from campaigns.tracking.tokens import Keyring, Purpose
from campaigns.wiring import open_stores
from stage.letter import LINKS
from stage.world import SECRET
from web.public.front import GIF

THREADS = 8


def make() -> Flask:
    app = Flask(__name__)
    stores = open_stores(os.environ["POSTROOM_DATABASE_URL"])
    keyring = Keyring(SECRET.encode())

    def store(kind: str, purpose: Purpose, text: str, link: int | None) -> None:
        token = keyring.read(purpose, text)
        if token is None:
            abort(404)
        row: dict[str, Any] = {"at": utc_now(), "kind": kind, "link": link, "method": request.method}
        row |= {"run_id": token.run, "seq": token.seq, "contact_id": token.contact}
        row |= {"agent": request.user_agent.string, "address": request.remote_addr, "headers": ""}
        with stores.sessions.begin() as session:
            session.execute(sa.insert(hits).values(row))

    @app.get("/o/<token>")
    def opened(token: str) -> Response:
        store("open", Purpose.OPEN, token, None)
        return Response(GIF, mimetype="image/gif")

    @app.get("/c/<token>/<int:number>")
    def clicked(token: str, number: int) -> Any:
        store("click", Purpose.CLICK, token, number)
        return redirect(LINKS[number - 1])

    return app


def serve(port: int) -> None:
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    Granian(
        "stage.plain:make",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.WSGI,
        factory=True,
        blocking_threads=THREADS,
        websockets=False,
        log_level=LogLevels.error,
    ).serve()


if __name__ == "__main__":
    serve(int(os.environ["POSTROOM_HITS_PORT"]))
