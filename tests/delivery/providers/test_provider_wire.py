"""What lies below a provider's words: TLS, interrupts, requests that break off."""

import signal
from pathlib import Path
from threading import Event, Timer

import pytest

from campaigns.delivery.backend import open_account
from campaigns.delivery.providers import http_round
from campaigns.errors import BackendError
from campaigns.values import Attachment, Content, OutcomeKind
from tests.delivery.certificates import Authority
from tests.delivery.peers import Account as Watching
from tests.delivery.providers.desks import GenericDesk, PostmarkDesk
from tests.delivery.providers.sending import account, mail, mails, require_truth
from tests.delivery.providers.stand import Stand


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def try_tls(authority: Authority, cafile: Path | None, watching: Watching, **how) -> Stand:
    with Stand(PostmarkDesk(), tls=authority.server(**how)) as stand:
        backend = open_account(account(stand.desk, stand.url), cafile=cafile)
        try:
            backend.send(mails(3), watching)
        finally:
            backend.close()
        return stand


def test_a_certificate_that_holds_is_trusted(authority):
    watching = Watching()
    stand = try_tls(authority, authority.file, watching, name="127.0.0.1")
    assert watching.kinds == {OutcomeKind.SENT: 3}
    assert sum(stand.recipients.values()) == 3


@pytest.mark.parametrize(
    "how",
    [{"name": "127.0.0.1", "signed": False}, {"name": "127.0.0.2"}, {"name": "127.0.0.1", "expired": True}],
    ids=["signed by nobody", "for another", "expired"],
)
def test_a_certificate_that_does_not_hold_gets_neither_key_nor_mail(authority, how):
    watching = Watching()
    with pytest.raises(BackendError, match=r"(?i)certificate"):
        try_tls(authority, authority.file, watching, **how)
    assert watching.started_keys == []


def test_the_systems_authorities_are_those_that_count_unless_others_are_named(authority):
    with pytest.raises(BackendError, match=r"(?i)certificate"):
        try_tls(authority, None, Watching(), name="127.0.0.1")


def test_neither_a_proxy_nor_a_netrc_of_the_environment_sees_a_key(monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login x password y\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    watching = Watching()
    with Stand(PostmarkDesk()) as stand:
        backend = open_account(account(stand.desk, stand.url))
        backend.send(mails(2), watching)
        backend.close()
        assert "authorization" not in stand.asked[0].headers
    assert watching.kinds == {OutcomeKind.SENT: 2}


def test_a_request_that_breaks_before_its_end_was_surely_not_worked_on_and_is_made_again(monkeypatch):
    monkeypatch.setattr(http_round, "FIRST_WAIT", 0.1)
    large = Attachment("large.bin", "application/octet-stream", bytes(12_000_000))
    heavy = mail(1, content=Content("Heavy", None, "See the file.\n", (large,)))
    watching = Watching()
    with Stand(GenericDesk(), rude=2) as stand:
        backend = open_account(account(stand.desk, stand.url))
        backend.send([heavy], watching)
        backend.close()
        assert stand.rude == 0
        require_truth(stand, watching)
    assert watching.kinds == {OutcomeKind.SENT: 1}


def test_who_is_interrupted_tells_what_is_in_doubt():
    over = Event()

    def script(_asked, serve):
        Timer(0.1, lambda: signal.raise_signal(signal.SIGINT)).start()
        over.wait(60)
        return serve()

    watching = Watching()
    with Stand(PostmarkDesk(), script) as stand:
        backend = open_account(account(stand.desk, stand.url))
        with pytest.raises(KeyboardInterrupt):
            backend.send(mails(3), watching)
        assert watching.kinds == {OutcomeKind.UNKNOWN: 3}
        over.set()
        backend.close()
