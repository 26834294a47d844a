"""A signed request to an address of yours, which does with the finished mail what it likes.

docs/BACKENDS.md describes both ends; the signature is that of Standard Webhooks.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import hmac
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from campaigns.clock import utc_now
from campaigns.delivery.contract import Backend, Capabilities
from campaigns.delivery.providers.answers import (
    Answer,
    require_success,
    sent,
    unknown,
    unreadable,
)
from campaigns.delivery.providers.api import Api, Request, json_body, list_of, object_of
from campaigns.delivery.providers.hook_options import hook_options, signing_key
from campaigns.delivery.providers.http import open_http
from campaigns.delivery.providers.provider import (
    Option,
    Options,
    Provider,
    Ways,
    batch_option,
    http_options,
    yes_or_no,
)
from campaigns.delivery.providers.reference import KEY, reference_of
from campaigns.delivery.returns import BounceClass
from campaigns.delivery.smtp.replies import ENHANCED, plain_text
from campaigns.delivery.webhooks import Call, Signal, SignalKind, Webhooks
from campaigns.delivery.webhooks.proofs import KEY as SIGNING_KEY
from campaigns.delivery.webhooks.proofs import by_standard_signature, digest_of
from campaigns.delivery.webhooks.told import MOST_SAID, MOST_URL, Told
from campaigns.values import Account, Outcome, OutcomeKind, Outgoing, Verdict

CAPABILITIES = Capabilities(
    smtputf8=True,
    tags=True,
    metadata=True,
    max_batch=1000,
    max_bytes=25 * 1024 * 1024,
)
MEMORY = timedelta(hours=24)  #: how long the other end promises to know our ids, where replay=yes
PREFIX = "whsec_"  #: of a secret, by the specification
KINDS = {
    "sent": OutcomeKind.SENT,
    "deferred": OutcomeKind.DEFERRED,
    "failed": OutcomeKind.FAILED,
    "unknown": OutcomeKind.UNKNOWN,
}


class Generic(Api):
    """Batches of finished mails, signed."""

    def __init__(self, options: Options) -> None:
        self._url, self._tag = options["url"], options["tag"]
        self._secret = secret_of(options["secret"])
        is_safe = options["replay"] == "yes"
        self.capabilities = replace(CAPABILITIES, idempotency=MEMORY if is_safe else None)

    def piece(self, mail: Outgoing) -> dict[str, Any]:
        told = {
            "id": f"{mail.key.run}.{mail.key.seq}",
            KEY: reference_of(mail),
            "mail_from": mail.mail_from,
            "rcpt_to": mail.rcpt_to,
            "smtputf8": mail.smtputf8,
            "tag": self._tag,
            "mime": b64encode(mail.data).decode(),
        }
        return {name: value for name, value in told.items() if value != ""}

    def ask(self, pieces: Sequence[dict[str, Any]], key: str) -> Request:
        body = json_body({"type": "mail.send", "messages": list(pieces)})
        identity, at = f"msg_{key[:40] or 'none'}", str(int(utc_now().timestamp()))
        return Request(
            self._url,
            {
                "content-type": "application/json",
                "webhook-id": identity,
                "webhook-timestamp": at,
                "webhook-signature": signature(self._secret, identity, at, body),
            },
            body,
        )

    def hear(self, answer: Answer, mails: Sequence[Outgoing]) -> list[Outcome]:
        require_success(answer)
        results = object_of(answer.json()).get("results")
        if not isinstance(results, list):
            raise unreadable(answer)
        named = {str(one.get("id")): one for one in map(object_of, list_of(results))}
        return [_outcome(named.get(f"{mail.key.run}.{mail.key.seq}")) for mail in mails]


def signature(secret: bytes, identity: str, at: str, body: bytes) -> str:
    """The value of webhook-signature."""
    digest = hmac.new(secret, f"{identity}.{at}.".encode() + body, sha256).digest()
    return f"v1,{b64encode(digest).decode()}"


def secret_of(text: str) -> bytes:
    """The bytes behind whsec_BASE64."""
    return b64decode(text.removeprefix(PREFIX), validate=True)


def _outcome(said: dict[str, Any] | None) -> Outcome:
    if said is None:
        return unknown("the answer does not name this mail")
    kind = KINDS.get(str(said.get("status")))
    if kind is None:
        return unknown("the answer has no status for this mail that we know")
    text, code, enhanced = plain_text(str(said.get("text", ""))), said.get("code"), said.get("enhanced")
    if kind is OutcomeKind.SENT:
        return sent(text)
    is_code = isinstance(code, int) and 200 <= code < 600
    is_enhanced = isinstance(enhanced, str) and ENHANCED.fullmatch(enhanced) is not None
    return Outcome(kind, code if is_code else None, enhanced if is_enhanced else None, text)


def _a_secret(value: str) -> str:
    try:
        size = len(secret_of(value))
    except (Error, ValueError):
        return "is no base64."
    return "" if 24 <= size <= 64 else "has not 24 to 64 bytes."


def _open(account: Account, options: Options, ways: Ways) -> Backend:
    return open_http(account, options, ways, Generic(options))


# ---- what comes back, by webhook, by Standard Webhooks; docs/BACKENDS.md has the format

_KINDS = {kind.value: kind for kind in SignalKind}
_CLASSES = {kind.value: kind for kind in BounceClass}
_DOERS = {"machine": Verdict.MACHINE, "proxy": Verdict.PRIVACY}


def _check(call: Call, account: Account, now: datetime) -> str:
    """By a key of its own, or by that of our requests."""
    return by_standard_signature(
        call, account, now, key=SIGNING_KEY if account.options.get(SIGNING_KEY) else "secret"
    )


def _read(held: object) -> Iterator[Signal]:
    """The events of a call: {"events": […]}, or one alone."""
    told = Told(held)
    many = told.parts("events") if told.value("events") is not None else iter([told])
    return (_event(one) for one in many if one.text("kind"))


def _event(told: Told) -> Signal:
    word = told.word("kind")
    kind = _KINDS.get(word, SignalKind.UNKNOWN)
    url, recipient, said = told.text("url", MOST_URL), told.mailbox("recipient"), told.text("text", MOST_SAID)
    what = (word, told.text(KEY, 300), recipient, told.text("at"), url, said)
    return Signal(
        kind,
        told.text("id", 300) or digest_of("\n".join(what).encode()),
        at=told.moment("at"),
        references=(told.text(KEY, 300),),
        recipient=recipient,
        said=said,
        status=told.status("enhanced"),
        reply=told.reply("code"),
        word="/".join(one for one in (word, told.text("class")) if one),
        hint=_CLASSES.get(told.word("class")),
        doer=_DOERS.get(told.word("by")),
        url=url,
        agent=told.text("agent", 500),
        address=told.ip("ip"),
    )


WEBHOOKS = Webhooks(
    check=_check,
    read=_read,
    scheme="Standard Webhooks: HMAC-SHA256 over id, timestamp and body; 5 minutes",
)


# ---- the row

PROVIDER = Provider(
    name="http",
    title="Any server (signed HTTP)",
    capabilities=CAPABILITIES,
    options=(
        Option(
            "secret",
            "whsec_ and 24 to 64 random bytes in base64, the same at both ends",
            required=True,
            secret=True,
            check=_a_secret,
        ),
        Option("replay", "yes: the other end knows our ids for a day", default="no", check=yes_or_no),
        batch_option(CAPABILITIES.max_batch or 1),
        *http_options(url=""),
        *hook_options(signing_key("whsec_ and the key that webhooks are signed with; else the secret")),
    ),
    opener=_open,
    webhooks=WEBHOOKS,
)
