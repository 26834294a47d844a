"""Each provider's events, read into signals; and our judge's word on why mail came back."""

import json
from datetime import UTC, datetime

import pytest

from campaigns.delivery.providers import PROVIDERS
from campaigns.delivery.returns import HARD, BounceClass
from campaigns.delivery.webhooks import MOST_BYTES, SignalKind, contract, read_call, sns, why_failed
from campaigns.delivery.webhooks.contract import MOST_SIGNALS
from campaigns.values import Verdict
from tests.delivery.webhooks.payloads import ADA, AGENT, ALL, POSTMARK, TOKEN, bounce, packed

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
A, D, L, B, C, U, P, K, R, N = (
    SignalKind.ACCEPTED, SignalKind.DELIVERED, SignalKind.DELAYED, SignalKind.BOUNCED, SignalKind.COMPLAINED,
    SignalKind.UNSUBSCRIBED, SignalKind.OPENED, SignalKind.CLICKED, SignalKind.AUTO_REPLIED, SignalKind.UNKNOWN,
)  # fmt: skip
KINDS = {
    "ses": {"send": A, "delivery": D, "bounce": B, "notice": B, "full": B, "listed": B, "complaint": C,
            "complaint listed": B, "delay": L, "reject": B, "failure": B, "open": P, "click": K, "left": U,
            "one topic": N, "new": N},
    "sendgrid": {"processed": A, "delivered": D, "deferred": L, "bounce": B, "blocked": B, "dropped": B,
                 "dropped invalid": B, "spam": C, "left": U, "left group": U, "back": N, "open": P, "apple": P,
                 "click": K, "new": N},
    "mailgun": {"accepted": A, "delivered": D, "bounce": B, "listed": B, "delay": L, "rejected": B,
                "complained": C, "left": U, "open": P, "apple": P, "robot": K, "click": K, "new": N},
    "postmark": {"delivery": D, "bounce": B, "soft": B, "transient": L, "blocked": B, "bad": B, "away": R,
                 "challenge": R, "deactivated": B, "dmarc": B, "left by bounce": U, "complaint": C, "left": U,
                 "back": N, "open": P, "click": K, "new": N},
    "mailjet": {"sent": D, "bounce": B, "full": B, "grey": L, "blocked": B, "content": B, "spam": C, "left": U,
                "open": P, "click": K, "payload": P, "new": N},
    "brevo": {"request": A, "delivered": D, "deferred": L, "hard": B, "soft": B, "blocked": B, "invalid": B,
              "error": B, "complaint": C, "spam": C, "left": U, "open": P, "first open": P, "proxy": P,
              "click": K, "custom": P, "new": N},
    "resend": {"sent": A, "delivered": D, "delayed": L, "bounced": B, "quiet": B, "complained": C, "opened": P,
               "clicked": K, "failed": B, "suppressed": B, "pairs": D, "contact": N, "new": N},
}  # fmt: skip
CLASSES = {
    ("ses", "bounce"): BounceClass.HARD_ADDRESS,
    ("ses", "full"): BounceClass.FULL,
    ("ses", "listed"): BounceClass.LISTED,
    ("ses", "complaint listed"): BounceClass.LISTED,
    ("ses", "reject"): BounceClass.BLOCK_CONTENT,
    ("ses", "failure"): BounceClass.PROTOCOL,
    ("sendgrid", "bounce"): BounceClass.HARD_ADDRESS,
    ("sendgrid", "blocked"): BounceClass.BLOCK_REPUTATION,
    ("sendgrid", "dropped"): BounceClass.LISTED,
    ("mailgun", "bounce"): BounceClass.HARD_ADDRESS,
    ("mailgun", "listed"): BounceClass.LISTED,
    ("postmark", "bounce"): BounceClass.HARD_ADDRESS,
    ("postmark", "soft"): BounceClass.FULL,
    ("postmark", "blocked"): BounceClass.BLOCK_REPUTATION,
    ("postmark", "bad"): BounceClass.HARD_ADDRESS,
    ("postmark", "deactivated"): BounceClass.LISTED,
    ("postmark", "dmarc"): BounceClass.BLOCK_AUTH,
    ("mailjet", "bounce"): BounceClass.HARD_DOMAIN,
    ("mailjet", "full"): BounceClass.FULL,
    ("mailjet", "blocked"): BounceClass.LISTED,
    ("mailjet", "content"): BounceClass.BLOCK_CONTENT,
    ("brevo", "hard"): BounceClass.HARD_ADDRESS,
    ("brevo", "soft"): BounceClass.FULL,
    ("brevo", "blocked"): BounceClass.LISTED,
    ("brevo", "invalid"): BounceClass.HARD_ADDRESS,
    ("resend", "bounced"): BounceClass.HARD_ADDRESS,
    ("resend", "quiet"): BounceClass.LISTED,
    ("resend", "suppressed"): BounceClass.LISTED,
}
EACH = [(provider, name) for provider, events in ALL.items() for name in events]


def read(provider, event):
    body = json.dumps(packed(provider, event)).encode()
    reading = read_call(PROVIDERS[provider].webhooks, body)
    assert not reading.problem
    (signal,) = reading.signals
    return signal


@pytest.mark.parametrize(("provider", "name"), EACH)
def test_every_event_is_read_for_what_it_is_with_our_reference_and_the_recipient(provider, name):
    signal = read(provider, ALL[provider][name])
    assert signal.kind is KINDS[provider][name]
    assert signal.id
    if signal.kind is not N:
        assert TOKEN in signal.references[0]
        assert signal.recipient in {ADA, ""}
        assert signal.recipient == ADA or signal.kind is U
        assert signal.at is not None
        assert abs((signal.at - AT).total_seconds()) < 61


@pytest.mark.parametrize(("provider", "name"), [one for one in EACH if KINDS[one[0]][one[1]] in {P, K}])
def test_who_opened_and_clicked_is_told(provider, name):
    signal = read(provider, ALL[provider][name])
    if provider != "brevo" and name != "payload":
        assert signal.agent in {AGENT, "Mozilla/5.0"}
        assert signal.address == "192.0.2.1"
    assert (signal.url == "https://shop.example/a") == (signal.kind is K)
    doers = {"apple": Verdict.PRIVACY, "proxy": Verdict.PRIVACY, "robot": Verdict.MACHINE}
    assert signal.doer == doers.get(name)


@pytest.mark.parametrize(("provider", "name"), CLASSES)
def test_why_it_came_back(provider, name):
    assert why_failed(read(provider, ALL[provider][name])).kind is CLASSES[provider, name]


@pytest.mark.parametrize("provider", ALL)
def test_no_two_sorts_of_event_share_an_id(provider):
    signals = [read(provider, event) for event in ALL[provider].values()]
    sorts = {one.id: one.word.partition("/")[0] for one in signals}
    assert len(sorts) >= len({one.word.partition("/")[0] for one in signals})
    assert all(sorts[one.id] == one.word.partition("/")[0] for one in signals)


@pytest.mark.parametrize(("provider", "name"), [one for one in EACH if KINDS[one[0]][one[1]] in {P, K}])
def test_two_opens_or_clicks_of_a_mail_are_two(provider, name):
    event = ALL[provider][name]
    text = json.dumps(event)
    later = text.replace("09:00:00", "09:00:07").replace("1795338000", "1795338007")
    later = later.replace("sg-", "sg2-").replace("mg-", "mg2-")
    assert later != text
    assert read(provider, json.loads(later)).id != read(provider, event).id


def test_a_bounce_that_ses_tells_of_in_two_ways_is_one():
    assert read("ses", ALL["ses"]["notice"]).id == read("ses", ALL["ses"]["bounce"]).id


def test_a_providers_own_prose_on_a_type_is_not_taken_for_a_servers_word():
    found = why_failed(read("postmark", bounce("HardBounce")))
    assert (found.kind, found.rule) == (BounceClass.REFUSED, "provider's class: Bounce/HardBounce")


@pytest.mark.parametrize("provider", ALL)
def test_the_same_event_has_the_same_id(provider):
    for event in ALL[provider].values():
        assert read(provider, event).id == read(provider, json.loads(json.dumps(event))).id


@pytest.mark.parametrize("provider", ["sendgrid", "mailjet", "brevo"])
def test_a_call_may_hold_many(provider):
    events = list(ALL[provider].values())
    reading = read_call(PROVIDERS[provider].webhooks, json.dumps(events).encode())
    assert [one.kind for one in reading.signals] == list(KINDS[provider].values())


def test_a_call_of_many_thousand_is_read_to_its_end(monkeypatch):
    events = [{"kind": "opened", "id": str(number)} for number in range(25_000)]
    body = json.dumps({"events": events}).encode()
    assert len(body) < MOST_BYTES
    whole = read_call(PROVIDERS["http"].webhooks, body)
    assert (len(whole.signals), whole.problem) == (25_000, "")
    assert MOST_SIGNALS >= MOST_BYTES // 60
    monkeypatch.setattr(contract, "MOST_SIGNALS", 24_999)
    cut = read_call(PROVIDERS["http"].webhooks, body)
    assert (len(cut.signals), cut.problem) == (24_999, "only its first 24,999 events were read")


def test_a_bounce_of_ses_about_two_is_two():
    event = json.loads(json.dumps(ALL["ses"]["bounce"]))
    event["bounce"]["bouncedRecipients"].append({"emailAddress": "Bob <bob@example.com>", "status": "4.2.2"})
    reading = read_call(PROVIDERS["ses"].webhooks, json.dumps(packed("ses", event)).encode())
    assert [one.recipient for one in reading.signals] == [ADA, "bob@example.com"]
    assert len({one.id for one in reading.signals}) == 2
    assert [one.status for one in reading.signals] == ["5.1.1", "4.2.2"]


@pytest.mark.parametrize("reference", ["tags", "source", "headers"])
def test_ses_is_understood_by_tag_return_path_or_message_id(reference):
    event = json.loads(json.dumps(ALL["ses"]["delivery"]))
    for other in {"tags", "source", "headers"} - {reference}:
        del event["mail"][other]
    assert TOKEN in read("ses", event).references[0]


def test_a_subscription_asks_to_be_confirmed_only_at_amazons():
    url = "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=x&Token=y"
    told = {"Type": "SubscriptionConfirmation", "SubscribeURL": url, "MessageId": "1"}
    assert read_call(PROVIDERS["ses"].webhooks, json.dumps(told).encode()).follow == url
    for other in ("https://evil.example/?x", url.replace("amazonaws.com", "amazonaws.com.evil.example"),
                  url.replace("https", "http"), url.replace("sns.", "s3."), url.replace(".com/", ".com@evil.example/"),
                  url.replace(".com/", ".com:444/"), "", None, 5):  # fmt: skip
        reading = read_call(PROVIDERS["ses"].webhooks, json.dumps(told | {"SubscribeURL": other}).encode())
        assert reading.follow is None
        assert not reading.problem
    assert sns.subscription(told | {"Type": "UnsubscribeConfirmation"}) is None


def test_what_we_did_ourselves_at_postmark_is_no_word_of_the_contacts():
    for change in (
        {"Origin": "Customer"},
        {"Origin": "Admin"},
        {"SuppressionReason": "HardBounce"},
        {"SuppressSending": False},
    ):
        assert read("postmark", POSTMARK["left"] | change).kind is N
    assert read("postmark", POSTMARK["left"] | {"SuppressionReason": "SpamComplaint"}).kind is C


def test_hard_is_only_what_a_server_said_or_what_the_provider_says_without_doubt():
    hard = {one for one in CLASSES if CLASSES[one] in HARD}
    for provider, name in EACH:
        signal = read(provider, ALL[provider][name])
        if signal.kind is B and (provider, name) not in hard | {
            ("ses", "notice"),
            ("sendgrid", "dropped invalid"),
        }:
            assert why_failed(signal).kind not in HARD, (provider, name)
