"""Mailgun, API v3: messages.mime.

Source: https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages
"""

from base64 import b64encode
from collections.abc import Sequence

from campaigns.delivery.contract import Backend, Capabilities
from campaigns.delivery.providers.answers import Answer, Busy, require_success, sent, unreadable
from campaigns.delivery.providers.api import Api, Request, object_of
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
from campaigns.values import Account, Outcome, Outgoing

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


PROVIDER = Provider(
    name="mailgun",
    title="Mailgun (API v3)",
    capabilities=CAPABILITIES,
    options=(
        Option("key", "an API key that may send for the domain", required=True, secret=True, check=a_word),
        Option("domain", "the sending domain, as it is called there", required=True, check=_a_domain),
        Option("sandbox", "yes: mail is taken, and none is sent", default="no", check=yes_or_no),
        *http_options(url="https://api.mailgun.net"),
    ),
    opener=_open,
)


# ---- what comes back, by webhook
