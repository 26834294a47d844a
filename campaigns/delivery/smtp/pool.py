"""The SMTP backend: a few connections, kept over many batches, in the thread that calls `send`."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

import uvloop

from campaigns.delivery.contract import Capabilities, Watch
from campaigns.delivery.smtp.connection import Connection
from campaigns.delivery.smtp.dialogue import Dialogue
from campaigns.delivery.smtp.opening import open_connection
from campaigns.delivery.smtp.replies import Offer
from campaigns.delivery.smtp.target import Limits, Target, Timeouts
from campaigns.delivery.smtp.work import Work
from campaigns.errors import BackendError
from campaigns.values import Outgoing

HUNGER = 0.002  #: seconds before a batch that had nothing is asked again
SWEEP = 0.2  #: seconds between two looks at deadlines and at the watch's wish to stop
PAUSE = 0.1  #: seconds to wait before a new connection, for each one that ended without use
PATIENCE = 3  #: connections in a row, for each one allowed, that may end without use

#: Opens a session that takes mail, and has it say what changes; raises BackendError.
Opener = Callable[[Callable[[Connection], None]], Awaitable[tuple[Connection, Offer]]]


class Pool:
    """The connections to one server, kept over many batches; all of it within one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str, opener: Opener, limits: Limits) -> None:
        self._loop = loop
        self._name = name
        self._opener = opener
        self._limits = limits
        self._ready: list[Connection] = []
        self._leaving: list[Connection] = []
        self._opening: set[asyncio.Task[None]] = set()
        self._work = Work((), _Nobody())
        self._wanted = 0  # connections at once; fewer after one could not be opened
        self._useless = 0  # connections in a row that ended without an answered mail
        self._failure: BackendError | None = None
        self._done: asyncio.Future[None] = loop.create_future()

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return bool(self._ready or self._leaving)

    async def drain(self, work: Work) -> None:
        """Do a work until it is finished; what it raised, or the server's failure, is raised then."""
        await self._hear_the_idle()
        self._work, self._done = work, self._loop.create_future()
        self._wanted, self._useless, self._failure = self._limits.connections, 0, None
        for connection in list(self._ready):
            self._put_to_work(connection)
        self.look()
        watching = [self._loop.create_task(self._sweep()), self._loop.create_task(self._feed())]
        try:
            await self._done
        finally:
            await self._settle_down(watching)
        if error := work.error or self._failure:
            raise error

    def abort(self, reason: str) -> None:
        """Drop all connections at once; what has no answer is in doubt."""
        for connection in list(self._ready):
            connection.abort(reason)

    async def _hear_the_idle(self) -> None:
        """Let what servers did since the last batch (a 421, a close) reach us before we write."""
        for _ in range(3):
            await asyncio.sleep(0)

    async def _settle_down(self, watching: list[asyncio.Task[None]]) -> None:
        """After the last answer, or when `send` itself was interrupted."""
        tasks = [*watching, *self._opening]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in [one for one in self._ready if one.dialogue and one.dialogue.expects]:
            connection.abort("sending was stopped")

    # ---- what to do next

    def look(self) -> None:
        """Give waiting messages to connections, open those that are missing, and see whether all is done."""
        if self._done.done():
            return
        if self._work.finished:
            self._done.set_result(None)
            return
        if self._work.waiting:
            for connection in list(self._ready):
                connection.more()
        missing = self._wanted - len(self._ready) - len(self._opening)
        while missing > 0 and self._work.awaits(len(self._opening) + 1):
            task = self._loop.create_task(self._open())
            self._opening.add(task)
            missing -= 1
        if self._work.finished and not self._done.done():
            self._done.set_result(None)

    async def _open(self) -> None:
        task = asyncio.current_task()
        try:
            await asyncio.sleep(self._useless * PAUSE)
            connection, offer = await self._opener(self._changed)
        except BackendError as error:
            self._opening.discard(task)
            self._not_opened(error)
        except BaseException:
            self._opening.discard(task)
            raise
        else:
            self._opening.discard(task)
            self._ready.append(connection)
            connection.mail(Dialogue(offer, self._work, self._limits.per_connection))
        self.look()

    def _not_opened(self, error: BackendError) -> None:
        """Go on with the connections there are; without any, the backend has failed."""
        self._wanted = len(self._ready) + len(self._opening)
        if not self._wanted:
            self._give_up(error)

    def _put_to_work(self, connection: Connection) -> None:
        if connection.dialogue and not connection.closed:
            connection.dialogue.join(self._work)
            connection.more()

    def _changed(self, connection: Connection) -> None:
        """A connection got replies, left or ended."""
        if connection.closed or connection.dialogue is None:
            self._part_with(connection)
        if self._work.waiting or self._work.finished or connection.closed or connection.dialogue is None:
            self.look()

    def _part_with(self, connection: Connection) -> None:
        if connection in self._ready:
            self._ready.remove(connection)
            self._judge(connection)
        if connection.closed:
            self._leaving = [one for one in self._leaving if one is not connection]
        else:
            self._leaving.append(connection)

    def _judge(self, connection: Connection) -> None:
        dialogue = connection.dialogue
        if dialogue is None or not dialogue.useless:
            self._useless = 0
            return
        self._useless += 1
        if dialogue.failure:
            self._give_up(BackendError(f"{self._name}: {dialogue.failure}"))
        elif self._useless > PATIENCE * self._limits.connections:
            what = f"{self._useless} connections in a row ended before a mail was taken"
            self._give_up(BackendError(f"{self._name}: {what}; the last: {dialogue.over}"))

    def _give_up(self, failure: BackendError) -> None:
        self._failure = self._failure or failure
        self._work.stop()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            now = self._loop.time()
            for connection in [*self._ready, *self._leaving]:
                if connection.deadline < now:
                    connection.expire()
            if self._work.stopping():
                self._call_off()
                self.look()

    async def _feed(self) -> None:
        """Ask a batch that had nothing again, for every connection that is idle."""
        while True:
            await asyncio.sleep(HUNGER)
            if not self._work.hungry:
                continue
            self._work.hungry = False
            for connection in list(self._ready):
                connection.more()
                if self._work.hungry:
                    break
            self.look()

    def _call_off(self) -> None:
        """Do not wait for a slow server's word on messages that may not be started any more."""
        for connection in list(self._ready):
            if connection.dialogue and connection.dialogue.undecided:
                connection.abort("sending was stopped")

    async def goodbye(self) -> None:
        """Leave all connections."""
        for connection in list(self._ready):
            connection.leave()
            self._part_with(connection)
        for _ in range(100):
            if self._leaving:
                await asyncio.sleep(0.01)
        for connection in list(self._leaving):
            connection.abort("closed")


class SmtpBackend:
    """Sends over SMTP. One thread at a time; another one that calls `send` waits."""

    name = "smtp"
    capabilities = Capabilities(smtputf8=True)

    def __init__(
        self, target: Target, limits: Limits | None = None, timeouts: Timeouts | None = None
    ) -> None:
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._loop = uvloop.new_event_loop()
        opener = partial(open_connection, target, timeouts or Timeouts())
        self._pool = Pool(self._loop, str(target), opener, self._limits)

    def send(self, batch: Iterable[Outgoing | None], watch: Watch) -> None:
        with self._lock:
            try:
                self._loop.run_until_complete(self._pool.drain(Work(batch, watch)))
            except Exception:
                raise
            except BaseException:  # an interrupt: tell what is in doubt, as far as the watch still listens
                self._pool.abort("sending was interrupted")
                raise

    def close(self) -> None:
        with self._lock:
            if not self._loop.is_closed():
                self._loop.run_until_complete(self._pool.goodbye())
                self._loop.close()


class _Nobody:
    """Watches while there is no batch."""

    def started(self, key: object) -> None:
        raise AssertionError(f"{key} was started without a batch")

    def answered(self, key: object, outcome: object) -> None:
        raise AssertionError(f"{key} was answered without a batch: {outcome}")

    def stopping(self) -> bool:
        return True
