"""The server's side of the hits' process: RSGI in, hits answered in the event loop, pages in threads."""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from typing import Any

from campaigns import metrics
from campaigns.delivery.webhooks import MOST_BYTES as MOST_BYTES_OF_A_CALL
from web.public.book import Unwritten
from web.public.destinations import NotAtOnce
from web.public.front import BUSY, Environ, Front, Reply
from web.public.gathering import Gathering

PAGE_THREADS = 8  #: pages wait for the store more than they compute
MOST_PAGES = 256  #: that wait for a thread; more are turned away
MOST_BYTES = 1024 * 1024  #: of a request's body; Flask refuses what is larger
MOST_OF_A_CALL = MOST_BYTES_OF_A_CALL + 1  #: of a provider's; the page itself refuses what is larger
BODY_PATIENCE = 30.0  #: seconds for a request's body to come
MOST_NAMES = 1000  #: of headers, remembered


class Cut(Exception):
    """The body ended before its end: half of what somebody said is not what they said."""


class Door:
    """Speaks RSGI with granian: a hit waits for its commit without a thread, a page has one."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._threads = ThreadPoolExecutor(PAGE_THREADS, thread_name_prefix="page")
        self._pages = 0  #: at work or waiting for a thread
        self._loop: asyncio.AbstractEventLoop
        self._gathering: Gathering

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._gathering = Gathering(self._front.book, loop)

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        environ = environ_of(scope)
        try:
            reply = await self._hit(environ)
            if reply is None:
                reply = await self._page(environ, protocol)
        except Unwritten:
            metrics.hits_refused(1)
            reply = BUSY
        if scope.method == "HEAD" or not reply.body:
            protocol.response_empty(reply.status, reply.headers)
        else:
            protocol.response_bytes(reply.status, reply.headers, reply.body)

    async def _hit(self, environ: Environ) -> Reply | None:
        try:
            prepared = self._front.prepare(environ, at_once=True)
        except NotAtOnce:
            prepared = await self._in_thread(partial(self._front.prepare, environ))
        if prepared is None:
            return None
        await self._gathering.write(prepared.entry)
        return prepared.reply

    async def _page(self, environ: Environ, protocol: Any) -> Reply:
        try:
            async with asyncio.timeout(BODY_PATIENCE):
                body = await _body(environ, protocol, self._most(environ["PATH_INFO"]))
        except TimeoutError:
            return Reply(408, [("Connection", "close")])
        except Cut:
            return Reply(400, [("Connection", "close")])
        environ["wsgi.input"] = BytesIO(body)
        return await self._in_thread(partial(_ask, self._front.pages, environ))

    def _most(self, path: str) -> int:
        """How long a body may be: of a provider's call longer than of anybody's."""
        return MOST_OF_A_CALL if self._front.takes_calls(path) else MOST_BYTES

    async def _in_thread(self, act: Callable[[], Any]) -> Any:
        if self._pages >= MOST_PAGES:
            raise Unwritten("Too many pages wait.")
        self._pages += 1
        try:
            return await self._loop.run_in_executor(self._threads, act)
        finally:
            self._pages -= 1


async def _body(environ: Environ, protocol: Any, most: int) -> bytes:
    """Read a request's body, as far as it may be long; Flask sees what is too long by its length."""
    told = environ.get("CONTENT_LENGTH")
    if told is None and "HTTP_TRANSFER_ENCODING" not in environ:
        return b""
    if told is not None and int(told) > most:
        return b""
    pieces, size = [], 0
    async for piece in protocol:
        pieces.append(piece)
        size += len(piece)
        if size > most:
            break
    if told is not None and size < int(told):
        raise Cut
    environ.pop("HTTP_TRANSFER_ENCODING", None)  # it is whole now, and its length is known
    environ["CONTENT_LENGTH"] = str(size)
    return b"".join(pieces)


def _ask(pages: Callable[..., Any], environ: Environ) -> Reply:
    """Ask a WSGI application, and take its whole answer."""
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: object = None) -> None:
        started[:] = [int(status[:3]), headers]

    answer = pages(environ, start_response)
    try:
        body = b"".join(answer)
    finally:
        if hasattr(answer, "close"):
            answer.close()
    return Reply(started[0], started[1], body)


class _Keys(dict[str, str]):
    """Names of headers as WSGI writes them."""

    def __missing__(self, name: str) -> str:
        key = name.upper().replace("-", "_")
        if key not in {"CONTENT_LENGTH", "CONTENT_TYPE"}:
            key = f"HTTP_{key}"
        if len(self) < MOST_NAMES:  # anybody may invent names
            self[name] = key
        return key


_keys = _Keys()


def environ_of(scope: Any) -> Environ:
    """Describe a request as WSGI does: texts are bytes, each as a Latin-1 letter."""
    path: str = scope.path
    server, _, port = scope.server.rpartition(":")
    environ: Environ = {_keys[name]: value for name, value in scope.headers.items()}
    environ |= {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path if path.isascii() else path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "SERVER_NAME": server,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "wsgi.url_scheme": scope.scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    return environ
