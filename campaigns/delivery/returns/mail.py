"""A mail of any kind and damage, taken apart within bounds: report blocks, prose, and what it returns."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from html import unescape

from campaigns.delivery.smtp.replies import plain_text

MAX_BYTES = 5 * 1024 * 1024
MAX_PARTS = 200
MAX_PROSE = 40_000
MAX_HEADER = 20_000
MAX_FOUND = 200

STATUS_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})
WHOLE_MAILS = frozenset({"message/rfc822", "message/global"})
HEADERS_ONLY = frozenset({"text/rfc822-headers", "message/global-headers", "text/rfc822"})

_LOCAL = r"(?:\"[^\"\n]{1,64}\"|[^\s<>()\[\]\\,;:\"@|]{1,128})"
ADDRESS = re.compile(_LOCAL + r"@(?:[^\s<>()\[\]\\,;:\"@|/'*=]{1,253})")
#: Where the mail that is returned begins, in the words of servers that know no MIME.
ORIGINAL = re.compile(
    r"^[ \t>*=_#.-]*(?:"
    r"below (?:this line )?is a copy of the (?:original )?message"
    r"|this is a copy of (?:the|your) (?:message|mail)[^\n]{0,80}"
    r"|(?:the )?(?:headers?|body|text|content) of the original message"
    r"(?: is| are)? ?(?:following|follows?)?"
    r"|(?:the |your )?(?:original|unsent|returned|undelivered|rejected|failed)[ -](?:message|mail|e-?mail)"
    r"(?: headers?| text| body)?(?: is| are)?(?: attached| included| below| follows?| as follows)*"
    r"|message headers?(?: follows?| follow)?"
    r"|message header follows"
    r"|original message headers?"
    r"|kopie der (?:original)?nachricht[^\n]{0,40}|urspr[^\n]{1,12}ngliche nachricht[^\n]{0,30}"
    r"|(?:message|mensaje) (?:d'origine|original)|mensagem original"
    r")[ \t:.=_#*-]*$",
    re.IGNORECASE | re.MULTILINE,
)
HEADER_LINE = re.compile(r"([A-Za-z][A-Za-z0-9-]{1,60}):[ \t]?[^\n]*\n?(?:[ \t]+[^\n]*\n?)*")
TELLING = frozenset(
    {"received", "return-path", "message-id", "mime-version", "date", "from", "to", "subject"}
)
TAGS = re.compile(
    r"<(?:style|script|head)\b.*?</(?:style|script|head)>|<!--.*?-->|<[^<>]{0,2000}>",
    re.IGNORECASE | re.DOTALL,
)
BREAKS = re.compile(r"<(?:br|/p|/div|/tr|/h\d|/li|/td|hr)\b[^<>]{0,200}>", re.IGNORECASE)
MAILTO = re.compile(r"<a\b[^<>]{0,500}?href=[\"']?mailto:([^\"'?<>\s]{3,200})[^<>]{0,500}>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail taken apart."""

    top: Message
    statuses: list[Message] = field(default_factory=list)  #: parts that are delivery reports
    feedback: Message | None = None  #: the part that is a feedback report
    disposition: bool = False  #: a report on what a reader did with it
    prose: str = ""  #: what is written before the returned mail begins
    text: str = ""  #: all that is written, with the returned mail where that has no part of its own
    ours: Message | None = None  #: headers of the mail that is returned or complained of


def take_apart(raw: bytes) -> Mail:
    """Read a mail within bounds; damage makes the answer poorer."""
    octets = raw[:MAX_BYTES].replace(b"\r\n", b"\n").replace(b"\r", b"\n").lstrip(b"\n \t\x00")
    octets = re.sub(rb"\A(?:>?From [^\n]*\n)+", b"", octets)
    top = _parsed(octets)
    statuses: list[Message] = []
    feedback, ours, disposition = None, None, False
    texts: list[str] = []
    htmls: list[str] = []
    for part in outer_parts(top):
        kind = part.get_content_type()
        if kind in STATUS_TYPES:
            statuses.append(part)
        elif kind == "message/feedback-report":
            feedback = feedback or part
        elif kind == "message/disposition-notification":
            disposition = True
        elif kind in WHOLE_MAILS | HEADERS_ONLY:
            ours = ours or returned_headers(part)
        elif kind == "text/html":
            htmls.append(_without_tags(text_of(part)))
        elif part.get_content_maintype() == "text" or (isinstance(part.get_payload(), str) and not texts):
            texts.append(text_of(part))
    prose = "\n\n".join(texts)
    if len(prose.strip()) < 20:
        prose += "\n\n" + "\n\n".join(htmls)
    before, rest = split_original(prose)
    ours = ours or (headers_in(rest) if rest else None)
    return Mail(top, statuses, feedback, disposition, before[:MAX_PROSE], prose[: 2 * MAX_PROSE], ours)


def _parsed(octets: bytes) -> Message:
    try:
        return message_from_bytes(octets)
    except Exception:  # noqa: BLE001 - the parser's own failures on damaged or endlessly nested input
        head, _, body = octets.partition(b"\n\n")
        flat = Message()
        for name, value in _header_pairs(head[:MAX_HEADER].decode("utf-8", "replace")):
            if name.lower() not in {"content-type", "content-transfer-encoding"}:
                flat.add_header(name, value)
        flat.set_payload(body[:MAX_PROSE].decode("utf-8", "replace"))
        return flat


def _header_pairs(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while (found := HEADER_LINE.match(text, at)) and found.end() > at:
        at = found.end()
        name, _, value = found[0].partition(":")
        yield name, " ".join(value.split())


def outer_parts(message: Message) -> Iterator[Message]:
    """Every part but those of the mails within, outermost first, to a bound: a hostile mail nests on."""
    stack = [message]
    for _ in range(MAX_PARTS):
        if not stack:
            return
        part = stack.pop()
        yield part
        inner = part.get_payload()
        if isinstance(inner, list) and part.get_content_maintype() == "multipart":
            stack += [one for one in reversed(inner) if isinstance(one, Message)]


def returned_headers(part: Message) -> Message | None:
    """The headers of a mail within a mail, however it was packed."""
    inner = part.get_payload()
    if isinstance(inner, list):
        first = inner[0] if inner else None
        if isinstance(first, Message) and first.keys():
            return first
        return headers_in(text_of(first)) if isinstance(first, Message) else None
    return headers_in(text_of(part))


def headers_in(text: str) -> Message | None:
    """The first block of header lines in a text; None where there is none."""
    start = _header_start(text, 0)
    if start is None:
        return None
    made = Message()
    for name, value in _header_pairs(text[start : start + MAX_HEADER]):
        made.add_header(name, value)
    return made


def _header_start(text: str, least: int) -> int | None:
    """Where three lines or more stand together that look like a mail's headers."""
    for found in re.finditer(r"^[A-Za-z][A-Za-z0-9-]{1,60}:", text[:MAX_PROSE], re.MULTILINE):
        names: set[str] = set()
        at = found.start()
        if at < least:
            continue
        while len(names) < 12 and (line := HEADER_LINE.match(text, at)) and line.end() > at:
            names.add(line[1].lower())
            at = line.end()
        if ("from" in names and len(names & TELLING) >= 3) or (
            {"received", "return-path", "message-id"} & names and len(names) > 1
        ):
            return found.start()
    return None


def split_original(prose: str) -> tuple[str, str]:
    """Part what a server wrote from the mail that it returns below."""
    prose = prose[: 4 * MAX_PROSE]
    for found in ORIGINAL.finditer(prose):
        if prose[: found.start()].strip():
            return prose[: found.start()], prose[found.end() :]
    start = _header_start(prose, 1)
    if start is not None and prose[:start].strip():
        return prose[:start], prose[start:]
    return prose, ""


def text_of(part: Message) -> str:
    """A text part in letters, whatever its charset is said to be."""
    try:
        octets = part.get_payload(decode=True)
    except Exception:  # noqa: BLE001 - a broken transfer encoding
        octets = None
    if not isinstance(octets, bytes):
        inner = part.get_payload()
        return inner if isinstance(inner, str) else ""
    for charset in (_charset(part), "utf-8"):
        try:
            return octets.decode(charset).replace("\r\n", "\n")
        except (LookupError, UnicodeError, ValueError):
            continue
    return octets.decode("latin-1").replace("\r\n", "\n")


def _charset(part: Message) -> str:
    try:
        named = str(part.get_content_charset("utf-8") or "utf-8")
    except Exception:  # noqa: BLE001 - a parameter that cannot be decoded
        return "utf-8"
    return {"unicode-1-1-utf-7": "utf-7", "us-ascii": "utf-8"}.get(named, named)


def _without_tags(html: str) -> str:
    spaced = BREAKS.sub("\n", MAILTO.sub(r" <\1> ", html[: 4 * MAX_PROSE]).replace("\n", " "))
    return unescape(TAGS.sub(" ", spaced))


def value(message: Message | None, name: str) -> str:
    """A header as one line of plain text; empty if it is not there."""
    found = None if message is None else message.get(name)
    return "" if found is None else one_line(found)


def one_line(told: object) -> str:
    """A header's text, decoded and plain."""
    text = str(told)[:MAX_HEADER]
    try:
        return plain_text(str(make_header(decode_header(text))))
    except Exception:  # noqa: BLE001 - an unknown charset or broken encoding: take it as it came
        return plain_text(text)


def addresses_in(text: str) -> list[str]:
    """Every address in a text, in order, without repeats."""
    found = (clean_address(one) for one in ADDRESS.findall(text[:MAX_HEADER]))
    return list(dict.fromkeys(one for one in found if one))[:MAX_FOUND]


def clean_address(text: str) -> str:
    """An address without what prose leaves around it; empty if it is none."""
    address = re.sub(r"^(?:smtp|rfc822|mailto)[=:]", "", text.strip(" \t'`<>"), flags=re.IGNORECASE).rstrip(
        ".…!?'`’\"»)"
    )
    local, _, domain = address.rpartition("@")
    fine = local and domain and len(address) <= 320 and not domain.startswith((".", "-"))
    return plain_text(address) if fine else ""
