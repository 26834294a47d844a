"""Mailjet, Send API v3.1.

Source: https://dev.mailjet.com/email/reference/send-emails/#v3_1_post_send
"""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any

from campaigns.delivery.contract import Backend, Capabilities
from campaigns.delivery.providers.answers import (
    Answer,
    deferred,
    failed,
    require_success,
    sent,
    unknown,
    unreadable,
)
from campaigns.delivery.providers.api import Api, Request, json_body, json_request, list_of, object_of
from campaigns.delivery.providers.hook_options import hook_options
from campaigns.delivery.providers.http import open_http
from campaigns.delivery.providers.provider import (
    Option,
    Options,
    Provider,
    Ways,
    a_word,
    batch_option,
    http_options,
    yes_or_no,
)
from campaigns.delivery.providers.reference import KEY, reference_of
from campaigns.delivery.providers.structured import take_apart
from campaigns.delivery.returns import BounceClass
from campaigns.delivery.smtp.replies import plain_text
from campaigns.delivery.webhooks import Signal, SignalKind, Webhooks
from campaigns.delivery.webhooks.proofs import by_secret_path
from campaigns.delivery.webhooks.told import MOST_SAID, MOST_URL, Told, parts
from campaigns.values import Account, Attachment, Outcome, Outgoing

CAPABILITIES = Capabilities(
    substituted=True,
    envelope_sender=False,  # a Sender must be confirmed there, so it cannot differ from mail to mail
    own_message_id=False,  # its own is what its events name
    own_signature=False,
    tags=True,
    metadata=True,
    sandbox=True,
    max_batch=50,
    max_bytes=15 * 1024 * 1024 * 4 // 3,
    max_mail=15 * 1024 * 1024,
)
MINE = "CustomID"  #: comes back in answers and events


class Mailjet(Api):
    """Batches of different mails, with an answer for each."""

    capabilities = CAPABILITIES

    def __init__(self, options: Options) -> None:
        self._url = options["url"].rstrip("/") + "/v3.1/send"
        self._login = b64encode(f"{options['key']}:{options['secret']}".encode()).decode()
        self._tag = options["tag"]
        self._sandbox = options["sandbox"] == "yes"

    def piece(self, mail: Outgoing) -> dict[str, Any]:
        letter, reference = take_apart(mail), reference_of(mail)
        told: dict[str, Any] = {
            "From": letter.sender.fields("Email", "Name"),
            "To": [letter.to.fields("Email", "Name")],
            "ReplyTo": letter.reply_to.fields("Email", "Name") if letter.reply_to else None,
            "Subject": letter.subject,
            "TextPart": letter.text,
            "HTMLPart": letter.html,
            "Headers": letter.headers,
            MINE: reference,
            "EventPayload": json_body({KEY: reference}).decode() if reference else "",
            "CustomCampaign": self._tag,
            "Attachments": [_file(one) for one in letter.attached],
            "InlinedAttachments": [_file(one) | {"ContentID": one.content_id} for one in letter.pictures],
            "TrackOpens": "disabled",
            "TrackClicks": "disabled",
        }
        return {name: value for name, value in told.items() if value}

    def ask(self, pieces: Sequence[dict[str, Any]], key: str) -> Request:  # noqa: ARG002 - it knows no keys
        told: dict[str, Any] = {"Messages": list(pieces)}
        if self._sandbox:
            told["SandboxMode"] = True
        return json_request(self._url, told, authorization=f"Basic {self._login}")

    def hear(self, answer: Answer, mails: Sequence[Outgoing]) -> list[Outcome]:
        items = object_of(answer.json()).get("Messages")
        if not isinstance(items, list) or not 200 <= answer.status < 500 or answer.status in {401, 403, 429}:
            require_success(answer)
            raise unreadable(answer)
        outcomes = [_outcome(object_of(item)) for item in items[: len(mails)]]
        return outcomes + [unknown("Mailjet's answer does not name this mail")] * (len(mails) - len(outcomes))


def _outcome(item: dict[str, Any]) -> Outcome:
    if item.get("Status") == "success":
        return sent(_identity(item))
    errors = [object_of(one) for one in list_of(item.get("Errors"))]
    if item.get("Status") != "error" or not errors:
        return unknown("Mailjet's answer for this mail cannot be read")
    status = errors[0].get("StatusCode")
    code = status if isinstance(status, int) else 400
    text = plain_text("; ".join(f"{one.get('ErrorCode')}: {one.get('ErrorMessage')}" for one in errors))
    if code >= 500:
        return unknown(text, code)
    return deferred(text, code) if code in {401, 403, 429} else failed(text, code)


def _identity(item: dict[str, Any]) -> object:
    """The id that its events name: MessageID, not MessageUUID."""
    to = [object_of(one) for one in list_of(item.get("To"))]
    return to[0].get("MessageID") if to else None


def _file(one: Attachment) -> dict[str, str | None]:
    return {
        "ContentType": one.media_type,
        "Filename": one.name,
        "Base64Content": b64encode(one.data).decode(),
    }


def _open(account: Account, options: Options, ways: Ways) -> Backend:
    return open_http(account, options, ways, Mailjet(options))


# ---- what comes back, by webhook

_KINDS = {
    "sent": SignalKind.DELIVERED,
    "bounce": SignalKind.BOUNCED,
    "blocked": SignalKind.BOUNCED,
    "spam": SignalKind.COMPLAINED,
    "unsub": SignalKind.UNSUBSCRIBED,
    "open": SignalKind.OPENED,
    "click": SignalKind.CLICKED,
}
_CLASSES = {
    "user unknown": BounceClass.HARD_ADDRESS,
    "mailbox inactive": BounceClass.INACTIVE,
    "quota exceeded": BounceClass.FULL,
    "blacklisted": BounceClass.LISTED,
    "spam reporter": BounceClass.LISTED,
    "invalid domain": BounceClass.HARD_DOMAIN,
    "no mail host": BounceClass.HARD_DOMAIN,
    "relay/access denied": BounceClass.REFUSED,
    "greylisted": BounceClass.TRANSIENT,
    "typofix": BounceClass.LISTED,
    "bad or empty template": BounceClass.PROTOCOL,
    "error in template language": BounceClass.PROTOCOL,
    "sender blocked": BounceClass.BLOCK_REPUTATION,
    "content blocked": BounceClass.BLOCK_CONTENT,
    "policy issue": BounceClass.BLOCK_POLICY,
    "system issue": BounceClass.TRANSIENT,
    "protocol issue": BounceClass.PROTOCOL,
    "connection issue": BounceClass.TRANSIENT,
    "preblocked": BounceClass.LISTED,
    "duplicate in campaign": BounceClass.LISTED,
}


def _read(held: object) -> Iterator[Signal]:
    """The events of a call: a list, or one alone.

    Source: Mailjet, "Event API: real-time notifications".
    """
    return (_event(one) for one in parts(held) if one.text("event"))


def _event(told: Told) -> Signal:
    word, error = told.word("event"), told.word("error")
    kind = _KINDS.get(word, SignalKind.UNKNOWN)
    if error == "greylisted" and not told.true("hard_bounce"):
        kind = SignalKind.DELAYED
    url, ip = told.text("url", MOST_URL), told.ip("ip")
    same = (word, told.text("MessageID"), told.mailbox("email"), told.text("time"), url, ip)
    said = told.text("comment", MOST_SAID) or told.text("smtp_reply", MOST_SAID)
    return Signal(
        kind,
        ":".join(same),
        at=told.moment("time"),
        references=tuple(one for one in (told.text("CustomID", 300), *_payload(told)) if one),
        recipient=told.mailbox("email"),
        said="abuse" if kind is SignalKind.COMPLAINED else said or told.text("error"),
        word="/".join(one for one in (word, told.text("error_related_to"), error) if one),
        hint=_CLASSES.get(error),
        url=url,
        agent=told.text("agent", 500),
        address=ip,
    )


def _payload(told: Told) -> list[str]:
    """What stands in the payload of the event: our reference, alone or under its name."""
    return [told.inner("Payload").text(KEY), told.text("Payload", 300)]


WEBHOOKS = Webhooks(
    check=by_secret_path,
    read=_read,
    scheme="nothing is signed: a secret address, and a password if one is set",
)


# ---- the row

PROVIDER = Provider(
    name="mailjet",
    title="Mailjet (Send API v3.1)",
    capabilities=CAPABILITIES,
    options=(
        Option("key", "the API key", required=True, check=a_word),
        Option("secret", "the secret key", required=True, secret=True, check=a_word),
        Option("sandbox", "yes: mail is looked at, and none is sent", default="no", check=yes_or_no),
        batch_option(CAPABILITIES.max_batch or 1),
        *http_options(url="https://api.mailjet.com"),
        *hook_options(),
    ),
    opener=_open,
    webhooks=WEBHOOKS,
    selectors=("mailjet",),
)
