"""The doctor asks real mail servers; it sends no mail."""

import ssl
from datetime import UTC, datetime

import pytest

from campaigns.config import from_environment
from campaigns.doctor.findings import Level
from campaigns.doctor.mail import examine_server
from tests.delivery.certificates import Authority
from tests.delivery.peers import Peer, Say
from tests.delivery.test_smtp_tls_and_auth import Box, login, running

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def examine(tmp_path, url):
    env = {"POSTROOM_DATA": str(tmp_path)} | ({"POSTROOM_SMTP_URL": url} if url else {})
    found = list(examine_server(from_environment(env), env, NOW))
    assert all(finding.cure for finding in found if finding.level is Level.BAD)
    return {finding.check.removeprefix("mail server: "): finding for finding in found}


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
