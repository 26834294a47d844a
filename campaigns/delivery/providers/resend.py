"""Resend: /emails/batch, and /emails for mails with files.

Source: https://resend.com/docs/api-reference/emails/send-batch-emails,
https://resend.com/docs/dashboard/emails/idempotency-keys
"""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from campaigns.delivery.contract import Backend, Capabilities
from campaigns.delivery.providers.answers import (
    Answer,
    Busy,
    Closed,
    Doubtful,
    failed,
    require_success,
    sent,
    unknown,
    unreadable,
)
from campaigns.delivery.providers.api import Api, Request, json_request, list_of, object_of
from campaigns.delivery.providers.hook_options import hook_options, signing_key
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
from campaigns.delivery.webhooks import Signal, SignalKind, Webhooks
from campaigns.delivery.webhooks.proofs import KEY as SIGNING_KEY
from campaigns.delivery.webhooks.proofs import by_standard_signature
from campaigns.delivery.webhooks.told import MOST_SAID, MOST_URL, Told, mailbox
from campaigns.values import Account, Attachment, Outcome, Outgoing

CAPABILITIES = Capabilities(
    envelope_sender=False,
    own_message_id=False,
    own_signature=False,
    tags=True,
    metadata=True,
    max_batch=100,
    max_bytes=40 * 1024 * 1024,
    idempotency=timedelta(hours=24),
)
#: Its error names: https://resend.com/docs/api-reference/errors
CLOSED = frozenset(
    {
        "missing_api_key",
        "invalid_api_key",
        "restricted_api_key",
        "invalid_from_address",
        "monthly_quota_exceeded",
    }
)
BUSY = frozenset({"rate_limit_exceeded", "daily_quota_exceeded"})
IN_WORK = "concurrent_idempotent_requests"  #: the request whose answer was lost is being worked on
OTHERWISE = "invalid_idempotent_request"


class Resend(Api):
    """Batches of different mails; wrong ones are named, and the others go."""

    capabilities = CAPABILITIES

    def __init__(self, options: Options) -> None:
        self._url = options["url"].rstrip("/") + "/emails"
        self._key, self._tag = options["key"], options["tag"]

    def alone(self, mail: Outgoing) -> bool:
        return b"\r\nContent-Disposition:" in mail.data

    def piece(self, mail: Outgoing) -> dict[str, Any]:
        letter = take_apart(mail)
        tags = {KEY: reference_of(mail), "tag": self._tag}
        told: dict[str, Any] = {
            "from": str(letter.sender),
            "to": [str(letter.to)],
            "reply_to": [str(letter.reply_to)] if letter.reply_to else None,
            "subject": letter.subject,
            "html": letter.html,
            "text": letter.text,
            "headers": letter.headers,
            "attachments": [_file(one) for one in letter.files],
            "tags": [{"name": name, "value": value} for name, value in tags.items() if value],
        }
        return {name: value for name, value in told.items() if value}

    def ask(self, pieces: Sequence[dict[str, Any]], key: str) -> Request:
        headers = {"authorization": f"Bearer {self._key}"} | ({"idempotency_key": key} if key else {})
        if len(pieces) == 1:
            return json_request(self._url, pieces[0], **headers)
        return json_request(f"{self._url}/batch", list(pieces), x_batch_validation="permissive", **headers)

    def hear(self, answer: Answer, mails: Sequence[Outgoing]) -> list[Outcome]:
        said = object_of(answer.json())
        name = str(said.get("name"))
        told = f"HTTP {answer.status} {name}: {answer.words()}"
        if name in CLOSED:
            raise Closed(told)
        if name in BUSY:
            raise Busy(told, answer.retry_after)
        if name in {IN_WORK, OTHERWISE}:
            raise Doubtful(told)
        require_success(answer)
        if len(mails) == 1 and said.get("id"):
            return [sent(said["id"], answer.status)]
        if not isinstance(said.get("data"), list):
            raise unreadable(answer)
        return _outcomes(said, len(mails), answer)


def _outcomes(said: dict[str, Any], count: int, answer: Answer) -> list[Outcome]:
    """Those that were refused are named by their place; the names of the others follow in order."""
    refused = {}
    for error in map(object_of, list_of(said.get("errors"))):
        place = error.get("index")
        if not isinstance(place, int) or not 0 <= place < count:
            raise unreadable(answer)
        refused[place] = failed(error.get("message"), 422)
    names = [object_of(item).get("id") for item in said["data"]]
    if len(names) + len(refused) != count:
        return [
            refused.get(place, unknown("Resend's answer does not name this mail")) for place in range(count)
        ]
    left = iter(names)
    return [refused.get(place) or sent(next(left), answer.status) for place in range(count)]


def _file(one: Attachment) -> dict[str, str]:
    told = {"filename": one.name, "content": b64encode(one.data).decode(), "content_type": one.media_type}
    return told if one.content_id is None else {**told, "content_id": one.content_id}


def _open(account: Account, options: Options, ways: Ways) -> Backend:
    return open_http(account, options, ways, Resend(options))


# ---- what comes back, by webhook, by Svix

_KINDS = {
    "email.sent": SignalKind.ACCEPTED,
    "email.delivered": SignalKind.DELIVERED,
    "email.delivery_delayed": SignalKind.DELAYED,
    "email.bounced": SignalKind.BOUNCED,
    "email.failed": SignalKind.BOUNCED,
    "email.suppressed": SignalKind.BOUNCED,
    "email.complained": SignalKind.COMPLAINED,
    "email.opened": SignalKind.OPENED,
    "email.clicked": SignalKind.CLICKED,
}
#: Resend sends by Amazon SES, and passes its classes on.
_CLASSES = {
    "permanent/general": BounceClass.REFUSED,
    "permanent/noemail": BounceClass.HARD_ADDRESS,
    "permanent/suppressed": BounceClass.LISTED,
    "permanent/onaccountsuppressionlist": BounceClass.LISTED,
    "transient/general": BounceClass.TRANSIENT,
    "transient/mailboxfull": BounceClass.FULL,
    "transient/messagetoolarge": BounceClass.SIZE,
    "transient/contentrejected": BounceClass.BLOCK_CONTENT,
    "transient/attachmentrejected": BounceClass.BLOCK_CONTENT,
    "email.suppressed": BounceClass.LISTED,
    "email.failed": BounceClass.PROTOCOL,
}


def _read(held: object) -> Iterator[Signal]:
    """The one event.

    Source: Resend, "Event types" and its pages on each.
    """
    told = Told(held)
    if told.text("type"):
        yield _event(told, told.part("data"))


def _event(told: Told, data: Told) -> Signal:
    word = told.word("type")
    kind = _KINDS.get(word, SignalKind.UNKNOWN)
    bounce, click, opened = data.part("bounce"), data.part("click"), data.part("open")
    did = click or opened
    sort = "/".join(one for one in (bounce.text("type"), bounce.text("subType")) if one)
    stamp, url = told.text("created_at"), click.text("link", MOST_URL)
    own = data.text("email_id", 100) or data.text("id", 100)
    return Signal(
        kind,
        f"{word}:{own}:{stamp}:{url}",
        at=did.moment("timestamp") or told.moment("created_at"),
        references=_references(data),
        recipient=next((mailbox(one) for one in data.texts("to")), ""),
        said="abuse" if kind is SignalKind.COMPLAINED else _said(data),
        word="/".join(one for one in (word, sort) if one),
        hint=_CLASSES.get(sort.lower()) or _CLASSES.get(word),
        url=url,
        agent=did.text("userAgent", 500),
        address=did.ip("ipAddress"),
    )


def _said(data: Told) -> str:
    """What the other server said; only of a bounce without a type what Resend says."""
    bounce = data.part("bounce")
    own = "" if bounce.text("type") else bounce.text("message", MOST_SAID)
    told = (*bounce.texts("diagnosticCode", MOST_SAID), own)
    rest = (data.part("failed").text("reason", MOST_SAID), data.part("suppressed").text("message", MOST_SAID))
    return next((one for one in (*told, *rest) if one), "")


def _references(data: Told) -> tuple[str, ...]:
    """Our tag, which comes as an object or as a list of pairs; then headers, where they come along."""
    tags = [data.part("tags").text(KEY)]
    tags += [one.text("value") for one in data.parts("tags") if one.text("name") == KEY]
    headers = {one.word("name"): one.text("value", 300) for one in list(data.parts("headers"))[:200]}
    found = (
        *tags,
        headers.get("x-postroom", ""),
        data.text("message_id", 300),
        headers.get("message-id", ""),
    )
    return tuple(one for one in found if one)


WEBHOOKS = Webhooks(
    check=partial(by_standard_signature, prefix="svix"),
    read=_read,
    needs=(SIGNING_KEY,),
    scheme="Svix: HMAC-SHA256 over id, timestamp and body; 5 minutes",
)


# ---- the row

PROVIDER = Provider(
    name="resend",
    title="Resend",
    capabilities=CAPABILITIES,
    options=(
        Option("key", "an API key that may send", required=True, secret=True, check=a_word),
        batch_option(CAPABILITIES.max_batch or 1),
        *http_options(url="https://api.resend.com", connections="2"),
        *hook_options(signing_key("the signing secret of the webhook, whsec_…")),
    ),
    opener=_open,
    webhooks=WEBHOOKS,
    selectors=("resend",),
)
