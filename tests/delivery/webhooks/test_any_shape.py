"""Events of any shape: whatever stands in a field, what is read is plain, bounded, and fit for the store."""

import json
import unicodedata
from copy import deepcopy
from datetime import timedelta
from ipaddress import ip_address

from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.delivery.providers import PROVIDERS
from campaigns.delivery.returns import Finding
from campaigns.delivery.webhooks import SignalKind, read_call, why_failed
from tests.delivery.webhooks.payloads import ALL, TOKEN, packed

GENERIC = {"kind": "bounced", "postroom": TOKEN, "id": "1", "at": "2026-11-22T09:00:00Z", "text": "x", "code": 550,
           "enhanced": "5.1.1", "class": "full", "by": "machine", "url": "u", "agent": "a", "ip": "192.0.2.1",
           "recipient": "ada@example.com"}  # fmt: skip
EVENTS = [(provider, event) for provider, events in ALL.items() for event in events.values()] + [
    ("http", GENERIC)
]
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.integers(10**17, 10**30) | st.floats()
    | st.text(max_size=30) | st.sampled_from(["x" * 50_000, "\ud800", "\0", "\x1b[31m", "\u202e", "1e999", "-1",
                                              "<script>", "9999-99-99", "550 5.1.1", "a@b@c", "<@>", "v" * 300 + "@x"])
)  # fmt: skip
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
MOST = {"id": 4000, "recipient": 400, "said": 2000, "word": 400, "url": 2000, "agent": 500, "address": 45}


def places(event, path=()):
    """Every place in an event, the inner ones too."""
    yield path
    for key, value in (
        event.items() if isinstance(event, dict) else enumerate(event) if isinstance(event, list) else ()
    ):
        yield from places(value, (*path, key))


def put(event, path, value):
    if not path:
        return value
    event[path[0]] = put(event[path[0]], path[1:], value)
    return event


def is_plain(text):
    text.encode()
    return not any(unicodedata.category(sign) == "Cc" for sign in text)


@settings(max_examples=300, deadline=None)
@given(chosen=st.sampled_from(EVENTS), data=st.data())
def test_whatever_stands_in_an_event_is_read_plain_and_bounded(chosen, data):
    provider, event = chosen
    event = deepcopy(event)
    for _ in range(data.draw(st.integers(1, 4))):
        path = data.draw(st.sampled_from(list(places(event))))
        event = put(event, path, data.draw(ANYTHING))
    body = json.dumps(packed(provider, event)).encode()
    reading = read_call(PROVIDERS[provider].webhooks, body)
    assert not reading.problem.startswith("unreadable"), reading.problem
    for signal in reading.signals:
        for name, most in MOST.items():
            text = getattr(signal, name)
            assert len(text) <= most, name
            assert is_plain(text), name
        assert all(len(one) <= 400 and is_plain(one) for one in signal.references)
        assert signal.address == "" or ip_address(signal.address)
        assert signal.at is None or signal.at.utcoffset() == timedelta(0)
        assert isinstance(signal.kind, SignalKind)
        assert isinstance(why_failed(signal), Finding)


@settings(max_examples=100, deadline=None)
@given(
    provider=st.sampled_from([*ALL, "http"]),
    body=st.binary(max_size=60) | ANYTHING.map(lambda one: json.dumps(one).encode()),
)
def test_a_call_of_any_shape_is_read_or_told_to_be_unreadable(provider, body):
    reading = read_call(PROVIDERS[provider].webhooks, body)
    assert not reading.problem.startswith("unreadable"), reading.problem
    assert len(reading.problem) < 300
