"""Mailboxes into which returned mail is delivered, read by IMAP or POP3 over verified TLS.

A mail is marked or deleted only after it was taken (stored); a cut in between makes it come again.
"""

import imaplib
import poplib
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from campaigns.errors import BackendError, BadSettings
from campaigns.values import Problem

TIMEOUT = 30.0  #: seconds that a server may take for one answer
MAX_OCTETS = 2 * 1024 * 1024  #: of a mail; what comes after is the returned mail's body
MAX_LINES = 20_000  #: of a mail by POP3, which counts lines
AT_ONCE = 200  #: mails of one visit; the rest waits for the next
PORTS = {"imaps": 993, "imap+starttls": 143, "imap": 143, "pop3s": 995, "pop3+starttls": 110, "pop3": 110}
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
FAILURES = (OSError, EOFError, imaplib.IMAP4.error, poplib.error_proto)

#: Takes one mail by its name; it is stored when this returns. What it raises ends the visit.
Take = Callable[[str, bytes], None]


class Afterwards(StrEnum):
    """What becomes of a mail that was taken."""

    SEEN = "seen"  #: it stays, marked as seen (IMAP alone)
    MOVE = "move"  #: it goes to another folder (IMAP alone)
    DELETE = "delete"  #: it is deleted


@dataclass(frozen=True, slots=True)
class Box:
    """Where a mailbox is, and how it is read."""

    scheme: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    folder: str = "INBOX"
    afterwards: Afterwards = Afterwards.SEEN
    to: str = ""  #: the folder that read mails are moved to
    cafile: Path | None = None

    @property
    def is_pop(self) -> bool:
        """Whether it is read by POP3."""
        return self.scheme.startswith("pop3")

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


def box_of(url: str, cafile: Path | None = None) -> Box:
    """Read a mailbox's address: imaps://user:password@host/INBOX?after=delete, pop3s://user:password@host.

    Raises:
        BadSettings: with everything that does not hold; the password is not told.
    """
    problems: list[str] = []
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:  # whose text may hold the password
        cure = "Write imaps://user:password@host, with %XX for signs such as / # @ in the password."
        raise BadSettings([Problem("mailbox address", "cannot be read.", cure)]) from None
    pop, asked = parts.scheme.startswith("pop3"), parse_qs(parts.query)
    to, after = asked.get("to", [""])[0], asked.get("after", ["delete" if pop else "seen"])[0]
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    folder = unquote(parts.path.strip("/")) or "INBOX"
    if parts.scheme not in PORTS:
        problems.append(f"begins with {parts.scheme!r}, not one of {', '.join(PORTS)}.")
    elif parts.scheme in {"imap", "pop3"} and not _is_loopback(parts.hostname or ""):
        problems.append("would show the password to the network; use imaps:// or pop3s://.")
    if not parts.hostname or not user or not password:
        problems.append("lacks a host, a user or a password.")
    if any(CONTROL.search(one) for one in (user, password, folder, to)):
        problems.append("holds control characters.")
    if after not in set(Afterwards) or (after == "move") != bool(to) or (pop and after != "delete"):
        problems.append(
            "asks for after= other than seen, delete, or move with to=FOLDER (POP3: delete alone)."
        )
    if problems:
        raise BadSettings([Problem("mailbox address", one) for one in problems])
    host = parts.hostname or ""
    return Box(parts.scheme, host, port, user, password, folder, Afterwards(after), to, cafile)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def visit(box: Box, take: Take, *, limit: int = AT_ONCE) -> int:
    """Take the new mails of a mailbox, the oldest first; gives how many.

    Raises:
        BackendError: the server is away or refuses; what was taken stays taken.
    """
    try:
        return _visit_pop(box, take, limit) if box.is_pop else _visit_imap(box, take, limit)
    except FAILURES as error:
        raise BackendError(f"The mailbox {box} could not be read: {str(error)[:300]}") from error


def _context(box: Box) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(box.cafile) if box.cafile else None)


# ---- IMAP


@contextmanager
def _imap(box: Box) -> Iterator[imaplib.IMAP4]:
    client: imaplib.IMAP4
    if box.scheme == "imaps":
        client = imaplib.IMAP4_SSL(box.host, box.port, ssl_context=_context(box), timeout=TIMEOUT)
    else:
        client = imaplib.IMAP4(box.host, box.port, timeout=TIMEOUT)
    try:
        if box.scheme == "imap+starttls":
            client.starttls(_context(box))
        client.login(_quoted(box.user), box.password)
        yield client
    finally:
        with suppress(*FAILURES):
            client.logout()


def _visit_imap(box: Box, take: Take, limit: int) -> int:
    """Read what is not yet seen, by UID.

    Source: RFC 9051 §6.4, RFC 6851 (MOVE), RFC 4315 (UID EXPUNGE).
    """
    with _imap(box) as client:
        # more is offered after the login than before
        offered = b" ".join(one for one in _fine(client.capability()) if isinstance(one, bytes)).split()
        _fine(client.select(_quoted(box.folder)))
        found = _fine(client.uid("SEARCH", "UNSEEN", "UNDELETED"))
        uids = sorted(
            int(uid)
            for uid in b" ".join(one for one in found if isinstance(one, bytes)).split()
            if uid.isdigit()
        )
        validity = (client.response("UIDVALIDITY")[1] or [b"0"])[0]
        for uid in uids[:limit]:
            if (raw := _fetched(client, uid)) is not None:
                take(f"{box.host}:{(validity or b'0').decode()}:{uid}", raw)
            _leave(client, box, str(uid), offered)
        return len(uids[:limit])


def _fetched(client: imaplib.IMAP4, uid: int) -> bytes | None:
    """The beginning of a mail, without marking it; None if somebody else has deleted it meanwhile."""
    told = _fine(client.uid("FETCH", str(uid), f"(BODY.PEEK[]<0.{MAX_OCTETS}>)"))
    return next((one[1] for one in told if isinstance(one, tuple)), None)


def _leave(client: imaplib.IMAP4, box: Box, uid: str, offered: list[bytes]) -> None:
    if box.afterwards is Afterwards.SEEN:
        _fine(client.uid("STORE", uid, "+FLAGS.SILENT", r"(\Seen)"))
        return
    if box.afterwards is Afterwards.MOVE:
        if b"MOVE" in offered:
            _fine(client.uid("MOVE", uid, _quoted(box.to)))
            return
        _fine(client.uid("COPY", uid, _quoted(box.to)))
    _fine(client.uid("STORE", uid, "+FLAGS.SILENT", r"(\Seen \Deleted)"))
    if b"UIDPLUS" in offered:  # else others' deleted mails would go with ours
        _fine(client.uid("EXPUNGE", uid))


def _fine(
    answer: tuple[str, list[bytes | None] | list[bytes | tuple[bytes, bytes]]],
) -> list[bytes | tuple[bytes, bytes]]:
    kind, told = answer
    if kind != "OK":
        raise imaplib.IMAP4.error(f"the server answered {kind}: {told!r}"[:200])
    return [one for one in told if one is not None]


def _quoted(text: str) -> str:
    """A quoted string; control characters were refused where the address was read."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


# ---- POP3


@contextmanager
def _pop(box: Box) -> Iterator[poplib.POP3]:
    client: poplib.POP3
    if box.scheme == "pop3s":
        client = poplib.POP3_SSL(box.host, box.port, context=_context(box), timeout=TIMEOUT)
    else:
        client = poplib.POP3(box.host, box.port, timeout=TIMEOUT)
    try:
        if box.scheme == "pop3+starttls":
            client.stls(_context(box))
        client.user(box.user)
        client.pass_(box.password)
        yield client
    except BaseException:
        with suppress(*FAILURES):
            client.close()  # without QUIT: what was marked is not deleted, and comes again
        raise
    client.quit()


def _visit_pop(box: Box, take: Take, limit: int) -> int:
    """Read all mails there are, and delete each that was taken; the server does so at the end.

    Source: RFC 1939 §5, §6.
    """
    with _pop(box) as client:
        numbers = [line.split() for line in client.uidl()[1]]
        taken = 0
        for number, name in [(int(parts[0]), parts[1]) for parts in numbers if len(parts) == 2][:limit]:
            lines = client.top(number, MAX_LINES)[1]
            take(f"{box.host}:{name.decode('ascii', 'replace')}", b"\n".join(lines)[:MAX_OCTETS])
            client.dele(number)
            taken += 1
        return taken
