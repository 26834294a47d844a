"""Brevo, API v3: /smtp/email, one request a mail.

Its messageVersions would take 1,000 mails in one request, but 100 requests a minute, with no headers that are
documented to differ, one answer for all, and one wrong address refuses all; single requests may be 1,000 a
second.

Source: https://developers.brevo.com/reference/sendtransacemail, /docs/heterogenous-versions-batch-emails
"""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from campaigns.delivery.contract import Backend, Capabilities
from campaigns.delivery.providers.answers import Answer, Closed, require_success, sent, unreadable
from campaigns.delivery.providers.api import Api, Request, json_body, json_request, object_of
from campaigns.delivery.providers.hook_options import hook_options
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
from campaigns.delivery.webhooks import Signal, SignalKind, Webhooks
from campaigns.delivery.webhooks.proofs import by_secret_path
from campaigns.delivery.webhooks.told import MOST_SAID, MOST_URL, Told, parts
from campaigns.errors import BadInput
from campaigns.values import Account, Outcome, Outgoing, Problem, Verdict

CAPABILITIES = Capabilities(
    distinct=False,  # versions of one mail might be, but see above
    envelope_sender=False,
    own_signature=False,
    pictures=False,
    smtputf8=False,  # it writes headers in bare UTF-8 (Anymail's notes)
    tags=True,
    metadata=True,
    sandbox=True,
    max_batch=1,
    max_bytes=20 * 1024 * 1024,
    idempotency=timedelta(minutes=15),  # 30 by its guide, 15 by its changelog
)
METADATA = "X-Mailin-custom"  #: comes back in every event
REPEATED = "duplicate_request"
ABOUT_ACCOUNT = frozenset(
    {
        "unauthorized",
        "permission_denied",
        "not_enough_credits",
        "account_under_validation",
        "method_not_allowed",
    }
)


class Brevo(Api):
    """Single mails, each with a key that makes a repeat harmless."""

    capabilities = CAPABILITIES

    def __init__(self, options: Options) -> None:
        self._url = options["url"].rstrip("/") + "/v3/smtp/email"
        self._key, self._tag = options["key"], options["tag"]
        self._sandbox = options["sandbox"] == "yes"

    def piece(self, mail: Outgoing) -> dict[str, Any]:
        letter, reference = take_apart(mail), reference_of(mail)
        if letter.pictures:
            names = ", ".join(one.name for one in letter.pictures)
            cure = "Link to them instead, or send with another account."
            raise BadInput([Problem("pictures", f"Brevo shows none within a mail ({names}).", cure)])
        headers = {**letter.headers, "Message-ID": letter.message_id}
        headers |= {METADATA: json_body({KEY: reference}).decode()} if reference else {}
        headers |= {"X-Sib-Sandbox": "drop"} if self._sandbox else {}
        told: dict[str, Any] = {
            "sender": letter.sender.fields(),
            "to": [letter.to.fields()],
            "replyTo": letter.reply_to.fields() if letter.reply_to else None,
            "subject": letter.subject,
            "textContent": letter.text,
            "htmlContent": letter.html,
            "headers": {name: _ascii(name, value) for name, value in headers.items()},
            "attachment": [
                {"name": one.name, "content": b64encode(one.data).decode()} for one in letter.attached
            ],
            "tags": [self._tag] if self._tag else None,
        }
        return {name: value for name, value in told.items() if value}

    def ask(self, pieces: Sequence[dict[str, Any]], key: str) -> Request:
        if not pieces:
            return json_request(self._url, {}, api_key=self._key)
        told = pieces[0]
        headers = {**told["headers"], "idempotencyKey": str(UUID(key[:32], version=4))}
        return json_request(self._url, {**told, "headers": headers}, api_key=self._key)

    def hear(self, answer: Answer, mails: Sequence[Outgoing]) -> list[Outcome]:
        said = object_of(answer.json())
        code = str(said.get("code"))
        if code == REPEATED:  # the request whose answer was lost had come through
            return [sent("", answer.status) for _ in mails]
        if code in ABOUT_ACCOUNT:
            raise Closed(f"HTTP {answer.status} {code}: {answer.words()}")
        require_success(answer)
        identity = said.get("messageId")
        if not identity:
            raise unreadable(answer)
        return [sent(identity, answer.status) for _ in mails]


def _ascii(name: str, value: str) -> str:
    """A header's value, if it can travel: Brevo writes what is not ASCII as bare bytes, encoded words too."""
    if value.isascii():
        return value
    if name.lower() == "list-id":  # its name is for the eye, its host identifies
        return value[value.rindex("<") :]
    cure = "Write it in ASCII, or send with another account."
    raise BadInput([Problem(f"header {name}", "is not ASCII, which Brevo garbles.", cure)])


def _open(account: Account, options: Options, ways: Ways) -> Backend:
    return open_http(account, options, ways, Brevo(options))


# ---- what comes back, by webhook

_KINDS = {
    "request": SignalKind.ACCEPTED,
    "sent": SignalKind.ACCEPTED,
    "delivered": SignalKind.DELIVERED,
    "deferred": SignalKind.DELAYED,
    "hard_bounce": SignalKind.BOUNCED,
    "soft_bounce": SignalKind.BOUNCED,
    "blocked": SignalKind.BOUNCED,
    "invalid_email": SignalKind.BOUNCED,
    "error": SignalKind.BOUNCED,
    "spam": SignalKind.COMPLAINED,
    "complaint": SignalKind.COMPLAINED,
    "unsubscribe": SignalKind.UNSUBSCRIBED,
    "unsubscribed": SignalKind.UNSUBSCRIBED,
    "opened": SignalKind.OPENED,
    "unique_opened": SignalKind.OPENED,
    "proxy_open": SignalKind.OPENED,
    "unique_proxy_open": SignalKind.OPENED,
    "click": SignalKind.CLICKED,
}
_CLASSES = {
    "hard_bounce": BounceClass.REFUSED,
    "soft_bounce": BounceClass.TRANSIENT,
    "invalid_email": BounceClass.HARD_ADDRESS,
    "blocked": BounceClass.LISTED,
    "error": BounceClass.PROTOCOL,
}


def _read(held: object) -> Iterator[Signal]:
    """The one event; several where calls are batched.

    Source: Brevo, "Transactional webhooks".
    """
    return (_event(one) for one in parts(held) if one.text("event"))


def _event(told: Told) -> Signal:
    word = told.word("event")
    kind = _KINDS.get(word, SignalKind.UNKNOWN)
    stamp = told.text("ts_epoch") or told.text("ts_event")
    url, recipient = told.text("link", MOST_URL), told.mailbox("email")
    custom = told.inner("X-Mailin-custom")
    said = told.text("reason", MOST_SAID)
    return Signal(
        kind,
        ":".join((word, told.text("message-id", 200), recipient, stamp, url)),
        at=told.moment("ts_epoch", "ts_event"),
        references=tuple(
            one
            for one in (custom.text(KEY), told.text("X-Mailin-custom", 300), told.text("message-id", 300))
            if one
        ),
        recipient=recipient,
        said="abuse" if kind is SignalKind.COMPLAINED else said,
        word=word,
        hint=_CLASSES.get(word),
        doer=Verdict.PRIVACY if "proxy" in word else None,
        url=url,
        agent=told.text("user_agent", 500),
        address=told.ip("ip"),
    )


WEBHOOKS = Webhooks(
    check=by_secret_path,
    read=_read,
    scheme="nothing is signed: a secret address, and a password if one is set",
)


# ---- the row

PROVIDER = Provider(
    name="brevo",
    title="Brevo (API v3)",
    capabilities=CAPABILITIES,
    options=(
        Option("key", "an API key (v3)", required=True, secret=True, check=a_word),
        Option("sandbox", "yes: mail is looked at, and none is sent", default="no", check=yes_or_no),
        *http_options(url="https://api.brevo.com"),
        *hook_options(),
    ),
    opener=_open,
    webhooks=WEBHOOKS,
    selectors=("brevo1", "brevo2", "mail"),
)
