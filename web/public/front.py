"""The pixel and the redirect, answered before Flask: they come in bursts, and share their commits."""

from collections.abc import Callable, Iterable
from datetime import datetime
from http import HTTPStatus
from typing import Any, NamedTuple

from campaigns import metrics
from campaigns.clock import utc_now
from campaigns.tracking.instrument import HONEYPOT
from campaigns.tracking.tokens import Keyring, Purpose
from web.public.book import Book, Entry, Unwritten
from web.public.destinations import Destinations, NotAtOnce, Nowhere
from web.public.requests import hit

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

#: One transparent pixel.
GIF = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00"
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
_QUIET = [
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Robots-Tag", "noindex"),
    ("X-Content-Type-Options", "nosniff"),
]
_SORRY = b"Busy. Please try again in a moment.\n"
_ANSWERED = ("GET", "HEAD", "OPTIONS")
_HONEYPOT = str(HONEYPOT)
#: Where the link leads that no person sees: a page that says so, wherever a proxy has put our addresses.
_NOTHING = [("Location", "../../n"), ("Content-Length", "0"), *_QUIET]


class Reply(NamedTuple):
    """What a request is answered; who asked with HEAD gets no body."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""


class Prepared(NamedTuple):
    """What is to be written down, and what may be answered once it is."""

    entry: Entry
    reply: Reply


PIXEL = Reply(200, [("Content-Type", "image/gif"), ("Content-Length", str(len(GIF))), *_QUIET], GIF)
#: What may be asked here; programs that check links ask so before they follow one.
ALLOWED = Reply(204, [("Allow", ", ".join(_ANSWERED)), *_QUIET])
BUSY = Reply(
    503,
    [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(_SORRY))),
        ("Retry-After", "2"),
        *_QUIET,
    ],
    _SORRY,
)


class Front:
    """Answers /o/TOKEN and /c/TOKEN/N; all else, and every click that leads nowhere, goes to the pages.

    As a WSGI application it waits for each commit in the server's thread; the door waits in its loop.
    """

    def __init__(
        self,
        pages: Application,
        *,
        keyring: Keyring,
        book: Book,
        destinations: Destinations,
        clock: Callable[[], datetime] = utc_now,
        takes_calls: Callable[[str], bool] = lambda _path: False,
    ) -> None:
        self.pages = pages
        self.takes_calls = takes_calls  #: whether a path is where a provider calls
        self.book = book
        self._keyring = keyring
        self._destinations = destinations
        self._clock = clock

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            prepared = self.prepare(environ)
            if prepared is None:
                return self.pages(environ, start_response)
            self.book.write(prepared.entry)
            reply = prepared.reply
        except Unwritten:
            metrics.hits_refused(1)
            reply = BUSY
        start_response(f"{reply.status} {HTTPStatus(reply.status).phrase}", reply.headers)
        return [] if environ.get("REQUEST_METHOD") == "HEAD" else [reply.body]

    def prepare(self, environ: Environ, *, at_once: bool = False) -> Prepared | None:
        """Say what to write down and what to answer then; None: the pages answer.

        Raises:
            Unwritten: the store cannot be asked where the link leads.
            NotAtOnce: `at_once` was asked for, and the store must be asked.
        """
        path = environ.get("PATH_INFO") or "/"
        asked = path[:3]
        if asked not in {"/o/", "/c/"} or environ.get("REQUEST_METHOD") not in _ANSWERED:
            return None
        if asked == "/o/":
            prepared: Prepared | None = self._open(path[3:], environ)
        else:
            prepared = self._click(path[3:], environ, at_once=at_once)
        if prepared is not None and environ["REQUEST_METHOD"] == "OPTIONS":
            return Prepared(prepared.entry, ALLOWED)
        return prepared

    def _open(self, text: str, environ: Environ) -> Prepared:
        token = self._keyring.read(Purpose.OPEN, text)
        if token is None:
            return Prepared("open", PIXEL)
        return Prepared(hit("open", token, environ, now=self._clock()), PIXEL)

    def _click(self, text: str, environ: Environ, *, at_once: bool) -> Prepared | None:
        signed, _, number = text.partition("/")
        token = self._keyring.read(Purpose.CLICK, signed)
        if token is None:
            return None
        if number == _HONEYPOT:
            return Prepared(
                hit("click", token, environ, now=self._clock(), link=HONEYPOT), Reply(302, _NOTHING)
            )
        try:
            destination = self._destinations.find(token.run, number, at_once=at_once)
        except Nowhere:
            return None
        except NotAtOnce:
            raise
        except Exception as error:
            raise Unwritten("The store cannot be asked.") from error
        headers = [("Location", destination), ("Content-Length", "0"), *_QUIET]
        entry = hit("click", token, environ, now=self._clock(), link=int(number))
        return Prepared(entry, Reply(302, headers))
