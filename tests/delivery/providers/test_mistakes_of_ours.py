"""Whatever is raised while mails are written or asked for: `send` ends, and each mail's fate is told."""

import threading

import pytest

from campaigns.delivery.backend import open_account
from campaigns.delivery.providers import http_round
from campaigns.errors import BackendError
from campaigns.values import OutcomeKind
from tests.delivery.peers import Account as Watching
from tests.delivery.providers.desks import PostmarkDesk
from tests.delivery.providers.sending import account, mails
from tests.delivery.providers.stand import Reply, Stand


@pytest.fixture
def stand():
    with Stand(PostmarkDesk()) as stand:
        yield stand


@pytest.fixture
def backend(stand):
    backend = open_account(account(stand.desk, stand.url))
    yield backend
    backend.close()


def sent(backend, batch) -> tuple[Watching, list[Exception]]:
    """Send in a thread: what hangs must not hang the test."""
    watching, errors = Watching(), []

    def go():
        try:
            backend.send(batch, watching)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=go, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive(), "it hangs"
    return watching, errors


def test_a_mail_that_cannot_be_written_is_refused_with_the_reason_and_the_others_go(
    backend, stand, monkeypatch
):
    piece = backend._api.piece

    def write(mail):
        if mail.key.seq == 2:
            raise LookupError("unknown encoding: nope")
        return piece(mail)

    monkeypatch.setattr(backend._api, "piece", write)
    watching, errors = sent(backend, mails(3))
    assert errors == []
    assert watching.kinds == {OutcomeKind.SENT: 2, OutcomeKind.FAILED: 1}
    [refused] = [one for one in watching.outcomes.values() if one.kind is OutcomeKind.FAILED]
    assert "unknown encoding: nope" in refused.text
    assert len(stand.desk.taken) == 2


def test_answers_that_do_not_match_their_mails_leave_these_in_doubt(backend, monkeypatch):
    monkeypatch.setattr(backend._api, "hear", lambda answer, mails: [])
    watching, errors = sent(backend, mails(3))
    assert watching.kinds == {OutcomeKind.UNKNOWN: 3}
    assert [type(one) for one in errors] == [ValueError]


def without_keys(pieces, key):
    raise RuntimeError("credentials could not be refreshed")


def test_with_keys_that_cannot_be_had_the_account_fails_and_no_mail_is_begun(backend, stand, monkeypatch):
    monkeypatch.setattr(backend._api, "ask", without_keys)
    for _ in range(2):  # the second time an empty request is to ask first, and cannot be made either
        watching, errors = sent(backend, mails(3))
        assert [type(one) for one in errors] == [BackendError]
        assert "credentials could not be refreshed" in str(errors[0])
        assert not watching.started_keys
    with pytest.raises(BackendError, match="credentials"):
        backend.probe()
    monkeypatch.undo()
    watching, errors = sent(backend, mails(3))
    assert errors == []
    assert watching.kinds == {OutcomeKind.SENT: 3}


def test_a_mistake_before_the_first_byte_fails_the_account_and_begins_no_mail(backend, monkeypatch):
    def call(request, begin):
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr(backend._caller, "call", call)
    for _ in range(2):
        watching, errors = sent(backend, mails(3))
        assert [type(one) for one in errors] == [BackendError]
        assert not watching.started_keys


def test_keys_lost_after_a_busy_answer_put_the_mails_off(backend, stand, monkeypatch):
    ask = backend._api.ask

    def once(pieces, key):
        monkeypatch.setattr(backend._api, "ask", without_keys)
        return ask(pieces, key)

    monkeypatch.setattr(http_round, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(backend._api, "ask", once)
    stand.script = lambda asked, serve: Reply(429, {"message": "slow down"})
    watching, errors = sent(backend, mails(3))
    assert [type(one) for one in errors] == [BackendError]
    assert watching.kinds == {OutcomeKind.DEFERRED: 3}
