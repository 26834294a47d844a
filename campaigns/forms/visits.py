"""Who posts: a network, never a whole address of it in the store, and how often it may."""

from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b
from ipaddress import IPv4Address, ip_address, ip_network

HOUR = timedelta(hours=1)
BUCKETS = 1 << 16  #: networks share so many counters, so that nobody can fill the store with addresses
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Limits:
    """How many posts are taken in an hour."""

    by_network: int
    by_form: int


SOLVED = Limits(10, 600)  #: of browsers that solved the puzzle
PLAIN = Limits(3, 60)  #: of those that did not: without a script there is no proof of work


def network_of(client: str) -> str:
    """Cut an address short for the record: 203.0.113.0/24, 2001:db8:1::/48; enough to tell a region."""
    return _cut(client, 24, 48)


def counted_as(client: str) -> str:
    """What one visitor is counted as: an IPv4 address, or the /64 that an IPv6 host has to itself."""
    return _cut(client, 32, 64)


def _cut(client: str, four: int, six: int) -> str:
    try:
        address = ip_address(client)
    except ValueError:
        return UNKNOWN
    if not isinstance(address, IPv4Address):
        address = address.ipv4_mapped or address
    length = four if isinstance(address, IPv4Address) else six
    return str(ip_network((address.packed, length), strict=False))


def counter_key(secret: bytes, *what: str, buckets: int | None = None) -> bytes:
    """Name a counter; with buckets many names share one."""
    key = blake2b("\x1f".join(what).encode(), key=secret[:64], digest_size=16).digest()
    if buckets is None:
        return key
    shared = f"{what[0]}{int.from_bytes(key) % buckets}"
    return blake2b(shared.encode(), key=secret[:64], digest_size=16).digest()


def masked(address: str) -> str:
    """What of an address is shown to people of ours, and to whoever holds its mail: a…@example.com."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"
