"""Whose servers take a domain's mail, asked of a name server on loopback."""

import dns.resolver
import pytest

from campaigns.delivery.lanes import lane_of_servers
from campaigns.delivery.mx import KNOWN, Heard, Mail, ask, ask_all, is_askable
from tests.name_server import NameServer

TABLE = {
    ("workspace.net", "MX"): ["10 alt1.aspmx.l.google.com.", "1 ASPMX.L.google.com."],
    ("firm.net", "MX"): ["0 firm-net.mail.protection.outlook.com."],
    ("private.net", "MX"): ["2 hotmail-com.olc.protection.outlook.com."],
    ("new.net", "MX"): ["10 new-net.a-b-c.mx.microsoft."],
    ("guarded.net", "MX"): ["10 mxa-001.pphosted.com.", "20 mail.guarded.net."],
    ("own.net", "MX"): ["10 mail.own.net."],
    ("host.net", "A"): ["192.0.2.1"],
    ("null.net", "MX"): ["0 ."],
    ("empty.net", "TXT"): ['"nothing here"'],
}


@pytest.mark.parametrize(
    ("domain", "mail", "lane"),
    [
        ("workspace.net", Mail.TAKEN, "google"),
        ("firm.net", Mail.TAKEN, "microsoft 365"),
        ("private.net", Mail.TAKEN, "microsoft"),
        ("new.net", Mail.TAKEN, "microsoft 365"),
        ("guarded.net", Mail.TAKEN, "proofpoint"),
        ("own.net", Mail.TAKEN, "other"),
        ("host.net", Mail.TAKEN, "other"),
        ("null.net", Mail.REFUSED, "other"),
        ("empty.net", Mail.MISSING, "other"),
        ("nowhere.net", Mail.MISSING, "other"),
        ("a..b.net", Mail.MISSING, "other"),
        ("x" * 64 + ".net", Mail.MISSING, "other"),
    ],
)
def test_a_domain_is_known_by_its_servers(domain, mail, lane):
    with NameServer(TABLE) as server:
        heard = ask(domain, server.resolver())
        assert (heard.mail, heard.lane) == (mail, lane)


def test_the_best_server_decides_and_all_are_kept():
    with NameServer(TABLE) as server:
        heard = ask("workspace.net", server.resolver())
    assert heard.servers == "aspmx.l.google.com alt1.aspmx.l.google.com"


def test_a_name_that_only_looks_like_a_providers_is_another():
    assert lane_of_servers(["mx.notgoogle.com", "google.com.evil.net"]) == "other"
    assert lane_of_servers(["mail.own.net", "mx1.mail.icloud.com"]) == "apple"


def test_where_nobody_answers_only_a_few_are_waited_for():
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.lifetime = ["127.0.0.1"], 9, 0.3
    asked, resolve = [], resolver.resolve

    def counted(name, *given, **named):
        asked.append(name)
        return resolve(name, *given, **named)

    resolver.resolve = counted
    heard = list(ask_all([f"d{n}.net" for n in range(300)], resolver))
    assert 0 < len(asked) < 60
    assert heard == [Heard(f"d{n}.net", Mail.UNHEARD) for n in range(300)]


def test_many_are_asked_at_once_and_told_in_order():
    table = {(name, "MX"): ["1 mx.own.net."] for name in [*KNOWN, *(f"d{n}.net" for n in range(0, 120, 2))]}
    with NameServer(table) as server:
        heard = list(ask_all([f"d{n}.net" for n in range(120)], server.resolver()))
    assert [one.mail for one in heard] == [Mail.TAKEN, Mail.MISSING] * 60


def test_a_name_server_that_denies_well_known_domains_is_believed_of_none_that_is_missing():
    with NameServer({("own.net", "MX"): ["1 mx.own.net."]}) as server:
        heard = ask_all(["firm.net", "own.net", "gone.net"], server.resolver())
    assert [one.mail for one in heard] == [Mail.UNHEARD, Mail.TAKEN, Mail.UNHEARD]


def test_domains_that_are_all_gone_are_so_while_well_known_ones_are_there():
    with NameServer({(name, "MX"): ["1 mx.own.net."] for name in KNOWN}) as server:
        heard = ask_all([f"gone{n}.net" for n in range(20)], server.resolver())
    assert {one.mail for one in heard} == {Mail.MISSING}


@pytest.mark.parametrize("domain", ["shop.example", "example.com", "x.test", "localhost", "a", "", "a..net"])
def test_nobody_is_asked_about_what_is_no_strangers_domain(domain):
    assert not is_askable(domain)
