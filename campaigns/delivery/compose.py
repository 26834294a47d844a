"""One recipient's content as a mail: headers, parts, envelope."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from re import compile as pattern

from campaigns.delivery.headers import (
    FIELD_NAME,
    bad,
    clean,
    fold,
    mailbox,
    token,
    unstructured,
    wire_address,
)
from campaigns.delivery.parts import Frame, frame
from campaigns.delivery.quoted import quoted_printable
from campaigns.values import Content, MessageKey, Outgoing, Sender

LANGUAGE = pattern(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")
FEEDBACK_FIELD = pattern(r"[!-9;-~]{0,60}")
MESSAGE_TOKEN = pattern(r"[A-Za-z0-9._=-]{1,64}")

OURS = frozenset(
    (
        *("from", "to", "cc", "bcc", "sender", "reply-to", "subject", "date", "message-id", "mime-version"),
        *("list-id", "list-unsubscribe", "list-unsubscribe-post", "feedback-id", "precedence"),
        *("auto-submitted", "x-auto-response-suppress", "return-path", "received", "apparently-to"),
        *("dkim-signature", "authentication-results", "arc-seal"),
    )
)


@dataclass(frozen=True, slots=True)
class Letter:
    """Everything that one mail is made of."""

    key: MessageKey
    sender: Sender
    to_name: str
    to_address: str
    content: Content
    at: datetime  #: aware
    message_id: str  #: the token before the @; the sending domain follows it
    return_path: str  #: full address, carries the return token
    language: str = "en"
    list_id: tuple[str, str] | None = None  #: a name to show, and a host name that identifies the list
    unsubscribe_url: str | None = None  #: answers a POST without cookies (RFC 8058)
    unsubscribe_mailto: str | None = None  #: an address, with ?subject=… if wanted
    feedback_id: tuple[str, str, str, str] | None = None  #: campaign, customer, mail type, sender
    extra: Mapping[str, str] = field(default_factory=dict)


def compose(letter: Letter) -> Outgoing:
    """Make the mail: 7-bit ASCII, CRLF lines, none longer than 998 octets.

    Only a recipient whose local part is not ASCII gives a mail with UTF-8 in its To header.

    Raises:
        BadInput: when a name, address or header cannot be written safely.
    """
    to_address = wire_address("to", letter.to_address)
    parts = [
        sender_headers(letter.sender),
        to_header(letter.to_name, to_address),
        subject_header(letter.content.subject),
        date_header(letter.at),
        *later_headers(letter),
    ]
    return Outgoing(
        key=letter.key,
        mail_from=wire_address("return path", letter.return_path),
        rcpt_to=to_address,
        data="".join(parts).encode() + _body(letter),
        smtputf8=not to_address.isascii(),
    )


def to_header(name: str, address: str) -> str:
    """The one recipient; the address is as it travels (headers.wire_address)."""
    return mailbox("To", clean("to name", name), address)


@lru_cache(maxsize=1024)
def subject_header(subject: str) -> str:
    """A subject is alike for many: for all, or for all of one first name."""
    return unstructured("Subject", clean("subject", subject))


def date_header(at: datetime) -> str:
    """When it was sent.

    Source: RFC 5322 §3.6.1.
    """
    if at.tzinfo is None:
        raise bad("at", "is without a time zone.", "Give an aware time.")
    return _date_of(int(at.timestamp()))


@lru_cache(maxsize=16)
def _date_of(second: int) -> str:
    return f"Date: {format_datetime(datetime.fromtimestamp(second, UTC))}\r\n"


def later_headers(letter: Letter) -> list[str]:
    """What stands below the date: the tokens apart, it is the same in every mail of a run."""
    return [
        *_identity_headers(letter),
        *_list_headers(letter),
        *[_extra_header(name, value) for name, value in letter.extra.items()],
    ]


@lru_cache(maxsize=64)
def sender_headers(sender: Sender) -> str:
    """Who it is from, and where answers go."""
    lines = mailbox("From", clean("sender name", sender.name), _ascii_address("sender", sender.address))
    if sender.reply_to:
        lines += mailbox("Reply-To", "", _ascii_address("reply-to", sender.reply_to))
    return lines


def _ascii_address(where: str, address: str) -> str:
    wire = wire_address(where, address)
    if not wire.isascii():
        what = f"{address!r} has a local part beyond ASCII, which most servers refuse."
        raise bad(where, what, "Use an ASCII one.")
    return wire


def _identity_headers(letter: Letter) -> list[str]:
    """Message-ID and what keeps auto-responders quiet.

    Source: RFC 5322 §3.6, RFC 3834 §5, RFC 3282.
    """
    if not MESSAGE_TOKEN.fullmatch(letter.message_id):
        raise bad(
            "message id", f"{letter.message_id[:80]!r} is no token of up to 64 letters, digits, dots, dashes."
        )
    if not LANGUAGE.fullmatch(letter.language):
        raise bad("language", f"{letter.language[:80]!r} is no language tag.", "Write it as de or pt-BR.")
    return [
        f"Message-ID: <{letter.message_id}@{_domain(letter.sender.address)}>\r\n",
        "MIME-Version: 1.0\r\n",
        f"Content-Language: {letter.language}\r\n",
        "Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: OOF, AutoReply\r\n",
    ]


@lru_cache(maxsize=64)
def _domain(address: str) -> str:
    return wire_address("sender", address).rpartition("@")[2]


def _list_headers(letter: Letter) -> list[str]:
    """What makes a mail leavable and countable; a mail without a list is no bulk mail.

    Source: RFC 2369, RFC 8058, RFC 2919.
    """
    lines: list[str] = []
    if letter.list_id:
        lines.append(_list_id(*letter.list_id))
    ways = []
    if letter.unsubscribe_url:
        ways.append(f"<{_uri('unsubscribe url', letter.unsubscribe_url, ('https://', 'http://'))}>")
    if letter.unsubscribe_mailto:
        ways.append(f"<{_uri('unsubscribe mailto', 'mailto:' + letter.unsubscribe_mailto, ('mailto:',))}>")
    if ways:
        lines.append(fold("List-Unsubscribe", ways, ", "))
    if letter.unsubscribe_url:
        lines.append("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n")
    if letter.feedback_id:
        lines.append(_feedback_id(letter.feedback_id))
    if ways or letter.list_id:
        lines.append("Precedence: bulk\r\n")
    return lines


@lru_cache(maxsize=64)
def _list_id(name: str, host: str) -> str:
    return (
        mailbox("List-Id", clean("list name", name), token("list id", host))
        if name
        else f"List-Id: <{host}>\r\n"
    )


def _uri(where: str, uri: str, schemes: tuple[str, ...]) -> str:
    if not uri.startswith(schemes) or any(sign in uri for sign in "<>,"):
        raise bad(
            where, f"{uri[:80]!r} is no address that fits a header.", f"Begin it with {' or '.join(schemes)}."
        )
    return token(where, uri)


def _feedback_id(fields: tuple[str, str, str, str]) -> str:
    if not all(FEEDBACK_FIELD.fullmatch(part) for part in fields):
        raise bad("feedback id", f"{fields!r} holds a colon, a blank or what is not ASCII.")
    return fold("Feedback-ID", [":".join(fields)], " ")


def _extra_header(name: str, value: str) -> str:
    if not FIELD_NAME.fullmatch(name):
        raise bad("header", f"{name[:80]!r} is no header name.", "Use letters, digits and dashes.")
    if name.lower() in OURS or name.lower().startswith("content-"):
        raise bad("header", f"{name} is written by Postroom itself.", "Remove it.")
    return unstructured(name, clean(f"header {name}", value))


# ---- body


def parts_of(letter: Letter) -> Frame:
    """What stands around the letter's texts; the same in every mail of a run."""
    return frame(letter.key.run, letter.content.files, has_html=letter.content.html is not None)


def _body(letter: Letter) -> bytes:
    opening, middle, closing = parts_of(letter)
    html = letter.content.html
    text = opening + quoted_printable(letter.content.text) + middle
    return text + closing if html is None else text + quoted_printable(html) + closing
