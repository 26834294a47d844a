"""The doctor asks real mail servers and a real name server; it sends no mail."""

import ssl
from datetime import UTC, datetime

import dns.resolver
import pytest

from campaigns.config import from_environment
from campaigns.delivery.domains import Unasked, mail_servers
from campaigns.doctor.findings import Level
from campaigns.doctor.mail import examine_senders, examine_server
from campaigns.values import Sender
from tests.delivery.certificates import Authority
from tests.delivery.peers import Peer, Say
from tests.delivery.test_smtp_tls_and_auth import Box, login, running
from tests.operations.name_server import NameServer

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
ADA = Sender("Ada", "ada@shop.example", "bounce.shop.example")
GOOD = {
    ("bounce.shop.example", "MX"): ["10 mx.shop.example."],
    ("bounce.shop.example", "TXT"): ['"other"', '"v=spf1 include:" "mail.example -all"'],
    ("shop.example", "TXT"): ['"nothing"'],
    ("_dmarc.shop.example", "TXT"): ['"v=DMARC1; p=reject"'],
}


def examine(tmp_path, url):
    env = {"POSTROOM_DATA": str(tmp_path)} | ({"POSTROOM_SMTP_URL": url} if url else {})
    found = list(examine_server(from_environment(env), env, NOW))
    assert all(finding.cure for finding in found if finding.level is Level.BAD)
    return {finding.check.removeprefix("mail server: "): finding for finding in found}


def senders(table, *given):
    with NameServer(table) as server:
        found = examine_senders(given or (ADA,), server.resolver())
    return {finding.check: finding for finding in found}


def levels(found):
    return {check: finding.level.value for check, finding in found.items()}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def trusted(authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority


def test_a_server_that_answers_is_well_and_gets_no_mail(tmp_path):
    with Peer() as peer:
        found = examine(tmp_path, f"smtp://127.0.0.1:{peer.port}")
    assert levels(found) == {"mail server": "ok", "encryption": "ok"}
    assert [line.split()[0] for line in peer.lines] == ["EHLO", "QUIT"]
    assert (peer.taken, peer.wrong) == ([], [])


def test_a_server_without_pipelining_is_slow(tmp_path):
    with Peer(offers=()) as peer:
        assert examine(tmp_path, f"smtp://127.0.0.1:{peer.port}")["pipelining"].level is Level.WARN


def test_no_server_is_told_with_its_address(tmp_path):
    found = examine(tmp_path, "smtp://127.0.0.1:1")["mail server"]
    assert found.level is Level.BAD
    assert "127.0.0.1:1" in found.found


def test_a_server_that_refuses_us_is_quoted(tmp_path):
    script = lambda stage, seen: Say(b"554 5.7.1 not you\r\n") if stage == "greeting" else None  # noqa: E731
    with Peer(script) as peer:
        found = examine(tmp_path, f"smtp://127.0.0.1:{peer.port}")["mail server"]
    assert found.level is Level.BAD
    assert "554 5.7.1 not you" in found.found


def test_a_starttls_that_is_not_offered_is_bad(tmp_path):
    with Peer() as peer:
        found = examine(tmp_path, f"smtp+starttls://127.0.0.1:{peer.port}")["mail server"]
    assert found.level is Level.BAD
    assert "STARTTLS" in found.found


def test_a_verified_login_is_well(tmp_path, trusted):
    settings = {
        "tls_context": trusted.server("127.0.0.1"),
        "require_starttls": True,
        "authenticator": login,
        "auth_required": True,
    }
    with running(Box(), **settings) as port:
        found = examine(tmp_path, f"smtp+starttls://anna:gehe%3Aim%40@127.0.0.1:{port}")
        assert found["mail server"].level is Level.OK
        assert "verified" in found["encryption"].found
        refused = examine(tmp_path, f"smtp+starttls://anna:wrong-word@127.0.0.1:{port}")["mail server"]
    assert refused.level is Level.BAD
    assert "535" in refused.found
    assert "wrong-word" not in refused.found + refused.cure


@pytest.mark.parametrize("over", [{"expired": True}, {"signed": False}])
def test_a_certificate_that_does_not_hold_is_bad(tmp_path, trusted, over):
    with running(Box(), implicit=trusted.server("127.0.0.1", **over)) as port:
        found = examine(tmp_path, f"smtps://127.0.0.1:{port}")["mail server"]
    assert found.level is Level.BAD
    assert "certificate" in found.found


def test_a_certificate_that_ends_soon_is_told(tmp_path, trusted):
    from campaigns.delivery.smtp.target import read_target
    from campaigns.delivery.smtp.trying import try_server
    from campaigns.doctor.mail import examine_session

    with running(Box(), implicit=trusted.server("127.0.0.1")) as port:
        session = try_server(read_target(f"smtps://127.0.0.1:{port}"))
    assert session.certificate_until == datetime(2099, 1, 1, tzinfo=UTC)
    late = datetime(2098, 12, 25, tzinfo=UTC)
    assert [one.check for one in examine_session(session, NOW)] == ["mail server: pipelining"]
    assert "mail server: certificate" in [one.check for one in examine_session(session, late)]
    assert ssl.HAS_TLSv1_2


def test_without_a_server_mail_goes_to_the_catcher(tmp_path):
    assert levels(examine(tmp_path, None)) == {"mail server": "warn"}


def test_domains_that_are_set_up_are_well():
    found = senders(GOOD)
    assert levels(found) == {
        "bounce.shop.example: MX": "ok",
        "bounce.shop.example: SPF": "ok",
        "shop.example: DMARC": "ok",
    }
    assert found["bounce.shop.example: SPF"].found == "v=spf1 include:mail.example -all"


def test_domains_that_do_not_exist_are_named_with_cures():
    found = senders({})
    assert levels(found) == {
        "bounce.shop.example: MX": "bad",
        "bounce.shop.example: SPF": "warn",
        "shop.example: DMARC": "warn",
    }
    assert all(finding.cure for finding in found.values())


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
        (("bounce.shop.example", "TXT"), ['"v=spf10 -all"'], "bounce.shop.example: SPF", "warn"),
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
    found = senders(GOOD | {("bounce.shop.example", "TXT"): ['"v=spf1 \\027[2J\\255 -all"']})
    assert found["bounce.shop.example: SPF"].level is Level.OK


def test_a_bounce_domain_elsewhere_breaks_alignment():
    found = senders(GOOD, Sender("Ada", "ada@shop.example", "bounce.elsewhere.example"))
    assert found["shop.example: alignment"].level is Level.WARN


def test_without_a_network_it_says_so_and_judges_nothing():
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.lifetime = ["127.0.0.1"], 1, 0.5
    found = examine_senders([ADA], resolver)
    assert {finding.level for finding in found} == {Level.WARN}
    assert all("could not ask" in finding.found for finding in found)
    with pytest.raises(Unasked):
        mail_servers("shop.example", resolver)


def test_senders_that_share_a_domain_are_told_once():
    with NameServer(GOOD) as server:
        assert len(examine_senders([ADA, ADA], server.resolver())) == 3


def test_no_sender_yet_is_told():
    assert levels({one.check: one for one in examine_senders([])}) == {"senders": "warn"}
