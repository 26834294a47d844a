"""One question to one machine by HTTP/1.1: its status and headers, and of the body no more than is asked for.

Every step has what is left of one deadline, so that a server which sends a byte now and then gains nothing.
"""

import re
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from ipaddress import IPv4Address
from time import monotonic

from campaigns.delivery.fetching.answers import Refused, Trouble
from campaigns.delivery.fetching.networks import Address
from campaigns.delivery.fetching.urls import Target

LONGEST_HEAD = 64 * 1024  #: bytes of a status line with its headers, and of all interim answers before
LONGEST_LINE = 8 * 1024  #: bytes of one header; a longer one is passed over
PIECE = 16 * 1024
AGENT = "Postroom/1 (checks the links of a mail before it goes out)"
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?\Z")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")

#: Opens a connection to exactly this address; it gets the seconds that are left.
Dial = Callable[[Address, int, float], socket.socket]


class Deadline:
    """Until when all must be done."""

    def __init__(self, seconds: float) -> None:
        self._until = monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left.

        Raises:
            Refused: none.
        """
        left = self._until - monotonic()
        if left <= 0:
            raise Refused(Trouble.SLOW)
        return left


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    begins: bytes = b""  #: of the body
    counted: int = 0  #: bytes of the body that came

    @property
    def size(self) -> int | None:
        """How large the whole body is; None where that is not known."""
        told = self.headers.get("content-length", "")
        return int(told) if told.isascii() and told.isdigit() and len(told) < 16 else self.counted or None


def dial(address: Address, port: int, timeout: float) -> socket.socket:
    """Connect to an address; no name is resolved any more."""
    family = socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.settimeout(timeout)
        made.connect((str(address), port))
    except BaseException:
        made.close()
        raise
    return made


def ask(
    method: str,
    target: Target,
    connected: socket.socket,
    context: ssl.SSLContext,
    deadline: Deadline,
    most: int,
) -> Reply:
    """Ask over an open connection, and close it; `most` is how much of the body is read.

    Raises:
        Refused: no proper answer came in time.
        OSError: the connection broke.
    """
    with closing(connected), closing(_secured(connected, target, context, deadline)) as wire:
        wire.settimeout(deadline.left())
        wire.sendall(_question(method, target))
        head, rest = _head(wire, deadline)
        status, headers = _read(head)
        if method == "HEAD" or most == 0:
            return Reply(status, headers)
        return _with_body(Reply(status, headers), wire, rest, deadline, most)


def _secured(
    connected: socket.socket, target: Target, context: ssl.SSLContext, deadline: Deadline
) -> socket.socket:
    connected.settimeout(deadline.left())
    if target.scheme == "http":
        return connected
    try:
        return context.wrap_socket(connected, server_hostname=target.host)
    except ssl.SSLCertVerificationError as error:
        # 62, 64: the name, or the address, is not the certificate's (X509_V_ERR_HOSTNAME_MISMATCH, …_IP_…)
        wrong = Trouble.TLS_NAME if error.verify_code in {62, 64} else Trouble.TLS
        raise Refused(wrong, error.verify_message or target.host) from error
    except ssl.SSLError as error:
        raise Refused(Trouble.TLS, error.reason or target.host) from error


def _question(method: str, target: Target) -> bytes:
    lines = (
        f"{method} {target.resource} HTTP/1.1",
        f"Host: {target.authority}",
        f"User-Agent: {AGENT}",
        "Accept: */*",
        "Accept-Encoding: identity",
        "Connection: close",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii")


def _head(wire: socket.socket, deadline: Deadline) -> tuple[bytes, bytes]:
    """Read until the headers end; interim answers (1xx) are passed over."""
    held, came = b"", 0
    while True:
        head, end, rest = held.partition(b"\r\n\r\n")
        if end and not head.startswith(b"HTTP/1.1 1"):
            return head, rest
        if end:
            held = rest
            continue
        if came > LONGEST_HEAD:
            raise Refused(Trouble.ODD, "headers without end")
        wire.settimeout(deadline.left())
        more = wire.recv(PIECE)
        if not more:
            raise Refused(Trouble.ODD, "cut off")
        held, came = held + more, came + len(more)


def _read(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.split(b"\r\n")
    status = _STATUS.match(first)
    if status is None:
        raise Refused(Trouble.ODD, "no HTTP")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if colon and len(line) <= LONGEST_LINE and _NAME.fullmatch(name):
            headers.setdefault(name.decode("ascii").lower(), value.strip(b" \t").decode("latin-1"))
    return int(status[1]), headers


def _with_body(reply: Reply, wire: socket.socket, rest: bytes, deadline: Deadline, most: int) -> Reply:
    """Read the body's beginning; whoever ends it early, or dawdles, has told enough by then."""
    held = rest
    try:
        while len(held) < most:
            wire.settimeout(deadline.left())
            more = wire.recv(PIECE)
            if not more:
                break
            held += more
    except (OSError, Refused):
        pass
    whole = len(held) < most
    return Reply(reply.status, reply.headers, held[:most], len(held) if whole else 0)
