"""One call of `send`: which mail goes where, how many are in hand, and when a group has its turn.

All of it runs in one event loop, in the thread that called: watch and batch are asked by nobody else.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from campaigns.delivery.contract import Watch
from campaigns.delivery.direct.finding import Found, deferred
from campaigns.delivery.direct.group import Group
from campaigns.values import MessageKey, Outcome, Outgoing

IN_HAND = 256  #: mails taken and not answered
IN_HAND_BYTES = 32 * 1024 * 1024
FEW = 4  #: mails queued for a group that is alone, for each of its connections
HUNGER = 0.002  #: seconds before a batch that had nothing is asked again
TICK = 0.2  #: seconds between two looks at the wish to stop
GRACE = 10.0  #: seconds to wait for answers after it
BRISK = 1.0  #: seconds without an answer, after which mails of others are looked for
IDLE = 5.0  #: seconds after which a group without work is left
CROWD = 4  #: groups there may be at most, for each one that may be at work, if the others are silent


@dataclass(frozen=True, slots=True)
class Ways:
    """What a delivery asks of its backend."""

    known: Callable[[str], Found | None]  #: a domain's servers, if they were asked for lately
    find: Callable[[str], asyncio.Future[Found]]  #: ask; a BackendError where nobody answers about anything
    group: Callable[[Found], Group]  #: the group of a domain's servers


class Delivery:
    """Hands out the mails of a batch, until all that were started are answered."""

    def __init__(self, batch: Iterable[Outgoing | None], watch: Watch, ways: Ways, at_once: int) -> None:
        self.error: BaseException | None = None
        self._loop = asyncio.get_running_loop()
        self._batch = iter(batch)
        self._watch = watch
        self._ways = ways
        self._at_once = at_once
        self._exhausted = False
        self._halted = False
        self._hungry = False
        self._in_hand: dict[MessageKey, int] = {}
        self._bytes = 0
        self._asking: dict[str, list[Outgoing]] = {}  # by domain, until its servers are known
        self._lookups: set[asyncio.Future[Found]] = set()
        self._busy: set[Group] = set()
        self._aside: deque[Group] = deque()  # with mails, and without a turn
        self._idle: dict[Group, float] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()

    # ---- the watch that groups see

    def started(self, key: MessageKey) -> None:
        """Before a message's first byte."""
        self._watch.started(key)

    def answered(self, key: MessageKey, outcome: Outcome) -> None:
        """A message left our hands."""
        self._bytes -= self._in_hand.pop(key, 0)
        self._wake.set()
        self._watch.answered(key, outcome)

    def stopping(self) -> bool:
        """Whether nothing more is begun, by the watch's word or after an error."""
        self._halted = self._halted or self._watch.stopping()
        return self._halted

    # ---- the round

    async def run(self) -> None:
        """Until all is done; the first error is kept."""
        try:
            while not self._is_over():
                self._pull()
                self._give_turns()
                await self._rest()
        except Exception as error:  # noqa: BLE001 - raised by the backend when all are answered
            self._fail(error)
        await self._settle()

    def abort(self, reason: str) -> None:
        """Begin nothing more, and drop all connections; what has no answer is in doubt."""
        self._halted = True
        for group in [*self._busy, *self._idle]:
            group.abort(reason)

    def _is_over(self) -> bool:
        return self.stopping() or (self._exhausted and not (self._asking or self._busy or self._aside))

    def _fail(self, error: BaseException) -> None:
        self.error = self.error or error
        self._halted = True

    async def _rest(self) -> None:
        if self._is_over():
            return
        try:
            async with asyncio.timeout(HUNGER if self._hungry else TICK):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _settle(self) -> None:
        """Wait for the answers to what was begun, and leave."""
        self._halted = True
        for lookup in self._lookups:
            lookup.cancel()
        groups = [*self._busy, *self._idle, *self._aside]
        tasks = [group.task for group in self._busy if group.task]
        if tasks and (await asyncio.wait(tasks, timeout=GRACE))[1]:
            self.abort("sending was stopped")
            await asyncio.wait(tasks)
        for group in groups:
            group.queue.clear()
        await asyncio.gather(*(group.leave() for group in groups), *self._leaving)

    # ---- taking mails

    def _pull(self) -> None:
        self._hungry = False
        while not (self._exhausted or self._is_full()) and not self.stopping():
            mail = next(self._batch, self)
            if mail is self:
                self._exhausted = True
            elif mail is None:
                self._hungry = True
                return
            elif isinstance(mail, Outgoing):
                self._in_hand[mail.key] = len(mail.data)
                self._bytes += len(mail.data)
                self._place(mail, mail.rcpt_to.rpartition("@")[2].lower())

    def _is_full(self) -> bool:
        if len(self._in_hand) < IN_HAND and self._bytes < IN_HAND_BYTES:
            # alone, a group needs no more than a few ahead; beside others they are looked for
            return len(self._busy) == 1 and not (self._asking or self._aside) and self._is_served()
        silent = [group for group in self._busy if group.is_silent and group.queue]
        for group in silent:
            group.shed(deferred("4.4.1", f"The servers of {group.servers} let us wait."), self)
        return not silent

    def _is_served(self) -> bool:
        (group,) = self._busy
        return len(group.queue) >= FEW * group.connections and group.silence < BRISK

    def _place(self, mail: Outgoing, domain: str) -> None:
        found = self._ways.known(domain)
        if found is not None:
            self._deliver([mail], found)
            return
        if domain not in self._asking:
            lookup = self._ways.find(domain)
            self._lookups.add(lookup)
            lookup.add_done_callback(lambda done: self._heard(domain, done))
        self._asking.setdefault(domain, []).append(mail)

    def _heard(self, domain: str, lookup: asyncio.Future[Found]) -> None:
        self._lookups.discard(lookup)
        mails = self._asking.pop(domain, [])
        self._wake.set()
        if lookup.cancelled() or self._halted:
            return
        try:
            self._deliver(mails, lookup.result())
        except Exception as error:  # noqa: BLE001 - raised by the backend when all are answered
            self._fail(error)

    def _deliver(self, mails: list[Outgoing], found: Found) -> None:
        instead = found.instead
        group = None if instead else self._ways.group(found)
        if group is None or (instead := group.down):
            for mail in mails:
                self._tell(mail, instead)
            return
        group.queue.extend(mails)
        if group in self._busy:
            group.work(self, self._ended)
        elif group not in self._aside:
            self._aside.append(group)

    def _tell(self, mail: Outgoing, outcome: Outcome | None) -> None:
        assert outcome is not None, "told nothing"
        if not self.stopping():
            self.started(mail.key)
            self.answered(mail.key, outcome)

    # ---- turns

    def _give_turns(self) -> None:
        """Let groups that wait begin, while fewer than allowed are at work; silent ones are not counted."""
        while self._aside and not self._halted:
            working = sum(not group.is_silent for group in self._busy)
            if working >= self._at_once or len(self._busy) >= CROWD * self._at_once:
                break
            group = self._aside.popleft()
            self._idle.pop(group, None)
            self._busy.add(group)
            group.work(self, self._ended)
        self._leave_idle()

    def _ended(self, group: Group) -> None:
        """A group's work is over, for now."""
        task, group.task = group.task, None
        self._wake.set()
        self._busy.discard(group)
        self._idle[group] = self._loop.time()
        if task and not task.cancelled() and (error := task.exception()):
            self._fail(error)
        elif group.queue and not self._halted:
            self._aside.append(group)

    def _leave_idle(self) -> None:
        """Say goodbye where nothing was to do for a while, and sooner where others need the room."""
        now, room = self._loop.time(), self._at_once - len(self._busy)
        for number, (group, since) in enumerate(reversed(list(self._idle.items()))):
            if now - since > IDLE or number >= room:
                del self._idle[group]
                task = self._loop.create_task(group.leave())
                self._leaving.add(task)
                task.add_done_callback(self._leaving.discard)
