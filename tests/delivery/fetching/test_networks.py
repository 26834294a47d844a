"""No address of somebody's own is ever asked, however it is written; judged by another reading of the rules."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.delivery.fetching.networks import plain, why_inner

INNER = """
    0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254
    169.254.169.254 168.63.129.16 ::ffff:168.63.129.16 64:ff9b::a83f:8110 172.16.0.1 172.31.255.255 192.0.0.8 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1
    198.19.255.255 198.51.100.7 203.0.113.7 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
    :: ::1 ::7f00:1 ::a00:1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:0:127.0.0.1
    64:ff9b::7f00:1 64:ff9b::a00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::7f00:1 64:ff9b:1:a00:1::
    64:ff9b:1::808:808 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:2::1 2001:10::1 2001:20::1
    2001:db8::1 2002:7f00:1:: 2002:a00:1::1 2002:c0a8:101::1 3fff::1 fc00::1 fd12:3456::1 fe80::1 fec0::1
    ff02::1 ff0e::1 fe80::5efe:7f00:1 2600::5efe:10.0.0.1 2600::200:5efe:7f00:1 5f00::1 4000::1 fe80::1%eth0
"""
OUTER = """
    1.1.1.1 8.8.8.8 9.9.9.9 93.184.215.14 100.63.255.255 100.128.0.1 126.255.255.255 128.0.0.1 172.15.255.255
    168.63.129.15 168.63.129.17 172.32.0.1 192.0.1.1 192.167.255.255 192.169.0.1 198.17.255.255 198.20.0.1 223.255.255.255
    2606:4700:4700::1111 2a00:1450:4001:82f::200e 2001:4860:4860::8888 2400:cb00::1
    64:ff9b::808:808 ::ffff:8.8.8.8 2002:808:808::1 2600::5efe:808:808
"""


@pytest.mark.parametrize("text", INNER.split())
def test_an_inner_address_is_refused(text):
    assert why_inner(ip_address(text))


@pytest.mark.parametrize("text", OUTER.split())
def test_an_address_of_the_open_internet_is_not(text):
    assert why_inner(ip_address(text)) is None


def test_ipv4_written_as_ipv6_is_ipv4():
    assert plain("::ffff:8.8.8.8") == IPv4Address("8.8.8.8")


def oracle_4(address: IPv4Address) -> bool:
    """The standard library's own tables, with what they leave out."""
    odd = address.is_multicast or address.is_reserved or address in ip_network("192.88.99.0/24")
    shared = address in ip_network("100.64.0.0/10") or str(address) == "168.63.129.16"
    return address.is_global and not odd and not shared and address not in ip_network("192.0.0.0/24")


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**32 - 1).map(IPv4Address) | st.sampled_from(["10", "127", "172", "192", "198", "169", "100", "224"]).flatmap(
    lambda first: st.tuples(*[st.integers(0, 255)] * 3).map(lambda rest: IPv4Address(".".join([first, *map(str, rest)])))
))  # fmt: skip
def test_ipv4_is_judged_as_the_standard_library_judges(address):
    assert (why_inner(address) is None) == oracle_4(address)


def wrappings(address: IPv4Address):
    """Every way in which IPv6 carries an IPv4 address, written as text."""
    high, low = f"{int(address) >> 16:x}", f"{int(address) & 0xFFFF:x}"
    return [
        f"::ffff:{address}",
        f"::{high}:{low}",
        f"::ffff:0:{high}:{low}",
        f"64:ff9b::{high}:{low}",
        f"64:ff9b:1::{high}:{low}",
        f"2002:{high}:{low}::1",
        f"2001:0:{high}:{low}::1",
        f"2001:0:808:808:0:0:{int(address) >> 16 ^ 0xFFFF:x}:{int(address) & 0xFFFF ^ 0xFFFF:x}",
        f"2600::5efe:{high}:{low}",
    ]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_no_wrapping_opens_a_way_to_an_inner_address(address):
    if not oracle_4(address):
        for text in wrappings(address):
            assert why_inner(ip_address(text)), text


@settings(max_examples=400, deadline=None)
@given(
    st.integers(0, 2**128 - 1).map(IPv6Address)
    | st.integers(0x2000 << 112, (0x4000 << 112) - 1).map(IPv6Address)
)
def test_ipv6_beyond_what_was_given_out_is_refused(address):
    if why_inner(address) is None:
        assert address.is_global
        kinds = (address.is_multicast, address.is_private, address.is_link_local, address.is_site_local)
        assert not any(kinds)
        assert (
            address in ip_network("2000::/3") or address in ip_network("64:ff9b::/96") or address.ipv4_mapped
        )
