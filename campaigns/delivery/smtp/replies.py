"""What the server says: read in whatever pieces it comes, and turned into outcomes."""

import re
from dataclasses import dataclass
from typing import NamedTuple

from campaigns.values import Outcome, OutcomeKind

MAX_LINE = 8192  #: RFC 5321 allows 512 octets; real servers write more
MAX_LINES = 512
MAX_TEXT = 500

ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s|$)")
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]+")


class Reply(NamedTuple):
    """One complete reply."""

    code: int
    lines: tuple[bytes, ...]  #: the text of each line, without the code

    @property
    def text(self) -> str:
        """All lines as one, free of control characters, at most 500 characters."""
        return plain_text(b" ".join(self.lines).decode("utf-8", "replace"))


class ReplyReader:
    """Puts replies together; `broken` says why nothing more can be read."""

    __slots__ = ("_lines", "_rest", "broken")

    def __init__(self) -> None:
        self.broken = ""
        self._rest = b""
        self._lines: list[bytes] = []

    def feed(self, data: bytes) -> list[Reply]:
        """Take bytes, give the replies that they complete.

        Source: RFC 5321 §4.2.1.
        """
        if self.broken:
            return []
        replies: list[Reply] = []
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            code, mark = line[:3], line[3:4]
            if not (code.isdigit() and b"200" <= code < b"600" and mark in b" -\r") or len(line) > MAX_LINE:
                self.broken = f"the server wrote {line[:80]!r}, which is no SMTP reply"
                return replies
            self._lines.append(line)
            if mark != b"-":
                replies += self._complete(code)
        if len(self._rest) > MAX_LINE or len(self._lines) > MAX_LINES:
            self.broken = "the server's reply has no end"
        return replies

    def _complete(self, code: bytes) -> list[Reply]:
        lines, self._lines = self._lines, []
        if len(lines) == 1:
            return [Reply(int(code), (lines[0][4:].rstrip(b"\r"),))]
        if any(line[:3] != code for line in lines):
            self.broken = f"the server changed its mind within a reply: {b' '.join(lines)[:80]!r}"
            return []
        return [Reply(int(code), tuple([line[4:].rstrip(b"\r") for line in lines]))]


def outcome_of(reply: Reply) -> Outcome:
    """Judge a reply by its first digit alone; the enhanced code is kept beside it.

    Source: RFC 5321 §4.2.1, RFC 3463.
    """
    text = reply.text
    found = ENHANCED.match(text)
    return Outcome(KINDS.get(reply.code // 100, OutcomeKind.UNKNOWN), reply.code, found and found[1], text)


KINDS = {2: OutcomeKind.SENT, 4: OutcomeKind.DEFERRED, 5: OutcomeKind.FAILED}


def plain_text(text: str) -> str:
    """Make a foreign text safe to store and show: one line, no control characters, 500 at most.

    Half a character, as JSON may hold it, is left out as well: no database stores it.
    """
    return UNPRINTABLE.sub(" ", text).strip()[:MAX_TEXT]


@dataclass(frozen=True, slots=True)
class Offer:
    """What a server offers in its answer to EHLO; nothing at all after HELO."""

    pipelining: bool = False
    starttls: bool = False
    smtputf8: bool = False
    dsn: bool = False
    size: bool = False
    max_size: int = 0  #: 0: not told
    auth: frozenset[str] = frozenset()


def read_offer(reply: Reply) -> Offer:
    """Read the lines after the first.

    Source: RFC 5321 §4.1.1.1, RFC 1870 (SIZE), RFC 4954 (AUTH).
    """
    said: dict[str, list[str]] = {}
    for line in reply.lines[1:]:
        # old servers write AUTH=LOGIN
        words = line.decode("ascii", "replace").upper().replace("AUTH=", "AUTH ").split()
        if words:
            said.setdefault(words[0], []).extend(words[1:])
    size = "".join(said.get("SIZE", [])[:1])
    return Offer(
        pipelining="PIPELINING" in said,
        starttls="STARTTLS" in said,
        smtputf8="SMTPUTF8" in said,
        dsn="DSN" in said,
        size="SIZE" in said,
        max_size=int(size) if size.isascii() and size.isdigit() else 0,
        auth=frozenset(said.get("AUTH", [])),
    )
