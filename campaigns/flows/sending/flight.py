"""What the clerk and the wire share: the chunks between being claimed and being settled."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic

from sqlalchemy.orm import Session, sessionmaker

from campaigns.delivery.contract import Backend
from campaigns.delivery.dkim import Signer
from campaigns.delivery.journal import Journal, Page
from campaigns.loading import Loaded
from campaigns.mailing import Identities, Mailing, Signing
from campaigns.records.outbox import Chunk, Turns
from campaigns.settling import Result
from campaigns.values import MAIN, MessageKey, Outcome, OutcomeKind

GATED_FOR = 60.0  #: seconds that a chunk may last at the account's rate
TURN = 1.0  #: seconds that a lane with few mails at once may keep others waiting
MANY_MISTAKES = 10  #: of ours in one chunk, if they are most of it: then it is not about the contacts


class Allowance:
    """What was reserved of an account's rate: so many messages from such a moment on."""

    def __init__(self) -> None:
        self._blocks: deque[list[float]] = deque()  # moment, by the monotonic clock, and count

    def __len__(self) -> int:
        return len(self._blocks)

    def add(self, moment: float, count: int) -> None:
        """Take note of a reservation."""
        self._blocks.append([moment, count])

    def take(self) -> bool:
        """Use up room for one message, if there is any by now."""
        if not self._blocks or self._blocks[0][0] > monotonic():
            return False
        block = self._blocks[0]
        block[1] -= 1
        if block[1] < 1:
            self._blocks.popleft()
        return True


@dataclass
class Postbox:
    """What a sender process works with."""

    sessions: sessionmaker[Session]
    readers: sessionmaker[Session]
    backend: Backend
    signing: Signing
    secret: bytes  #: keys the suppression hashes
    journal: Journal  #: its owner names this sender in the chunks it holds
    clock: Callable[[], datetime]
    identities: Identities | None = None  #: what signs the mails; None: nothing does
    stopped: Callable[[], bool] = lambda: False  #: the process was asked to end
    account: str = MAIN  #: whose queue this is
    rate: float | None = None  #: messages a second of the account, of all senders together
    mailings: dict[int, Mailing] = field(default_factory=dict)  #: by run; what was prepared once
    turns: Turns = field(default_factory=Turns)  #: which lanes were served of late
    allowance: Allowance = field(default_factory=Allowance)  #: what is reserved outlasts a drain

    @property
    def at_most(self) -> int | None:
        """Messages to claim at once: every gate is asked but at the claim, and must not be long ago."""
        return None if self.rate is None else max(1, int(self.rate * GATED_FOR))


@dataclass(eq=False)
class Batch:
    """A claimed chunk on its way: what is to be sent of it, and what became of that."""

    chunk: Chunk
    page: Page
    loaded: Loaded
    result: Result
    claimed: float  #: when, by the monotonic clock
    signer: Signer | None = None  #: of the run's sender; None: its mails are not signed by us
    at_once: int | None = None  #: mails of its lane that may be under way here; None: any number
    begun: set[int] = field(default_factory=set)
    mistakes: dict[int, str] = field(default_factory=dict)  #: ours, in making a mail; by seq
    on_wire: int = 0  #: handed to the backend, not answered yet
    waited: float = 0.0  #: seconds, for fewer of its lane to be under way
    handed: bool = False  #: nothing more of it will be handed over
    stopped: bool = False  #: nothing more of it may be begun: its lane is held, or its hours are over
    heard: deque[Outcome] = field(default_factory=deque)  #: what was not taken; the clerk empties it

    def holds(self, key: MessageKey) -> bool:
        """Whether a message is of this chunk."""
        return self.chunk.run == key.run and self.chunk.first <= key.seq <= self.chunk.last

    def judge_mistakes(self) -> bool:
        """Tell of the few for whom we erred; where it befell most, leave them queued, and say so by True."""
        if len(self.mistakes) >= MANY_MISTAKES and 2 * len(self.mistakes) > len(self.loaded.recipients):
            return True
        self.result.mistakes |= self.mistakes
        return False

    def close(self, now: datetime) -> None:
        """Whatever was begun and never answered may be on the wire: it must not be sent again."""
        for seq in self.begun - self.result.outcomes.keys():
            self.result.outcomes[seq] = Outcome(OutcomeKind.UNKNOWN, text="the backend gave no answer")
            self.result.moments[seq] = now


class Flight:
    """The chunks in flight; each field is written by one thread only, or is safe to use from both."""

    def __init__(self, allowance: Allowance) -> None:
        self.loaded: deque[Batch] = deque()  #: the clerk fills it, the wire empties it
        self.batches: tuple[Batch, ...] = ()  #: loaded and not yet settled; of the clerk
        self.done: deque[Batch] = deque()  #: answered whole; the wire fills it, the clerk empties it
        self.allowance = allowance
        self.dry = False  #: nothing more is due
        self.halted = False  #: nothing more may be begun
        self.looked = monotonic()  #: when the store last said that all of it may go on
        self.ended = False  #: the wire is at rest
        self._full: dict[str, tuple[float, int]] = {}  # since when, with how many under way; of the wire
        self._work = threading.Event()

    def add(self, batch: Batch) -> None:
        """Give the wire something to send."""
        self.batches += (batch,)
        self.loaded.append(batch)

    def remove(self, batch: Batch) -> None:
        """Forget a batch that is settled."""
        self.batches = tuple(one for one in self.batches if one is not batch)

    def batch_of(self, key: MessageKey) -> Batch:
        """The batch that a message is of."""
        return next(batch for batch in self.batches if batch.holds(key))

    def under_way(self, lane: str) -> int:
        """How many mails of a lane are on their way."""
        return sum(batch.on_wire for batch in self.batches if batch.chunk.lane == lane)

    def note_full(self, lane: str, under_way: int) -> None:
        """Take note that a lane bears no more mails than are under way."""
        since, before = self._full.get(lane, (0.0, under_way + 1))
        self._full[lane] = (since if before == under_way else monotonic(), under_way)

    def note_room(self, lane: str) -> None:
        """Take note that a lane bears more mails than are under way."""
        self._full.pop(lane, None)

    def is_stuck(self, lane: str) -> bool:
        """Whether a lane that is full has had no answer for a while: it is no use to claim more of it."""
        since, before = self._full.get(lane, (0.0, 0))
        return 0 < before <= self.under_way(lane) and monotonic() - since > TURN

    def is_wanted_by_others(self, lane: str) -> bool:
        """Whether something of another lane waits for the wire."""
        return any(batch.chunk.lane != lane for batch in tuple(self.loaded))

    def on_wire(self) -> bool:
        """Whether a message is on its way."""
        return any(batch.on_wire for batch in self.batches)

    def call(self) -> None:
        """Tell the clerk that there is something to do."""
        self._work.set()

    def wait(self, seconds: float) -> None:
        """Wait, as the clerk, for something to do."""
        self._work.wait(seconds)
        self._work.clear()

    def end(self) -> None:
        """Send the clerk home."""
        self.ended = True
        self._work.set()
