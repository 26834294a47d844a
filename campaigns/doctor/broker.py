"""The broker of a cluster: is it one, does it let us in, and to our virtual host. Nothing is published."""

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import closing
from typing import BinaryIO
from urllib.parse import SplitResult, unquote, urlsplit

from campaigns.delivery.smtp.replies import plain_text
from campaigns.doctor.findings import Finding, bad, ok

PATIENCE = 5.0  #: seconds for each word of the dialogue
HELLO = b"AMQP\x00\x00\x09\x01"
LARGEST = 200_000  #: octets of a frame that is still read
START, START_OK = (10, 10), (10, 11)
TUNE, TUNE_OK = (10, 30), (10, 31)
OPEN, OPEN_OK = (10, 40), (10, 41)
CLOSE, CLOSE_OK = (10, 50), (10, 51)
#: It is to say why it refuses, instead of hanging up; and it shows who asks.
OURS = (
    b"\x07productS\x00\x00\x00\x0fpostroom doctor"
    b"\x0ccapabilitiesF\x00\x00\x00\x1f\x1cauthentication_failure_closet\x01"
)


class Refused(Exception):
    """The broker answered, and does not let us in; the message says why."""


def examine_broker(url: str, patience: float = PATIENCE) -> Iterator[Finding]:
    """Log in at the broker of a cluster; nothing where none is named."""
    if not url:
        return
    parts = urlsplit(url)
    where = f"{parts.hostname}:{_port(parts)}"
    away = "no sender of the cluster is told of work"
    try:
        _visit(parts, patience)
    except Refused as error:
        cure = "Check user, password and virtual host in POSTROOM_BROKER_URL, and the user's rights there."
        yield bad("broker", f"{where} {error}: {away}", cure)
    except (OSError, struct.error) as error:
        cure = "Start RabbitMQ, and check POSTROOM_BROKER_URL."
        yield bad("broker", f"{where} does not answer ({error or type(error).__name__}): {away}", cure)
    else:
        yield ok("broker", f"{where} lets us in")


def _port(parts: SplitResult) -> int:
    return parts.port or (5671 if parts.scheme == "amqps" else 5672)


def _visit(parts: SplitResult, patience: float) -> None:
    """Connect, log in, enter the virtual host, and say goodbye.

    Source: AMQP 0-9-1 §2.2.4 and §4.2.
    """
    host = parts.hostname or ""
    with closing(socket.create_connection((host, _port(parts)), patience)) as plain:
        if parts.scheme != "amqps":
            _dialogue(plain, parts)
            return
        with ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secured:
            _dialogue(secured, parts)


def _dialogue(wire: socket.socket, parts: SplitResult) -> None:
    user, password = (unquote(word or "guest") for word in (parts.username, parts.password))
    login = f"\0{user}\0{password}".encode()
    wire.sendall(HELLO)
    with wire.makefile("rb") as said:
        _hear(said, START)
        _say(wire, START_OK, _long(OURS) + _short(b"PLAIN") + _long(login) + _short(b"en_US"))
        _say(wire, TUNE_OK, _hear(said, TUNE)[:8])
        _say(wire, OPEN, _short((unquote(parts.path[1:]) or "/").encode()) + b"\0\0")
        _hear(said, OPEN_OK)
        _say(wire, CLOSE, struct.pack(">H", 200) + _short(b"") + bytes(4))
        _hear(said, CLOSE_OK)


def _say(wire: socket.socket, method: tuple[int, int], arguments: bytes) -> None:
    payload = struct.pack(">HH", *method) + arguments
    wire.sendall(struct.pack(">BHL", 1, 0, len(payload)) + payload + b"\xce")


def _hear(said: BinaryIO, wanted: tuple[int, int]) -> bytes:
    """Read one frame; gives the arguments of the method that it must be.

    Raises:
        Refused: it is another.
    """
    head = _read(said, 7)
    kind, _, size = struct.unpack(">BHL", head)
    if kind != 1 or size > LARGEST:
        raise Refused("is no AMQP broker")
    payload = _read(said, size + 1)[:-1]
    method = struct.unpack(">HH", payload[:4])
    if method == CLOSE:
        code, length = struct.unpack(">HB", payload[4:7])
        raise Refused(plain_text(f"refuses us: {code} {payload[7 : 7 + length].decode('utf-8', 'replace')}"))
    if method != wanted:
        raise Refused("does not speak AMQP as we do")
    return payload[4:]


def _read(said: BinaryIO, size: int) -> bytes:
    data = said.read(size)
    if len(data) < size:
        raise Refused("hangs up" if not data else "is no AMQP broker")
    return data


def _short(text: bytes) -> bytes:
    return struct.pack(">B", len(text)) + text


def _long(text: bytes) -> bytes:
    return struct.pack(">L", len(text)) + text
