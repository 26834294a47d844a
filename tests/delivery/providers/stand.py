"""A loopback HTTP server that plays a provider: as its documents say, or as a script wants."""

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from campaigns.delivery.providers.reference import token_in
from tests.delivery.peers import Peer, Say


@dataclass(frozen=True)
class Asked:
    """One request."""

    number: int  #: from 1
    path: str
    headers: dict[str, str]  #: names in lower case
    body: bytes = field(repr=False)

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    status: int
    told: Any = None  #: JSON, or bytes as they are
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Taken:
    """One mail that the provider is going to deliver."""

    rcpt: str
    reference: str
    told: Any = field(repr=False, default=None)


class Cut(Exception):
    """The connection ends here, without a word."""


#: What a script may do with a request: None, a reply, or what it returns after `serve()` did its work.
Script = Callable[[Asked, Callable[[], Reply]], Reply | None]


class Stand:
    """Serves a Desk; `asked` has every request, whatever became of it."""

    def __init__(
        self, desk: "Desk", script: Script | None = None, *, rude: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.desk, self.script = desk, script
        self.rude = rude  #: requests that are cut before they were read
        self.asked: list[Asked] = []
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        if tls:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def recipients(self) -> Counter[str]:
        return Counter(one.rcpt for one in self.desk.taken)

    @property
    def posts(self) -> list[Asked]:
        """The requests with mail in them."""
        return [one for one in self.asked if self.desk.holds_mail(one)]

    def _answer(self, path: str, headers: dict[str, str], body: bytes) -> Reply:
        with self._lock:
            asked = Asked(len(self.asked) + 1, path, headers, body)
            self.asked.append(asked)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            said = self.script(asked, lambda: self._serve(asked)) if self.script else None
            return said or self._serve(asked)
        finally:
            with self._lock:
                self.at_once -= 1

    def _serve(self, asked: Asked) -> Reply:
        with self._lock:
            return self.desk.serve(asked)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stand = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                if stand.rude:
                    stand.rude -= 1
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.close_connection = True
                    return
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                try:
                    reply = stand._answer(self.path, headers, body)
                except Cut:
                    self.close_connection = True
                    return
                data = reply.told if isinstance(reply.told, bytes) else json.dumps(reply.told).encode()
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

            def handle(self) -> None:
                with contextlib.suppress(ConnectionError, ssl.SSLError):
                    super().handle()

        return Handler


class Desk:
    """What all providers have in common; one class each says the rest (desks.py)."""

    kind: str
    most = 1  #: mails in a request
    single_status = 400  #: of a request that is refused whole

    def __init__(self) -> None:
        self.taken: list[Taken] = []
        self.refuses: set[str] = set()  #: recipients that it finds wrong
        self.known: dict[str, Reply] = {}  #: by idempotency key
        self.repeats = 0
        self.locked = False  #: the key was withdrawn

    # what a desk must say

    def options(self, url: str) -> dict[str, str]:
        raise NotImplementedError

    def lets_in(self, asked: Asked) -> bool:
        raise NotImplementedError

    def mails(self, asked: Asked) -> list[Taken]:
        """What the request asks for.

        Raises:
            AssertionError: it is none that the documents allow.
        """
        raise NotImplementedError

    def taken_words(self, mails: list[Taken]) -> Reply:
        raise NotImplementedError

    def refused_words(self, text: str) -> Reply:
        return Reply(self.single_status, {"message": text})

    def key(self, asked: Asked) -> str:
        return ""

    # what follows from it

    def holds_mail(self, asked: Asked) -> bool:
        try:
            return bool(self.mails(asked))
        except (AssertionError, KeyError, ValueError, IndexError, TypeError):
            return False

    def serve(self, asked: Asked) -> Reply:
        if self.locked or not self.lets_in(asked):
            return Reply(401, {"message": "this key is not known"})
        try:
            mails = self.mails(asked)
        except (AssertionError, KeyError, ValueError, IndexError, TypeError) as error:
            return self.refused_words(f"{type(error).__name__}: {error}")
        if not mails:
            return self.refused_words("there is no mail")
        assert len(mails) <= self.most, f"{len(mails)} mails are more than {self.kind} takes"
        key = self.key(asked)
        if key and key in self.known:
            self.repeats += 1
            return self.repeated(key)
        reply = self.take(mails)
        if key and reply.status < 300:
            self.known[key] = reply
        return reply

    def repeated(self, key: str) -> Reply:
        return self.known[key]

    def take(self, mails: list[Taken]) -> Reply:
        wrong = [one.rcpt for one in mails if one.rcpt in self.refuses]
        if wrong:
            return self.refused_words(f"{wrong[0]} is no address")
        self.taken += mails
        return self.taken_words(mails)


class SmtpDesk(Desk):
    """A relay, for what is promised of every way out."""

    kind = "smtp"

    def options(self, url: str) -> dict[str, str]:
        return {"url": url}


class SmtpStand:
    """The same as Stand, for SMTP."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._peer = Peer(self._script)

    def __enter__(self) -> Self:
        self._peer.__enter__()
        self.url = f"smtp://127.0.0.1:{self._peer.port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._peer.__exit__(*_)
        for sender, rcpt, data in self._peer.taken:
            self.desk.taken.append(Taken(rcpt, token_in(sender), data))

    @property
    def recipients(self) -> Counter[str]:
        return self._peer.recipients

    def _script(self, stage: str, seen: Any) -> Say | None:
        wrong = stage == "rcpt" and any(f"<{one}>" in seen.argument for one in self.desk.refuses)
        return Say(b"550 5.1.1 no such person\r\n") if wrong else None


def standing(desk: type[Desk]) -> Stand | SmtpStand:
    """The server that plays this desk."""
    return SmtpStand(desk()) if desk is SmtpDesk else Stand(desk())


def slowly(seconds: float) -> Script:
    def script(_asked: Asked, serve: Callable[[], Reply]) -> Reply:
        time.sleep(seconds)
        return serve()

    return script
