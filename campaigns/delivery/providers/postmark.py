"""Postmark: /email/batch.

Source: https://postmarkapp.com/developer/user-guide/send-email-with-api/batch-emails
"""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any

from campaigns.delivery.contract import Backend, Capabilities
from campaigns.delivery.providers.answers import (
    Answer,
    Busy,
    Closed,
    deferred,
    failed,
    require_success,
    sent,
    unknown,
    unreadable,
)
from campaigns.delivery.providers.api import Api, Request, json_request, object_of
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
)
from campaigns.delivery.providers.reference import KEY, reference_of
from campaigns.delivery.providers.structured import take_apart
from campaigns.delivery.returns import BounceClass
from campaigns.delivery.smtp.replies import plain_text
from campaigns.delivery.webhooks import Signal, SignalKind, Webhooks
from campaigns.delivery.webhooks.proofs import by_secret_path
from campaigns.delivery.webhooks.told import MOST_SAID, MOST_URL, Told
from campaigns.values import Account, Attachment, Outcome, Outgoing

CAPABILITIES = Capabilities(
    substituted=True,
    envelope_sender=False,
    own_signature=False,
    tags=True,
    metadata=True,
    sandbox=True,
    max_batch=500,
    max_bytes=50 * 1024 * 1024,
    max_mail=10 * 1024 * 1024,
)
#: Its error codes: https://postmarkapp.com/developer/api/overview#error-codes
CLOSED = {
    10: "the server token is not known",
    400: "the sender is not confirmed",
    401: "the sender is not confirmed",
    405: "there are no credits left",
    412: "the account is still being reviewed",
    413: "the account may not send",
}
BUSY = frozenset({100, 429})
INACTIVE = 406  #: it bounced or complained there before


class Postmark(Api):
    """Batches of different mails; each has its own answer, in their order."""

    capabilities = CAPABILITIES

    def __init__(self, options: Options) -> None:
        self._url = options["url"].rstrip("/") + "/email/batch"
        self._token, self._stream, self._tag = options["token"], options["stream"], options["tag"]

    def piece(self, mail: Outgoing) -> dict[str, Any]:
        letter, reference = take_apart(mail), reference_of(mail)
        headers = {**letter.headers, "Message-ID": letter.message_id, "X-PM-KeepID": "true"}
        told: dict[str, Any] = {
            "From": str(letter.sender),
            "To": str(letter.to),
            "ReplyTo": str(letter.reply_to or ""),
            "Subject": letter.subject,
            "HtmlBody": letter.html,
            "TextBody": letter.text,
            "Headers": [{"Name": name, "Value": value} for name, value in headers.items()],
            "Metadata": {KEY: reference} if reference else None,
            "Attachments": [_file(one) for one in letter.files],
            "Tag": self._tag,
            "MessageStream": self._stream,
            "TrackLinks": "None",
        }
        return {"TrackOpens": False} | {name: value for name, value in told.items() if value}

    def ask(self, pieces: Sequence[dict[str, Any]], key: str) -> Request:  # noqa: ARG002 - it knows no keys
        return json_request(self._url, list(pieces), x_postmark_server_token=self._token)

    def hear(self, answer: Answer, mails: Sequence[Outgoing]) -> list[Outcome]:
        said = object_of(answer.json())
        if not 200 <= answer.status < 300 and (why := CLOSED.get(_code(said))):
            raise Closed(f"HTTP {answer.status}, error {_code(said)} ({why}): {answer.words()}")
        if answer.status == 422 and _code(said) in BUSY:
            raise Busy(f"error {_code(said)}: {answer.words()}", answer.retry_after)
        require_success(answer)
        items = answer.json()
        if not isinstance(items, list):
            raise unreadable(answer)
        outcomes = [_outcome(object_of(item)) for item in items[: len(mails)]]
        return outcomes + [unknown("Postmark's answer does not name this mail")] * (
            len(mails) - len(outcomes)
        )


def _code(item: dict[str, Any]) -> int:
    code = item.get("ErrorCode", 0 if item.get("MessageID") else -1)
    return code if isinstance(code, int) else -1


def _outcome(item: dict[str, Any]) -> Outcome:
    code, text = _code(item), plain_text(str(item.get("Message", "")))
    if code == 0:
        return sent(item.get("MessageID"))
    if code < 0:
        return unknown("Postmark's answer for this mail cannot be read")
    if code in BUSY or code in CLOSED:
        return deferred(f"error {code}: {text}", code)
    return failed(f"error {code}: {text}", code, "5.2.1" if code == INACTIVE else None)


def _file(one: Attachment) -> dict[str, str]:
    told = {"Name": one.name, "Content": b64encode(one.data).decode(), "ContentType": one.media_type}
    return told if one.content_id is None else {**told, "ContentID": f"cid:{one.content_id}"}


def _open(account: Account, options: Options, ways: Ways) -> Backend:
    return open_http(account, options, ways, Postmark(options))


# ---- what comes back, by webhook

_KINDS = {
    "delivery": SignalKind.DELIVERED,
    "bounce": SignalKind.BOUNCED,
    "spamcomplaint": SignalKind.COMPLAINED,
    "open": SignalKind.OPENED,
    "click": SignalKind.CLICKED,
}
#: Types of a bounce that are something else.
_OTHERWISE = {
    "transient": SignalKind.DELAYED,
    "dnserror": SignalKind.DELAYED,
    "autoresponder": SignalKind.AUTO_REPLIED,
    "addresschange": SignalKind.AUTO_REPLIED,
    "challengeverification": SignalKind.AUTO_REPLIED,
    "unsubscribe": SignalKind.UNSUBSCRIBED,
    "subscribe": SignalKind.UNKNOWN,
    "openrelaytest": SignalKind.UNKNOWN,
    "unknown": SignalKind.UNKNOWN,
    "inbounderror": SignalKind.UNKNOWN,
    "spamcomplaint": SignalKind.COMPLAINED,
}
_CLASSES = {
    "hardbounce": BounceClass.REFUSED,
    "bademailaddress": BounceClass.HARD_ADDRESS,
    "softbounce": BounceClass.TRANSIENT,
    "transient": BounceClass.TRANSIENT,
    "dnserror": BounceClass.TRANSIENT,
    "spamnotification": BounceClass.BLOCK_CONTENT,
    "virusnotification": BounceClass.BLOCK_CONTENT,
    "blocked": BounceClass.BLOCK_REPUTATION,
    "dmarcpolicy": BounceClass.BLOCK_AUTH,
    "manuallydeactivated": BounceClass.LISTED,
    "unconfirmed": BounceClass.LISTED,
    "smtpapierror": BounceClass.PROTOCOL,
    "templaterenderingfailed": BounceClass.PROTOCOL,
}


def _read(held: object) -> Iterator[Signal]:
    """The one event.

    Source: Postmark, "Webhooks overview" and its pages on each record type, "Bounce types".
    """
    told = Told(held)
    if told.text("RecordType"):
        yield _event(told)


def _event(told: Told) -> Signal:
    record, sort = told.word("RecordType"), told.word("Type")
    kind = _KINDS.get(record, SignalKind.UNKNOWN)
    if record == "bounce":
        kind = _OTHERWISE.get(sort, kind)
    if record == "subscriptionchange":
        kind = _change(told)
    stamps = ("DeliveredAt", "BouncedAt", "ReceivedAt", "ChangedAt")
    stamp = next((one for name in stamps if (one := told.text(name))), "")
    url, recipient = told.text("OriginalLink", MOST_URL), told.mailbox("Email") or told.mailbox("Recipient")
    own = told.text("ID", 40) or ":".join((told.text("MessageID"), recipient, stamp, url))
    return Signal(
        kind,
        f"{record}:{own}",
        at=told.moment(*stamps),
        references=tuple(one for one in told.part("Metadata").texts(KEY)),
        recipient=recipient,
        said="abuse" if kind is SignalKind.COMPLAINED else _said(told),
        word="/".join(
            one for one in (told.text("RecordType"), told.text("Type"), told.text("SuppressionReason")) if one
        ),
        hint=_CLASSES.get(sort),
        url=url,
        agent=told.text("UserAgent", 500),
        address=told.part("Geo").ip("IP"),
    )


def _said(told: Told) -> str:
    """What the other server said; Postmark's own description of a type would be judged as if it were that."""
    return told.text("Details", MOST_SAID)


def _change(told: Told) -> SignalKind:
    """What a change of Postmark's own list says of the contact: only what the contact did there."""
    if not told.true("SuppressSending"):
        return SignalKind.UNKNOWN  # a yes is given to us, with proof
    reason, origin = told.word("SuppressionReason"), told.word("Origin")
    if reason == "spamcomplaint":
        return SignalKind.COMPLAINED
    if reason == "manualsuppression" and origin == "recipient":
        return SignalKind.UNSUBSCRIBED
    return SignalKind.UNKNOWN  # a bounce has its own call; and what we did there is no word of a contact's


WEBHOOKS = Webhooks(
    check=by_secret_path,
    read=_read,
    scheme="nothing is signed: a secret address, and a password if one is set",
)


# ---- the row

PROVIDER = Provider(
    name="postmark",
    title="Postmark",
    capabilities=CAPABILITIES,
    options=(
        Option(
            "token",
            "the server's API token; POSTMARK_API_TEST takes mail and sends none",
            required=True,
            secret=True,
            check=a_word,
        ),
        Option("stream", "the message stream: broadcast for campaigns", default="broadcast", check=a_word),
        batch_option(CAPABILITIES.max_batch or 1),
        *http_options(url="https://api.postmarkapp.com"),
        *hook_options(),
    ),
    opener=_open,
    webhooks=WEBHOOKS,
)
