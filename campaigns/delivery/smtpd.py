"""The server's side of SMTP, as much as the catcher needs: pipelined, strict about the final dot."""

import asyncio
import re
from collections.abc import Callable
from datetime import datetime
from typing import cast

from campaigns.delivery.caught import Envelope

MAX_COMMAND = 4096
MAX_MAIL = 32 * 1024 * 1024
MAX_RECIPIENTS = 1000
MAX_ERRORS = 20
IDLE = 300.0  #: seconds

PATH = re.compile(r"(?:FROM|TO):\s*<([^<>\s]*)>(?:\s+.*)?", re.IGNORECASE)
END = b"\r\n.\r\n"

Keep = Callable[[Envelope, bytes, Callable[[OSError | None], None]], None]
Refuse = Callable[[str], str | None]


class Receiver(asyncio.Protocol):
    """One client's session. Commands that arrive while a mail is being stored wait their turn."""

    def __init__(self, keep: Keep, refuse: Refuse, now: Callable[[], datetime]) -> None:
        self._keep = keep
        self._refuse = refuse
        self._now = now
        self._buffer = bytearray()
        self._seen = 0  # of the body, searched for the end already
        self._in_body = False
        self._storing = False
        self._ended = False
        self._errors = 0
        self._from: str | None = None
        self._to: list[str] = []
        self._out: list[str] = []
        self._idle: asyncio.TimerHandle | None = None

    def abort(self) -> None:
        """Drop the connection; its client hears nothing more."""
        self._transport.abort()

    # ---- called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._say("220 catcher ESMTP")
        self._flush()
        self._rest()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._storing and len(self._buffer) > MAX_COMMAND:
            self._transport.pause_reading()
        self._rest()
        self._work()

    def eof_received(self) -> bool:
        """Stay for a client that will say no more until it has its last reply."""
        self._ended = True
        return self._storing

    def connection_lost(self, _exc: Exception | None) -> None:
        self._buffer.clear()
        if self._idle:
            self._idle.cancel()

    # ---- within

    def _rest(self) -> None:
        if self._idle:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(IDLE, self._transport.close)

    def _work(self) -> None:
        while not self._storing and not self._transport.is_closing():
            if not (self._take_body() if self._in_body else self._take_command()):
                break
        self._flush()

    def _take_command(self) -> bool:
        end = self._buffer.find(b"\n", 0, MAX_COMMAND)
        if end < 0:
            if len(self._buffer) >= MAX_COMMAND:
                self._bye("500 5.5.2 line too long")
            return False
        line = bytes(self._buffer[:end]).rstrip(b"\r").decode("utf-8", "replace")
        del self._buffer[: end + 1]
        verb, _, rest = line.partition(" ")
        handler = COMMANDS.get(verb.upper())
        if handler is None:
            self._wrong("500 5.5.2 unknown command")
        else:
            handler(self, rest.strip())
        return True

    def _take_body(self) -> bool:
        """Find the end: CRLF, dot, CRLF and nothing like it, so that no mail can hide another."""
        if self._buffer[:3] == b".\r\n":
            body, size = b"", 3
        else:
            end = self._buffer.find(END, self._seen)
            if end < 0:
                self._seen = max(0, len(self._buffer) - len(END) + 1)
                if len(self._buffer) > MAX_MAIL:
                    self._bye("552 5.3.4 mail too large")
                return False
            body, size = bytes(self._buffer[: end + 2]), end + len(END)
        del self._buffer[:size]
        self._in_body, self._seen = False, 0
        self._store(body)
        return True

    def _store(self, body: bytes) -> None:
        if body[:1] == b".":
            body = body[1:]
        if b"\r\n." in body:
            body = body.replace(b"\r\n.", b"\r\n")
        self._storing = True
        self._keep(Envelope(self._from or "", tuple(self._to), self._now()), body, self._stored)

    def _stored(self, error: OSError | None) -> None:
        self._storing = False
        self._forget()
        self._say(f"452 4.3.1 cannot store: {error.strerror}" if error else "250 2.0.0 caught")
        if not self._transport.is_closing():
            self._transport.resume_reading()
            self._work()
        if self._ended and not self._storing:
            self._transport.close()

    def _forget(self) -> None:
        self._from, self._to = None, []

    def _say(self, reply: str) -> None:
        self._out.append(f"{reply}\r\n")

    def _flush(self) -> None:
        if self._out and not self._transport.is_closing():
            self._transport.write("".join(self._out).encode("ascii", "replace"))
        self._out.clear()

    def _wrong(self, reply: str) -> None:
        self._errors += 1
        if self._errors > MAX_ERRORS:
            self._bye("421 4.7.0 too many errors")
        else:
            self._say(reply)

    def _bye(self, reply: str) -> None:
        self._say(reply)
        self._flush()
        self._transport.close()

    # ---- commands

    def _ehlo(self, _argument: str) -> None:
        self._forget()
        self._say(f"250-catcher\r\n250-PIPELINING\r\n250-SIZE {MAX_MAIL}\r\n250-8BITMIME\r\n250-SMTPUTF8")
        self._say("250 ENHANCEDSTATUSCODES")

    def _helo(self, _argument: str) -> None:
        self._forget()
        self._say("250 catcher")

    def _mail(self, rest: str) -> None:
        found = PATH.fullmatch(rest)
        if self._from is not None:
            self._wrong("503 5.5.1 one mail at a time")
        elif not found:
            self._wrong("501 5.5.4 write MAIL FROM:<address>")
        else:
            self._from = found[1]
            self._say("250 2.1.0 sender ok")

    def _rcpt(self, rest: str) -> None:
        found = PATH.fullmatch(rest)
        if self._from is None:
            self._wrong("503 5.5.1 MAIL comes first")
        elif not found or not found[1]:
            self._wrong("501 5.5.4 write RCPT TO:<address>")
        elif len(self._to) >= MAX_RECIPIENTS:
            self._say("452 4.5.3 too many recipients")
        elif refusal := self._refuse(found[1]):
            self._say(refusal)
        else:
            self._to.append(found[1])
            self._say("250 2.1.5 recipient ok")

    def _data(self, _argument: str) -> None:
        if not self._to:
            self._wrong("503 5.5.1 no valid recipients")
        else:
            self._in_body = True
            self._say("354 end with a dot on its own line")

    def _rset(self, _argument: str) -> None:
        self._forget()
        self._say("250 2.0.0 ok")

    def _noop(self, _argument: str) -> None:
        self._say("250 2.0.0 ok")

    def _vrfy(self, _argument: str) -> None:
        self._say("252 2.1.5 send and see")

    def _quit(self, _argument: str) -> None:
        self._bye("221 2.0.0 bye")


COMMANDS: dict[str, Callable[[Receiver, str], None]] = {
    "EHLO": Receiver._ehlo,  # noqa: SLF001 - the table belongs to the class
    "HELO": Receiver._helo,  # noqa: SLF001
    "MAIL": Receiver._mail,  # noqa: SLF001
    "RCPT": Receiver._rcpt,  # noqa: SLF001
    "DATA": Receiver._data,  # noqa: SLF001
    "RSET": Receiver._rset,  # noqa: SLF001
    "NOOP": Receiver._noop,  # noqa: SLF001
    "VRFY": Receiver._vrfy,  # noqa: SLF001
    "QUIT": Receiver._quit,  # noqa: SLF001
}
