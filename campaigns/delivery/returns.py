"""Mail that comes back: delivery notices, complaints and auto-replies, read without trust.

This is the first form: the standard's own fields decide and nothing is guessed from prose.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from enum import StrEnum

from campaigns.delivery.smtp.replies import plain_text

MAX_BYTES = 5 * 1024 * 1024
MAX_PARTS = 200
MAX_RECIPIENTS = 200

STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
ADDRESS = re.compile(r"[^\s<>()\[\]\\,;:\"@]+@[^\s<>()\[\]\\,;:\"@]+")

HARD = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.4.4"})
ADDRESSED_TO = ("X-Original-To", "Delivered-To", "Envelope-To", "X-Envelope-To", "To")


class ReturnKind(StrEnum):
    """What a returned mail is."""

    BOUNCE = "bounce"  #: at least one recipient was not reached
    DELAY = "delay"  #: the receiving side is still trying
    RECEIPT = "receipt"  #: a notice of success
    COMPLAINT = "complaint"  #: a feedback report: somebody called it spam
    AUTO_REPLY = "auto-reply"  #: a robot answers: on holiday, no longer here
    OTHER = "other"  #: none of these; perhaps a person


@dataclass(frozen=True, slots=True)
class ReturnedRecipient:
    """One recipient's part of a delivery notice."""

    address: str
    action: str  #: failed, delayed, delivered, relayed, expanded, or as it was written
    status: str | None  #: RFC 3463 code
    diagnostic: str
    hard: bool | None  #: the address is dead (True), the failure may pass (False), or no failure (None)


@dataclass(frozen=True, slots=True)
class Returned:
    """What a returned mail says. Believe it only about an address that was mailed."""

    kind: ReturnKind
    addressed_to: tuple[str, ...]  #: where it arrived; one of them carries the return token
    envelope_id: str | None  #: our ENVID, where it was kept
    message_id: str | None  #: of our mail, where its headers came along
    recipients: tuple[ReturnedRecipient, ...] = ()
    feedback: str | None = None  #: a complaint's type: abuse, fraud, opt-out …
    subject: str = ""


def read_return(raw: bytes) -> Returned:
    """Read a mail that arrived at the return address; damage makes the answer poorer, never an error.

    Source: RFC 3464 (delivery notices), RFC 5965 (complaints), RFC 3834 (auto-replies).
    """
    try:
        message = message_from_bytes(raw[:MAX_BYTES])
        parts = list(_parts(message))
    except Exception:  # noqa: BLE001 - the parser's own failures on damaged input
        return Returned(ReturnKind.OTHER, (), None, None)
    ours = _our_headers(parts)
    recipients, envelope_id = _notice(parts)
    feedback = _feedback(parts)
    return Returned(
        kind=_kind(message, recipients, feedback),
        addressed_to=_addressed_to(message, ours),
        envelope_id=envelope_id,
        message_id=_angle(_value(ours, "Message-ID")) if ours else None,
        recipients=recipients,
        feedback=feedback,
        subject=_value(message, "Subject"),
    )


def _kind(message: Message, recipients: tuple[ReturnedRecipient, ...], feedback: str | None) -> ReturnKind:
    if feedback is not None:
        return ReturnKind.COMPLAINT
    actions = {recipient.action for recipient in recipients}
    if "failed" in actions:
        return ReturnKind.BOUNCE
    if "delayed" in actions:
        return ReturnKind.DELAY
    if actions:
        return ReturnKind.RECEIPT
    return ReturnKind.AUTO_REPLY if _is_automatic(message) else ReturnKind.OTHER


def _is_automatic(message: Message) -> bool:
    """Whether a robot wrote it.

    Source: RFC 3834 §5; the other headers are the habits of Exchange and older responders.
    """
    submitted = _value(message, "Auto-Submitted").lower()
    if submitted and not submitted.startswith("no"):
        return True
    if _value(message, "Precedence").lower() in {"auto_reply", "junk"}:
        return True
    return any(message.get(name) for name in ("X-Autoreply", "X-Autorespond", "X-Auto-Response-From"))


# ---- the parts


def _parts(message: Message) -> Iterator[Message]:
    """Every part, outermost first, to a bound: a hostile mail nests without end."""
    stack = [message]
    for _ in range(MAX_PARTS):
        if not stack:
            return
        part = stack.pop()
        yield part
        inner = part.get_payload()
        if isinstance(inner, list):
            stack += [one for one in reversed(inner) if isinstance(one, Message)]


def _blocks(part: Message) -> list[Message]:
    """The header-like blocks of a report part; the parser splits some types and leaves others."""
    inner = part.get_payload()
    if isinstance(inner, list):
        return [one for one in inner if isinstance(one, Message)]
    octets = part.get_payload(decode=True)
    text = octets.replace(b"\r\n", b"\n") if isinstance(octets, bytes) else b""
    return [message_from_bytes(block.strip() + b"\n\n") for block in text.split(b"\n\n") if block.strip()]


def _notice(parts: list[Message]) -> tuple[tuple[ReturnedRecipient, ...], str | None]:
    recipients: list[ReturnedRecipient] = []
    envelope_id = None
    for part in parts:
        if part.get_content_type() in {"message/delivery-status", "message/global-delivery-status"}:
            for block in _blocks(part):
                envelope_id = envelope_id or _value(block, "Original-Envelope-Id") or None
                recipients += _recipient(block)
    return tuple(recipients[:MAX_RECIPIENTS]), envelope_id


def _recipient(block: Message) -> list[ReturnedRecipient]:
    """One per-recipient block.

    Source: RFC 3464 §2.3.
    """
    address = _typed(_value(block, "Original-Recipient")) or _typed(_value(block, "Final-Recipient"))
    action = _value(block, "Action").lower().split(" ")[0]
    if not action and not address:
        return []
    diagnostic = _typed(_value(block, "Diagnostic-Code"))
    status = _status(_value(block, "Status"), diagnostic)
    return [ReturnedRecipient(address, action, status, diagnostic, _hard(action, status, diagnostic))]


def _typed(value: str) -> str:
    """The part after 'rfc822;' or 'smtp;'."""
    kind, sign, rest = value.partition(";")
    return (rest if sign else kind).strip().strip("<>")


def _status(told: str, diagnostic: str) -> str | None:
    """The enhanced code; a vague one (5.0.0) gives way to what the other server wrote."""
    found = STATUS.search(told)
    if found and (found[2], found[3]) != ("0", "0"):
        return found[0]
    better = STATUS.search(diagnostic)
    return better[0] if better else found and found[0]


def _hard(action: str, status: str | None, diagnostic: str) -> bool | None:
    """Judge by the code alone: an address is dead only by the codes that say just that.

    A failure with 4.x.x is a deferral that ran out of time; 5.7.x is about us, not about the address;
    and where the code says "no such user" but the words say "blocked", the words win.
    """
    if action != "failed":
        return None
    return status in HARD and not BLOCKED.search(diagnostic)


BLOCKED = re.compile(
    r"\b(spam|block(?:ed|list)|black ?list|reputation|spf|dkim|dmarc|rbl|dnsbl|spamhaus|5\.7\.\d+)\b",
    re.IGNORECASE,
)


def _feedback(parts: list[Message]) -> str | None:
    for part in parts:
        if part.get_content_type() == "message/feedback-report":
            for block in _blocks(part):
                if kind := _value(block, "Feedback-Type"):
                    return kind.lower()
            return "abuse"
    return None


def _our_headers(parts: list[Message]) -> Message | None:
    """The headers of the mail that is returned or complained of."""
    for part in parts:
        kind = part.get_content_type()
        if kind in {"message/rfc822", "message/global"} and isinstance(part.get_payload(), list):
            inner = part.get_payload(0)
            return inner if isinstance(inner, Message) else None
        if kind in {"text/rfc822-headers", "message/global-headers"}:
            octets = part.get_payload(decode=True)
            return message_from_bytes(octets if isinstance(octets, bytes) else b"")
    return None


def _addressed_to(message: Message, ours: Message | None) -> tuple[str, ...]:
    """Every address that may carry the return token, the surest first, without repeats."""
    values = [str(value) for name in ADDRESSED_TO for value in message.get_all(name, [])]
    if ours is not None:
        values.append(str(ours.get("Return-Path", "")))
    return tuple(dict.fromkeys(found for value in values for found in ADDRESS.findall(value)))[
        :MAX_RECIPIENTS
    ]


def _angle(value: str) -> str | None:
    found = re.search(r"<([^<>\s]+)>", value)
    return found[1] if found else None


def _value(message: Message, name: str) -> str:
    """A header as one line of plain text; empty if it is not there."""
    value = message.get(name)
    if value is None:
        return ""
    try:
        return plain_text(str(make_header(decode_header(str(value)))))
    except Exception:  # noqa: BLE001 - an unknown charset or broken encoding: take it as it came
        return plain_text(str(value))
