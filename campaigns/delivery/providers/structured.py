"""A finished mail taken apart, for providers that take no MIME; nothing of it is lost."""

import re
from base64 import b64decode
from binascii import a2b_qp
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parseaddr
from functools import lru_cache

from campaigns.delivery.headers import PLAIN_PHRASE, encoded_words
from campaigns.errors import BadInput
from campaigns.values import Attachment, Outgoing, Problem

#: What is told by fields of their own, or made by whoever writes the mail anew: a signature would not hold.
APART = frozenset(
    {"from", "to", "reply-to", "subject", "mime-version", "dkim-signature", "date", "message-id"}
)
FOLD = re.compile(r"\r\n(?=[ \t])")
PLAIN_MAILBOX = re.compile(r'(?:"([^"\\]*)"|(=\?\S+\?=(?: =\?\S+\?=)*)) <([^<>"\s]+)>')


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
    head, _, body = mail.data.partition(b"\r\n\r\n")
    fields = _fields(head)
    own = {name.lower(): value for name, value in fields if name.lower() in APART}
    if "from" not in own:
        raise BadInput([Problem("mail", "has no From.", "Give the campaign a sender.")])
    to = _mailbox(own["to"]) if "to" in own else None
    text, html, files = _parts(_Part(_content_head(head), body))
    return Structured(
        sender=_mailbox(own["from"]),
        to=Mailbox(to.name if to else "", mail.rcpt_to),
        reply_to=_mailbox(own["reply-to"]) if "reply-to" in own else None,
        subject=_text(own.get("subject", "")),
        text=text,
        html=html,
        headers=_headers(fields),
        message_id=own.get("message-id", ""),
        date=own.get("date", ""),
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


def _fields(head: bytes) -> list[tuple[str, str]]:
    """Names and values, unfolded.

    Source: RFC 5322 §2.2.3.
    """
    lines = FOLD.sub("", head.decode("utf-8", "replace")).split("\r\n")
    pairs = [line.partition(":") for line in lines]
    return [(name.rstrip(), value.strip(" \t")) for name, colon, value in pairs if colon]


def _headers(fields: list[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    seen = set()
    for name, value in fields:
        lower = name.lower()
        if lower in APART or (lower.startswith("content-") and lower != "content-language"):
            continue
        if lower in seen:
            raise BadInput([Problem(f"header {name[:76]}", "stands twice.", "Keep one of them.")])
        seen.add(lower)
        found[name] = _text(value)
    return found


@lru_cache(maxsize=512)
def _text(value: str) -> str:
    """Decode what has encoded words.

    Source: RFC 2047.
    """
    return str(make_header(decode_header(value))) if "=?" in value else value


@lru_cache(maxsize=64)
def _mailbox(value: str) -> Mailbox:
    """One address, with its name as people read it."""
    plain = PLAIN_MAILBOX.fullmatch(value)
    shown, address = (plain[1] or plain[2] or "", plain[3]) if plain else parseaddr(value)
    return Mailbox(_text(shown), address)


# ---- parts


@lru_cache(maxsize=64)
def _parsed(head: bytes) -> Message:
    """A part's head, which is alike in all mails of a run."""
    return message_from_bytes(head + b"\r\n\r\n")


def _content_head(head: bytes) -> bytes:
    """Of a mail's head what is about its content."""
    return b"\r\n".join(line for line in re.split(rb"\r\n(?![ \t])", head) if line[:8].lower() == b"content-")


class _Part:
    """A head and its body; a parser that takes a body line by line would be ten times as slow."""

    __slots__ = ("body", "head")

    def __init__(self, head: bytes, body: bytes) -> None:
        self.head, self.body = _parsed(head), body

    def leaves(self) -> Iterator["_Part"]:
        """The parts that hold something themselves.

        Source: RFC 2046 §5.1.1; the line end before a boundary is the boundary's.
        """
        boundary = self.head.get_boundary() if self.head.get_content_maintype() == "multipart" else None
        if boundary is None:
            yield self
            return
        between = rb"\r\n--" + re.escape(boundary.encode()) + rb"(--)?[ \t]*(?=\r\n|\Z)"
        _, *pieces = re.split(between, b"\r\n" + self.body)
        for closing, piece in zip(pieces[::2], pieces[1::2], strict=True):
            if closing:
                return
            head, _, body = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
            yield from _Part(head, body).leaves()

    def content(self) -> bytes:
        """What it holds, decoded."""
        encoding = str(self.head.get("Content-Transfer-Encoding", "")).strip().lower()
        if encoding == "quoted-printable":
            return a2b_qp(self.body)
        return b64decode(self.body) if encoding == "base64" else self.body

    def is_file(self) -> bool:
        """Whether it is beside the text, or within it."""
        return self.head.get_content_disposition() is not None or self.head.get("Content-ID") is not None

    def text(self) -> str:
        """What it holds, as text with line ends of one letter."""
        text = self.content().decode(self.head.get_content_charset() or "utf-8", "replace")
        return text.replace("\r\n", "\n")

    def attachment(self, number: int) -> Attachment:
        """What it holds, as a file."""
        identity = str(self.head.get("Content-ID", "")).strip().strip("<>")
        name = self.head.get_filename() or f"file-{number}"
        inline = self.head.get_content_disposition() != "attachment" and bool(identity)
        kind = self.head.get_content_type()
        # a parameter has no encoded words (RFC 2047 §5): what looks like one is the name itself
        return Attachment(name, kind, self.content(), identity if inline else None)


def _parts(whole: _Part) -> tuple[str | None, str | None, tuple[Attachment, ...]]:
    text = html = None
    files: list[Attachment] = []
    for part in whole.leaves():
        kind, is_file = part.head.get_content_type(), part.is_file()
        if kind == "text/plain" and text is None and not is_file:
            text = part.text()
        elif kind == "text/html" and html is None and not is_file:
            html = part.text()
        else:
            files.append(part.attachment(len(files) + 1))
    return text, html, tuple(files)
