"""What the DNS says of senders, asked of a real name server on loopback."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dns.resolver
import pytest

from campaigns.delivery.dkim import Algorithm
from campaigns.delivery.dkim_keys import make_key, public_text, record_name, record_text
from campaigns.delivery.domains import Unasked, mail_servers
from campaigns.doctor.findings import Level
from campaigns.doctor.senders import Identity, ask, checks_of, examine_senders
from campaigns.doctor.welcome import more_checks_of
from campaigns.records.dkim_keys import DkimKey
from campaigns.values import Sender
from tests.name_server import NameServer, text_record

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
ADA = Sender("Ada", "ada@shop.example", "bounce.shop.example")
GOOD = {
    ("bounce.shop.example", "MX"): ["10 mx.shop.example."],
    ("bounce.shop.example", "TXT"): ['"other"', '"v=spf1 include:" "mail.example -all"'],
    ("mail.example", "TXT"): ['"v=spf1 ip4:192.0.2.0/24 -all"'],
    ("shop.example", "TXT"): ['"nothing"'],
    ("_dmarc.shop.example", "TXT"): ['"v=DMARC1; p=reject"'],
}
PUBLIC, OTHER = (public_text(make_key(Algorithm.RSA)) for _ in range(2))
KEY = DkimKey(
    *(1, "shop.example", "pr1", Algorithm.RSA, PUBLIC, b"x", NOW - timedelta(days=99)),
    active_from=NOW - timedelta(days=90),
    retired_at=None,
)
NAME = record_name("pr1", "shop.example")


def senders(table, *given, keys=()):
    with NameServer(table) as server:
        found = examine_senders(given or (ADA,), list(keys), NOW, server.resolver())
    assert all(finding.cure for finding in found if finding.level is not Level.OK)
    return {finding.check: finding for finding in found}


def more(table, sender=ADA, host=""):
    with NameServer(table) as server:
        found = ask("DNS", more_checks_of(Identity.of(sender, [], host)), server.resolver())
    assert all(finding.cure for finding in found if finding.level is not Level.OK)
    return {finding.check: finding for finding in found}


def levels(found):
    return {check: finding.level.value for check, finding in found.items()}


def test_domains_that_are_set_up_are_well():
    found = senders(GOOD)
    assert levels(found) == {
        "bounce.shop.example: MX": "ok",
        "bounce.shop.example: SPF": "ok",
        "shop.example: DKIM": "warn",
        "shop.example: DMARC": "ok",
    }
    assert found["bounce.shop.example: SPF"].found == "v=spf1 include:mail.example -all (1 of 10 lookups)"


def test_domains_that_do_not_exist_are_named_with_cures():
    found = senders({})
    assert levels(found) == {
        "bounce.shop.example: MX": "bad",
        "bounce.shop.example: SPF": "bad",
        "shop.example: DKIM": "warn",  # the mail server may sign
        "shop.example: DMARC": "bad",
    }
    assert all(finding.cure for finding in found.values())
    ways = found["bounce.shop.example: MX"].cure
    assert all(way in ways for way in ("Maildir", "IMAP", "POP3", "pipe"))
    assert [found[check].records for check in found] == [
        ("bounce.shop.example. 3600 IN MX 10 your-mail-server.",),
        ('bounce.shop.example. 3600 IN TXT "v=spf1 include:your-mail-server ~all"',),
        (),
        ('_dmarc.shop.example. 3600 IN TXT "v=DMARC1; p=none; rua=mailto:dmarc@shop.example"',),
    ]


@pytest.mark.parametrize(
    ("name", "records", "check", "level"),
    [
        (("bounce.shop.example", "MX"), ["0 ."], "bounce.shop.example: MX", "bad"),
        (
            ("bounce.shop.example", "TXT"),
            ['"v=spf1 -all"', '"v=spf1 ~all"'],
            "bounce.shop.example: SPF",
            "bad",
        ),
        (("bounce.shop.example", "TXT"), ['"v=spf1 +all"'], "bounce.shop.example: SPF", "bad"),
        (("bounce.shop.example", "TXT"), ['"v=spf10 -all"'], "bounce.shop.example: SPF", "bad"),
        (("_dmarc.shop.example", "TXT"), ['"v=DMARC1; p=none"'] * 1, "shop.example: DMARC", "ok"),
        (
            ("_dmarc.shop.example", "TXT"),
            ['"v=DMARC1; p=none"', '"v=DMARC1; p=reject"'],
            "shop.example: DMARC",
            "bad",
        ),
    ],
)
def test_records_are_judged(name, records, check, level):
    assert levels(senders(GOOD | {name: records}))[check] == level


def test_the_policy_of_the_domain_above_holds_below():
    below = Sender("Ada", "ada@news.eu.shop.example", "bounce.news.eu.shop.example")
    assert levels(senders(GOOD, below))["news.eu.shop.example: DMARC"] == "ok"


def test_a_host_without_mx_takes_its_own_mail():
    with NameServer({("host.example", "A"): ["192.0.2.1"]}) as server:
        assert mail_servers("host.example", server.resolver()) == ["host.example"]
        assert mail_servers("none.example", server.resolver()) == []


def test_the_best_server_comes_first():
    table = {("shop.example", "MX"): ["20 b.example.", "5 a.example."]}
    with NameServer(table) as server:
        assert mail_servers("shop.example", server.resolver()) == ["a.example", "b.example"]


def test_hostile_records_are_only_text():
    found = senders(GOOD | {("bounce.shop.example", "TXT"): ['"v=spf1 ip4:192.0.2.1 x=\\027[2J\\255 -all"']})
    assert found["bounce.shop.example: SPF"].level is Level.OK


def test_a_bounce_domain_elsewhere_breaks_alignment():
    found = senders(GOOD, Sender("Ada", "ada@shop.example", "bounce.elsewhere.example"))
    assert found["shop.example: alignment"].level is Level.WARN


def test_without_a_network_it_says_so_and_judges_nothing():
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.lifetime = ["127.0.0.1"], 1, 0.5
    found = examine_senders([ADA], [], NOW, resolver)
    assert {finding.level for finding in found} == {Level.WARN}
    assert all("could not ask" in finding.found for finding in found if ": DKIM" not in finding.check)
    with pytest.raises(Unasked):
        mail_servers("shop.example", resolver)


def test_senders_that_share_a_domain_are_told_once():
    with NameServer(GOOD) as server:
        assert len(examine_senders([ADA, ADA], [], NOW, server.resolver())) == 4


def test_no_sender_yet_is_told():
    assert levels({one.check: one for one in examine_senders([], [], NOW)}) == {"senders": "warn"}


# ---- DKIM


def dkim(text, *keys):
    table = GOOD | ({(NAME, "TXT"): [text_record(one) for one in [text]]} if text else {})
    found = senders(table, keys=keys or [KEY])
    return next(one for check, one in found.items() if ": DKIM pr1" in check)


def test_a_key_whose_record_is_there_is_well():
    found = dkim(record_text(Algorithm.RSA, PUBLIC))
    assert (found.level, found.records) == (Level.OK, ())
    assert dkim(f"p={PUBLIC[:80]} {PUBLIC[80:]}").level is Level.OK


@pytest.mark.parametrize(
    ("text", "level", "said"),
    [
        ("", Level.BAD, "no record"),
        (record_text(Algorithm.RSA, OTHER), Level.BAD, "another key"),
        (record_text(Algorithm.ED25519, PUBLIC), Level.BAD, "another key"),
        ("v=DKIM1; p=", Level.BAD, "no key"),
        (record_text(Algorithm.RSA, PUBLIC) + "; t=s:y", Level.WARN, "test"),
    ],
)
def test_a_key_that_signs_without_its_record_is_bad_and_the_record_is_printed(text, level, said):
    found = dkim(text)
    assert found.level is level
    assert said in found.found
    assert found.records[0].startswith(f"{NAME}. 3600 IN TXT ( ")


def test_a_key_that_waits_is_told_what_it_waits_for():
    waiting = replace(KEY, active_from=None)
    missing, there = dkim("", waiting), dkim(record_text(Algorithm.RSA, PUBLIC), waiting)
    assert (missing.level, len(missing.records)) == (Level.WARN, 1)
    assert "dkim check shop.example" in there.cure
    assert there.records == ()


def test_the_record_of_a_rotated_key_must_stay_for_two_weeks():
    new = replace(KEY, id=2, selector="pr2", public=OTHER, active_from=NOW - timedelta(days=3))
    assert dkim("", KEY, new).level is Level.WARN
    assert dkim(record_text(Algorithm.RSA, PUBLIC), KEY, new).level is Level.OK
    long_ago = replace(new, active_from=NOW - timedelta(days=15))
    assert "shop.example: DKIM pr1" not in senders(GOOD, keys=[KEY, long_ago])


def test_a_key_of_the_domain_above_is_the_senders_too():
    below = Sender("Ada", "ada@news.shop.example", "bounce.shop.example")
    table = GOOD | {(NAME, "TXT"): [text_record(record_text(Algorithm.RSA, PUBLIC))]}
    assert levels(senders(table, below, keys=[KEY]))["shop.example: DKIM pr1"] == "ok"
    strict = table | {("_dmarc.shop.example", "TXT"): ['"v=DMARC1; p=reject; adkim=s"']}
    assert "adkim=s" in senders(strict, below, keys=[KEY])["news.shop.example: alignment"].found


def test_a_strict_policy_wants_the_bounce_domain_itself():
    table = GOOD | {("_dmarc.shop.example", "TXT"): ['"v=DMARC1; p=reject; aspf=s"']}
    assert senders(table)["shop.example: alignment"].level is Level.WARN


def test_what_rfc_9989_took_away_is_told():
    table = GOOD | {("_dmarc.shop.example", "TXT"): ['"v=DMARC1; p=reject; pct=50; ri=3600"']}
    found = senders(table)["shop.example: DMARC"]
    assert (found.level, "pct, ri" in found.found) == (Level.WARN, True)
    table = GOOD | {("_dmarc.shop.example", "TXT"): ['"v=DMARC1; rua=mailto:a@b.example"']}
    assert senders(table)["shop.example: DMARC"].level is Level.WARN


def test_a_sending_host_that_spf_does_not_name_is_told():
    table = GOOD | {("out.shop.example", "A"): ["198.51.100.7"], ("in.shop.example", "A"): ["192.0.2.9"]}
    with NameServer(table) as server:
        for host, level in (("out.shop.example", Level.WARN), ("in.shop.example", Level.OK)):
            found = ask("DNS", checks_of(Identity.of(ADA, [], host), NOW), server.resolver())
            assert {one.check: one.level for one in found}["bounce.shop.example: SPF"] is level


# ---- what helps beyond the must


def test_what_is_no_must_is_well_without():
    assert levels(more(GOOD | {("shop.example", "A"): ["192.0.2.1"]})) == {
        "shop.example: MX": "ok",
        "bounce.shop.example: MTA-STS": "ok",
        "bounce.shop.example: TLS-RPT": "ok",
        "shop.example: BIMI": "ok",
    }


def test_a_host_is_named_there_and_back_or_told():
    table = {
        ("out.shop.example", "A"): ["192.0.2.1", "192.0.2.2"],
        ("1.2.0.192.in-addr.arpa", "PTR"): ["out.shop.example."],
        ("2.2.0.192.in-addr.arpa", "PTR"): ["dial-up-2.isp.example."],
    }
    with NameServer(table) as server:
        asked = more_checks_of(Identity.of(ADA, [], "out.shop.example"))
        answers = ask("DNS", asked, server.resolver())
    found = sorted((one for one in answers if one.check.endswith("PTR")), key=lambda one: one.found)
    assert [(one.found[:9], one.level) for one in found] == [
        ("192.0.2.1", Level.OK),
        ("192.0.2.2", Level.WARN),
    ]
    assert more({}, host="none.example")["none.example: PTR"].level is Level.WARN


@pytest.mark.parametrize(
    ("name", "text", "check", "level"),
    [
        ("_mta-sts.bounce.shop.example", "v=STSv1; id=20261122", "bounce.shop.example: MTA-STS", "ok"),
        ("_mta-sts.bounce.shop.example", "v=STSv1;", "bounce.shop.example: MTA-STS", "warn"),
        (
            "_smtp._tls.bounce.shop.example",
            "v=TLSRPTv1; rua=mailto:a@b.c",
            "bounce.shop.example: TLS-RPT",
            "ok",
        ),
        ("_smtp._tls.bounce.shop.example", "v=TLSRPTv1", "bounce.shop.example: TLS-RPT", "warn"),
        (
            "default._bimi.shop.example",
            "v=BIMI1; l=https://x.example/l.svg; a=https://x.example/v.pem",
            "shop.example: BIMI",
            "ok",
        ),
        ("default._bimi.shop.example", "v=BIMI1; l=https://x.example/l.svg", "shop.example: BIMI", "warn"),
        ("default._bimi.shop.example", "v=BIMI1; l=http://x.example/l.png", "shop.example: BIMI", "warn"),
    ],
)
def test_what_helps_is_judged_where_it_is(name, text, check, level):
    assert levels(more(GOOD | {(name, "TXT"): [text_record(text)]}))[check] == level


def test_a_logo_is_shown_only_beside_a_policy_that_is_enforced():
    table = GOOD | {
        ("_dmarc.shop.example", "TXT"): ['"v=DMARC1; p=none"'],
        ("default._bimi.shop.example", "TXT"): [
            text_record("v=BIMI1; l=https://x.example/l.svg; a=https://x")
        ],
    }
    found = more(table)["shop.example: BIMI"]
    assert (found.level, found.records[0].split(" ")[0]) == (Level.WARN, "_dmarc.shop.example.")
