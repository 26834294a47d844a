"""Asks one address: resolved once a hop, every address checked, connected to one that was checked.

Nothing is resolved twice, so that a name server which answers otherwise the second time (DNS rebinding) gains
nothing. No proxy of the environment is used; no cookie, login or body leaves.
"""

import errno
import ssl
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from threading import Lock

import dns.exception
import dns.resolver

from campaigns.delivery.domains import NOTHING, Unasked, open_resolver
from campaigns.delivery.fetching.answers import Answer, Refused, Trouble
from campaigns.delivery.fetching.networks import Address, plain, why_inner
from campaigns.delivery.fetching.urls import Target, follow, read_url
from campaigns.delivery.fetching.wire import Deadline, Dial, Reply, ask, dial

REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: What some servers answer to HEAD although GET would please them.
SHY_OF_HEAD = frozenset({400, 401, 403, 404, 405, 406, 410, 500, 501, 502, 503})
AWAY = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL})
TRIED = 2  #: addresses of one host


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one address may take."""

    seconds: float = 8.0  #: with all of its redirects
    redirects: int = 3
    picture: int = 64 * 1024  #: bytes of a picture that are read


class Turns:
    """One conversation with a host at a time."""

    def __init__(self) -> None:
        self._locks: defaultdict[str, Lock] = defaultdict(Lock)
        self._own = Lock()

    def of(self, host: str) -> Lock:
        """What whoever speaks to a host holds."""
        with self._own:
            return self._locks[host]


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Asks addresses that strangers wrote."""

    resolver: dns.resolver.Resolver | None = None  #: None: the machine's own
    limits: Limits = field(default_factory=Limits)
    context: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    dial: Dial = dial  #: gets checked addresses only
    turns: Turns = field(default_factory=Turns)

    def fetch(self, url: str, *, picture: bool = False) -> Answer:
        """Ask an address and follow its redirects; of a picture the first bytes are read."""
        deadline = Deadline(self.limits.seconds)
        try:
            return self._follow(url, deadline, picture=picture)
        except Refused as refused:
            return Answer(url, trouble=refused.trouble, detail=refused.detail)

    def _follow(self, url: str, deadline: Deadline, *, picture: bool) -> Answer:
        target, been = read_url(url), list[str]()
        while True:
            been.append(target.url)
            reply = self._reply(target, deadline, picture=picture)
            location = reply.headers.get("location", "")
            if reply.status not in REDIRECTS or not location:
                kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()[:100]
                return Answer(
                    url,
                    reply.status,
                    None,
                    "",
                    target.url,
                    kind,
                    reply.size,
                    reply.begins if picture else b"",
                )
            target = follow(target, location)
            if target.url in been:
                raise Refused(Trouble.LOOP, target.host)
            if len(been) > self.limits.redirects:
                raise Refused(Trouble.FAR, target.host)

    def _reply(self, target: Target, deadline: Deadline, *, picture: bool) -> Reply:
        found = self._checked(target)
        held = self.turns.of(target.host)
        if not held.acquire(timeout=deadline.left()):
            raise Refused(Trouble.SLOW, target.host)
        try:
            if picture:
                return self._ask("GET", target, found, deadline, self.limits.picture)
            return self._head_or_get(target, found, deadline)
        finally:
            held.release()

    def _head_or_get(self, target: Target, found: Sequence[Address], deadline: Deadline) -> Reply:
        try:
            reply = self._ask("HEAD", target, found, deadline, 0)
        except Refused as refused:
            if refused.trouble is not Trouble.ODD:
                raise
        else:
            if reply.status not in SHY_OF_HEAD:
                return reply
        return self._ask("GET", target, found, deadline, 0)

    def _checked(self, target: Target) -> list[Address]:
        """The addresses of a host, once every one of them was found to be of the open internet.

        Raises:
            Refused: one is not, or there is none.
        """
        found = [target.literal] if target.literal is not None else self._resolve(target.host)
        for address in found:
            if (why := why_inner(address)) is not None:
                raise Refused(Trouble.INNER, f"{address}: {why}")
        return found

    def _resolve(self, host: str) -> list[Address]:
        try:
            resolver = self.resolver or open_resolver()
        except Unasked as error:
            raise Refused(Trouble.NO_NAMES, host) from error
        answers = [_told_by(resolver, host, kind) for kind in ("A", "AAAA")]
        found = [address for answer in answers for address in answer or ()]
        if not found:
            raise Refused(Trouble.NO_NAMES if None in answers else Trouble.NO_HOST, host)
        return found

    def _ask(
        self, method: str, target: Target, found: Sequence[Address], deadline: Deadline, most: int
    ) -> Reply:
        for at, address in enumerate(found[:TRIED], start=1):
            talk = partial(self._talk, method, target, address, deadline, most)
            try:
                return _told(target.host, talk)
            except Refused as refused:
                if refused.trouble not in {Trouble.SHUT, Trouble.NO_NETWORK} or at == min(TRIED, len(found)):
                    raise
        raise Refused(Trouble.SHUT, target.host)

    def _talk(self, method: str, target: Target, address: Address, deadline: Deadline, most: int) -> Reply:
        connected = self.dial(address, target.port, deadline.left())
        return ask(method, target, connected, self.context, deadline, most)


def _told_by(resolver: dns.resolver.Resolver, host: str, kind: str) -> list[Address] | None:
    """A host's addresses of a kind; None: no name server says, as some never do of IPv6."""
    try:
        return [plain(record.to_text()) for record in resolver.resolve(host, kind, search=False)]
    except NOTHING:
        return []
    except (dns.exception.DNSException, OSError):
        return None


def _told(host: str, talk: Callable[[], Reply]) -> Reply:
    """Have a conversation; what breaks it is told in our words.

    Raises:
        Refused: it broke.
    """
    try:
        return talk()
    except TimeoutError as error:
        raise Refused(Trouble.SLOW, host) from error
    except (ConnectionResetError, BrokenPipeError) as error:
        raise Refused(Trouble.ODD, "cut off") from error
    except OSError as error:
        trouble = Trouble.NO_NETWORK if error.errno in AWAY else Trouble.SHUT
        raise Refused(trouble, host) from error
