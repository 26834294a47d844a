"""Twilio SendGrid, API v3: /mail/send.

Source: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send
"""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from campaigns.delivery.contract import Backend, Capabilities
from campaigns.delivery.providers.answers import Answer, require_success, sent, unreadable
from campaigns.delivery.providers.api import Api, Request, json_request, list_of, object_of
from campaigns.delivery.providers.hook_options import hook_options, signing_key
from campaigns.delivery.providers.http import open_http
from campaigns.delivery.providers.provider import (
    Option,
    Options,
    Provider,
    Ways,
    a_word,
    http_options,
    yes_or_no,
)
from campaigns.delivery.providers.reference import KEY, reference_of
from campaigns.delivery.providers.structured import take_apart
from campaigns.delivery.returns import BounceClass
from campaigns.delivery.smtp.replies import plain_text
from campaigns.delivery.webhooks import Call, Signal, SignalKind, Unproven, Webhooks
from campaigns.delivery.webhooks.proofs import KEY as SIGNING_KEY
from campaigns.delivery.webhooks.proofs import decoded, digest_of, keys_of, require_password, within
from campaigns.delivery.webhooks.told import MOST_SAID, MOST_URL, Told, parts
from campaigns.values import Account, Attachment, Outcome, Outgoing, Verdict

CAPABILITIES = Capabilities(
    distinct=False,  # personalizations share one text
    substituted=True,
    envelope_sender=False,
    own_signature=False,
    tags=True,
    metadata=True,
    sandbox=True,
    max_batch=1,
    max_bytes=30 * 1024 * 1024,
)
OFF = {"enable": False}


class SendGrid(Api):
    """One request a mail."""

    capabilities = CAPABILITIES

    def __init__(self, options: Options) -> None:
        self._url = options["url"].rstrip("/") + "/v3/mail/send"
        self._key, self._tag = options["key"], options["tag"]
        self._sandbox = options["sandbox"] == "yes"

    def piece(self, mail: Outgoing) -> dict[str, Any]:
        letter, reference = take_apart(mail), reference_of(mail)
        bodies = [("text/plain", letter.text), ("text/html", letter.html)]
        told: dict[str, Any] = {
            "from": letter.sender.fields(),
            "personalizations": [{"to": [letter.to.fields()]}],
            "subject": letter.subject,
            "content": [{"type": kind, "value": text} for kind, text in bodies if text],
            "headers": {**letter.headers, "Message-ID": letter.message_id},
            "tracking_settings": {
                "click_tracking": {"enable": False, "enable_text": False},
                "open_tracking": OFF,
                "subscription_tracking": OFF,
            },
        }
        if letter.reply_to:
            told["reply_to"] = letter.reply_to.fields()
        if letter.files:
            told["attachments"] = [_file(one) for one in letter.files]
        if reference:
            told["custom_args"] = {KEY: reference}
        if self._tag:
            told["categories"] = [self._tag]
        if self._sandbox:
            told["mail_settings"] = {"sandbox_mode": {"enable": True}}
        return told

    def ask(self, pieces: Sequence[dict[str, Any]], key: str) -> Request:  # noqa: ARG002 - it knows no keys
        return json_request(self._url, pieces[0] if pieces else {}, authorization=f"Bearer {self._key}")

    def hear(self, answer: Answer, mails: Sequence[Outgoing]) -> list[Outcome]:
        require_success(_plainly(answer))
        if answer.status != (200 if self._sandbox else 202):
            raise unreadable(answer)
        return [sent(answer.headers.get("x-message-id"), answer.status) for _ in mails]


def _file(one: Attachment) -> dict[str, str]:
    told = {
        "content": b64encode(one.data).decode(),
        "type": one.media_type,
        "filename": one.name,
        "disposition": "attachment" if one.content_id is None else "inline",
    }
    return told if one.content_id is None else {**told, "content_id": one.content_id}


def _plainly(answer: Answer) -> Answer:
    """Its errors as one text: {"errors": [{"message", "field"}]}."""
    errors = [object_of(one) for one in list_of(object_of(answer.json()).get("errors"))]
    said = "; ".join(f"{one.get('message')} ({one.get('field')})" for one in errors if one)
    return Answer(answer.status, answer.headers, plain_text(said).encode() or answer.body, answer.at)


def _open(account: Account, options: Options, ways: Ways) -> Backend:
    return open_http(account, options, ways, SendGrid(options))


# ---- what comes back, by webhook: the signed event webhook

_WINDOW = timedelta(minutes=10)
_SIGNATURE = "x-twilio-email-event-webhook-signature"
_TIMESTAMP = "x-twilio-email-event-webhook-timestamp"
_KINDS = {
    "processed": SignalKind.ACCEPTED,
    "delivered": SignalKind.DELIVERED,
    "deferred": SignalKind.DELAYED,
    "bounce": SignalKind.BOUNCED,
    "dropped": SignalKind.BOUNCED,
    "spamreport": SignalKind.COMPLAINED,
    "unsubscribe": SignalKind.UNSUBSCRIBED,
    "group_unsubscribe": SignalKind.UNSUBSCRIBED,
    "open": SignalKind.OPENED,
    "click": SignalKind.CLICKED,
}
_CLASSES = {
    "invalid address": BounceClass.HARD_ADDRESS,
    "invalid": BounceClass.HARD_ADDRESS,
    "mailbox unavailable": BounceClass.REFUSED,
    "content": BounceClass.BLOCK_CONTENT,
    "reputation": BounceClass.BLOCK_REPUTATION,
    "frequency/volume": BounceClass.BLOCK_REPUTATION,
    "frequency or volume too high": BounceClass.BLOCK_REPUTATION,
    "technical": BounceClass.TRANSIENT,
    "technical failure": BounceClass.TRANSIENT,
    "bounced address": BounceClass.LISTED,
    "unsubscribed address": BounceClass.LISTED,
    "spam reporting address": BounceClass.LISTED,
    "spam content (if spam checker app is enabled)": BounceClass.BLOCK_CONTENT,
    "spam content": BounceClass.BLOCK_CONTENT,
    "invalid smtpapi header": BounceClass.PROTOCOL,
    "recipient list over package quota": BounceClass.PROTOCOL,
    "blocked": BounceClass.BLOCK_POLICY,
    "expired": BounceClass.TRANSIENT,
}


def _check(call: Call, account: Account, now: datetime) -> str:
    """Check ECDSA over time and body; what was signed names the call.

    Source: Twilio SendGrid, "Getting Started with the Event Webhook Security Features".
    """
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    require_password(call, account)
    stamp, signature = call.header(_TIMESTAMP)[:30], decoded(call.header(_SIGNATURE)[:500])
    signed = stamp.encode("utf-8", "replace") + call.body
    for text in keys_of(account):
        try:
            key = load_der_public_key(decoded(text))
        except (ValueError, UnsupportedAlgorithm) as error:
            raise Unproven(f"the account's {SIGNING_KEY} cannot be read", 403) from error
        if not isinstance(key, EllipticCurvePublicKey):
            raise Unproven(f"the account's {SIGNING_KEY} is of another kind", 403)
        try:
            key.verify(signature, signed, ECDSA(hashes.SHA256()))
        except InvalidSignature:
            continue
        within(stamp, now, _WINDOW)
        return f"{stamp}:{digest_of(call.body)}"
    raise Unproven("the signature does not fit")


def _read(held: object) -> Iterator[Signal]:
    """The events of one batch.

    Source: Twilio SendGrid, "Event Webhook Reference".
    """
    return (_event(one) for one in parts(held) if one.text("event"))


def _event(told: Told) -> Signal:
    word = told.word("event")
    kind = _KINDS.get(word, SignalKind.UNKNOWN)
    reason = told.text("reason", MOST_SAID)
    sorts = (
        told.word("bounce_classification"),
        reason.lower() if word == "dropped" else "",
        told.word("type"),
    )
    stands = (*sorts, "dropped") if word == "dropped" else sorts
    hint = next((_CLASSES[one] for one in stands if one in _CLASSES), None)
    own = told.text("sg_event_id", 200) or ":".join(
        (word, told.text("sg_message_id", 200), told.text("timestamp"), told.text("url", MOST_URL))
    )
    acted = kind in {SignalKind.OPENED, SignalKind.CLICKED}
    return Signal(
        kind,
        own,
        at=told.moment("timestamp"),
        references=tuple(one for one in (told.text(KEY), told.text("smtp-id", 300)) if one),
        recipient=told.mailbox("email"),
        said=reason or told.text("response", MOST_SAID),
        status=told.status("status"),
        word="/".join(one for one in (word, told.text("type"), told.text("bounce_classification")) if one),
        hint=hint,
        doer=Verdict.PRIVACY if told.true("sg_machine_open") else None,
        url=told.text("url", MOST_URL),
        agent=told.text("useragent", 500),
        address=told.ip("ip") if acted else "",
    )


WEBHOOKS = Webhooks(
    check=_check,
    read=_read,
    needs=(SIGNING_KEY,),
    scheme="ECDSA P-256 over timestamp and body; 10 minutes",
)


# ---- the row

PROVIDER = Provider(
    name="sendgrid",
    title="Twilio SendGrid (API v3)",
    capabilities=CAPABILITIES,
    options=(
        Option("key", "an API key with the right mail.send", required=True, secret=True, check=a_word),
        Option("sandbox", "yes: mail is looked at, and none is sent", default="no", check=yes_or_no),
        *http_options(url="https://api.sendgrid.com"),
        *hook_options(signing_key("the verification key of the signed event webhook")),
    ),
    opener=_open,
    webhooks=WEBHOOKS,
    selectors=("s1", "s2"),
)
