"""A mail as the bytes of its SMTP commands."""

import re

from campaigns.delivery.smtp.replies import Offer
from campaigns.values import Outcome, OutcomeKind, Outgoing

DATA = b"DATA\r\n"
RSET = b"RSET\r\n"
QUIT = b"QUIT\r\n"
NOTHING = b".\r\n"  #: ends a body of no lines

UNWRITABLE = re.compile(r"[\x00-\x20<>\x7f]")
DOT_LINE = re.compile(rb"\n\.").search  # a third quicker than `in`
NOT_XTEXT = re.compile(r"[^!-*,-<>-~]")


def mail_command(mail: Outgoing, offer: Offer) -> bytes:
    """MAIL FROM with every parameter that the server understands.

    Source: RFC 5321 §4.1.1.2, RFC 1870 (SIZE), RFC 3461 §4 (RET, ENVID), RFC 6531 §3.4.
    """
    line = f"MAIL FROM:<{mail.mail_from}>"
    if offer.size:
        line += f" SIZE={len(mail.data)}"
    if offer.dsn:
        line += f" RET=HDRS ENVID={envelope_id(mail)}"
    if mail.smtputf8:
        line += " BODY=8BITMIME SMTPUTF8"
    return f"{line}\r\n".encode()


def rcpt_command(mail: Outgoing, offer: Offer) -> bytes:
    """RCPT TO; with DSN, a notice is asked for failure and delay only.

    Source: RFC 5321 §4.1.1.3, RFC 3461 §4, RFC 6533 §3 (ORCPT beyond ASCII).
    """
    line = f"RCPT TO:<{mail.rcpt_to}>"
    if offer.dsn:
        kind = "rfc822" if mail.rcpt_to.isascii() else "utf-8"
        line += f" NOTIFY=FAILURE,DELAY ORCPT={kind};{xtext(mail.rcpt_to)}"
    return f"{line}\r\n".encode()


def envelope_id(mail: Outgoing) -> str:
    """The name by which a returned mail can be found again: the return path's local part.

    Source: RFC 3461 §4.4 (at most 100 characters).
    """
    local = mail.mail_from.rpartition("@")[0] or f"{mail.key.run}.{mail.key.seq}"
    return xtext(local)[:100]


def xtext(text: str) -> str:
    """Write a parameter's value so that it holds no space, '+' or '='.

    Source: RFC 3461 §4; RFC 6533 §3 for what is not ASCII.
    """
    return NOT_XTEXT.sub(lambda found: _escaped(ord(found[0])), text)


def _escaped(code: int) -> str:
    return f"+{code:02X}" if code < 128 else f"\\x{{{code:X}}}"


def body(mail: Outgoing, then: bytes = b"") -> bytes:
    """Stuff dots and end with the final one; line ends are CRLF already (Outgoing's contract).

    `then` is what follows at once: a mail is copied but once.

    Source: RFC 5321 §4.5.2.
    """
    data = mail.data
    if not mail.dotless and DOT_LINE(data):
        data = data.replace(b"\r\n.", b"\r\n..")
    first = b"." if data[:1] == b"." else b""
    return b"".join((first, data, b".\r\n" if data[-2:] == b"\r\n" else b"\r\n.\r\n", then))


def unfit(mail: Outgoing, offer: Offer) -> Outcome | None:
    """Why this mail cannot go to this server at all, if so."""
    if not mail.rcpt_to or UNWRITABLE.search(mail.rcpt_to) or UNWRITABLE.search(mail.mail_from):
        return _refused("5.1.3", "An envelope address holds a space, a bracket or a control character.")
    wide = not (mail.rcpt_to.isascii() and mail.mail_from.isascii())
    if (wide or mail.smtputf8) and not offer.smtputf8:
        return _refused("5.6.7", "The address is not ASCII and the server does not offer SMTPUTF8.")
    if wide and not mail.smtputf8:
        return _refused("5.6.7", "The address is not ASCII but the mail was not made for SMTPUTF8.")
    if offer.max_size and len(mail.data) > offer.max_size:
        what = f"The mail has {len(mail.data)} bytes; the server takes {offer.max_size} at most."
        return _refused("5.3.4", what)
    return None


def _refused(enhanced: str, text: str) -> Outcome:
    return Outcome(OutcomeKind.FAILED, None, enhanced, text)
