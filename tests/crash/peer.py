"""An SMTP server in a process of its own, fast and rude on request; what it takes is on record before its 250.

    python -m tests.crash.peer SOCKET FOLDER MANNERS

SOCKET is the number of an inherited listening socket, MANNERS JSON with the fields of `Manners`. Each mail taken
is a line in FOLDER/taken, each connection cut in the middle of a mail a line in FOLDER/cuts. FOLDER/allowed, if it
is there, says how many mails may be taken before the next wait for their replies. What is said to a
recipient is in its name: `fine`, `dead` (never), `spam` (never, said after the body), `busy` and `late` (not the
first time, said before and after the body).
"""

import asyncio
import json
import os
import re
import socket
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvloop

PATH = re.compile(rb"<([^<>]*)>")
END = b"\r\n.\r\n"
LINE = len("fine0000001@example.com\n")
DAWDLE = 0.4  #: seconds
LOOK_EVERY = 0.01  #: seconds until it looks again whether more is allowed


@dataclass(frozen=True)
class Manners:
    """How the server treats its clients; 0: not at all."""

    delay: float = 0.0  #: seconds before the reply to a body
    dawdle_every: int = 0  #: of all bodies, let the reply to one in so many wait for DAWDLE
    part_after: int = 0  #: mails on a connection before it is refused with 421
    close_after: int = 0  #: mails on a connection before it is closed without a word
    cut_every: int = 0  #: of all bodies, cut one in so many; every second of them is taken


class Record:
    """What the server has done, in files; one process writes them."""

    def __init__(self, folder: Path) -> None:
        self.bodies = 0
        self.seen: set[bytes] = set()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._taken, self._cuts = (os.open(folder / name, flags) for name in ("taken", "cuts"))
        self._allowed, self._left = folder / "allowed", 0

    def take(self, recipient: bytes) -> None:
        os.write(self._taken, recipient + b"\n")
        self._left -= 1

    def may_go_on(self) -> bool:
        """Whether no more was taken than is allowed."""
        if self._left < 0 and self._allowed.exists():
            taken = os.fstat(self._taken).st_size // LINE
            self._left = int(self._allowed.read_text() or 0) - taken
        elif self._left < 0:
            return True
        return self._left >= 0

    def cut(self, recipient: bytes) -> None:
        os.write(self._cuts, recipient + b"\n")

    def first(self, recipient: bytes) -> bool:
        if recipient in self.seen:
            return False
        self.seen.add(recipient)
        return True


class Session(asyncio.Protocol):
    def __init__(self, record: Record, manners: Manners) -> None:
        self._record, self._manners = record, manners
        self._buffer = b""
        self._recipient: bytes | None = None
        self._in_body = self._waiting = False
        self._mails = 0

    def connection_made(self, transport) -> None:
        self._transport = transport
        transport.write(b"220 peer\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._work()

    def _work(self) -> None:
        out: list[bytes] = []
        while not self._waiting and not self._transport.is_closing():
            end = self._buffer.find(END if self._in_body else b"\r\n")
            if end < 0:
                break
            before, self._buffer = self._buffer[:end], self._buffer[end + (5 if self._in_body else 2) :]
            self._body(out) if self._in_body else self._command(before, out)
        if out and not self._transport.is_closing():
            self._transport.write(b"".join(out))

    def _command(self, line: bytes, out: list[bytes]) -> None:
        verb = line[:4].upper()
        if verb == b"EHLO":
            out.append(b"250-peer\r\n250 PIPELINING\r\n")
        elif verb == b"MAIL":
            self._mail(out)
        elif verb == b"RCPT":
            self._rcpt(PATH.search(line)[1], out)
        elif verb == b"DATA":
            self._in_body = self._recipient is not None
            out.append(b"354 go on\r\n" if self._in_body else b"503 5.5.1 no recipient\r\n")
        elif verb == b"QUIT":
            self._transport.write(b"".join(out) + b"221 bye\r\n")
            self._transport.close()
        else:
            out.append(b"250 2.0.0 Ok\r\n")

    def _mail(self, out: list[bytes]) -> None:
        manners = self._manners
        self._recipient = None
        if manners.part_after and self._mails >= manners.part_after:
            self._transport.write(b"".join(out) + b"421 4.3.2 enough of you\r\n")
            self._transport.close()
        elif manners.close_after and self._mails >= manners.close_after:
            self._transport.write(b"".join(out))
            self._transport.close()
        else:
            self._mails += 1
            out.append(b"250 2.1.0 Ok\r\n")

    def _rcpt(self, recipient: bytes, out: list[bytes]) -> None:
        if recipient.startswith(b"dead"):
            out.append(b"550 5.1.1 No such person\r\n")
        elif recipient.startswith(b"busy") and self._record.first(recipient):
            out.append(b"451 4.2.1 Come back later\r\n")
        else:
            self._recipient = recipient
            out.append(b"250 2.1.5 Ok\r\n")

    def _body(self, out: list[bytes]) -> None:
        self._in_body = False
        recipient, self._recipient = self._recipient or b"", None
        self._record.bodies += 1
        every = self._manners.cut_every
        if every and self._record.bodies % every == 0:
            self._record.cut(recipient)
            if self._record.bodies // every % 2:
                self._record.take(recipient)
            self._transport.abort()
        elif recipient.startswith(b"spam"):
            out.append(b"554 5.7.1 Not this\r\n")
        elif recipient.startswith(b"late") and self._record.first(recipient):
            out.append(b"452 4.3.1 No room now\r\n")
        else:
            self._record.take(recipient)
            self._accept(out)

    def _accept(self, out: list[bytes]) -> None:
        every = self._manners.dawdle_every
        delay = DAWDLE if every and self._record.bodies % every == 0 else self._manners.delay
        if delay or not self._record.may_go_on():
            self._waiting = True
            asyncio.get_running_loop().call_later(delay, self._answer)
        else:
            out.append(b"250 2.0.0 Ok: queued\r\n")

    def _answer(self) -> None:
        if not self._record.may_go_on():
            asyncio.get_running_loop().call_later(LOOK_EVERY, self._answer)
            return
        self._waiting = False
        if not self._transport.is_closing():
            self._transport.write(b"250 2.0.0 Ok: queued\r\n")
            self._work()


async def serve(listener: socket.socket, folder: Path, manners: Manners) -> None:
    """Take mail until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(partial(Session, Record(folder), manners), sock=listener)
    await server.serve_forever()


if __name__ == "__main__":
    given = socket.socket(fileno=int(sys.argv[1]))
    uvloop.run(serve(given, Path(sys.argv[2]), Manners(**json.loads(sys.argv[3]))))
