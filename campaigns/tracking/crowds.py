"""Several recipients of one company whose mails one address follows at once: a gateway at its door, perhaps.

It may as well be the door that all people of a company go out by, so it weighs little by itself.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from campaigns.tracking.agents import Kind, recognise

NEAR = timedelta(seconds=60)
FOLLOWED = frozenset({"click", "score", "view"})  #: a company's people often see a mail at the same time
_OF_MANY = {Kind.PREFETCH, Kind.IMAGE_PROXY}


class Sighting(NamedTuple):
    """What of a hit tells whether others were there."""

    hit: int
    message: tuple[int, int]
    domain: str  #: the recipient's
    address: str
    at: datetime


def counts(kind: str, agent: str, address: str) -> bool:
    """Whether a hit can be one of a crowd."""
    return bool(address) and kind in FOLLOWED and recognise(agent).kind not in _OF_MANY


def others(sightings: Iterable[Sighting]) -> dict[int, int]:
    """For each hit: messages to other recipients of the domain that its address followed within a minute."""
    groups: defaultdict[tuple[str, str], list[Sighting]] = defaultdict(list)
    for one in sightings:
        groups[one.address, one.domain].append(one)
    found: dict[int, int] = {}
    for group in groups.values():
        group.sort(key=lambda one: one.at)
        _count(group, found)
    return found


def _count(group: list[Sighting], found: dict[int, int]) -> None:
    near: deque[Sighting] = deque()
    messages: Counter[tuple[int, int]] = Counter()
    ahead = 0
    for one in group:
        while ahead < len(group) and group[ahead].at - one.at <= NEAR:
            near.append(group[ahead])
            messages[group[ahead].message] += 1
            ahead += 1
        while one.at - near[0].at > NEAR:
            gone = near.popleft().message
            messages[gone] -= 1
            if not messages[gone]:
                del messages[gone]
        found[one.hit] = len(messages) - 1
