"""Web servers on loopback that say exactly what a test wants, and the seam that leads to them.

The fetcher's own rules stay whole: the name server of a test gives public addresses, these are checked as ever,
and only the very last step, opening the connection, leads to this machine instead.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address

from campaigns.delivery.fetching import Fetcher, Limits
from tests.name_server import NameServer

PUBLIC = "9.9.9.9"
OTHER = "8.8.4.4"

#: Gets the request's head and the connection; gives the bytes to answer with.
Answering = Callable[[str, socket.socket], bytes]


def said(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers]
    if not any(one.lower().startswith("content-length") for one in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


class WebServer:
    """Answers each connection once; remembers what was asked, and how many were there at the same time."""

    def __init__(self, answer: Answering, context: ssl.SSLContext | None = None):
        self.answer, self.context = answer, context
        self.asked: list[str] = []
        self.server_names: list[str | None] = []
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()
        self._server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._server.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        if context is not None:
            context.sni_callback = lambda _socket, name, _context: self.server_names.append(name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.close()
        with socket.socket() as wake:
            wake.connect_ex(("127.0.0.1", self.port))
        for thread in self._threads:
            thread.join(5)

    def _accept(self):
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            if self._server.fileno() < 0:
                client.close()
                return
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket):
        with client, contextlib.suppress(OSError):
            wire = client if self.context is None else self.context.wrap_socket(client, server_side=True)
            with wire:
                head = b""
                while b"\r\n\r\n" not in head:
                    more = wire.recv(4096)
                    if not more:
                        return
                    head += more
                self.asked.append(head.decode())
                wire.sendall(self._answered(head.decode(), wire))

    def _answered(self, head: str, wire: socket.socket) -> bytes:
        """The answer; how many wait for one is counted here, for who has it may be gone before we notice."""
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return self.answer(head, wire)
        finally:
            with self._lock:
                self.at_once -= 1


def leading_to(ports: dict[tuple[str, int], int], dialled: list[tuple[str, int]] | None = None):
    """A way to connect that knows these public addresses only, and leads to this machine."""

    def dial(address, port, timeout):
        assert not ip_address(str(address)).is_private, "loopback among them"
        if dialled is not None:
            dialled.append((str(address), port))
        if (str(address), port) not in ports:
            raise ConnectionRefusedError
        made = socket.socket()
        made.settimeout(timeout)
        made.connect(("127.0.0.1", ports[str(address), port]))
        return made

    return dial


@contextlib.contextmanager
def fetching(
    answer: Answering,
    *,
    names: Sequence[str] = ("shop.example",),
    table: dict[tuple[str, str], list[str]] | None = None,
    context: ssl.SSLContext | None = None,
    trusts: ssl.SSLContext | None = None,
    limits: Limits | None = None,
):
    """A fetcher, a web server behind its public address, and what was dialled."""
    known = table if table is not None else {(name, "A"): [PUBLIC] for name in names}
    dialled: list[tuple[str, int]] = []
    with WebServer(answer, context) as server, NameServer(known) as asked:
        fetcher = Fetcher(
            resolver=asked.resolver(),
            limits=limits or Limits(seconds=60.0),
            context=trusts or ssl.create_default_context(),
            dial=leading_to({(PUBLIC, 80): server.port, (PUBLIC, 443): server.port}, dialled),
        )
        yield fetcher, server, dialled


def dripping(wire: socket.socket, every: float, seconds: float) -> bytes:
    """Send a byte now and then, for as long as anybody listens."""
    until = time.monotonic() + seconds
    with contextlib.suppress(OSError):
        wire.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while time.monotonic() < until:
            wire.sendall(b"x")
            time.sleep(every)
    return b""
