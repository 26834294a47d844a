"""Published networks are read as they come, found fast, and every line that is none is told."""

import ipaddress
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.errors import BadInput
from campaigns.tracking.ranges import NONE, Range, RangeKind, Ranges, RangesAt, read_ranges

SCANNER, CLOUD = Range(RangeKind.SCANNER, "Sentry"), Range(RangeKind.CLOUD, "Rent")
NETWORKS = st.builds(
    lambda start, bits, owner: (f"{ipaddress.ip_address(start)}/{bits}", owner),
    st.integers(0x0A000000, 0x0A00FFFF),
    st.integers(20, 32),
    st.sampled_from([SCANNER, CLOUD, Range(RangeKind.RELAY, "Apple")]),
)


@given(st.lists(NETWORKS, max_size=12), st.integers(0x0A000000, 0x0A00FFFF))
@settings(max_examples=200, deadline=None)
def test_an_address_is_of_the_weightiest_network_that_holds_it(networks, number) -> None:
    address = ipaddress.ip_address(number)
    holding = [owner for text, owner in networks if address in ipaddress.ip_network(text, strict=False)]
    order = list(RangeKind)
    expected = min(holding, key=lambda owner: order.index(owner.kind), default=None)
    assert Ranges(networks).find(str(address)) == expected


@pytest.mark.parametrize("address", ["", "x", "/24", "999.1.1.1", "::ffff", "\0"])
def test_what_is_no_address_of_a_network_has_no_owner(address) -> None:
    assert Ranges([("198.51.100.0/24", SCANNER)]).find(address) is None
    assert NONE.find(address) is None


def test_an_address_of_the_old_sort_in_the_new_sorts_dress_is_itself() -> None:
    assert Ranges([("198.51.100.0/24", SCANNER)]).find("::ffff:198.51.100.7") == SCANNER


def test_a_folder_may_hold_files_of_each_shape(tmp_path) -> None:
    (tmp_path / "scanner-sentry.txt").write_text(
        "\ufeff198.51.100.0/24\n# a comment\n\n2001:db8:1::/48 # too\n"
    )
    (tmp_path / "egress-ip-ranges.csv").write_text("172.224.226.0/27,GB,GB-EN,London,\n2a02:26f7::/64,,,,\n")
    (tmp_path / "ours.csv").write_text("203.0.113.0/25,cloud,Rent & Co\n203.0.113.128/25,SCANNER\n")
    (tmp_path / "notes.md").write_text("nothing of ours")
    found = read_ranges(tmp_path).find
    assert found("198.51.100.9") == Range(RangeKind.SCANNER, "sentry")
    assert found("2001:db8:1::5") == Range(RangeKind.SCANNER, "sentry")
    assert found("172.224.226.3") == found("2a02:26f7::1") == Range(RangeKind.RELAY, "Apple")
    assert found("203.0.113.1") == Range(RangeKind.CLOUD, "Rent & Co")
    assert found("203.0.113.200") == Range(RangeKind.SCANNER, "scanner")
    assert found("192.0.2.1") is None


def test_every_line_that_does_not_hold_is_told_with_its_place(tmp_path) -> None:
    (tmp_path / "mine.csv").write_text("198.51.100.0/24\nnonsense,cloud,X\n203.0.113.0/24,cloud,Y\n")
    with pytest.raises(BadInput) as error:
        read_ranges(tmp_path)
    told = [str(problem) for problem in error.value.problems]
    assert told[0].startswith("mine.csv line 1: it does not say whose network it is. Write network,kind,name")
    assert told[1].startswith("mine.csv line 2: 'nonsense' is no network.")
    assert len(told) == 2


def test_changed_files_are_read_again_and_broken_ones_leave_the_last_good(tmp_path) -> None:
    file = tmp_path / "scanner-a.txt"
    file.write_text("198.51.100.0/24\n")
    ranges = RangesAt(tmp_path)
    assert ranges().find("198.51.100.1") is not None
    assert ranges() is ranges()
    file.write_text("not a network\n")
    os.utime(file, ns=(1, 1))
    with pytest.raises(BadInput):
        ranges()
    assert ranges().find("198.51.100.1") is not None
    file.write_text("203.0.113.0/24\n")
    os.utime(file, ns=(2, 2))
    assert ranges().find("203.0.113.1") is not None


def test_no_place_and_an_empty_one_know_nobody(tmp_path) -> None:
    assert RangesAt(None)() is NONE
    assert RangesAt(tmp_path / "missing")().find("198.51.100.1") is None


PUBLISHED = {
    "cloud-amazon.json": '{"syncToken": "1", "createDate": "2026-11-01-00-00-00", "prefixes": [{"ip_prefix":'
    ' "3.2.34.0/26", "region": "af-south-1"}], "ipv6_prefixes": [{"ipv6_prefix": "2a05:d07a:a000::/40"}]}',
    "cloud-google.json": '{"prefixes": [{"ipv4Prefix": "34.1.208.0/20", "scope": "africa-south1"},'
    ' {"ipv6Prefix": "2600:1900:8000::/44"}]}',
    "cloud-azure.json": '{"cloud": "Public", "values": [{"name": "ActionGroup", "properties": {"platform":'
    ' "Azure", "addressPrefixes": ["4.145.74.52/30", "2603:1000:4:402::178/125"]}}]}',
    "cloud-oracle.json": '{"regions": [{"region": "us-phoenix-1", "cidrs": [{"cidr": "129.146.0.0/21"}]}]}',
}


def test_clouds_lists_are_taken_as_they_are_published(tmp_path) -> None:
    for name, text in PUBLISHED.items():
        (tmp_path / name).write_text(text)
    found = read_ranges(tmp_path)
    assert found.count == 7
    assert found.find("3.2.34.9") == found.find("2a05:d07a:a0ff::1") == Range(RangeKind.CLOUD, "amazon")
    assert found.find("4.145.74.53") == Range(RangeKind.CLOUD, "azure")
    assert found.find("129.146.7.255") == Range(RangeKind.CLOUD, "oracle")


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("cloud-x.json", "{", "cloud-x.json: is no JSON: "),
        ("cloud-x.json", "[" * 100_000, "cloud-x.json: is no JSON: "),
        ("cloud-x.json", '{"prefixes": ["a/b", 7, null]}', "cloud-x.json: holds no network."),
        ("ranges.json", '["3.2.34.0/26"]', "ranges.json: does not say whose networks it holds."),
    ],
)
def test_a_document_that_holds_no_networks_is_told(tmp_path, name, text, told) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadInput) as caught:
        read_ranges(tmp_path)
    assert told in str(caught.value)
