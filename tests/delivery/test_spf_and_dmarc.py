"""SPF is followed and counted as receivers do, DMARC's tree is walked as RFC 9989 says."""

import pytest

from campaigns.delivery import dmarc, spf
from tests.name_server import NameServer, text_record


def table_of(records):
    return {(name, "TXT"): [text_record(text)] for name, text in records.items()}


def read(records, address=None, domain="a.example", more=()):
    with NameServer(table_of(records) | dict(more)) as server:
        return spf.read(domain, records[domain], server.resolver(), address)


HOSTS = {
    ("a.example", "A"): ["192.0.2.1"],
    ("h.example", "A"): ["192.0.2.77"],
    ("h.example", "AAAA"): ["2001:db8::7"],
    ("a.example", "MX"): ["10 h.example."],
}


@pytest.mark.parametrize(
    ("record", "address", "result"),
    [
        ("v=spf1 ip4:192.0.2.0/24 -all", "192.0.2.255", "pass"),
        ("v=spf1 ip4:192.0.2.0/24 -all", "192.0.3.0", "fail"),
        ("v=spf1 ip6:2001:db8::/32 ~all", "2001:db8:ffff::1", "pass"),
        ("v=spf1 ip6:2001:db8::/32 ~all", "192.0.2.1", "softfail"),
        ("v=spf1 a -all", "192.0.2.1", "pass"),
        ("v=spf1 a/24 -all", "192.0.2.200", "pass"),
        ("v=spf1 a:h.example//64 -all", "2001:db8::ffff", "pass"),
        ("v=spf1 a:h.example/24//128 -all", "192.0.2.1", "pass"),
        ("v=spf1 mx -all", "192.0.2.77", "pass"),
        ("v=spf1 -ip4:192.0.2.1 +all", "192.0.2.1", "fail"),
        ("v=spf1 ip4:192.0.2.1 -all ip4:192.0.2.2", "192.0.2.2", "fail"),
        ("v=spf1 include:b.example ?all", "198.51.100.1", "pass"),
        ("v=spf1 include:b.example ?all", "198.51.100.2", "neutral"),
        ("v=spf1 redirect=b.example", "198.51.100.2", "fail"),
        ("v=spf1 redirect=b.example ~all", "198.51.100.2", "softfail"),
        ("v=spf1", "192.0.2.1", "neutral"),
    ],
)
def test_an_address_is_judged_as_receivers_do(record, address, result):
    found = read({"a.example": record, "b.example": "v=spf1 ip4:198.51.100.1 -all"}, address, more=HOSTS)
    assert (found.result, found.wrong) == (result, [])


def test_lookups_are_counted_through_all_that_is_included():
    records = {"a.example": "v=spf1 include:b.example include:c.example a mx -all"}
    records["b.example"] = "v=spf1 include:c.example exists:%{i}.x.example ptr -all"
    records["c.example"] = "v=spf1 ip4:192.0.2.1 a:h.example -all"
    found = read(records, more=HOSTS)
    assert found.lookups == 2 + 2 + (1 + 2) + 1 + 1
    assert (found.wrong, found.ending) == ([], "fail")


def test_more_than_ten_lookups_are_wrong():
    records = {"a.example": "v=spf1 " + " ".join(f"include:i{at}.example" for at in range(11)) + " -all"}
    records |= {f"i{at}.example": "v=spf1 ip4:192.0.2.1 -all" for at in range(11)}
    assert read(records).wrong == ["11 lookups; receivers stop after 10"]
    tenth = {**records, "a.example": records["a.example"].replace(" include:i10.example", "")}
    assert read(tenth).wrong == []


def test_a_record_that_includes_without_end_is_given_up():
    loop = {"a.example": "v=spf1 include:b.example -all", "b.example": "v=spf1 include:a.example -all"}
    assert any("includes itself" in one for one in read(loop).wrong)
    wide = {
        f"n{at}.example": f"v=spf1 include:n{at + 1}.example include:n{at + 1}.example -all"
        for at in range(20)
    }
    assert read(wide, domain="n0.example").lookups <= 60


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ("v=spf1 include:none.example -all", "none.example has no SPF record"),
        ("v=spf1 ip4:300.1.1.1 -all", "no network"),
        ("v=spf1 foo:bar -all", "no mechanism"),
        ("v=spf1 =x -all", "cannot be read"),
        ("v=spf1 a:n1.example a:n2.example mx:n3.example -all", "3 lookups find nothing"),
    ],
)
def test_what_makes_receivers_give_up_is_told(record, said):
    assert any(said in one for one in read({"a.example": record}).wrong)


# ---- DMARC


def look(records, domain):
    with NameServer(table_of(records)) as server:
        return dmarc.look_up(domain, server.resolver())


def test_at_most_eight_names_are_asked():
    assert dmarc.steps("a.mail.shop.example") == [
        "a.mail.shop.example",
        "mail.shop.example",
        "shop.example",
        "example",
    ]
    deep = ".".join("abcdefghij") + ".example"
    asked = dmarc.steps(deep)
    assert (len(asked), asked[0], asked[1]) == (8, deep, "e.f.g.h.i.j.example")
    assert asked[-1] == "example"


@pytest.mark.parametrize(
    ("records", "organisation", "policy", "asks"),
    [
        ({}, "a.mail.shop.example", None, None),
        ({"shop.example": "p=reject"}, "shop.example", "shop.example", "reject"),
        ({"shop.example": "p=reject; sp=none"}, "shop.example", "shop.example", "none"),
        (
            {"mail.shop.example": "p=none", "shop.example": "p=reject"},
            "shop.example",
            "shop.example",
            "reject",
        ),
        (
            {"a.mail.shop.example": "p=none", "shop.example": "p=reject"},
            "shop.example",
            "a.mail.shop.example",
            "none",
        ),
        (
            {"mail.shop.example": "p=none; psd=n", "shop.example": "p=reject"},
            "mail.shop.example",
            "mail.shop.example",
            "none",
        ),
        ({"example": "p=reject; psd=y"}, "shop.example", "example", "reject"),
        ({"shop.example": "p=quarantine; psd=y"}, "mail.shop.example", "shop.example", "quarantine"),
        ({"shop.example": "rua=mailto:x@y.example"}, "shop.example", "shop.example", "none"),
    ],
)
def test_the_policy_and_the_organisation_are_found_by_walking_up(records, organisation, policy, asks):
    named = {f"_dmarc.{name}": f"v=DMARC1; {text}" for name, text in records.items()}
    found = look(named, "a.mail.shop.example")
    assert found.organisation == organisation
    assert (found.policy and found.policy.domain) == policy
    assert (found.policy and found.policy.asks("a.mail.shop.example")) == asks


def test_domains_are_aligned_under_one_organisation_or_as_one():
    records = {
        "_dmarc.shop.example": "v=DMARC1; p=reject",
        "_dmarc.own.shop.example": "v=DMARC1; p=none; psd=n",
    }
    shop, below, own, other = (
        look(records, name)
        for name in ("shop.example", "mail.shop.example", "own.shop.example", "shop2.example")
    )
    assert dmarc.aligned(shop, below, "r")
    assert not dmarc.aligned(shop, below, "s")
    assert not dmarc.aligned(shop, own, "r")
    assert not dmarc.aligned(shop, other, "r")


def test_what_is_no_policy_is_passed_over():
    records = {"_dmarc.shop.example": "v=DMARC2; p=reject", "_dmarc.example": "hello; v=DMARC1"}
    assert look(records, "shop.example").policy is None
