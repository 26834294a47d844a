"""django-anymail reads the same calls: both call the same event the same, but where ours says more."""

import json
from types import SimpleNamespace

import django
import pytest
from django.conf import settings as django_settings

from campaigns.delivery.providers import PROVIDERS
from campaigns.delivery.webhooks import read_call
from tests.delivery.webhooks.payloads import ALL, TOKEN, packed

if not django_settings.configured:
    django_settings.configure(ANYMAIL={}, USE_TZ=True, SECRET_KEY="only for tests")
    django.setup()

#: Their words for ours.
SAME = {
    "accepted": {"queued", "sent"},
    "delivered": {"delivered"},
    "delayed": {"deferred"},
    "bounced": {"bounced", "rejected", "failed"},
    "complained": {"complained"},
    "unsubscribed": {"unsubscribed"},
    "opened": {"opened"},
    "clicked": {"clicked"},
    "auto-replied": {"autoresponded"},
    "unknown": {"unknown", "subscribed"},
}
#: Where we say something else on purpose.
OTHERWISE = {
    ("ses", "complaint listed"): "complained",  # of an earlier mail; this one was not sent
    ("ses", "delay"): "unknown",  # they do not know it
    ("ses", "left"): "unknown",
    ("resend", "failed"): "unknown",
    ("resend", "suppressed"): "unknown",
}
#: Where they take the address of the whole message; ours needs none, for the reference names the contact.
NO_RECIPIENT = {("ses", "one topic"), ("resend", "contact")}
EACH = [(provider, name) for provider, events in ALL.items() for name in events]


def view(provider):
    from anymail.webhooks.amazon_ses import AmazonSESTrackingWebhookView
    from anymail.webhooks.brevo import BrevoTrackingWebhookView
    from anymail.webhooks.mailgun import MailgunTrackingWebhookView
    from anymail.webhooks.mailjet import MailjetTrackingWebhookView
    from anymail.webhooks.postmark import PostmarkTrackingWebhookView
    from anymail.webhooks.resend import ResendTrackingWebhookView
    from anymail.webhooks.sendgrid import SendGridTrackingWebhookView

    of = {
        "ses": AmazonSESTrackingWebhookView,
        "sendgrid": SendGridTrackingWebhookView,
        "mailgun": MailgunTrackingWebhookView,
        "postmark": PostmarkTrackingWebhookView,
        "mailjet": MailjetTrackingWebhookView,
        "brevo": BrevoTrackingWebhookView,
        "resend": ResendTrackingWebhookView,
    }
    return object.__new__(of[provider])  # its reading needs no keys


def theirs(provider, event):
    body = json.dumps(packed(provider, event)).encode()
    request = SimpleNamespace(body=body, encoding="utf-8", content_type="application/json", headers={})
    (found,) = view(provider).parse_events(request)
    return found


def ours(provider, event):
    body = json.dumps(packed(provider, event)).encode()
    (found,) = read_call(PROVIDERS[provider].webhooks, body).signals
    return found


@pytest.mark.parametrize(("provider", "name"), EACH)
def test_both_call_it_the_same(provider, name):
    event = ALL[provider][name]
    if provider == "brevo" and name != "custom":  # they read nothing but JSON there
        event = event | {"X-Mailin-custom": json.dumps({"postroom": TOKEN})}
    mine, other = ours(provider, event), theirs(provider, event)
    if (provider, name) in OTHERWISE:
        assert other.event_type == OTHERWISE[provider, name]
        assert other.event_type not in SAME[mine.kind.value]
        return
    assert other.event_type in SAME[mine.kind.value]
    assert (other.recipient or "") == mine.recipient or (provider, name) in NO_RECIPIENT
    assert (other.click_url or "") == mine.url
    if other.user_agent and mine.kind in {"opened", "clicked"}:
        assert other.user_agent == mine.agent
    if other.timestamp and mine.at and provider != "ses":
        assert other.timestamp == mine.at
    if other.metadata and "postroom" in other.metadata:
        assert other.metadata["postroom"] == mine.references[0] == TOKEN
    if other.mta_response and mine.kind == "bounced" and mine.said:
        assert mine.said in other.mta_response or other.mta_response in mine.said


def test_most_is_the_same():
    assert len(OTHERWISE) * 10 < len(EACH)
