"""Mails for one set of servers, and the connections there; they share a loop with other groups."""

import asyncio
from collections import deque
from collections.abc import Callable

from campaigns.delivery.contract import Watch
from campaigns.delivery.direct.exchangers import Exchangers
from campaigns.delivery.direct.finding import deferred
from campaigns.delivery.smtp.pool import Pool
from campaigns.delivery.smtp.target import Limits
from campaigns.delivery.smtp.work import Work
from campaigns.errors import BackendError
from campaigns.values import MessageKey, Outcome, Outgoing

SILENT = 5.0  #: seconds without an answer, after which others need not wait for a group
DOWN = 60.0  #: seconds for which a group that failed is believed to fail again


class Group:
    """What goes to one set of servers in one call of `send`."""

    def __init__(self, servers: Exchangers, limits: Limits, loop: asyncio.AbstractEventLoop) -> None:
        self.queue: deque[Outgoing] = deque()  #: not begun
        self.servers = servers
        self.connections = limits.connections
        self.task: asyncio.Task[None] | None = None
        self._moved = loop.time()  # when it was last given work, or answered
        self._down: tuple[float, Outcome] | None = None
        self._loop = loop
        self._pool = _PromptPool(loop, str(servers), servers.open, limits)

    @property
    def down(self) -> Outcome | None:
        """What its mails are told while it is believed to fail."""
        return self._down[1] if self._down and self._down[0] > self._loop.time() else None

    @property
    def is_silent(self) -> bool:
        """Whether it has work, and nothing came of it for a while."""
        return self.task is not None and self.silence > SILENT

    @property
    def silence(self) -> float:
        """Seconds since it was last given work, or answered."""
        return self._loop.time() - self._moved

    @property
    def is_unused(self) -> bool:
        """Whether nothing is lost with it."""
        return self.task is None and not self.queue and not self._pool.is_open

    def touch(self) -> None:
        """Something came of its work."""
        self._moved = self._loop.time()

    def work(self, watch: Watch, ended: Callable[["Group"], None]) -> None:
        """See to what is in the queue; errors of the watch are the task's."""
        if self.task is None:
            self.touch()
            self.task = self._loop.create_task(self._drain(_Told(watch, self)))
            self.task.add_done_callback(lambda _: ended(self))
        else:
            self._pool.look()

    def abort(self, reason: str) -> None:
        """Drop its connections at once; what has no answer is in doubt."""
        self._pool.abort(reason)

    async def leave(self) -> None:
        """Say goodbye to its servers."""
        await self._pool.goodbye()

    async def _drain(self, watch: Watch) -> None:
        # a mail that is queued while the last connection comes to rest needs another work
        while self.queue and not watch.stopping():
            work = Work((), watch)
            work.waiting = self.queue
            try:
                await self._pool.drain(work)
            except BackendError as error:
                self._fail(error, watch)

    def _fail(self, error: BackendError, watch: Watch) -> None:
        """Put off what was not begun: a domain's trouble is no failure of the backend.

        What the servers said stands with one mail: said once, it must not count as often as mails waited.
        """
        again = deferred("4.4.1", f"No server of {self.servers} took mail a moment ago.")
        self._down = (self._loop.time() + DOWN, again)
        if self.queue:
            self._tell(self.queue.popleft(), deferred("4.4.1", f"No server took mail: {error}"), watch)
        self.shed(again, watch)

    def shed(self, outcome: Outcome, watch: Watch) -> None:
        """Tell of all that was not begun."""
        while self.queue and not watch.stopping():
            self._tell(self.queue.popleft(), outcome, watch)

    def _tell(self, mail: Outgoing, outcome: Outcome, watch: Watch) -> None:
        if not watch.stopping():
            watch.started(mail.key)
            watch.answered(mail.key, outcome)


class _PromptPool(Pool):
    """A pool that is told of new mail, and need not ask for it."""

    async def _feed(self) -> None:
        return


class _Told:
    """A watch that remembers when a group was last answered."""

    def __init__(self, watch: Watch, group: Group) -> None:
        self.started = watch.started
        self.stopping = watch.stopping
        self._answered = watch.answered
        self._group = group

    def answered(self, key: MessageKey, outcome: Outcome) -> None:
        self._group.touch()
        self._answered(key, outcome)
