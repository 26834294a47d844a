"""Which account a mail goes through: of the first route that fits it, one by weight."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import blake2b
from itertools import product
from urllib.parse import urlsplit

from campaigns.values import MAIN, Account, TopicClass

FAILOVER_AFTER = timedelta(minutes=5)
#: The golden ratio's step through 2**64: points made by it lie evenly, however many there are.
STEP = 0x9E3779B97F4A7C15
WHOLE = 2**64
ELSE = "\0"  #: stands for every sender, or every lane, that no route names


@dataclass(frozen=True, slots=True)
class Route:
    """Where mails of some kind go; an empty condition fits all."""

    accounts: Mapping[str, float]  #: with their weights
    failover: tuple[str, ...] = ()  #: in this order, where none of the accounts can be used
    failover_after: timedelta = FAILOVER_AFTER
    classes: frozenset[str] = frozenset()  #: of topics
    senders: frozenset[str] = frozenset()  #: addresses, or domains without @
    lanes: frozenset[str] = frozenset()

    def fits(self, topic_class: str, sender: str, lane: str) -> bool:
        """Whether a mail goes this way, if no earlier route takes it."""
        sender = sender.lower()
        return (
            (not self.classes or topic_class in self.classes)
            and (not self.lanes or lane in self.lanes)
            and (not self.senders or sender in self.senders or sender.rpartition("@")[2] in self.senders)
        )

    def names(self) -> tuple[str, ...]:
        """Every account that it may come to, in order."""
        return (*self.accounts, *self.failover)

    def is_last(self) -> bool:
        """Whether it fits all."""
        return not (self.classes or self.senders or self.lanes)


@dataclass(frozen=True, slots=True)
class Routing:
    """The accounts of an installation, and which mail goes through which."""

    accounts: Mapping[str, Account]
    routes: tuple[Route, ...]
    senders: Mapping[str, int] = field(
        default_factory=dict
    )  #: processes, where an account has a number of its own

    def route_of(self, topic_class: str, sender: str, lane: str) -> Route:
        """The first route that fits; the last one fits all."""
        return next(route for route in self.routes if route.fits(topic_class, sender, lane))

    def routes_of(self, topic_class: str, sender: str) -> list[Route]:
        """Every route that a mail may take, to whatever lane, in order."""
        lanes = {ELSE, *(lane for route in self.routes for lane in route.lanes)}
        taken = [self.route_of(topic_class, sender, lane) for lane in lanes]
        return [route for route in self.routes if any(route is one for one in taken)]

    def places(self) -> tuple[str, ...]:
        """Whom mail is given to: the names of servers, and the kinds of all others."""
        hosts = [urlsplit(one.options.get("url", "")).hostname for one in self.accounts.values()]
        kinds = [one.kind for one in self.accounts.values()]
        by_smtp = {"smtp", "catcher"}
        told = [host if kind in by_smtp and host else kind for kind, host in zip(kinds, hosts, strict=True)]
        return tuple(dict.fromkeys(told))

    def digest(self, secret: bytes) -> str:
        """Name all that is said here, secrets too, without telling any of it."""
        accounts = [
            (one.name, one.kind, sorted(one.options.items()), one.rate) for one in self.accounts.values()
        ]
        routes = [
            (
                *(sorted(one.accounts.items()), one.failover, one.failover_after),
                *(sorted(one.classes), sorted(one.senders), sorted(one.lanes)),
            )
            for one in self.routes
        ]
        told = repr((accounts, routes, sorted(self.senders.items())))
        return blake2b(told.encode(), key=blake2b(secret).digest(), digest_size=8).hexdigest()

    def is_plain(self) -> bool:
        """Whether there is nothing to choose: all goes through the account of old."""
        return list(self.accounts) == [MAIN]


def plain(account: Account) -> Routing:
    """All mail through one account."""
    return Routing({account.name: account}, (Route({account.name: 1.0}),))


def shares(route: Route, lost: Callable[[str], bool]) -> dict[str, float]:
    """The accounts that a route's mail goes to now, with their weights; empty if not one of them can be used.

    Those that are lost leave their share to the others, in proportion; where all are lost, the first of the
    failover accounts takes everything.
    """
    alive = {name: weight for name, weight in route.accounts.items() if not lost(name)}
    spare = [name for name in route.failover if not lost(name)]
    return alive or dict.fromkeys(spare[:1], 1.0)


def deal(weights: Mapping[str, float], seed: str) -> Iterator[str]:
    """Deal accounts out, endlessly: each as often as its weight says, however many are taken.

    Equal seeds give equal deals; different ones begin elsewhere, so that a crowd of small runs is spread too.
    """
    names, total = list(weights), sum(weights.values())
    point = int.from_bytes(blake2b(seed.encode(), digest_size=8).digest(), "big")
    while True:
        yield _at(point / WHOLE * total, weights, names)
        point = (point + STEP) % WHOLE


def _at(place: float, weights: Mapping[str, float], names: Sequence[str]) -> str:
    for name in names:
        place -= weights[name]
        if place < 0:
            return name
    return names[-1]  # what rounding leaves


def unreachable(routes: Sequence[Route]) -> list[int]:
    """The numbers, from 0, of routes that nothing comes to: earlier ones take all that fits them."""
    senders = _senders({one for route in routes for one in route.senders})
    lanes = sorted({ELSE, *(one for route in routes for one in route.lanes)})
    reached = set()
    for topic_class, sender, lane in product(TopicClass, senders, lanes):
        found = next((n for n, one in enumerate(routes) if one.fits(topic_class, sender, lane)), None)
        reached.add(found)
    return [number for number in range(len(routes)) if number not in reached]


def _senders(named: Collection[str]) -> list[str]:
    """One address of every sort that routes can tell apart."""
    domains = {one.rpartition("@")[2] for one in named}
    addresses = {one for one in named if "@" in one}
    return sorted({*addresses, *(f"{ELSE}@{domain}" for domain in domains), ELSE})
