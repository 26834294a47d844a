"""The local catcher: a real SMTP server that keeps every mail and delivers none."""

import asyncio
import queue
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import FrameType
from typing import cast
from weakref import WeakSet

import uvloop

from campaigns.clock import utc_now
from campaigns.delivery.caught import PORT, Envelope, prepare, store
from campaigns.delivery.smtpd import Receiver, Refuse
from campaigns.errors import BackendError

PARTING = 0.02  #: seconds for connections to end
BATCH = 64  #: mails made durable by one sync of the folder

Arrival = tuple[Envelope, bytes, Callable[[OSError | None], None]]


def accept_all(_recipient: str) -> str | None:
    """Refuse nobody."""
    return None


class Catcher:
    """Keeps mails in `folder/new`; each one is on the disk before its 250 is said.

    Args:
        folder: made if it is not there.
        host: loopback, or whatever may reach it.
        port: 0 takes any free one; `port` then tells which.
        refuse: the SMTP reply that refuses a recipient ("550 5.1.1 …"), or None.

    """

    def __init__(self, folder: Path, host: str, port: int, refuse: Refuse = accept_all) -> None:
        self.folder = folder
        self.host = host
        self.port = port
        self._refuse = refuse
        self._arrivals: queue.SimpleQueue[Arrival | None] = queue.SimpleQueue()
        self._loop = uvloop.new_event_loop()
        self._stop = asyncio.Event()
        self._threads: list[threading.Thread] = []
        self._receivers: WeakSet[Receiver] = WeakSet()

    def start(self) -> None:
        """Listen, in threads of its own.

        Raises:
            BackendError: when the port cannot be had.
        """
        prepare(self.folder)
        listening: Future[int] = Future()
        self._threads = [
            threading.Thread(target=self._listen, args=(listening,), name="catcher", daemon=True),
            threading.Thread(target=self._keep_all, name="catcher-disk", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        try:
            self.port = listening.result()
        except OSError as error:
            self.stop()
            what = f"the catcher cannot listen on {self.host}:{self.port}: {error.strerror or error}."
            raise BackendError(f"{what} Choose another port, or stop what uses it.") from error
        (self.folder / PORT).write_text(str(self.port))

    def stop(self) -> None:
        """Stop listening; what was answered is on the disk."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._arrivals.put(None)
        for thread in self._threads:
            thread.join()
        self._threads = []

    def _listen(self, listening: "Future[int]") -> None:
        try:
            self._loop.run_until_complete(self._serve(listening))
        finally:
            self._loop.close()

    async def _serve(self, listening: "Future[int]") -> None:
        try:
            server = await self._loop.create_server(self._receiver, self.host, self.port, backlog=512)
        except OSError as error:
            listening.set_exception(error)
            return
        listening.set_result(cast("asyncio.Server", server).sockets[0].getsockname()[1])
        await self._stop.wait()
        server.close()
        for receiver in list(self._receivers):
            receiver.abort()
        await asyncio.sleep(PARTING)  # a loop must not be closed under a connection that is being closed

    def _receiver(self) -> Receiver:
        made = Receiver(self._keep, self._refuse, utc_now)
        self._receivers.add(made)
        return made

    def _keep(self, envelope: Envelope, data: bytes, stored: Callable[[OSError | None], None]) -> None:
        self._arrivals.put((envelope, data, stored))

    def _keep_all(self) -> None:
        """Write what has come in, many at a time, then let all their senders know."""
        while (first := self._arrivals.get()) is not None:
            batch = [first]
            while len(batch) < BATCH and not self._arrivals.empty():
                arrival = self._arrivals.get()
                if arrival is None:
                    self._arrivals.put(None)
                    break
                batch.append(arrival)
            results = store(self.folder, [(envelope, data) for envelope, data, _ in batch])
            self._tell([stored for _, _, stored in batch], results)

    def _tell(self, stored: list[Callable[[OSError | None], None]], results: list[OSError | None]) -> None:
        def tell() -> None:
            for told, result in zip(stored, results, strict=True):
                told(result)

        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(tell)


def main(folder: Path, host: str, port: int, refuse: Refuse = accept_all) -> None:
    """Catch mails until SIGTERM or SIGINT; for a process of its own."""
    over = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        over.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    catcher = Catcher(folder, host, port, refuse)
    catcher.start()
    over.wait()
    catcher.stop()
