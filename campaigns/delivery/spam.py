"""What the installation's spam filter thinks of a mail: rspamd by HTTP, SpamAssassin by spamd or by command.

The filter is the administrator's own choice, and may be on this machine; mails go nowhere else.
"""

import http.client
import json
import math
import re
import shutil
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from time import monotonic
from urllib.parse import urlsplit

from campaigns.errors import BackendError

PATIENCE = 20.0  #: seconds for an answer
NEAR = 0.3  #: seconds to find out whether a filter is on this machine
LONGEST = 4_000_000  #: bytes of an answer
RSPAMD, SPAMD = 11333, 783  #: their usual ports
LONGEST_NUMBER, LONGEST_WORDS = 40, 2000  #: letters
MOST_RULES = 2000  #: of one judgement
OFF = "off"
COMMAND = "spamassassin:"
#: What rspamd does with spam; it begins before its threshold, from which on it refuses.
MARKED = frozenset({"add header", "rewrite subject", "reject", "quarantine", "discard"})
_RULE = re.compile(r"^\s*(-?\d{1,9}(?:\.\d{1,9})?)\s+([A-Z0-9_]{2,})\s*(.*)$")
_VERDICT = re.compile(r"Spam:\s*(True|False)\s*;\s*(-?\d+(?:\.\d+)?)\s*/\s*(-?\d+(?:\.\d+)?)", re.IGNORECASE)
_DETAILS = re.compile(r"\((-?\d+(?:\.\d+)?) points, (-?\d+(?:\.\d+)?) required", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that a filter holds for or against a mail."""

    name: str
    points: float
    words: str  #: the filter's own, in its own language

    @property
    def weight(self) -> float:
        """How much it matters, for or against."""
        return abs(self.points)


@dataclass(frozen=True, slots=True)
class Score:
    """A filter's judgement."""

    by: str
    points: float
    threshold: float  #: from here on it is spam
    is_spam: bool
    rules: tuple[Rule, ...]  #: those with points, the weightiest first


def find_filter(url: str) -> str | None:
    """Where the filter is: as named, else what answers on this machine; None: nowhere."""
    if url == OFF:
        return None
    if url:
        return url
    if _answers(RSPAMD, b"GET /ping HTTP/1.0\r\n\r\n", b"pong"):
        return f"http://127.0.0.1:{RSPAMD}"
    if _answers(SPAMD, b"PING SPAMC/1.2\r\n\r\n", b"PONG"):
        return f"spamd://127.0.0.1:{SPAMD}"
    return COMMAND if shutil.which("spamassassin") else None


def _answers(port: int, question: bytes, wanted: bytes) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), NEAR) as wire:
        wire.settimeout(2 * NEAR)
        wire.sendall(question)
        return wanted in _all_of(wire, 1000, 1.0)
    return False


def ask(where: str, mail: bytes) -> Score:
    """Ask the filter for its judgement of a mail.

    Raises:
        BackendError: it does not answer, or not in its way.
    """
    try:
        if where == COMMAND:
            return _by_command(mail)
        parts = urlsplit(where)
        host, port = parts.hostname or "127.0.0.1", parts.port
        if parts.scheme == "spamd":
            return _by_spamd(host, port or SPAMD, mail)
        return _by_rspamd(parts.scheme, host, port or RSPAMD, mail)
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        reason = str(error)[:200] or type(error).__name__
        raise BackendError(f"The spam filter {_shown(where)} gave no judgement: {reason}") from error
    except subprocess.SubprocessError as error:
        raise BackendError("The command spamassassin gave no judgement in time.") from error


def _shown(where: str) -> str:
    """Where the filter is, without a login that may stand in its address."""
    scheme, _, rest = where.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if rest else where


def _by_rspamd(scheme: str, host: str, port: int, mail: bytes) -> Score:
    kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
    connection = kind(host, port, timeout=PATIENCE)
    try:
        connection.request("POST", "/checkv2", body=mail, headers={"Content-Type": "message/rfc822"})
        answer = connection.getresponse()
        body = answer.read(LONGEST)
        if answer.status != http.client.OK:
            raise ValueError(f"HTTP status {answer.status}")
    finally:
        connection.close()
    return read_rspamd(json.loads(body))


def read_rspamd(said: object) -> Score:
    """Read rspamd's answer; symbols that are none are passed over.

    Raises:
        ValueError: there is no score in it.
    Source: rspamd's documentation of its protocol, /checkv2.
    """
    if not isinstance(said, dict):
        raise ValueError("its answer is no judgement")  # noqa: TRY004 - a stranger's, not a programmer's mistake
    threshold = _points(said.get("required_score"))
    points = _points(said.get("score"))
    symbols = said.get("symbols")
    rules = [
        Rule(
            _plain(name),
            _points(one.get("score") or 0),
            _plain(one.get("description")),
        )
        for name, one in islice(symbols.items() if isinstance(symbols, dict) else (), MOST_RULES)
        if isinstance(one, dict)
    ]
    return _score("rspamd", points, threshold, rules, is_spam=str(said.get("action")) in MARKED)


def _points(said: object) -> float:
    """Read a number of points.

    Raises:
        ValueError: it is none.
    """
    known = type(said) in {int, float, str} and len(str(said)) <= LONGEST_NUMBER
    number = float(str(said)) if known else math.nan
    if not math.isfinite(number):
        raise ValueError("a number of points cannot be read")
    return number


def _by_spamd(host: str, port: int, mail: bytes) -> Score:
    """Source: SpamAssassin's spamd/PROTOCOL, version 1.5, REPORT."""
    with socket.create_connection((host, port), PATIENCE) as wire:
        wire.settimeout(PATIENCE)
        wire.sendall(b"REPORT SPAMC/1.2\r\nContent-length: %d\r\n\r\n" % len(mail) + mail)
        wire.shutdown(socket.SHUT_WR)
        said = _all_of(wire, LONGEST, PATIENCE).decode("utf-8", "replace")
    head, _, report = said.partition("\r\n\r\n")
    if not re.match(r"SPAMD/\S+ 0 ", head) or (verdict := _VERDICT.search(head)) is None:
        raise ValueError(head[:100] or "nothing")
    return _score("SpamAssassin", _points(verdict[2]), _points(verdict[3]), read_report(report))


def _by_command(mail: bytes) -> Score:
    """Ask the command, which loads its rules anew and takes some seconds; -L: no questions to the network."""
    program = shutil.which("spamassassin")
    if program is None:
        raise OSError("there is no command spamassassin")
    ran = subprocess.run(  # noqa: S603 - the installation's own program, with fixed words
        [program, "-t", "-L"], input=mail, capture_output=True, timeout=2 * PATIENCE, check=False
    )
    said = ran.stdout[-LONGEST:].decode("utf-8", "replace")
    details = _DETAILS.search(said)
    if details is None:
        raise ValueError(_plain(ran.stderr.decode("utf-8", "replace")) or "no report")
    report = said[details.end() :]
    return _score("SpamAssassin", _points(details[1]), _points(details[2]), read_report(report))


def read_report(text: str) -> list[Rule]:
    """Read SpamAssassin's table: points, rule, words; words go on in the lines below."""
    found: list[Rule] = []
    for line in text.splitlines()[:MOST_RULES]:
        if (row := _RULE.match(line)) is not None:
            found.append(Rule(_plain(row[2]), _points(row[1]), _plain(row[3])))
        elif found and line.startswith(" " * 20) and line.strip():
            last = found[-1]
            found[-1] = Rule(last.name, last.points, _plain(f"{last.words} {line}"))
    return found


def _score(
    by: str, points: float, threshold: float, rules: Sequence[Rule], *, is_spam: bool | None = None
) -> Score:
    weighty = sorted((one for one in rules if one.points), key=lambda one: -abs(one.points))
    return Score(by, points, threshold, points >= threshold if is_spam is None else is_spam, tuple(weighty))


def _plain(said: object) -> str:
    """One line of a stranger's words."""
    text = said[:LONGEST_WORDS] if isinstance(said, str) else ""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())[:200]


def _all_of(wire: socket.socket, most: int, seconds: float) -> bytes:
    until, held = monotonic() + seconds, b""
    while len(held) < most and (left := until - monotonic()) > 0:
        wire.settimeout(left)
        more = wire.recv(65536)
        if not more:
            break
        held += more
    return held
