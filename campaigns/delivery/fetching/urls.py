"""Reads an address of the web in one way only: what two programs may read differently is refused."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote, urljoin, urlsplit

import idna

from campaigns.delivery.fetching.answers import Refused, Trouble
from campaigns.delivery.fetching.networks import Address, plain

PORTS = {"http": 80, "https": 443}
LONGEST = 4000  #: letters of an address
_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f\\\u200b-\u200f\u2028-\u202e\ufeff]")
_NAME = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)\Z")
#: Stays as it is in a request; everything else is percent-encoded.
_SAFE = "/?#[]@!$&'()*+,;=:%~-._"


@dataclass(frozen=True, slots=True)
class Target:
    """An address taken apart."""

    scheme: str
    host: str  #: ASCII, without a dot at its end; of an IP address its plain form
    port: int
    resource: str  #: path and query, encoded
    literal: Address | None = None  #: where the host is an IP address

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if isinstance(self.literal, IPv6Address) else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The address as it is asked for."""
        return f"{self.scheme}://{self.authority}{self.resource}"


def read_url(text: str) -> Target:
    """Take an address apart.

    Raises:
        Refused: it is no http or https address, names a user or another port, or its host can be read in
            several ways.
    """
    text = text.strip(" \t\r\n")
    if len(text) > LONGEST or _CONTROL.search(text.replace(" ", "")):
        raise Refused(Trouble.NO_ADDRESS, "letters that do not belong there")
    try:
        parts = urlsplit(text.replace(" ", "%20"))
        scheme, port = parts.scheme.lower(), parts.port
    except ValueError:
        raise Refused(Trouble.NO_ADDRESS, "it cannot be read") from None
    if scheme not in PORTS:
        raise Refused(Trouble.NO_ADDRESS, f"{scheme[:20] or 'nothing'}: is neither http nor https")
    if "@" in parts.netloc:
        raise Refused(Trouble.NO_ADDRESS, "a user's name before its host")
    if port not in {None, *PORTS.values()}:
        raise Refused(Trouble.NO_ADDRESS, f"port {port}")
    host, literal = _host(parts.hostname or "", bracketed="[" in parts.netloc)
    resource = quote(parts.path or "/", safe=_SAFE) + (
        f"?{quote(parts.query, safe=_SAFE)}" if parts.query else ""
    )
    return Target(scheme, host, port or PORTS[scheme], resource, literal)


def _host(host: str, *, bracketed: bool) -> tuple[str, Address | None]:
    if bracketed:
        return _literal(host)
    try:
        name = host if host.isascii() else idna.encode(host, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        raise Refused(Trouble.NO_ADDRESS, "its host is no name") from None
    name = name.lower().removesuffix(".")
    if not _NAME.fullmatch(name):
        raise Refused(Trouble.NO_ADDRESS, "its host is no name")
    if _NUMBER.match(name.rpartition(".")[2]):
        # 2130706433, 0x7f.1 and 0177.0.0.1 are 127.0.0.1 to browsers, and something else to others
        if str(_quad(name)) != name:
            raise Refused(Trouble.NO_ADDRESS, "its host is a number written in an unusual way")
        return _literal(name)
    return name, None


def _quad(name: str) -> IPv4Address | None:
    try:
        return IPv4Address(name)
    except ValueError:
        return None


def _literal(host: str) -> tuple[str, Address]:
    try:
        found = plain("" if "%" in host else host)  # %: one network card of ours
    except ValueError:
        raise Refused(Trouble.NO_ADDRESS, "its host is no address") from None
    return str(found), found


def follow(target: Target, location: str) -> Target:
    """Where a redirect leads.

    Raises:
        Refused: nowhere that may be asked.
    """
    if len(location) > LONGEST:
        raise Refused(Trouble.NO_ADDRESS, "a redirect without end")
    try:
        return read_url(urljoin(target.url, location.strip()))
    except ValueError:
        raise Refused(Trouble.NO_ADDRESS, "a redirect that cannot be read") from None
