"""What we fetch on a stranger's word never reaches a machine of our own (facts 6.4; ASVS 1.3.6)."""

from ipaddress import ip_address

import dns.resolver
import pytest

from campaigns.delivery.fetching import Fetcher, Limits
from campaigns.delivery.fetching.networks import why_inner

INNER = (
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "224.0.0.1", "255.255.255.255", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1", "fd12::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "2002:7f00:1::",
    "2002:a00:1::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "100::1", "fe80::5efe:7f00:1",
)  # fmt: skip
#: Ways to write an inner machine that some reader or resolver takes.
WRITTEN = (
    "http://127.0.0.1/", "http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://017700000001/", "http://0/",
    "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://[fe80::1%25eth0]/",
    "http://localhost/", "http://localhost./", "http://127.0.0.1.:80/", "http://169.254.169.254/latest/meta-data/", "http://①②⑦.0.0.1/",
    "http://a@127.0.0.1/", "http://shop.example@127.0.0.1/", "http://127.0.0.1#@shop.example/", "http://127.0.0.1\\@shop.example/",
    "http://shop.example:22/", "http://shop.example:6379/", "file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/",
    "http:///etc/passwd", "//127.0.0.1/", "http://127.0.0.1\r\nHost: x/", "data:text/html,x", "javascript:x", "http://[::]/", "unix:///run/x",
)  # fmt: skip


@pytest.mark.parametrize("address", INNER)
def test_no_address_of_our_own_is_taken_for_the_internet(address):
    assert why_inner(ip_address(address)) is not None


@pytest.mark.parametrize("url", WRITTEN)
def test_no_way_of_writing_it_makes_us_connect(url):
    dialled: list[object] = []

    def dial(*asked, **more):
        dialled.append(asked)
        raise AssertionError("connected")

    nobody = dns.resolver.Resolver(configure=False)
    nobody.nameservers, nobody.port, nobody.lifetime = (
        ["127.0.0.1"],
        9,
        0.2,
    )  # the test asks no server of elsewhere
    answer = Fetcher(nobody, Limits(seconds=3), dial=dial).fetch(url)
    assert dialled == []
    assert not answer.is_alive
    assert answer.trouble


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2001:4860:4860::8888", "64:ff9b::808:808"]
)
def test_the_internet_is_not_shut_off_altogether(address):
    assert why_inner(ip_address(address)) is None
