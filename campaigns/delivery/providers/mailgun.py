"""Mailgun, API v3: messages.mime.

Source: https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from campaigns.delivery.contract import Backend, Capabilities
from campaigns.delivery.providers.answers import Answer, Busy, require_success, sent, unreadable
from campaigns.delivery.providers.api import Api, Request, object_of
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
from campaigns.delivery.returns import BounceClass
from campaigns.delivery.webhooks import Call, Signal, SignalKind, Unproven, Webhooks
from campaigns.delivery.webhooks.proofs import KEY as SIGNING_KEY
from campaigns.delivery.webhooks.proofs import keys_of, require_password, same, within
from campaigns.delivery.webhooks.told import MOST_SAID, MOST_URL, Told, load
from campaigns.values import Account, Outcome, Outgoing, Verdict

CAPABILITIES = Capabilities(
    distinct=False,  # recipient-variables are put into one text
    substituted=True,
    envelope_sender=False,  # only its domain can be chosen
    smtputf8=False,  # it mangles such addresses (Anymail's notes)
    tags=True,
    metadata=True,
    sandbox=True,
    max_batch=1,
    max_bytes=25 * 1024 * 1024,
)
BETWEEN = "=_postroom_fields"  #: '=_' cannot stand in quoted-printable text, nor '_' in base64

Fields = list[tuple[str, str]]


class Mailgun(Api):
    """One request a mail, as it is."""

    capabilities = CAPABILITIES

    def __init__(self, options: Options) -> None:
        self._url = f"{options['url'].rstrip('/')}/v3/{options['domain']}/messages.mime"
        self._login = b64encode(f"api:{options['key']}".encode()).decode()
        self._tag = options["tag"]
        self._sandbox = options["sandbox"] == "yes"

    def piece(self, mail: Outgoing) -> tuple[Fields, bytes]:
        reference = reference_of(mail)
        fields = [("to", mail.rcpt_to), ("o:tracking", "no")]
        fields += [(f"v:{KEY}", reference)] if reference else []
        fields += [("o:tag", self._tag)] if self._tag else []
        fields += [("o:testmode", "yes")] if self._sandbox else []
        return fields, mail.data

    def ask(self, pieces: Sequence[tuple[Fields, bytes]], key: str) -> Request:  # noqa: ARG002 - no keys
        headers = {
            "authorization": f"Basic {self._login}",
            "content-type": f'multipart/form-data; boundary="{BETWEEN}"',
        }
        fields, mime = pieces[0] if pieces else ([("o:testmode", "yes")], None)
        return Request(self._url, headers, _form(fields, mime))

    def hear(self, answer: Answer, mails: Sequence[Outgoing]) -> list[Outcome]:
        if answer.status == 420:  # its older word for 429
            raise Busy(f"HTTP 420: {answer.words()}", answer.retry_after)
        require_success(answer)
        identity = object_of(answer.json()).get("id")
        if not identity:
            raise unreadable(answer)
        return [sent(identity, answer.status) for _ in mails]


def _form(fields: Fields, mime: bytes | None) -> bytes:
    """A form with a file.

    Source: RFC 7578.
    """
    head = f"--{BETWEEN}\r\nContent-Disposition: form-data; name="
    parts = [f'{head}"{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields]
    if mime is not None:
        kind = "Content-Type: message/rfc822"
        parts += [f'{head}"message"; filename="message.mime"\r\n{kind}\r\n\r\n'.encode(), mime, b"\r\n"]
    return b"".join(parts) + f"--{BETWEEN}--\r\n".encode()


def _open(account: Account, options: Options, ways: Ways) -> Backend:
    return open_http(account, options, ways, Mailgun(options))


def _a_domain(value: str) -> str:
    fits = value.isascii() and value.replace(".", "").replace("-", "").isalnum()
    return "" if fits else "is no domain."


# ---- what comes back, by webhook

#: Mailgun tries for eight hours, perhaps with the signature of its first try. The signature covers no event:
#: what holds off a replay is that each token is taken but once (the door remembers them longer than this).
_WINDOW = timedelta(hours=9)
_TIME = re.compile(r"[0-9]{10}")
_KINDS = {
    "accepted": SignalKind.ACCEPTED,
    "delivered": SignalKind.DELIVERED,
    "failed": SignalKind.BOUNCED,
    "rejected": SignalKind.BOUNCED,
    "complained": SignalKind.COMPLAINED,
    "unsubscribed": SignalKind.UNSUBSCRIBED,
    "opened": SignalKind.OPENED,
    "clicked": SignalKind.CLICKED,
}
_CLASSES = {
    "suppress-bounce": BounceClass.LISTED,
    "suppress-complaint": BounceClass.LISTED,
    "suppress-unsubscribe": BounceClass.LISTED,
    "espblock": BounceClass.BLOCK_REPUTATION,
    "greylisted": BounceClass.TRANSIENT,
    "old": BounceClass.TRANSIENT,
    "605": BounceClass.LISTED,
    "606": BounceClass.LISTED,
    "607": BounceClass.LISTED,
    "hard": BounceClass.REFUSED,
    "soft": BounceClass.TRANSIENT,
    "rejected": BounceClass.BLOCK_CONTENT,
}
_ROBOTS = {"apple": Verdict.PRIVACY, "gmail": Verdict.PRIVACY, "generic": Verdict.MACHINE}


def _check(call: Call, account: Account, now: datetime) -> str:
    """Check HMAC-SHA256 over time and token, which stand in the body; both together name the call.

    Nothing stands between them in what is signed, so a time has ten digits: else some of the token's could
    be moved to it, and the call would have a new name under the old signature.

    Source: Mailgun, "Securing Webhooks".
    """
    require_password(call, account)
    try:
        signed = Told(load(call.body)).part("signature")
    except ValueError as error:
        raise Unproven("no JSON") from error
    stamp, token, given = signed.text("timestamp"), signed.text("token", 200), signed.text("signature", 200)
    message = f"{stamp}{token}".encode()
    keys = keys_of(account)
    fits = [same(given, hmac.digest(key.encode(), message, "sha256").hex()) for key in keys]
    if not any(fits) or not token or not _TIME.fullmatch(stamp):
        raise Unproven("the signature does not fit")
    within(stamp, now, _WINDOW)
    return f"{stamp}{token}"


def _read(held: object) -> Iterator[Signal]:
    """The one event.

    Source: Mailgun, "Event structure".
    """
    told = Told(held).part("event-data")
    if told.text("event"):
        yield _event(told)


def _event(told: Told) -> Signal:
    word = told.word("event")
    kind = _KINDS.get(word, SignalKind.UNKNOWN)
    passing = told.word("severity") == "temporary"
    if kind is SignalKind.BOUNCED and passing:
        kind = SignalKind.DELAYED
    status, client = told.part("delivery-status"), told.part("client-info")
    reason = told.word("reason")
    sorts = (reason, status.text("code"), status.word("bounce-type"), word)
    hint = next((_CLASSES[one] for one in sorts if one in _CLASSES), None)
    said = status.text("message", MOST_SAID) or status.text("description", MOST_SAID)
    headers = told.part("message").part("headers")
    return Signal(
        kind,
        f"{told.text('id', 200)}:{told.text('timestamp')}",
        at=told.moment("timestamp"),
        references=tuple(
            one
            for one in (
                told.part("user-variables").text(KEY),
                told.part("envelope").text("sender", 320),
                headers.text("message-id", 300),
            )
            if one
        ),
        recipient=told.mailbox("recipient") or (headers.mailbox("to") if word == "rejected" else ""),
        said=said or told.part("reject").text("reason", MOST_SAID),
        status=status.status("enhanced-code"),
        reply=status.reply("code"),
        word="/".join(one for one in (word, told.text("severity"), told.text("reason")) if one),
        hint=hint,
        doer=_ROBOTS.get(client.word("bot"))
        or (Verdict.MACHINE if client.word("client-type") == "robot" else None),
        url=told.text("url", MOST_URL),
        agent=client.text("user-agent", 500),
        address=told.ip("ip"),
    )


WEBHOOKS = Webhooks(
    check=_check,
    read=_read,
    needs=(SIGNING_KEY,),
    scheme="HMAC-SHA256 over timestamp and token, each token once; 9 hours; it covers no event",
)


# ---- the row

PROVIDER = Provider(
    name="mailgun",
    title="Mailgun (API v3)",
    capabilities=CAPABILITIES,
    options=(
        Option("key", "an API key that may send for the domain", required=True, secret=True, check=a_word),
        Option("domain", "the sending domain, as it is called there", required=True, check=_a_domain),
        Option("sandbox", "yes: mail is taken, and none is sent", default="no", check=yes_or_no),
        *http_options(url="https://api.mailgun.net"),
        *hook_options(signing_key("the HTTP webhook signing key")),
    ),
    opener=_open,
    webhooks=WEBHOOKS,
)
