"""Where numbered links lead: looked up once, then remembered; only what a run stored, and only the web."""

import re
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import idna
from sqlalchemy.orm import Session, sessionmaker

from campaigns.records import links

REMEMBERED = 50_000  #: links; about 15 MB
LONGEST_NUMBER = 6  #: digits
_PLAIN = re.compile(r"https?://[!-\[\]-~]+", re.IGNORECASE).fullmatch  # printable ASCII without a backslash
_KEPT = "/:?#[]@!$&'()*+,;=%-._~"


class Nowhere(LookupError):
    """The run has no such link, or none that a browser may be sent to."""


class NotAtOnce(Exception):
    """The store must be asked where the link leads."""


class Destinations:
    """The links of all runs; they never change once a run is open, so nothing here goes stale."""

    def __init__(self, readers: sessionmaker[Session]) -> None:
        self._readers = readers
        self._remembered: dict[tuple[int, int], str] = {}

    def find(self, run: int, number: str, *, at_once: bool = False) -> str:
        """Give the address for a Location header.

        Raises:
            Nowhere: there is none.
            NotAtOnce: `at_once` was asked for, and the link is not remembered.
        """
        if not (number.isascii() and number.isdigit() and len(number) <= LONGEST_NUMBER):
            raise Nowhere
        key = run, int(number)
        found = self._remembered.get(key)
        if found is None:
            if at_once:
                raise NotAtOnce
            found = self._look_up(*key)
            if len(self._remembered) >= REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = found
        return found

    def _look_up(self, run: int, number: int) -> str:
        with self._readers() as session:
            stored = links.destination(session, run, number)
        found = None if stored is None else location(stored)
        if found is None:
            raise Nowhere
        return found


def location(url: str) -> str | None:
    """Write an address as a Location header needs it, in ASCII; None if no browser may be sent there."""
    try:
        parts = urlsplit(url)
        host, port, user = parts.hostname, parts.port, parts.username
        if parts.scheme not in {"http", "https"} or not host or user is not None:
            return None
        if not url.isascii() or "%" in host:
            place = _ascii_host(host) + ("" if port is None else f":{port}")
            url = urlunsplit((parts.scheme, place, *(quote(part, safe=_KEPT) for part in parts[2:])))
    except (ValueError, idna.IDNAError):
        return None
    return url if _PLAIN(url) else None


def _ascii_host(host: str) -> str:
    """Write a host in A-labels; it may have been percent-encoded on its way here."""
    if ":" in host:
        return f"[{host}]"
    return idna.encode(unquote(host), uts46=True).decode()
