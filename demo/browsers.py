"""The programs that fetch what is in a mail: people's browsers, image proxies, gateways. Real HTTP, loopback only."""

from collections.abc import Mapping
from http.client import HTTPConnection
from random import Random
from typing import NamedTuple
from urllib.parse import urlsplit

PEOPLE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_6) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Safari/605.1.15",
)
IMAGE_PROXY = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
PRIVACY_PROXY = "Mozilla/5.0"
GATEWAYS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
    "BarracudaSentinel (EE)",
    "python-requests/2.32.4",
)
OF_PEOPLE = {
    "Accept-Language": "de,en;q=0.8",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Site": "none",
}


class Answer(NamedTuple):
    """What a server said."""

    status: int
    location: str
    body: str


class Browser:
    """One program at one loopback address of its own, so that each person has an IP address.

    Gateways stand in networks where no person is, as they mostly do.
    """

    def __init__(self, agent: str, draw: Random, *, person: bool) -> None:
        self._agent = agent
        network = draw.randrange(*((200, 250) if agent in GATEWAYS else (1, 200)))
        self._own = f"127.{network}.{draw.randrange(256)}.{draw.randrange(1, 255)}"
        self._person = person

    def get(self, url: str, method: str = "GET") -> Answer:
        """Fetch an address; redirects are told, not followed: they lead out of this machine."""
        return self._ask(method, url, None, {})

    def post(self, url: str, body: str) -> Answer:
        """Send a form."""
        return self._ask("POST", url, body.encode(), {"Content-Type": "application/x-www-form-urlencoded"})

    def _ask(self, method: str, url: str, body: bytes | None, more: Mapping[str, str]) -> Answer:
        parts = urlsplit(url)
        connection = HTTPConnection(
            parts.hostname or "", parts.port, timeout=30, source_address=(self._own, 0)
        )
        headers = {
            "User-Agent": self._agent,
            "Connection": "close",
            **(OF_PEOPLE if self._person else {}),
            **more,
        }
        try:
            connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), body, headers)
            response = connection.getresponse()
            return Answer(
                response.status,
                response.headers.get("Location", ""),
                response.read().decode("utf-8", "replace"),
            )
        finally:
            connection.close()


def person(draw: Random) -> Browser:
    """A person's browser."""
    return Browser(draw.choice(PEOPLE), draw, person=True)


def image_proxy(draw: Random) -> Browser:
    """Fetches images when a person opens the mail."""
    return Browser(IMAGE_PROXY, draw, person=False)


def privacy_proxy(draw: Random) -> Browser:
    """Fetches images before anybody opens anything."""
    return Browser(PRIVACY_PROXY, draw, person=False)


def gateway(draw: Random) -> Browser:
    """Follows links to see where they lead."""
    return Browser(draw.choice(GATEWAYS), draw, person=False)
