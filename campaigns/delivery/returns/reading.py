"""From the bytes of a mail that came back to what it says; nothing here raises on any input."""

import re
from datetime import datetime

from campaigns.delivery.dates import read_date
from campaigns.delivery.returns import answers, prose
from campaigns.delivery.returns.mail import (
    ADDRESS,
    MAX_FOUND,
    MAX_HEADER,
    Mail,
    addresses_in,
    take_apart,
    value,
)
from campaigns.delivery.returns.notices import blocks_of, read_notice
from campaigns.delivery.returns.words import Returned, ReturnedRecipient, ReturnKind
from campaigns.delivery.smtp.replies import plain_text

ADDRESSED_TO = ("X-Original-To", "Delivered-To", "Envelope-To", "X-Envelope-To", "To", "Cc")
ASKS_OUT = "asks to be left alone"
OLD_COMPLAINT = re.compile(
    r"complaint about message from|abuse report|spam (?:complaint|report)|feedback report|email feedback",
    re.IGNORECASE,
)
#: A mail that came by a server has some of these.
OF_EVERY_MAIL = ("From", "Date", "Received", "Return-Path", "Subject", "Message-ID", "To", "Auto-Submitted")
ANGLE = re.compile(r"<([^<>\s]{1,300})>")
WHO_COMPLAINED = ("Original-Rcpt-To", "Removal-Recipient", "Original-Recipient")


def read_return(raw: bytes) -> Returned:
    """Read a mail that came back; damage makes the answer poorer, never an error.

    Source: RFC 3464 (delivery notices), RFC 5965 (complaints), RFC 3834 (auto-replies).
    """
    try:
        return _read(take_apart(raw))
    except Exception:  # noqa: BLE001 - Python's own mail parser fails on some damage, in many ways
        return Returned(ReturnKind.OTHER, "unreadable", (), None, None)


def _read(mail: Mail) -> Returned:
    recipients, envelope_id = read_notice(mail)
    kind, rule, recipients = _kind(mail, recipients)
    return Returned(
        kind=kind,
        rule=rule,
        addressed_to=_addressed_to(mail),
        envelope_id=envelope_id,
        message_id=_angle(value(mail.ours, "Message-ID")),
        recipients=recipients,
        feedback=_feedback(mail, rule) if kind is ReturnKind.COMPLAINT else None,
        subject=value(mail.top, "Subject"),
        sender=next(iter(addresses_in(value(mail.top, "From"))), ""),
        references=_references(mail),
        own_id=_angle(value(mail.top, "Message-ID")),
        written=_written(mail),
        words=plain_text(answers.own_words(mail)),
    )


def _kind(
    mail: Mail, told: tuple[ReturnedRecipient, ...]
) -> tuple[ReturnKind, str, tuple[ReturnedRecipient, ...]]:
    """What it is, by which rule, and about whom."""
    if mail.feedback is not None:
        return ReturnKind.COMPLAINT, "a feedback report", _complained(mail)
    if not any(mail.top.get(name) for name in OF_EVERY_MAIL):
        return ReturnKind.OTHER, "no mail: it has none of a mail's headers", ()
    if told:
        return _of_notice(told)
    if mail.disposition and not answers.REJECTED.search(mail.prose):
        return ReturnKind.RECEIPT, "a disposition notice", ()
    return _wild_complaint(mail) or _prose_bounce(mail) or (*_answer(mail), ())


def _of_notice(told: tuple[ReturnedRecipient, ...]) -> tuple[ReturnKind, str, tuple[ReturnedRecipient, ...]]:
    actions = {one.action for one in told}
    if "failed" in actions:
        return ReturnKind.BOUNCE, "a delivery notice", told
    if "delayed" in actions:
        return ReturnKind.DELAY, "a delivery notice", told
    return ReturnKind.RECEIPT, "a delivery notice", told


def _prose_bounce(mail: Mail) -> tuple[ReturnKind, str, tuple[ReturnedRecipient, ...]] | None:
    """A notice without the standard's fields: written by a server, and about a failure."""
    subject = value(mail.top, "Subject")
    by_server, itself = answers.is_daemon(mail), answers.is_daemon_itself(mail)
    says, framed = bool(answers.BOUNCED.search(subject)), bool(answers.FRAMES.search(mail.prose))
    if not (says or framed or itself) or (answers.is_away(mail) and not (by_server and says)):
        return None
    unasked = answers.has_null_path(mail) or says or mail.disposition
    returns_ours = framed and unasked and (mail.ours is not None or mail.disposition)
    alone = says and framed and not answers.is_answer(mail)
    by_nobody = answers.has_null_path(mail) and says
    if not (by_server or itself or by_nobody or returns_ours or alone):
        return None
    delayed = answers.speaks_of_delay(mail)
    failed = prose.failures(mail, delayed=delayed)
    if not failed and not by_server:
        return None
    return (ReturnKind.DELAY if delayed else ReturnKind.BOUNCE), "a server's prose", failed


def _answer(mail: Mail) -> tuple[ReturnKind, str]:
    if answers.is_challenge(mail):
        return ReturnKind.CHALLENGE, "asks for proof of a person"
    if header := answers.robot_header(mail):
        return ReturnKind.AUTO_REPLY, f"header {header}"
    if answers.is_away(mail):
        return ReturnKind.AUTO_REPLY, "subject of an absence"
    if answers.is_daemon(mail) or answers.has_null_path(mail):
        return ReturnKind.AUTO_REPLY, "nobody is to answer it"
    if not addresses_in(value(mail.top, "From")):
        return ReturnKind.OTHER, "from nobody"
    return ReturnKind.REPLY, "a person's address, and no sign of a robot"


# ---- complaints


def _wild_complaint(mail: Mail) -> tuple[ReturnKind, str, tuple[ReturnedRecipient, ...]] | None:
    """A complaint that is no feedback report."""
    if answers.wants_out(mail):
        told = addresses_in(value(mail.top, "From"))[:1]
        return ReturnKind.COMPLAINT, ASKS_OUT, tuple(_complainer(one) for one in told)
    if mail.ours is not None and OLD_COMPLAINT.search(value(mail.top, "Subject")):
        return ReturnKind.COMPLAINT, "a complaint with our mail in it", _complained(mail)
    return None


def _complained(mail: Mail) -> tuple[ReturnedRecipient, ...]:
    blocks = blocks_of(mail.feedback) if mail.feedback is not None else []
    told = [one for block in blocks for name in WHO_COMPLAINED for one in addresses_in(value(block, name))]
    told = told or addresses_in(value(mail.ours, "To"))
    return tuple(_complainer(one) for one in dict.fromkeys(told))[:MAX_FOUND]


def _complainer(address: str) -> ReturnedRecipient:
    return ReturnedRecipient(address, "complained", None, "", None)


def _feedback(mail: Mail, rule: str) -> str:
    blocks = blocks_of(mail.feedback) if mail.feedback is not None else []
    told = next((kind for block in blocks if (kind := value(block, "Feedback-Type"))), "")
    return told.lower().strip() or ("opt-out" if rule == ASKS_OUT else "abuse")


# ---- how our message is found again


def _addressed_to(mail: Mail) -> tuple[str, ...]:
    """Every address that may carry the return token, the surest first, without repeats."""
    values = [str(one)[:MAX_HEADER] for name in ADDRESSED_TO for one in mail.top.get_all(name, [])]
    values.append(str(mail.ours.get("Return-Path", ""))[:MAX_HEADER] if mail.ours is not None else "")
    blocks = blocks_of(mail.feedback) if mail.feedback is not None else []
    values += [value(block, "Original-Mail-From") for block in blocks]
    found = (one for each in values for one in ADDRESS.findall(each))
    return tuple(dict.fromkeys(found))[:MAX_FOUND]


def _references(mail: Mail) -> tuple[str, ...]:
    """What the mail answers, the nearest first."""
    answered = ANGLE.findall(value(mail.top, "In-Reply-To"))
    thread = ANGLE.findall(str(mail.top.get("References", ""))[:MAX_HEADER])
    return tuple(dict.fromkeys([*answered, *reversed(thread)]))[:MAX_FOUND]


def _written(mail: Mail) -> datetime | None:
    """When it says that it was written; of a notice without a date, when what it is about came to its server.

    Source: RFC 3464 §2.2.5 (Arrival-Date).
    """
    blocks = (block for part in mail.statuses for block in blocks_of(part))
    told = [value(mail.top, "Date"), *(value(block, "Arrival-Date") for block in blocks)]
    return next((at for text in told if (at := read_date(text)) is not None), None)


def _angle(text: str) -> str | None:
    found = ANGLE.search(text)
    return found[1] if found else None
