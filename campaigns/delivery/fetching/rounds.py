"""Asks for many addresses, politely and in bounded time, and remembers the answers for some minutes."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import NamedTuple

from campaigns.delivery.fetching.answers import OURS, Answer, Refused, Trouble
from campaigns.delivery.fetching.fetcher import Fetcher
from campaigns.delivery.fetching.urls import read_url

AT_ONCE = 6  #: hosts that are spoken to at the same time
MOST = 100  #: addresses of one round
PATIENCE = 25.0  #: seconds for a round
FRESH = 60.0  #: seconds for which nobody is asked again
KEPT = 600.0  #: seconds for which an answer is shown
MOST_KEPT = 2000
#: So many hosts in a row that no name server knows of tell that there is no network.
DEAD_AFTER = 3


class Wanted(NamedTuple):
    """An address to ask for."""

    url: str
    picture: bool = False


@dataclass
class Memory:
    """What addresses answered lately; shared by threads."""

    clock: Callable[[], float] = monotonic
    _held: dict[Wanted, tuple[float, Answer]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def get(self, wanted: Wanted, *, within: float = KEPT) -> Answer | None:
        """An answer that is not older than so many seconds."""
        with self._lock:
            at, answer = self._held.get(wanted, (float("-inf"), None))
        return answer if self.clock() - at <= within else None

    def keep(self, wanted: Wanted, answer: Answer) -> None:
        """Remember an answer; the oldest make room."""
        with self._lock:
            self._held.pop(wanted, None)
            self._held[wanted] = (self.clock(), answer)
            while len(self._held) > MOST_KEPT:
                del self._held[next(iter(self._held))]


def ask_all(
    fetcher: Fetcher, wanted: Iterable[Wanted], memory: Memory, *, patience: float = PATIENCE
) -> dict[Wanted, Answer]:
    """Ask for all that was not asked for just now; whoever has no turn in time is told as not asked."""
    asked = list(dict.fromkeys(wanted))[:MOST]
    fresh = {one: memory.get(one, within=FRESH) for one in asked}
    by_host: defaultdict[str, list[Wanted]] = defaultdict(list)
    for one, answer in fresh.items():
        if answer is None:
            by_host[_host(one.url)].append(one)
    found = {one: answer for one, answer in fresh.items() if answer is not None}
    found |= _Round(fetcher, memory, monotonic() + patience).run(list(by_host.values()))
    return {one: found[one] for one in asked}


def remembered(wanted: Iterable[Wanted], memory: Memory) -> Mapping[Wanted, Answer]:
    """What is known of addresses without asking anybody."""
    found = ((one, memory.get(one)) for one in dict.fromkeys(wanted))
    return {one: answer for one, answer in found if answer is not None}


def _host(url: str) -> str:
    try:
        return read_url(url).host
    except Refused:
        return ""


class _Round:
    """One round: hosts at the same time, the addresses of one host one after the other."""

    def __init__(self, fetcher: Fetcher, memory: Memory, until: float) -> None:
        self._fetcher, self._memory, self._until = fetcher, memory, until
        self._lately: deque[bool] = deque(maxlen=DEAD_AFTER)

    def run(self, groups: Sequence[Sequence[Wanted]]) -> dict[Wanted, Answer]:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="links") as pool:
            return {
                one: answer
                for group, answers in zip(groups, pool.map(self._group, groups), strict=True)
                for one, answer in zip(group, answers, strict=True)
            }

    def _group(self, group: Sequence[Wanted]) -> list[Answer]:
        return [self._one(one) for one in group]

    def _one(self, one: Wanted) -> Answer:
        if monotonic() > self._until:
            return Answer(one.url, trouble=Trouble.NOT_ASKED)
        if len(self._lately) == DEAD_AFTER and all(self._lately):
            return Answer(one.url, trouble=Trouble.NO_NETWORK)
        answer = self._fetcher.fetch(one.url, picture=one.picture)
        if answer.trouble not in {Trouble.INNER, Trouble.NO_ADDRESS}:
            self._lately.append(answer.trouble in OURS)
        if answer.trouble not in OURS:
            self._memory.keep(one, answer)
        return answer
