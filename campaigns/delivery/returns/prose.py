"""Bounces written as prose: whom they are about, and which of their words are the other server's."""

import logging
import re
from email.message import Message

from flufl.bounce import all_failures

from campaigns.delivery.returns.judging import REPLY, STATUS, judge
from campaigns.delivery.returns.mail import ADDRESS, Mail, addresses_in, clean_address, value
from campaigns.delivery.returns.notices import AFTER_DATA, DELAYED, FAILED, MAX_RECIPIENTS
from campaigns.delivery.returns.words import Evidence, ReturnedRecipient
from campaigns.delivery.smtp.replies import plain_text

_A = r"[<\"']{0,2}(" + ADDRESS.pattern + r")[>\"']{0,2}"
#: Where a recipient stands, the surest first.
PLACES = (
    re.compile(
        r"did not reach the following recipient\(s\):\s{1,20}(?:[^\n@]{0,120}?[ ;=])?" + _A, re.IGNORECASE
    ),
    re.compile(r"^[ \t>*]{0,12}" + _A + r"[ \t]*(?::|\.{3}|;|,|$|\(| on \w{3},)", re.MULTILINE),
    re.compile(
        r"(?:RCPT TO|Recipients?|Address|failed for|Unknown user|Empfänger|Destinataire|Destinatario)"
        r"[ \t]*:[ \t]*" + _A,
        re.IGNORECASE,
    ),
    re.compile(
        r"(?:deliver(?:ed|ing|y|able)?|sent|send|mail|message|addressed|nachricht|recipients?|address(?:es)?"
        r"|user|mailbox|account|zugestellt|undeliverable|rejected)\b[^\n<@]{0,60}?\n?[^\n<@]{0,40}?"
        r"\b(?:to|for|an|recipient|à|para|address|user|mailbox|account|es|an|follow\w*)\b[ :]*\n?[ \t]*" + _A,
        re.IGNORECASE,
    ),
)
MAX_LOOKED_AT, MAX_LINES = 16_000, 400  #: where recipients stand, if anywhere
NOBODY = re.compile(
    r"^(?:postmaster|mailer[-_]daemon|maildaemon|mdaemon|abuse|support|help(?:desk)?|hostmaster|no-?reply|root|webmaster|admin(?:istrator)?|mail-daemon)@",
    re.IGNORECASE,
)
MESSAGE_ID = re.compile(
    r"message[- _]?(?:id|identifier)[^\n<]{0,20}<?[^\s<>]+@[^\s<>]+>?"
    r"|\bid(?:entifier)?[ :=]+<?[^\s<>]+@[^\s<>]+>?",
    re.IGNORECASE,
)
SERVER_SAID = re.compile(
    r"(?:said|response(?: was)?|respond\w*(?: as follows)?|returned(?: was)?|reason|error|message|failed with"
    r"|because|diagnostic[- ]code|status|result\w*)[^\n:]{0,40}:[ \t\[\"']*\n{0,3}(.{3,600})",
    re.IGNORECASE | re.DOTALL,
)
REPLY_LINE = re.compile(
    r"(<<< ?)?(?<![\w.,:/-])[#<(\[\"']{0,2}"
    r"(?=((?:[45][0-5]\d|[45]\.\d{1,3}\.\d{1,3})(?:[ \-:#]|$).{0,600}))[45]",
    re.DOTALL,
)


def failures(mail: Mail, *, delayed: bool = False) -> tuple[ReturnedRecipient, ...]:
    """Each recipient that prose says was not reached."""
    found = recipients(mail)[:MAX_RECIPIENTS]
    action = DELAYED if delayed else FAILED
    return tuple(_failure(address, found, mail.prose, action) for address in found)


def _failure(address: str, found: list[str], prose: str, action: str) -> ReturnedRecipient:
    said = _about(address, found, prose)
    diagnostic = server_said(said) or _below(address, said)
    status = STATUS.search(diagnostic) or STATUS.search(said)
    reply = REPLY.search(diagnostic) or REPLY.search(said)
    evidence = Evidence(
        "4.0.0" if action == DELAYED else status and status[0],
        "400" if action == DELAYED else reply and reply[0],
        "" if action == DELAYED else diagnostic,
        said,
        bool(AFTER_DATA.search(said)),
    )
    told = " ".join(plain_text(diagnostic or said).split())
    return ReturnedRecipient(address, action, status and status[0], told, judge(evidence), reply and reply[0])


def _about(address: str, found: list[str], prose: str) -> str:
    """The part of the prose that is about one recipient; all of it where there is only one."""
    if len(found) == 1:
        return prose
    low = prose.lower()
    starts = sorted((low.rfind("\n", 0, at) + 1, one) for one in found if (at := low.find(one.lower())) >= 0)
    for number, (start, one) in enumerate(starts):
        if one == address:
            later = [at for at, _ in starts[number + 1 :] if at > start]
            return prose[start : later[0] if later else len(prose)]
    return prose


def _below(address: str, said: str) -> str:
    """The paragraph that follows an address; empty where it is the last word."""
    at = said.lower().find(address.lower())
    told = _paragraph(said[at + len(address) :].lstrip(" \t\n>:.,;\"'")[:600]) if at >= 0 else ""
    return told if len(told) > 8 and not told.startswith(("--", "==")) else ""


def server_said(text: str) -> str:
    """The words of the server that refused; empty where none can be told from the rest."""
    best, most = "", -1
    for found in REPLY_LINE.finditer(text):
        said = _paragraph(found[2])
        # what stands after <<< came over the wire; codes in full say more than bare ones
        worth = 4 * bool(found[1]) + 2 * bool(STATUS.search(said[:20])) + (len(said) > 12)
        if worth > most and len(said) > 4:
            best, most = said, worth
    if best:
        return best
    reason = SERVER_SAID.search(text)
    return _paragraph(reason[1]) if reason else ""


def _paragraph(text: str) -> str:
    return re.split(r"\n[ \t]*\n|\n[ \t]*(?:---|>>>|<<<|Giving up|Reporting-MTA|[245]\d\d )", text)[0].strip()


def recipients(mail: Mail) -> list[str]:
    """Whom a bounce is about: by its header, its prose, our own mail's To, or flufl.bounce, in that order."""
    named = addresses_in(value(mail.top, "X-Failed-Recipients"))
    if named:
        return named
    not_them = _others(mail)
    notified = {one.lower() for one in addresses_in(value(mail.top, "To"))}  # it is to us that it came back
    ours = addresses_in(value(mail.ours, "To")) if mail.ours is not None else []
    ours = [one for one in ours if one.lower() not in notified]
    prose = MESSAGE_ID.sub(" ", mail.prose[:MAX_LOOKED_AT])
    for place in PLACES:
        found = _fit([clean_address(one) for one in place.findall(prose)], not_them)
        if found:
            return [one for one in found if one in ours] or found
    anywhere = _fit(addresses_in(prose), not_them)
    both = [one for one in anywhere if one in ours]
    return both or ours[:1] or anywhere[:1] or _fit(_by_flufl(mail), set())


def _fit(addresses: list[str], not_them: set[str]) -> list[str]:
    fine = (
        one
        for one in addresses
        if one
        and one.lower() not in not_them
        and "..." not in one.strip('"')
        and not NOBODY.match(one)
        and re.search(r"\.[^.\d]", one.rpartition("@")[2])
    )
    return list(dict.fromkeys(fine))


def _others(mail: Mail) -> set[str]:
    """Addresses in the mail that are surely not the recipient's: the notice's own, and our sender."""
    values = [
        value(mail.top, name) for name in ("From", "To", "Cc", "Reply-To", "Return-Path", "Delivered-To")
    ]
    values += [value(mail.ours, name) for name in ("From", "Return-Path", "Reply-To", "Sender", "Message-ID")]
    return {one.lower() for each in values for one in addresses_in(each)}


def _by_flufl(mail: Mail) -> list[str]:
    """What flufl.bounce's detectors of old servers find; hostile input may make them fail."""
    log = logging.getLogger("flufl.bounce")
    level, log.level = log.level, logging.CRITICAL
    try:
        temporary, permanent = all_failures(_flat(mail))
    except Exception:  # noqa: BLE001 - their parsers trust what they read
        return []
    finally:
        log.level = level
    return [clean_address(one.decode("utf-8", "replace")) for one in sorted(permanent | temporary)]


def _flat(mail: Mail) -> Message:
    """The mail's prose within the bounds that those detectors do not have."""
    flat = Message()
    for name in ("From", "To", "Subject", "X-Mailer"):
        flat[name] = value(mail.top, name)
    flat.set_payload("\n".join(mail.text[:MAX_LOOKED_AT].splitlines()[:MAX_LINES]))
    return flat
