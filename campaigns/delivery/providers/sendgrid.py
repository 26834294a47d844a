"""Twilio SendGrid, API v3: /mail/send.

Source: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send
"""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from campaigns.delivery.contract import Backend, Capabilities
from campaigns.delivery.providers.answers import Answer, require_success, sent, unreadable
from campaigns.delivery.providers.api import Api, Request, json_request, list_of, object_of
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
from campaigns.delivery.smtp.replies import plain_text
from campaigns.values import Account, Attachment, Outcome, Outgoing

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


PROVIDER = Provider(
    name="sendgrid",
    title="Twilio SendGrid (API v3)",
    capabilities=CAPABILITIES,
    options=(
        Option("key", "an API key with the right mail.send", required=True, secret=True, check=a_word),
        Option("sandbox", "yes: mail is looked at, and none is sent", default="no", check=yes_or_no),
        *http_options(url="https://api.sendgrid.com"),
    ),
    opener=_open,
)


# ---- what comes back, by webhook
