"""Answers of every shape: each mail has one word, or all share one of four; nothing else ever comes of it."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.delivery.backend import open_account
from campaigns.delivery.providers.answers import (
    LONGEST_WAIT,
    Answer,
    Busy,
    Closed,
    Doubtful,
    Refused,
    wait_in,
)
from campaigns.values import OutcomeKind
from tests.delivery.peers import Account as Watching
from tests.delivery.providers.desks import DESKS, PostmarkDesk, name_of
from tests.delivery.providers.sending import account, mails
from tests.delivery.providers.stand import Reply, Stand

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
WORDS = [
    "message", "Message", "name", "code", "errors", "index", "data", "id", "Messages", "Status", "Errors", "To",
    "ErrorCode", "ErrorMessage", "StatusCode", "MessageID", "MessageId", "messageId", "results", "status", "text",
    "enhanced", "success", "error", "sent", "failed", "1.1", "1.2", "duplicate_request", "invalid_api_key",
]  # fmt: skip
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 600), st.sampled_from(WORDS), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(WORDS), inner, max_size=5)
    ),
    max_leaves=20,
)
BODIES = st.one_of(st.binary(max_size=60), VALUES.map(lambda value: json.dumps(value).encode()))
STATUSES = st.sampled_from([200, 201, 202, 204, 301, 400, 401, 403, 404, 408, 413, 422, 429, 500, 503, 599])
HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "date", "x-amzn-errortype", "x-message-id", "content-type"]),
    st.text(max_size=30),
)
BATCH = mails(3)


@pytest.mark.parametrize("desk", DESKS, ids=name_of)
def test_whatever_is_answered_is_read_without_a_mistake_of_ours(desk):
    backend = open_account(account(desk(), "http://127.0.0.1:9"))

    @given(STATUSES, HEADERS, BODIES)
    @settings(max_examples=120, deadline=None)
    def read(status, headers, body):
        said = ""
        try:
            outcomes = backend._api.hear(Answer(status, headers, body, NOW), BATCH)
        except (Closed, Busy, Refused, Doubtful) as error:
            said, outcomes = str(error), [None] * len(BATCH)
        assert harmless(said)
        assert len(outcomes) == len(BATCH)
        for outcome in filter(None, outcomes):
            assert harmless(outcome.text)
            assert outcome.kind in set(OutcomeKind)
            assert outcome.code is None or isinstance(outcome.code, int)

    read()
    backend.close()


def harmless(text):
    return len(text) <= 700 and not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u202e]", text)


@given(st.text(max_size=40))
@settings(max_examples=100, deadline=None)
def test_any_word_about_waiting_is_a_time_within_bounds_or_none(text):
    wait = wait_in(text, NOW)
    assert wait is None or timedelta(0) <= wait <= LONGEST_WAIT


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("0", timedelta(0)),
        (" 120 ", timedelta(minutes=2)),
        ("1.5", timedelta(seconds=1.5)),
        ("-5", timedelta(0)),
        ("nan", None),
        ("inf", None),
        ("1e99", None),
        ("99999999", LONGEST_WAIT),
        ("Sun, 22 Nov 2026 09:10:00 GMT", timedelta(minutes=10)),
        ("Sunday, 22-Nov-26 09:10:00 GMT", timedelta(minutes=10)),
        ("Sun, 22 Nov 2026 08:00:00 GMT", timedelta(0)),
        ("soon", None),
        ("", None),
    ],
)
def test_both_forms_of_retry_after_are_read(text, wait):
    assert wait_in(text, NOW) == wait


def test_a_date_is_read_by_the_clock_of_who_wrote_it():
    headers = {"retry-after": "Sun, 22 Nov 2026 12:01:00 GMT", "date": "Sun, 22 Nov 2026 12:00:00 GMT"}
    assert Answer(429, headers, b"", NOW).retry_after == timedelta(minutes=1)


def test_a_mistake_of_ours_after_the_answer_leaves_its_mails_in_doubt_and_is_raised(monkeypatch):
    with Stand(PostmarkDesk()) as stand:
        backend, watching = open_account(account(stand.desk, stand.url)), Watching()

        def hear(answer, mails):
            raise ZeroDivisionError("a mistake")

        monkeypatch.setattr(backend._api, "hear", hear)
        with pytest.raises(ZeroDivisionError):
            backend.send(mails(3), watching)
        backend.close()
        assert watching.kinds == {OutcomeKind.UNKNOWN: 3}


def test_a_probe_says_who_is_let_in_and_risks_no_mail():
    from campaigns.errors import BackendError

    for desk in DESKS:
        with Stand(desk()) as stand:
            backend = open_account(account(stand.desk, stand.url))
            backend.probe()
            stand.desk.locked = True
            with pytest.raises(BackendError, match="401"):
                backend.probe()
            backend.close()
            assert not stand.posts, desk
            assert not stand.desk.taken


def test_a_provider_that_is_busy_tells_a_probe_how_long():
    from campaigns.errors import BackendError

    reply = Reply(503, {"message": "later"}, {"retry-after": "90"})
    with Stand(PostmarkDesk(), lambda asked, serve: reply) as stand:
        backend = open_account(account(stand.desk, stand.url))
        with pytest.raises(BackendError, match="later") as caught:
            backend.probe()
        assert caught.value.retry_after == timedelta(seconds=90)
        backend.close()
