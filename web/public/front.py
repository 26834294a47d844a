"""The pixel and the redirect, answered before Flask: they come in bursts, and share their commits."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from campaigns.clock import utc_now
from campaigns.tracking.tokens import Keyring, Purpose
from web.public.book import Book, Unwritten
from web.public.destinations import Destinations, Nowhere
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
_PIXEL = [("Content-Type", "image/gif"), ("Content-Length", str(len(GIF))), *_QUIET]
_BUSY = b"Busy. Please try again in a moment.\n"
_BUSY_HEADERS = [
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Content-Length", str(len(_BUSY))),
    ("Retry-After", "2"),
    *_QUIET,
]
_ANSWERED = ("GET", "HEAD")


class Front:
    """Answers /o/TOKEN and /c/TOKEN/N; all else, and every click that leads nowhere, goes to the pages."""

    def __init__(
        self,
        pages: Application,
        *,
        keyring: Keyring,
        book: Book,
        destinations: Destinations,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.pages = pages
        self._keyring = keyring
        self._book = book
        self._destinations = destinations
        self._clock = clock

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO") or "/"
        asked = path[:3]
        if asked not in {"/o/", "/c/"} or environ.get("REQUEST_METHOD") not in _ANSWERED:
            return self.pages(environ, start_response)
        try:
            if asked == "/o/":
                return self._open(path[3:], environ, start_response)
            return self._click(path[3:], environ, start_response)
        except Unwritten:
            start_response("503 Service Unavailable", _BUSY_HEADERS)
            return _body(environ, _BUSY)

    def _open(self, text: str, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        token = self._keyring.read(Purpose.OPEN, text)
        if token is None:
            self._book.count_stray("open")
        else:
            self._book.write(hit("open", token, environ, now=self._clock()))
        start_response("200 OK", _PIXEL)
        return _body(environ, GIF)

    def _click(self, text: str, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        signed, _, number = text.partition("/")
        token = self._keyring.read(Purpose.CLICK, signed)
        if token is None:
            return self.pages(environ, start_response)
        try:
            destination = self._destinations.find(token.run, number)
        except Nowhere:
            return self.pages(environ, start_response)
        except Exception as error:
            raise Unwritten("The store cannot be asked.") from error
        self._book.write(hit("click", token, environ, now=self._clock(), link=int(number)))
        start_response("302 Found", [("Location", destination), ("Content-Length", "0"), *_QUIET])
        return []


def _body(environ: Environ, body: bytes) -> list[bytes]:
    return [] if environ.get("REQUEST_METHOD") == "HEAD" else [body]
