"""Mail that goes to a provider by SMTP says there which message it is, and the provider's webhooks tell it again."""

import json
from email import message_from_bytes

import pytest

from campaigns.delivery.backend import open_account
from campaigns.delivery.providers import PROVIDERS
from campaigns.delivery.providers.hook_options import CALLING
from campaigns.delivery.providers.relayed import HEADERS
from campaigns.delivery.webhooks import read_call
from campaigns.values import Account, Outgoing
from tests.delivery.peers import Account as Watch
from tests.delivery.peers import Peer, mail
from tests.delivery.test_dkim import BOTH, LETTER, NOW, compose, verified

TOKEN = "abcdefghijklmnopqrstuvwxyz234567abcdefghijkl"
PLAIN = b"Subject: Hi\r\n\r\n.dot\r\nend\r\n"
#: What each provider makes of the header by its documents, and where its events show that.
EVENTS = {
    "postmark": lambda head: {
        "RecordType": "Bounce", "Type": "HardBounce", "ID": 7, "Email": "u1@people.example",
        "Metadata": {name[14:].lower(): value for name, value in head.items() if name.startswith("X-PM-Metadata-")},
    },
    "mailjet": lambda head: {
        "event": "bounce", "time": 1795338000, "MessageID": 7, "email": "u1@people.example",
        "CustomID": head["X-MJ-CustomID"], "hard_bounce": True,
    },
    "mailgun": lambda head: {
        "event-data": {
            "event": "failed", "severity": "permanent", "id": "x", "timestamp": 1795338000.1,
            "recipient": "u1@people.example", "user-variables": json.loads(head["X-Mailgun-Variables"]),
        },
    },
    "sendgrid": lambda head: [
        {"event": "bounce", "email": "u1@people.example", "timestamp": 1795338000, "sg_event_id": "x"}
        | json.loads(head["X-SMTPAPI"])["unique_args"],
    ],
    "brevo": lambda head: {
        "event": "hard_bounce", "email": "u1@people.example", "ts_epoch": 1795338000000,
        "message-id": "<x@relay>", "X-Mailin-custom": head["X-Mailin-custom"],
    },
}  # fmt: skip


def relayed(provider: str | None, one: Outgoing) -> bytes:
    """What a relay takes."""
    with Peer() as peer:
        options = {"url": f"smtp://127.0.0.1:{peer.port}"} | ({"webhooks": provider} if provider else {})
        way, watch = open_account(Account("main", "smtp", options)), Watch()
        way.send([None, one], watch)
        way.close()
        assert [outcome.kind.value for outcome in watch.outcomes.values()] == ["sent"]
        [(_, _, taken)] = peer.taken
    return taken


@pytest.mark.parametrize("provider", sorted(HEADERS))
def test_a_providers_event_names_the_message_that_went_through_its_relay(provider: str):
    taken = relayed(provider, mail(1, PLAIN, mail_from=f"b+{TOKEN}@bounce.example"))
    assert taken.endswith(PLAIN)
    told = EVENTS[provider](message_from_bytes(taken))
    reading = read_call(PROVIDERS[provider].webhooks, json.dumps(told).encode())
    [signal] = reading.signals
    assert signal.references[0] == TOKEN
    assert (signal.kind.value, signal.recipient) == ("bounced", "u1@people.example")


@pytest.mark.parametrize("provider", sorted(HEADERS))
def test_what_names_a_message_breaks_no_signature_and_no_line(provider: str):
    signed = BOTH.signed(compose(LETTER), NOW)
    taken = relayed(provider, signed._replace(mail_from=f"b+{TOKEN}@bounce.example"))
    assert len(taken) > len(signed.data)
    assert max(map(len, taken.split(b"\r\n"))) <= 998
    assert verified(taken) == [True, True]


@pytest.mark.parametrize("provider", [None, *sorted(set(CALLING) - HEADERS.keys())])
def test_others_get_the_mail_as_it_is(provider: str | None):
    assert relayed(provider, mail(1, PLAIN, mail_from=f"b+{TOKEN}@bounce.example")) == PLAIN


def test_a_mail_without_a_return_token_is_left_as_it_is():
    assert relayed("postmark", mail(1, PLAIN, mail_from="")) == PLAIN
