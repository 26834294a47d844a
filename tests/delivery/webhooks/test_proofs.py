"""Which calls are believed: each provider's scheme with good, tampered, old, future and wrongly signed calls."""

import json
from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from campaigns.delivery.providers import PROVIDERS
from campaigns.delivery.providers.hook_options import CALLING
from campaigns.delivery.webhooks import Call, Unproven, sns
from campaigns.errors import BackendError
from campaigns.values import Account
from tests.delivery.webhooks import signing
from tests.delivery.webhooks.signing import NOW, SCHEMES, TOPIC

NEW = "whsec_" + b64encode(b"new" * 8).decode()
SIGNED = ["ses", "sendgrid", "mailgun", "resend", "http"]
UNSIGNED = ["postmark", "mailjet", "brevo"]
TOLD = {"ses": {"eventType": "Delivery"}, "sendgrid": [{"event": "delivered"}], "mailgun": {"event": "delivered"},
        "resend": {"type": "email.sent"}, "http": {"kind": "delivered"}}  # fmt: skip
#: How long ago a call of each may have been signed.
WINDOW = {"ses": timedelta(hours=1), "sendgrid": timedelta(minutes=10), "mailgun": timedelta(hours=9),
          "resend": timedelta(minutes=5), "http": timedelta(minutes=5)}  # fmt: skip
OTHERS = {"ses": {"which": "other"}, "sendgrid": {"which": "other"}, "mailgun": {"key": "other"},
          "resend": {"key": b"other"}, "http": {"key": b"other"}}  # fmt: skip


class Amazon:
    """Where certificates are kept, and how often it is asked."""

    def __init__(self, pem=None):
        self.pem = pem or signing.certificate()
        self.asked = []

    def __call__(self, url):
        self.asked.append(url)
        return self.pem


def check_of(kind, amazon=None):
    if kind == "ses":
        return partial(sns.check, certificates=sns.Certificates(amazon or Amazon()))
    return PROVIDERS[kind].webhooks.check


def check(kind, call, now=NOW, account=None, amazon=None):
    return check_of(kind, amazon)(call, account or SCHEMES[kind].account, now)


def signed(kind, **over):
    return SCHEMES[kind].sign(TOLD[kind], **over)


def status_of(kind, call, **over):
    with pytest.raises(Unproven) as refused:
        check(kind, call, **over)
    return refused.value.status


@pytest.mark.parametrize("kind", SIGNED)
def test_a_call_of_the_provider_is_believed_and_named_the_same_each_time(kind):
    name = check(kind, signed(kind))
    assert name
    assert check(kind, signed(kind), NOW + timedelta(seconds=20)) == name


@pytest.mark.parametrize("kind", SIGNED)
def test_two_calls_have_two_names(kind):
    over = {"at": NOW + timedelta(seconds=1)} if kind == "sendgrid" else {"number": 2}
    assert check(kind, signed(kind)) != check(kind, signed(kind, **over))


@pytest.mark.parametrize("kind", SIGNED)
def test_a_call_signed_with_another_key_is_refused(kind):
    assert status_of(kind, signed(kind, **OTHERS[kind])) == 401


@pytest.mark.parametrize("kind", ["ses", "sendgrid", "resend", "http"])
def test_a_changed_body_is_refused(kind):
    call = signed(kind)
    body = (
        call.body.replace(b"elivery", b"elivers").replace(b"elivered", b"eliverex").replace(b"sent", b"seen")
    )
    assert body != call.body
    assert status_of(kind, Call(body, call.headers)) == 401


@pytest.mark.parametrize("part", ["timestamp", "token", "signature"])
def test_mailguns_signature_covers_its_time_and_its_token(part):
    told = json.loads(signed("mailgun").body)
    old = told["signature"][part]
    told["signature"][part] = ("0" if old[0] != "0" else "1") + old[1:]
    assert status_of("mailgun", Call(json.dumps(told).encode())) == 401


@pytest.mark.parametrize("moved", [-1, 1, 3])
def test_no_digit_can_be_moved_between_mailguns_time_and_its_token(moved):
    told = json.loads(signed("mailgun").body)
    stamp, token = told["signature"]["timestamp"], told["signature"]["token"]
    both, cut = stamp + token, len(stamp) + moved
    told["signature"] |= {"timestamp": both[:cut], "token": both[cut:]}
    assert status_of("mailgun", Call(json.dumps(told).encode())) == 401


@pytest.mark.parametrize("kind", SIGNED)
def test_an_old_call_is_refused_and_one_just_young_enough_is_not(kind):
    call = signed(kind, at=NOW - WINDOW[kind])
    assert check(kind, call)
    assert status_of(kind, call, now=NOW + timedelta(seconds=1)) == 401


@pytest.mark.parametrize("kind", SIGNED)
def test_a_call_from_the_future_is_refused(kind):
    ahead = sns.AHEAD if kind == "ses" else WINDOW[kind]
    assert check(kind, signed(kind, at=NOW + ahead))
    assert status_of(kind, signed(kind, at=NOW + ahead + timedelta(seconds=1))) == 401


@pytest.mark.parametrize("kind", SIGNED)
@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"[]", b"\xff\x00", b"[" * 100_000, b'{"signature": 5}',
                                  b'{"Type": ["Notification"], "SignatureVersion": 2}'])  # fmt: skip
def test_an_unsigned_call_is_refused_whatever_it_holds(kind, body):
    assert status_of(kind, Call(body)) == 401


@pytest.mark.parametrize("kind", SIGNED)
def test_damaged_signatures_are_refused(kind):
    call = signed(kind)
    if kind in {"ses", "mailgun"}:
        told = json.loads(call.body)
        inner = told if kind == "ses" else told["signature"]
        name = "Signature" if kind == "ses" else "signature"
        for damaged in ("", "é", "A", "!!!", "\ud800", None, 5):
            inner[name] = damaged
            assert status_of(kind, Call(json.dumps(told).encode())) == 401
        return
    name = next(one for one in call.headers if one.endswith("signature"))
    for damaged in ("", "é", "A", "v1,", "v1", "v2," + call.headers[name], "!!!", "v1,é " * 3000, "\udcff"):
        assert status_of(kind, Call(call.body, {**call.headers, name: damaged})) == 401


@pytest.mark.parametrize("kind", SIGNED)
def test_an_account_without_a_key_believes_nothing(kind):
    assert status_of(kind, signed(kind), account=Account("a", kind)) == 403


@pytest.mark.parametrize("kind", ["sendgrid", "mailgun", "resend", "http"])
def test_two_keys_are_believed_while_one_takes_the_others_place(kind):
    known = SCHEMES[kind].account
    other = {"sendgrid": signing.public("new"), "mailgun": "new", "resend": NEW, "http": NEW}
    both = replace(known, options={"webhook_key": f"{other[kind]} {known.options['webhook_key']}"})
    assert check(kind, signed(kind), account=both)
    new = {
        "sendgrid": {"which": "new"},
        "mailgun": {"key": "new"},
        "resend": {"key": b"new" * 8},
        "http": {"key": b"new" * 8},
    }
    assert check(kind, signed(kind, **new[kind]), account=both)
    assert status_of(kind, signed(kind, **OTHERS[kind]), account=both) == 401


def test_a_key_of_sendgrids_that_is_none_is_told_apart():
    for key in ("AAAA", "no key", b64encode(b"x" * 90).decode()):
        assert (
            status_of("sendgrid", signed("sendgrid"), account=Account("a", "sendgrid", {"webhook_key": key}))
            == 403
        )


@pytest.mark.parametrize("kind", ["resend", "http"])
@pytest.mark.parametrize("key", ["whsec_", "whsec_!!!", "é", "whsec_AAAA"])
def test_a_key_that_is_none_is_not_taken_for_an_empty_one(kind, key):
    account = Account("a", kind, {"webhook_key": key})
    for forged in (b"", b"\0\0\0"):
        assert status_of(kind, signed(kind, key=forged), account=account) == 403


def test_one_of_several_signatures_is_enough():
    call = signed("resend")
    both = f"v1,{b64encode(b'x' * 32).decode()} v1a,xyz {call.headers['svix-signature']}"
    assert check("resend", Call(call.body, {**call.headers, "svix-signature": both}))


def test_the_secret_of_our_requests_stands_in_where_the_generic_account_has_no_key_of_its_own():
    account = Account("a", "http", {"secret": signing.SECRET})
    assert check("http", signed("http"), account=account)


# ---- Amazon


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("kind", ["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_both_versions_of_amazons_signature_are_believed_for_every_kind_of_message(version, kind):
    more = {} if kind == "Notification" else {"Token": "t", "SubscribeURL": "https://x"}
    assert check("ses", signing.sns("x", version=version, kind=kind, **more))


def test_a_subject_is_signed_too():
    call = signing.sns("x", Subject="Hello")
    assert check("ses", call)
    assert status_of("ses", Call(call.body.replace(b"Hello", b"Hallo"))) == 401


@pytest.mark.parametrize("name", ["MessageId", "Subject", "Timestamp", "TopicArn"])
def test_no_signed_text_of_amazon_can_be_read_in_two_ways(name):
    with pytest.raises(Unproven, match="has several"):
        check("ses", signing.sns("x", **{name: "x\nTimestamp\ny"}))


def test_a_message_of_amazon_may_have_lines():
    assert check("ses", signing.sns("one\ntwo"))


def test_a_version_that_nobody_knows_is_refused():
    assert status_of("ses", signing.sns("x", SignatureVersion="3")) == 401


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.eu-central-1.amazonaws.com.evil.example/SimpleNotificationService-0123456789abcdef.pem",
        "https://evil.example/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.eu-central-1.amazonaws.com@evil.example/SimpleNotificationService-01.pem",
        "https://sns.eu-central-1.amazonaws.com:444/SimpleNotificationService-01.pem",
        "https://evil.example/?https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-01.pem",
        "https://sns.evil.example#.amazonaws.com/SimpleNotificationService-01.pem",
        "https://bucket.s3.amazonaws.com/SimpleNotificationService-01.pem",
        "https://sns.eu-central-1.amazonaws.com/other/SimpleNotificationService-01.pem",
        "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-01.pem\n",
        "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-01.pem?x",
        "https://SNS.eu-central-1.amazonaws.com/../SimpleNotificationService-01.pem",
        "file:///etc/passwd",
        "",
    ],
)
def test_a_certificate_from_elsewhere_is_never_asked_for(url):
    amazon = Amazon()
    assert status_of("ses", signing.sns("x", SigningCertURL=url), amazon=amazon) == 401
    assert amazon.asked == []


def test_a_topic_that_is_not_allowed_is_refused_before_anything_is_asked():
    amazon = Amazon()
    assert status_of("ses", signing.sns("x", TopicArn=TOPIC + "2"), amazon=amazon) == 403
    assert amazon.asked == []
    several = Account("a", "ses", {"webhook_topics": f"arn:other, {TOPIC}"})
    assert check("ses", signing.sns("x"), account=several)


def test_a_certificate_is_fetched_once():
    amazon = Amazon()
    believe = check_of("ses", amazon)
    for number in range(3):
        believe(signing.sns("x", number=number), SCHEMES["ses"].account, NOW)
    assert amazon.asked == [signing.CERTIFICATE]


def test_amazon_certificates_from_china_are_amazons():
    url = "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-01.pem"
    assert check("ses", signing.sns("x", SigningCertURL=url))


def test_a_certificate_that_has_ended_is_refused():
    amazon = Amazon(signing.certificate(days=-1))
    assert status_of("ses", signing.sns("x"), amazon=amazon) == 401


@pytest.mark.parametrize(
    "pem", [b"", b"junk", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_is_no_certificate_is_refused(pem):
    amazon = Amazon()
    amazon.pem = pem
    assert status_of("ses", signing.sns("x"), amazon=amazon) == 401


def test_a_certificate_that_cannot_be_had_refuses_nothing_for_good():
    def away(_url):
        raise BackendError("away")

    with pytest.raises(BackendError):
        check("ses", signing.sns("x"), amazon=away)


# ---- who signs nothing


@pytest.mark.parametrize("kind", UNSIGNED)
def test_who_signs_nothing_is_believed_by_the_path_and_named_by_the_body(kind):
    call = signing.bare({"a": 1})
    assert check(kind, call) == check(kind, call)
    assert check(kind, call) != check(kind, signing.bare({"a": 2}))


@pytest.mark.parametrize("kind", UNSIGNED + SIGNED)
def test_a_password_is_required_where_one_is_set(kind):
    account = SCHEMES[kind].account
    locked = replace(account, options={**account.options, "webhook_user": "ada", "webhook_password": "pä:ss"})
    call = signed(kind) if kind in SIGNED else signing.bare({})

    def shown(text, scheme="Basic"):
        value = f"{scheme} {b64encode(text.encode()).decode()}"
        return Call(call.body, {**call.headers, "authorization": value})

    assert check(kind, shown("ada:pä:ss"), account=locked)
    assert check(kind, shown("ada:pä:ss", "basic"), account=locked)
    wrong = [shown("ada:"), shown("ada:pä:s"), shown(":pä:ss"), shown("ada:pä:ss", "Bearer"), call]
    wrong += [
        Call(call.body, {**call.headers, "authorization": text}) for text in ("Basic", "Basic !", "", "é")
    ]
    for one in wrong:
        assert status_of(kind, one, account=locked) == 401


def test_every_provider_that_calls_is_here():
    calling = {name for name, row in PROVIDERS.items() if row.webhooks}
    assert calling == {*CALLING, "http"}
    assert calling == set(SCHEMES) == set(SIGNED) | set(UNSIGNED)


def test_our_signatures_are_those_of_the_specification():
    """The example of the specification of Standard Webhooks, so that our own signing proves nothing by itself."""
    body = b'{"test": 2432232314}'
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    from datetime import UTC, datetime

    account = Account("a", "http", {"webhook_key": key})
    at = datetime.fromtimestamp(1614265330, UTC)
    assert b64decode(headers["webhook-signature"][3:])
    assert check("http", Call(body, headers), now=at, account=account) == headers["webhook-id"]
