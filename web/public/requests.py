"""What a request tells of who asks: a hit, with every text in it hostile."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Any, NamedTuple

from campaigns.tracking.tokens import Token
from campaigns.values import Hit

Environ = Mapping[str, Any]
LONGEST_ADDRESS = 64  #: an IPv6 address with its zone

#: Headers that people's browsers send, by their names in WSGI. Only the names are kept.
_TELLING = {
    f"HTTP_{name.upper().replace('-', '_')}": name
    for name in (
        "accept", "accept-encoding", "accept-language", "cookie", "dnt", "purpose", "referer", "sec-ch-ua",
        "sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site", "sec-fetch-user", "sec-gpc", "sec-purpose",
        "upgrade-insecure-requests", "x-moz", "x-requested-with",
    )
}  # fmt: skip


def hit(kind: str, token: Token, environ: Environ, *, now: datetime, link: int | None = None) -> Hit:
    """Make the raw hit of a request."""
    return Hit(
        at=now,
        kind=kind,
        run=token.run,
        seq=token.seq,
        contact=token.contact,
        link=link,
        method=str(environ.get("REQUEST_METHOD", ""))[:8],
        agent=_text(environ.get("HTTP_USER_AGENT", "")),
        address=client(environ),
        headers=tuple(name for key, name in _TELLING.items() if key in environ),
    )


def agent(environ: Environ) -> str:
    """Say which program asked, as it says itself."""
    return _text(environ.get("HTTP_USER_AGENT", ""))


def client(environ: Environ) -> str:
    """Say which address asked; a proxy on this machine is believed about whom it asks for, nobody else."""
    peer = _address(str(environ.get("REMOTE_ADDR", ""))[:LONGEST_ADDRESS])
    if not peer.near:
        return peer.text
    last = str(environ.get("HTTP_X_FORWARDED_FOR", "")).rpartition(",")[2].strip()
    return _address(last[:LONGEST_ADDRESS]).text or peer.text


class _Address(NamedTuple):
    text: str  #: empty: it is none
    near: bool  #: this machine


@lru_cache(4096)
def _address(text: str) -> _Address:
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return _Address("", near=False)
    if isinstance(found, IPv6Address):  # a socket of both families names IPv4 within IPv6
        found = found.ipv4_mapped or found
    return _Address(str(found), near=found.is_loopback)


def _text(value: object) -> str:
    """WSGI gives bytes as Latin-1 letters; agents mostly mean UTF-8."""
    return str(value).encode("latin-1", "replace").decode("utf-8", "replace")
