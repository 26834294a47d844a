"""The catcher's folder: one file a mail, readable while others are being written."""

import email
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default as modern
from itertools import count
from pathlib import Path

from campaigns.errors import NotFound

ENVELOPE = b"X-Postroom-Envelope: "
NAME = re.compile(r"\d{20}\.\d+\.\d+\.eml")
PORT = "port"  #: the file in which a catcher says where it listens
HEAD = 64 * 1024  #: bytes within which the headers of a listed mail are looked for
MAX_HEADER = 4000  #: characters that are shown of one header
_numbers = count()


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the sending side said in SMTP."""

    mail_from: str
    rcpt_to: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Caught:
    """One line of the catcher's list. Every text in it is hostile."""

    name: str
    envelope: Envelope
    subject: str
    sender: str
    to: str
    size: int


@dataclass(frozen=True, slots=True)
class CaughtMail:
    """One mail, taken apart."""

    line: Caught
    headers: tuple[tuple[str, str], ...]
    text: str
    html: str | None
    raw: bytes


def store(folder: Path, arrivals: Sequence[tuple[Envelope, bytes]]) -> list[OSError | None]:
    """Write mails so that they outlive a power cut; tell for each what went wrong, if anything."""
    results: list[OSError | None] = []
    for envelope, data in arrivals:
        try:
            _write(folder, envelope, data)
            results.append(None)
        except OSError as error:
            results.append(error)
    directory = os.open(folder / "new", os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return results


def prepare(folder: Path) -> None:
    """Make the folder and what it needs."""
    for made in (folder, folder / "tmp", folder / "new"):  # a parent would not be given the mode
        made.mkdir(parents=True, exist_ok=True, mode=0o700)


def _write(folder: Path, envelope: Envelope, data: bytes) -> None:
    micros = int(envelope.at.timestamp() * 1_000_000)
    name = f"{micros:020d}.{next(_numbers)}.{os.getpid()}.eml"
    told = {"from": envelope.mail_from, "to": envelope.rcpt_to, "at": envelope.at.isoformat()}
    temporary = folder / "tmp" / name
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            file.write(b"%s%s\r\n%s" % (ENVELOPE, json.dumps(told).encode(), data))
            os.fdatasync(descriptor)
        temporary.rename(folder / "new" / name)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def listens_on(folder: Path) -> int | None:
    """The port of the catcher that keeps its mails here, by its own last word; None if none ever did."""
    try:
        return int((folder / PORT).read_text())
    except (OSError, ValueError):
        return None


def mails(folder: Path, limit: int = 100, search: str = "") -> list[Caught]:
    """The newest mails first; with a search, those whose subject or an address contains it."""
    wanted = search.casefold().strip()
    found: list[Caught] = []
    for name in _names(folder):
        try:
            line = _line(folder, name)
        except OSError:  # removed meanwhile
            continue
        if wanted in _searched(line):
            found.append(line)
            if len(found) >= limit:
                break
    return found


def read(folder: Path, name: str) -> CaughtMail:
    """Take one mail apart; damage in it leaves parts empty and raises nothing.

    Raises:
        NotFound: when there is no such mail.
    """
    if not NAME.fullmatch(name):
        raise NotFound(f"{name[:80]!r} names no caught mail.")
    try:
        stored = (folder / "new" / name).read_bytes()
    except FileNotFoundError:
        raise NotFound(f"{name} is not in the catcher's folder (any more).") from None
    first, _, raw = stored.partition(b"\r\n")
    message = _parsed(raw)
    line = _described(name, first, message, len(raw))
    headers = tuple((key, _header_text(message, key, value)) for key, value in _raw_items(message))
    return CaughtMail(line, headers, _body(message, "plain") or "", _body(message, "html"), raw)


def _names(folder: Path) -> Iterator[str]:
    try:
        names = [name for name in os.listdir(folder / "new") if NAME.fullmatch(name)]  # noqa: PTH208 - names only
    except FileNotFoundError:
        return
    yield from sorted(names, reverse=True)


def _searched(line: Caught) -> str:
    return "\n".join(
        (line.subject, line.sender, line.to, line.envelope.mail_from, *line.envelope.rcpt_to)
    ).casefold()


def _line(folder: Path, name: str) -> Caught:
    with (folder / "new" / name).open("rb") as file:
        head = file.read(HEAD)
        total = os.fstat(file.fileno()).st_size
    first, _, raw = head.partition(b"\r\n")
    message = _parsed(raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
    return _described(name, first, message, total - len(first) - 2)


def _described(name: str, first: bytes, message: EmailMessage, size: int) -> Caught:
    def shown(header: str) -> str:
        return _header_text(message, header, _first_raw(message, header))

    return Caught(name, _envelope(first, name), shown("Subject"), shown("From"), shown("To"), size)


def _envelope(first: bytes, name: str) -> Envelope:
    try:
        told = json.loads(first.removeprefix(ENVELOPE))
        return Envelope(str(told["from"]), tuple(map(str, told["to"])), datetime.fromisoformat(told["at"]))
    except (ValueError, KeyError, TypeError):
        return Envelope("", (), datetime.fromtimestamp(int(name[:20]) / 1_000_000, UTC))


def _parsed(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=modern)


def _raw_items(message: EmailMessage) -> list[tuple[str, str]]:
    return [(key, str(value)) for key, value in message.raw_items()]


def _first_raw(message: EmailMessage, header: str) -> str:
    return next((value for key, value in _raw_items(message) if key.lower() == header.lower()), "")


def _header_text(message: EmailMessage, key: str, raw: str) -> str:
    """Decode a header; the library's parser fails on some hostile ones, which are shown as they came."""
    if len(raw) > MAX_HEADER:  # the parser takes seconds over very long ones
        return " ".join(raw[:MAX_HEADER].split()) + " …"
    try:
        return str(message.policy.header_fetch_parse(key, raw))
    except Exception:  # noqa: BLE001 - whatever it is, it is the mail's fault
        return " ".join(raw.split())


def _body(message: EmailMessage, kind: str) -> str | None:
    """The first part of this kind that is no attachment, decoded as well as can be."""
    try:
        part = message.get_body((kind,))
        if part is None:
            return None
        octets = part.get_payload(decode=True)
        charset = part.get_content_charset("utf-8")
    except Exception:  # noqa: BLE001 - whatever it is, it is the mail's fault
        return None
    return _decoded(octets if isinstance(octets, bytes) else b"", charset)


def _decoded(octets: bytes, charset: str) -> str:
    try:
        return octets.decode(charset, "replace")
    except (LookupError, ValueError):
        return octets.decode("utf-8", "replace")
