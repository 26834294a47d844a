"""The socket beneath a dialogue: bytes in, bytes out, and how long to wait."""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from campaigns.delivery.smtp.commands import QUIT
from campaigns.delivery.smtp.dialogue import Dialogue, Step
from campaigns.delivery.smtp.replies import Reply, ReplyReader
from campaigns.delivery.smtp.target import Timeouts

SEND_BUFFER = 512 * 1024  #: a whole mail leaves in one system call
NEVER = float("inf")
GOODBYE = 5.0  #: seconds for the reply to QUIT


class ConnectionEnded(Exception):
    """The server closed, or wrote what is no SMTP, while a single reply was awaited."""


class Connection(asyncio.Protocol):
    """One session: first `ask` by `ask` (the opening), then a dialogue of mails."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, timeouts: Timeouts, changed: Callable[["Connection"], None]
    ) -> None:
        self.dialogue: Dialogue | None = None
        self.closed = False
        self.deadline = NEVER  #: by the loop's clock
        self.transport: asyncio.Transport | None = None
        self._loop = loop
        self._reader = ReplyReader()
        self._changed = changed
        self._asked: asyncio.Future[Reply] | None = None
        self._early: list[Reply] = []
        self._patience = {
            Step.DATA: timeouts.data,
            Step.BODY: timeouts.final,
            Step.NOTHING: timeouts.final,
        }
        self._usual = timeouts.command

    # ---- the opening

    async def ask(self, line: bytes, seconds: float) -> Reply:
        """Write a line, if any, and wait for one reply.

        Raises:
            ConnectionEnded: when there will be none.
            TimeoutError: when it did not come in time.
        """
        if line:
            self._write(line)
        if self._early:
            return self._early.pop(0)
        if self.closed:
            raise ConnectionEnded("the server closed the connection")
        self._asked = self._loop.create_future()
        try:
            async with asyncio.timeout(seconds):
                return await self._asked
        finally:
            self._asked = None

    def forget_plaintext(self) -> None:
        """Drop what was read before TLS began: it may be anybody's.

        Source: RFC 3207 §4.2.
        """
        self._early.clear()
        self._reader = ReplyReader()

    def mail(self, dialogue: Dialogue) -> None:
        """From here on every reply is the dialogue's."""
        self.dialogue = dialogue
        self._early.clear()
        self.more()

    # ---- mails

    def more(self) -> None:
        """Begin a message if there is one and the dialogue can."""
        if self.dialogue and not self.closed:
            self._wrote(self.dialogue.more())

    def expire(self) -> None:
        """The server let us wait too long."""
        self.abort("the server did not answer in time")

    def leave(self) -> None:
        """Say QUIT; the connection carries no more mail."""
        if self.closed:
            return
        self.dialogue = None
        self.deadline = self._loop.time() + GOODBYE
        self._write(QUIT)

    def abort(self, reason: str) -> None:
        """Drop the connection at once; what has no answer is in doubt."""
        if self.transport is not None:
            self.transport.abort()
        self._end(reason)

    # ---- called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.transport.set_write_buffer_limits(high=SEND_BUFFER)

    def data_received(self, data: bytes) -> None:
        if self.closed:
            return
        replies = self._reader.feed(data)
        if self.dialogue:
            self._talk(self.dialogue, replies)
        elif self._asked and not self._asked.done() and replies:
            self._early += replies[1:]
            self._asked.set_result(replies[0])
        else:
            self._early += replies
        if self._reader.broken:
            self.abort(self._reader.broken)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"the connection was lost: {exc}" if exc else "the server closed the connection")

    # ---- within

    def _talk(self, dialogue: Dialogue, replies: list[Reply]) -> None:
        out = b"".join([said for reply in replies if (said := dialogue.reply(reply))])
        if dialogue.over:
            self._part(dialogue)
            return
        self._wrote(out)
        self._changed(self)

    def _part(self, dialogue: Dialogue) -> None:
        """End a session that the dialogue declared over; politely, where nothing is owed."""
        if dialogue.full:
            self.leave()
            self._changed(self)
        else:
            self.abort(dialogue.over)

    def _wrote(self, out: bytes) -> None:
        if out:
            self._write(out)
        step = self.dialogue.expects if self.dialogue else None
        self.deadline = self._loop.time() + self._patience.get(step, self._usual) if step else NEVER

    def _write(self, data: bytes) -> None:
        if self.transport is not None and not self.closed:
            self.transport.write(data)

    def _end(self, reason: str) -> None:
        if self.closed:
            return
        self.closed = True
        self.deadline = NEVER
        if self.dialogue:
            self.dialogue.lost(reason)
        if self._asked and not self._asked.done():
            self._asked.set_exception(ConnectionEnded(reason))
        self._changed(self)
