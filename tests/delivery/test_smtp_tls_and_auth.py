"""Verified TLS and logins against aiosmtpd, with an authority of our own."""

import contextlib
import socket
import ssl
import threading
import warnings

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from campaigns.delivery.backend import open_backend
from campaigns.errors import BackendError, BadSettings
from campaigns.values import OutcomeKind
from tests.delivery.certificates import Authority
from tests.delivery.peers import Account, Peer, mails


class Box:
    def __init__(self):
        self.mails = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd's name
        self.mails.append((envelope.rcpt_tos, envelope.content, session.ssl is not None))
        return "250 2.0.0 kept"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@contextlib.contextmanager
def running(box, *, implicit=None, **settings):
    """An aiosmtpd server on a free port."""

    class Free(Controller):
        def _trigger_server(self):
            with socket.create_connection(("127.0.0.1", self.server.sockets[0].getsockname()[1]), 60) as raw:
                if implicit is not None:
                    context = ssl._create_unverified_context()
                    with context.wrap_socket(raw) as wrapped:
                        wrapped.recv(100)
                else:
                    raw.recv(100)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # aiosmtpd's own advice about AUTH without TLS
        controller = Free(
            box, hostname="127.0.0.1", port=0, ssl_context=implicit, ready_timeout=60, **settings
        )
        controller.start()
        try:
            yield controller.server.sockets[0].getsockname()[1]
        finally:
            controller.stop()


def login(server, session, envelope, mechanism, data):
    right = data.login == b"anna" and data.password == b"gehe:im@"
    return AuthResult(success=right, handled=False)


def deliver(url, cafile, count=12):
    account = Account()
    way = open_backend(url, connections=2, cafile=cafile)
    try:
        way.send(mails(count), account)
    finally:
        way.close()
        assert set(account.started_keys) == set(account.outcomes)
    return account


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_mail_goes_over_verified_tls(authority, scheme, host):
    box, context = Box(), authority.server(host)
    how = {"implicit": context} if scheme == "smtps" else {"tls_context": context, "require_starttls": True}
    with running(box, **how) as port:
        account = deliver(f"{scheme}://{host}:{port}", authority.file)
    assert account.kinds == {OutcomeKind.SENT: 12}
    assert len(box.mails) == 12
    assert scheme == "smtps" or all(secured for _, _, secured in box.mails)


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
@pytest.mark.parametrize(
    ("name", "made"),
    [("mail.example.org", {}), ("127.0.0.1", {"signed": False}), ("127.0.0.1", {"expired": True})],
    ids=["wrong name", "self-signed", "expired"],
)
def test_a_certificate_that_does_not_hold_gets_no_mail(authority, scheme, name, made):
    box, context = Box(), authority.server(name, **made)
    how = {"implicit": context} if scheme == "smtps" else {"tls_context": context}
    with running(box, **how) as port, pytest.raises(BackendError, match="certificate was refused"):
        deliver(f"{scheme}://127.0.0.1:{port}", authority.file)
    assert box.mails == []


def test_an_authority_that_nobody_trusts_gets_no_mail(authority):
    box = Box()
    with (
        running(box, implicit=authority.server("127.0.0.1")) as port,
        pytest.raises(BackendError, match="certificate was refused"),
    ):
        deliver(f"smtps://127.0.0.1:{port}", None)
    assert box.mails == []


def test_starttls_is_required_where_it_was_asked_for():
    with Peer() as peer, pytest.raises(BackendError, match="does not offer STARTTLS"):
        deliver(f"smtp+starttls://127.0.0.1:{peer.port}", None)
    assert all(line.startswith(("EHLO", "QUIT")) for line in peer.lines)


def test_a_server_that_refuses_starttls_gets_no_mail():
    with (
        Peer(offers=["STARTTLS"]) as peer,
        pytest.raises(BackendError, match="its answer to STARTTLS was 500"),
    ):
        deliver(f"smtp+starttls://127.0.0.1:{peer.port}", None)
    assert peer.taken == []


def test_what_was_said_before_tls_is_forgotten(authority):
    """A man in the middle appends replies to the 220 of STARTTLS; none may count as the server's."""
    heard, context = [], authority.server("127.0.0.1")
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        raw, _ = server.accept()
        with raw:
            raw.sendall(b"220 hi\r\n")
            raw.recv(1000)
            raw.sendall(b"250-hi\r\n250 STARTTLS\r\n")
            raw.recv(1000)
            raw.sendall(b"220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n235 welcome\r\n")
            with contextlib.suppress(OSError), context.wrap_socket(raw, server_side=True) as secured:
                heard.append(secured.recv(1000))
                secured.sendall(b"250 honest\r\n")
                heard.append(secured.recv(1000))

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises(BackendError, match="offers no AUTH that we speak"):
        deliver(f"smtp+starttls://anna:geheim@127.0.0.1:{server.getsockname()[1]}", authority.file, count=1)
    thread.join(60)
    server.close()
    assert heard[0].startswith(b"EHLO")
    assert heard[1] == b""


@pytest.mark.parametrize("excluded", [[], ["PLAIN"]], ids=["PLAIN", "LOGIN"])
def test_a_login_is_spoken_over_tls(authority, excluded):
    box = Box()
    settings = {"authenticator": login, "auth_required": True, "auth_exclude_mechanism": excluded}
    with running(box, tls_context=authority.server("127.0.0.1"), **settings) as port:
        account = deliver(f"smtp+starttls://anna:gehe%3Aim%40@127.0.0.1:{port}", authority.file)
    assert account.kinds == {OutcomeKind.SENT: 12}


def test_a_refused_login_is_a_failed_backend_that_shows_no_password(authority):
    box = Box()
    with (
        running(
            box, tls_context=authority.server("127.0.0.1"), authenticator=login, auth_required=True
        ) as port,
        pytest.raises(BackendError, match="login of 'anna' was 535") as caught,
    ):
        deliver(f"smtp+starttls://anna:wrong@127.0.0.1:{port}", authority.file)
    assert "wrong" not in str(caught.value)
    assert box.mails == []


def test_a_login_without_tls_is_spoken_to_this_machine_only():
    with (
        Peer(lambda at, seen: None, offers=["AUTH PLAIN"]) as peer,
        pytest.raises(BackendError, match="login"),
    ):
        deliver(f"smtp://anna:geheim@127.0.0.1:{peer.port}", None)
    with pytest.raises(BadSettings, match="would send the password unprotected") as caught:
        open_backend("smtp://anna:geheim@mail.example.org")
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["smtp://", "http://x", "smtp://a:99999", "smtp://a/b", "smtp://a?tls=no", "", "smtp://[x"]
)
def test_an_address_that_cannot_be_read_is_refused_at_once(url):
    with pytest.raises((BadSettings, ValueError)):
        open_backend(url)


def test_a_real_server_and_ours_understand_each_other():
    """aiosmtpd knows no PIPELINING: the lock-step path, judged by an independent implementation."""
    box = Box()
    with running(box, decode_data=False) as port:
        account = deliver(f"smtp://127.0.0.1:{port}", None, 25)
    assert account.kinds == {OutcomeKind.SENT: 25}
    assert sorted(content for _, content, _ in box.mails) == sorted(one.data for one in mails(25))
