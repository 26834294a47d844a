"""A finished mail taken apart, for providers that take no MIME; nothing of it is lost."""

from dataclasses import dataclass
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parseaddr

from campaigns.delivery.headers import PLAIN_PHRASE, encoded_words
from campaigns.errors import BadInput
from campaigns.values import Attachment, Outgoing, Problem

#: What is told by fields of their own, or made by whoever writes the mail anew: a signature would not hold.
APART = frozenset(
    {"from", "to", "reply-to", "subject", "mime-version", "dkim-signature", "date", "message-id"}
)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A name to show, and an address."""

    name: str
    address: str

    def __str__(self) -> str:
        """As one text: "Name" <address>, the name encoded where it is not plain."""
        if not self.name:
            return self.address
        if PLAIN_PHRASE(self.name) and "=?" not in self.name:
            return f'"{self.name}" <{self.address}>'
        return f"{' '.join(encoded_words(self.name))} <{self.address}>"

    def fields(self, address: str = "email", name: str = "name") -> dict[str, str]:
        """As an object, the name left out where there is none."""
        return {address: self.address} | ({name: self.name} if self.name else {})


@dataclass(frozen=True, slots=True)
class Structured:
    """What a mail says."""

    sender: Mailbox
    to: Mailbox
    reply_to: Mailbox | None
    subject: str
    text: str | None
    html: str | None
    headers: dict[str, str]  #: all others, unfolded, in their order
    message_id: str  #: with its angle brackets
    date: str
    files: tuple[Attachment, ...]

    @property
    def attached(self) -> list[Attachment]:
        """Files beside the text."""
        return [one for one in self.files if one.content_id is None]

    @property
    def pictures(self) -> list[Attachment]:
        """Files within the text."""
        return [one for one in self.files if one.content_id is not None]


def take_apart(mail: Outgoing) -> Structured:
    """Read a mail that we made.

    Raises:
        BadInput: it has no sender, or the same header twice, which no provider could be told.
    """
    message = message_from_bytes(mail.data)
    reply_to = _mailbox(message, "Reply-To")
    sender = _mailbox(message, "From")
    if sender is None:
        raise BadInput([Problem("mail", "has no From.", "Give the campaign a sender.")])
    text, html, files = _parts(message)
    to = _mailbox(message, "To")
    return Structured(
        sender=sender,
        to=Mailbox(to.name if to else "", mail.rcpt_to),
        reply_to=reply_to,
        subject=_text(message.get("Subject", "")),
        text=text,
        html=html,
        headers=_headers(message),
        message_id=_text(message.get("Message-ID", "")),
        date=_text(message.get("Date", "")),
        files=files,
    )


def without_signature(mail: Outgoing) -> bytes:
    """The mail without our DKIM signature, for who changes what it covers: a broken one helps nobody."""
    head, blank, body = mail.data.partition(b"\r\n\r\n")
    kept, dropping = [], False
    for line in head.split(b"\r\n"):
        if not line.startswith((b" ", b"\t")):
            dropping = line[:15].lower() == b"dkim-signature:"
        if not dropping:
            kept.append(line)
    return b"\r\n".join(kept) + blank + body


def _headers(message: Message) -> dict[str, str]:
    found: dict[str, str] = {}
    seen = set()
    for name, value in message.items():
        lower = name.lower()
        if lower in APART or (lower.startswith("content-") and lower != "content-language"):
            continue
        if lower in seen:
            raise BadInput([Problem(f"header {name[:76]}", "stands twice.", "Keep one of them.")])
        seen.add(lower)
        found[name] = _text(value)
    return found


def _text(value: object) -> str:
    """Unfold and decode.

    Source: RFC 5322 §2.2.3, RFC 2047.
    """
    raw = str(value).replace("\r\n", "").replace("\n", "")
    return str(make_header(decode_header(raw))) if "=?" in raw else raw.strip(" ")


def _mailbox(message: Message, name: str) -> Mailbox | None:
    value = message.get(name)
    if value is None:
        return None
    shown, address = parseaddr(str(value).replace("\r\n", "").replace("\n", ""))
    return Mailbox(_text(shown), address)


# ---- parts


def _parts(message: Message) -> tuple[str | None, str | None, tuple[Attachment, ...]]:
    text = html = None
    files: list[Attachment] = []
    for part in message.walk():
        if part.is_multipart():
            continue
        kind, is_file = part.get_content_type(), _is_file(part)
        if kind == "text/plain" and text is None and not is_file:
            text = _body(part)
        elif kind == "text/html" and html is None and not is_file:
            html = _body(part)
        else:
            files.append(_attachment(part, len(files) + 1))
    return text, html, tuple(files)


def _is_file(part: Message) -> bool:
    return part.get_content_disposition() is not None or part.get("Content-ID") is not None


def _body(part: Message) -> str:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes), "a part without parts of its own"
    text = payload.decode(part.get_content_charset() or "utf-8", "replace")
    return text.replace("\r\n", "\n")


def _attachment(part: Message, number: int) -> Attachment:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes), "a part without parts of its own"
    identity = str(part.get("Content-ID", "")).strip().strip("<>")
    name = part.get_filename() or f"file-{number}"
    inline = part.get_content_disposition() != "attachment" and bool(identity)
    return Attachment(_text(name), part.get_content_type(), payload, identity if inline else None)
