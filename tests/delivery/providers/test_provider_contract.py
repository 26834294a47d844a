"""One contract for all providers over HTTP: each mail goes once, or is told of truly."""

import re
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from campaigns.clock import utc_now
from campaigns.delivery.backend import open_account
from campaigns.delivery.providers import http_parcel, http_round
from campaigns.errors import BackendError
from campaigns.values import MessageKey, OutcomeKind
from tests.delivery.peers import Account as Watching
from tests.delivery.peers import address
from tests.delivery.providers.desks import DESKS, IDEMPOTENT, KEY, SECRET, name_of
from tests.delivery.providers.sending import account, mail, mails, require_truth, send, token
from tests.delivery.providers.stand import Cut, Reply, SmtpDesk, Stand, slowly, standing

SENT, FAILED, DEFERRED, UNKNOWN = (
    OutcomeKind.SENT,
    OutcomeKind.FAILED,
    OutcomeKind.DEFERRED,
    OutcomeKind.UNKNOWN,
)

every = pytest.mark.parametrize("desk", DESKS, ids=name_of)
anyhow = pytest.mark.parametrize("desk", [*DESKS, SmtpDesk], ids=name_of)
forgetful = pytest.mark.parametrize("desk", [one for one in DESKS if one not in IDEMPOTENT], ids=name_of)
remembering = pytest.mark.parametrize("desk", IDEMPOTENT, ids=name_of)


@pytest.fixture(autouse=True)
def quick_repeats(monkeypatch):
    monkeypatch.setattr(http_parcel, "REPLAYS", (0.01, 0.02, 0.03))


def everyone(count):
    return {address(seq) for seq in range(1, count + 1)}


def first(reply, times=1):
    """A script that says this to the first requests with mail in them."""

    def script(asked, serve):
        if asked.number <= times:
            return reply(serve) if callable(reply) else reply
        return None

    return script


def cut(_serve):
    raise Cut


def serve_and_cut(serve):
    serve()
    raise Cut


def busy(wait, status=429):
    return Reply(status, {"message": "slow down"}, {"retry-after": wait})


# ---- as it should be


@anyhow
def test_each_mail_arrives_once_with_its_own_reference(desk):
    with standing(desk) as stand:
        watching = send(stand, mails(130))
        assert watching.of(SENT) == everyone(130)
        assert stand.recipients == dict.fromkeys(everyone(130), 1)
    assert {one.rcpt: one.reference for one in stand.desk.taken} == {
        address(seq): token(seq) for seq in range(1, 131)
    }


@every
def test_no_request_holds_more_than_the_provider_takes_and_none_holds_less_than_needed(desk):
    with Stand(desk()) as stand:
        send(stand, mails(130), connections="1")
        assert len(stand.asked) == -(-130 // desk.most)


@pytest.mark.parametrize("desk", [one for one in DESKS if one.most > 1], ids=name_of)
def test_an_account_may_put_fewer_mails_into_a_request(desk):
    with Stand(desk()) as stand:
        assert send(stand, mails(45), batch="10", connections="1").of(SENT) == everyone(45)
        assert [len(stand.desk.mails(asked)) for asked in stand.asked] == [10, 10, 10, 10, 5]


def test_a_request_holds_no_more_bytes_than_we_want_to_keep_in_memory(monkeypatch):
    monkeypatch.setattr(http_round, "PARCEL", 3 * len(mail(1).data) + 100)
    with Stand(DESKS[3]()) as stand:
        assert send(stand, mails(10), connections="1").of(SENT) == everyone(10)
        assert [len(stand.desk.mails(asked)) for asked in stand.asked] == [3, 3, 3, 1]


@every
def test_several_requests_are_in_flight_and_never_more_than_allowed(desk):
    with Stand(desk(), slowly(0.1)) as stand:
        send(stand, mails(desk.most * 2 + 5), connections="3")
        assert 2 <= stand.most_at_once <= 3


@anyhow
def test_a_batch_that_has_nothing_at_the_moment_is_asked_again(desk):
    def batch():
        for one in mails(7):
            yield one
            yield None
            yield None

    with standing(desk) as stand:
        assert send(stand, batch()).of(SENT) == everyone(7)


@every
def test_an_empty_batch_asks_nothing(desk):
    with Stand(desk()) as stand:
        assert send(stand, []).outcomes == {}
        assert stand.asked == []


@anyhow
def test_connections_and_threads_persist_from_batch_to_batch(desk):
    with standing(desk) as stand:
        backend, watching = open_account(account(stand.desk, stand.url)), Watching()
        for number in range(3):
            backend.send(mails(5, first=1 + 5 * number), watching)
        backend.close()
        assert watching.of(SENT) == everyone(15)
        require_truth(stand, watching)


@every
def test_a_backend_is_called_as_its_account(desk):
    backend = open_account(account(desk(), "http://127.0.0.1:9"))
    assert backend.name == "shop"
    backend.close()


# ---- refusals


@anyhow
def test_a_refused_recipient_fails_alone(desk):
    with standing(desk) as stand:
        stand.desk.refuses = {address(3), address(57)}
        watching = send(stand, mails(60))
        assert watching.of(FAILED) == {address(3), address(57)}
        assert watching.of(SENT) == everyone(60) - watching.of(FAILED)


@every
def test_a_batch_that_is_refused_whole_is_divided_until_the_wrong_mail_is_found(desk):
    def script(asked, serve):
        names = {one.rcpt for one in stand.desk.mails(asked)}
        return stand.desk.refused_words("something in it is wrong") if address(7) in names else None

    with Stand(desk(), script) as stand:
        watching = send(stand, mails(40))
        assert watching.of(FAILED) == {address(7)}
        assert watching.of(SENT) == everyone(40) - {address(7)}
        assert "something in it is wrong" in watching.outcomes[MessageKey(1, 7)].text


@every
def test_a_mail_beyond_the_limit_fails_by_itself(desk, monkeypatch):
    from dataclasses import replace

    with Stand(desk()) as stand:
        backend, watching = open_account(account(stand.desk, stand.url)), Watching()
        api = backend._api
        api.capabilities = replace(api.capabilities, max_bytes=40_000, max_mail=None)
        long = mail(2, to_name="x", extra={}, content=mail_content("y" * 50_000))
        backend.send([mail(1), long, mail(3)], watching)
        backend.close()
        require_truth(stand, watching)
        assert watching.of(FAILED) == {address(2)}
        assert watching.outcomes[MessageKey(1, 2)].enhanced == "5.3.4"


def mail_content(text):
    from campaigns.values import Content

    return Content("Long", f"<p>{text}</p>", text)


@every
def test_an_address_beyond_ascii_is_refused_by_who_cannot_carry_it_and_says_why(desk):
    with Stand(desk()) as stand:
        backend, watching = open_account(account(stand.desk, stand.url)), Watching()
        wide = mail(1)._replace(rcpt_to="josé@people.example", smtputf8=True)
        backend.send([wide, mail(2)], watching)
        backend.close()
        assert watching.outcomes[MessageKey(1, 2)].kind is SENT
        outcome = watching.outcomes[MessageKey(1, 1)]
        if backend.capabilities.smtputf8:
            assert outcome.kind is SENT
        else:
            assert (outcome.kind, outcome.enhanced) == (FAILED, "5.6.7")
            assert "beyond ASCII" in outcome.text


@every
def test_hostile_words_of_a_provider_are_cut_and_made_harmless(desk):
    nasty = "\x1b[31mred\r\nX: y\x00 \u202eleft " + "long " * 400

    with Stand(desk(), lambda asked, serve: stand.desk.refused_words(nasty)) as stand:
        watching = send(stand, mails(1))
        (outcome,) = watching.outcomes.values()
        assert outcome.kind is FAILED
        assert "red" in outcome.text
        assert len(outcome.text) <= 500
        assert not re.search(r"[\x00-\x1f\x7f\u202e]", outcome.text)


# ---- a closed door


@every
def test_a_wrong_key_stops_the_backend_and_no_mail_is_lost_or_told_the_key(desk):
    with Stand(desk()) as stand:
        stand.desk.locked = True
        watching = Watching()
        with pytest.raises(BackendError, match="HTTP 401: this key is not known") as caught:
            send(stand, mails(1700), watching)
        assert "account's key" in str(caught.value)
        assert KEY not in str(caught.value)
        assert SECRET not in str(caught.value)
        assert caught.value.retry_after is not None
        assert set(watching.kinds) <= {DEFERRED}
        assert len(watching.outcomes) < 1700, "the rest was never begun"


@every
def test_behind_a_closed_door_no_mail_is_risked_until_an_empty_request_says_that_it_is_open(desk):
    with Stand(desk()) as stand:
        stand.desk.locked = True
        backend, watching = open_account(account(stand.desk, stand.url)), Watching()
        with pytest.raises(BackendError):
            backend.send(mails(3), watching)
        begun = len(watching.started_keys)
        with pytest.raises(BackendError, match="401"):
            backend.send(mails(3, first=10), watching)
        assert len(watching.started_keys) == begun
        stand.desk.locked = (
            False  # a rest is kept by who sends, and "Try it" ends it: nothing here outlives that
        )
        backend.send(mails(3, first=10), watching)
        backend.close()
        assert watching.of(SENT) == {address(10), address(11), address(12)}
        require_truth(stand, watching)


@every
def test_with_nothing_listening_no_mail_is_begun(desk):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        backend, watching = open_account(account(desk(), url)), Watching()
        for _ in range(2):
            with pytest.raises(BackendError, match=r"(?i)connect"):
                backend.send(mails(5), watching)
        backend.close()
    assert watching.started_keys == []


@every
def test_an_address_that_leads_elsewhere_is_not_followed_with_our_key(desk):
    def script(asked, serve):
        return Reply(307, b"", {"location": f"{stand.url}/elsewhere"})

    with Stand(desk(), script) as stand, pytest.raises(BackendError, match="HTTP 307"):
        send(stand, mails(1), Watching())
    assert not any(asked.path == "/elsewhere" for asked in stand.asked)


# ---- a busy provider


@every
@pytest.mark.parametrize("status", [429, 503])
def test_a_short_wait_is_obeyed_here_and_nothing_is_put_off(desk, status):
    with Stand(desk(), first(busy("0.3", status))) as stand:
        began = time.monotonic()
        watching = send(stand, mails(5), connections="1")
        assert time.monotonic() - began >= 0.3
        assert watching.of(SENT) == everyone(5)


@every
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_long_wait_puts_off_what_was_refused_and_rests_the_backend_as_long(desk, form):
    hour = format_datetime(utc_now() + timedelta(hours=1), usegmt=True)
    wait = "3600" if form == "seconds" else hour
    with Stand(desk(), first(busy(wait), times=99)) as stand:
        backend, watching = open_account(account(stand.desk, stand.url)), Watching()
        with pytest.raises(BackendError, match="slow down") as caught:
            backend.send(mails(1700), watching)
        assert timedelta(minutes=59) <= caught.value.retry_after <= timedelta(hours=1)
        assert set(watching.kinds) == {DEFERRED}
        assert len(watching.outcomes) < 1700
        assert "tried again in" in next(iter(watching.outcomes.values())).text
        begun = len(watching.started_keys)
        with pytest.raises(BackendError, match="slow down") as again:
            backend.send(mails(1, first=2000), watching)
        assert again.value.retry_after > timedelta(minutes=58)
        assert len(watching.started_keys) == begun, "an empty request asked first"
        backend.close()
        require_truth(stand, watching)


@every
@pytest.mark.parametrize("wait", ["0", "Sun, 22 Nov 2020 12:00:00 GMT"])
def test_who_is_busy_and_asks_for_no_wait_is_asked_again_only_a_few_times(desk, wait, monkeypatch):
    monkeypatch.setattr(http_round, "FIRST_WAIT", 0.05)
    with Stand(desk(), first(busy(wait), times=9999)) as stand:
        own = account(stand.desk, stand.url, connections="1")
        backend, watching = open_account(own), Watching(stop_after=1)
        backend._patience = 1.0
        with pytest.raises(BackendError, match="slow down"):
            backend.send(mails(1), watching)
        assert len(stand.asked) == 5  # after 0.05, 0.1, 0.2 and 0.4 seconds
        assert watching.kinds == {DEFERRED: 1}
        backend.close()


@every
def test_a_wait_without_a_word_how_long_grows(desk, monkeypatch):
    monkeypatch.setattr(http_round, "FIRST_WAIT", 0.1)
    with Stand(desk(), first(Reply(429, {"message": "slow down"}), times=2)) as stand:
        backend, watching = open_account(account(stand.desk, stand.url, connections="1")), Watching()
        began = time.monotonic()
        backend.send(mails(3), watching)
        assert time.monotonic() - began >= 0.3  # once, then twice as long
        backend.close()
        assert watching.of(SENT) == everyone(3)


@pytest.mark.timed
@every
def test_whoever_stops_while_the_provider_is_busy_waits_no_longer(desk):
    watching = Watching()

    def script(asked, serve):
        watching.stop = True
        return busy("15")

    with Stand(desk(), script) as stand:
        began = time.monotonic()
        send(stand, mails(3), watching)
        assert time.monotonic() - began < 12
        assert set(watching.kinds) == {DEFERRED}


# ---- lost answers


@forgetful
@pytest.mark.parametrize("how", [cut, serve_and_cut, Reply(500, {"message": "oops"}), Reply(502, b"<html>")])
def test_a_lost_answer_leaves_its_mails_in_doubt_and_is_never_asked_again(desk, how):
    with Stand(desk(), first(how)) as stand:
        watching = send(stand, mails(8), connections="1")
        doubtful = min(desk.most, 8)
        assert watching.of(UNKNOWN) == everyone(doubtful)
        assert watching.of(SENT) == everyone(8) - everyone(doubtful)


@remembering
@pytest.mark.parametrize("how", [cut, serve_and_cut, Reply(500, {"message": "oops"}), Reply(502, b"<html>")])
def test_a_lost_answer_is_asked_for_again_with_the_same_key_where_that_is_safe(desk, how):
    with Stand(desk(), first(how, times=2)) as stand:
        watching = send(stand, mails(8), connections="1")
        assert watching.of(SENT) == everyone(8)
        one, two, three = stand.asked[:3]
        assert stand.desk.key(one) == stand.desk.key(two) == stand.desk.key(three)
        assert one.body == two.body == three.body
        assert stand.desk.repeats == (2 if how is serve_and_cut else 0)


@remembering
def test_what_stays_without_an_answer_for_all_repeats_is_in_doubt(desk):
    with Stand(desk(), first(serve_and_cut, times=4)) as stand:
        watching = send(stand, mails(min(desk.most, 3)), connections="1")
        assert set(watching.kinds) == {UNKNOWN}
        assert len(stand.asked) == 4


@remembering
def test_a_key_names_one_attempt(desk):

    with Stand(desk()) as stand:
        backend, watching = open_account(account(stand.desk, stand.url)), Watching()
        later = mail(1, at=datetime(2026, 11, 22, 9, 35, tzinfo=UTC), to_address=address(3))
        for one in (mail(1), mail(2), later):
            backend.send([one._replace(key=MessageKey(1, 90 + len(stand.asked)))], watching)
        backend.close()
        keys = [stand.desk.key(asked) for asked in stand.asked]
        assert len(set(keys)) == 3


@forgetful
def test_after_three_doubts_in_a_row_the_backend_fails_and_one_mail_at_a_time_was_risked(desk):
    with Stand(desk(), first(cut, times=9999)) as stand:
        backend, watching = open_account(account(stand.desk, stand.url, connections="1")), Watching()
        with pytest.raises(BackendError, match="3 requests in a row"):
            backend.send(mails(600), watching)
        assert set(watching.kinds) == {UNKNOWN}
        assert len(watching.outcomes) == desk.most + 2
        begun = len(watching.started_keys)
        with pytest.raises(BackendError):
            backend.send(mails(5, first=2000), watching)
        assert len(watching.started_keys) == begun, "an empty request was tried first, and it was lost"
        backend.close()


@every
def test_an_answer_that_nobody_can_read_is_a_doubt(desk, monkeypatch):
    with Stand(desk(), first(Reply(200, b"<html>Welcome to the hotel's network</html>"), times=99)) as stand:
        watching = send(stand, mails(min(2, desk.most)), connections="1")
        assert set(watching.kinds) == {UNKNOWN}
        assert not stand.recipients


@every
def test_an_answer_without_end_is_a_doubt_and_fills_no_memory(desk):
    with Stand(desk(), first(Reply(200, b"[" * 3_000_000), times=99)) as stand:
        assert set(send(stand, [mail(1)]).kinds) == {UNKNOWN}


@pytest.mark.timed
@pytest.mark.parametrize("desk", [DESKS[0], DESKS[3]], ids=name_of)
def test_an_answer_that_does_not_come_in_time_is_a_doubt(desk):
    with Stand(desk(), slowly(1.6)) as stand:
        watching = send(stand, [mail(1)], timeout="1")
        assert set(watching.kinds) == {UNKNOWN}


# ---- stopping


@every
def test_when_it_shall_stop_nothing_more_is_begun_and_the_rest_is_given_back(desk):
    watching = Watching(stop_after=1)
    with Stand(desk()) as stand:
        send(stand, mails(1500), watching, connections="1")
        assert len(watching.outcomes) <= 2 * desk.most
        assert set(watching.kinds) == {SENT}


@every
def test_a_slow_provider_is_not_waited_for_longer_than_a_stop_allows(desk, monkeypatch):
    monkeypatch.setattr(http_round, "GRACE", 0.1)
    watching, over = Watching(), threading.Event()

    def script(asked, serve):
        watching.stop = True
        over.wait(60)
        return serve()

    with Stand(desk(), script) as stand:
        backend = open_account(account(stand.desk, stand.url, timeout="60"))
        backend.send(mails(2), watching)
        over.set()
        assert set(watching.kinds) == {UNKNOWN}
        backend.close()


@anyhow
def test_an_error_of_the_batch_is_raised_when_all_is_answered(desk):
    def batch():
        yield from mails(4)
        raise RuntimeError("the store is gone")

    with standing(desk) as stand:
        watching = Watching()
        with pytest.raises(RuntimeError, match="the store is gone"):
            send(stand, batch(), watching)
        assert set(watching.started_keys) == set(watching.outcomes)


@anyhow
def test_who_loses_the_right_to_send_has_begun_nothing_more(desk):
    class Revoking(Watching):
        def started(self, key):
            raise PermissionError("taken over")

    with standing(desk) as stand:
        with pytest.raises(PermissionError):
            send(stand, mails(5), Revoking())
        assert not stand.recipients
