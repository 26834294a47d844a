"""Which addresses belong to the open internet; all others are somebody's own, and are never asked.

Source: the IANA registries of special-purpose addresses (RFC 6890 and what came after), as of 2026-11.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

_INNER_4 = tuple(
    (IPv4Network(network), what)
    for network, what in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by a provider's customers"),
        ("127.0.0.0/8", "this machine"),
        (
            "168.63.129.16/32",
            "the host of a machine at Azure",
        ),  # in no registry; Microsoft's own
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved for protocols"),
        ("192.0.2.0/24", "for documentation"),
        ("192.88.99.0/24", "a tunnel's relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "for measurements"),
        ("198.51.100.0/24", "for documentation"),
        ("203.0.113.0/24", "for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
#: Of IPv6 only this was ever given out.
_GIVEN_OUT = IPv6Network("2000::/3")
_INNER_6 = tuple(
    (IPv6Network(network), what)
    for network, what in (
        ("2001::/23", "reserved for protocols"),  # Teredo among them
        ("2001:db8::/32", "for documentation"),
        ("3fff::/20", "for documentation"),
    )
)
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_6TO4 = IPv6Network("2002::/16")
#: Interface identifiers behind which ISATAP (RFC 5214 §6.1) puts an IPv4 address.
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})


def why_inner(address: Address) -> str | None:
    """Say what makes an address somebody's own; None for one of the open internet.

    IPv4 addresses inside IPv6 ones are taken out and judged: a tunnel or a translator would lead there.
    """
    if isinstance(address, IPv4Address):
        return next((what for network, what in _INNER_4 if address in network), None)
    within = _within(address)
    if within is not None and (why := why_inner(within)) is not None:
        return f"{why} ({within})"
    if address in _NAT64 or address in _MAPPED:
        return None
    if address not in _GIVEN_OUT or address.scope_id is not None:
        return "not of the open internet"
    return next((what for network, what in _INNER_6 if address in network), None)


def _within(address: IPv6Address) -> IPv4Address | None:
    number = int(address)
    if address in _MAPPED or address in _NAT64 or (number >> 32 & 0xFFFFFFFF) in _ISATAP:
        return IPv4Address(number & 0xFFFFFFFF)
    return IPv4Address(number >> 80 & 0xFFFFFFFF) if address in _6TO4 else None


def plain(text: str) -> Address:
    """Read an address; one of IPv4 that is written as IPv6 (::ffff:a.b.c.d) becomes what it is.

    Raises:
        ValueError: it is none.
    """
    found = ip_address(text)
    return (isinstance(found, IPv6Address) and found.ipv4_mapped) or found
