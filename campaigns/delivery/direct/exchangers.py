"""The mail servers of one domain: asked in order until one takes mail."""

import asyncio
import random
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from itertools import islice

import dns.resolver

from campaigns.delivery.direct.finding import Tiers
from campaigns.delivery.domains import Unasked, addresses
from campaigns.delivery.fetching.networks import plain, why_inner
from campaigns.delivery.smtp.connection import Connection
from campaigns.delivery.smtp.opening import TlsFailed, open_connection
from campaigns.delivery.smtp.replies import Offer
from campaigns.delivery.smtp.target import Security, Target, Timeouts
from campaigns.errors import BackendError

MOST_ASKED = 12  #: hosts whose addresses are asked for, for one connection; a stranger may name thousands
MOST_TRIED = 6  #: addresses, for one connection
REST = 60.0  #: seconds in which others are asked before an address that could not be reached
#: A stranger's server that lets us wait is one of many: others are tried, and it is asked again later.
PATIENCE = Timeouts(connect=10, greeting=60, command=120, data=120, final=600)


class Tls(StrEnum):
    """How a way to strangers is secured."""

    OFFERED = "offered"  #: encrypted where the server offers it, whoever it says it is (RFC 7435)
    REQUIRED = "required"  #: or the mail does not go there
    NONE = "none"  #: after TLS had failed


@dataclass(frozen=True, slots=True)
class Manners:
    """How strangers' servers are met."""

    port: int = 25
    hello: str = ""  #: the name that we greet by; empty: this machine's
    tls: Tls = Tls.OFFERED
    inner: bool = False  #: servers in networks that are not of the open internet may be asked
    timeouts: Timeouts = field(default=PATIENCE)


@dataclass(frozen=True, slots=True)
class Exchanger(Target):
    """A stranger's mail server, at one of its addresses."""

    address: str = ""
    tls: Tls = Tls.OFFERED

    @property
    def place(self) -> str:
        """The address that was looked at, and no other that the name may have by now."""
        return self.address

    def upgrades(self, *, offered: bool) -> bool:
        """Encrypt where it can be; where it must be, the opening fails without."""
        return self.tls is Tls.REQUIRED or (self.tls is Tls.OFFERED and offered)

    def tls_context(self) -> ssl.SSLContext:
        """A context that keeps out listeners, and looks at no certificate: else the mail went in clear.

        Source: RFC 7435 §3.
        """
        return _unverified()

    def __str__(self) -> str:
        return f"{self.host} [{self.address}]:{self.port}"


@cache  # one for all: it would take long to make for each connection
def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Exchangers:
    """The servers of one domain, or of several that have the same."""

    def __init__(
        self, tiers: Tiers, manners: Manners, resolver: dns.resolver.Resolver, asking: Executor
    ) -> None:
        self._tiers = tiers
        self._manners = manners
        self._resolver = resolver
        self._asking = asking
        self._resting: dict[str, float] = {}

    def __str__(self) -> str:
        return ", ".join(host for tier in self._tiers for host in tier)[:200]

    async def open(self, changed: Callable[[Connection], None]) -> tuple[Connection, Offer]:
        """Open a session with the first that has one for us.

        Raises:
            BackendError: with what each of them said.

        Source: RFC 5321 §5.1 (by preference, equals by lot).
        """
        said: list[str] = []
        later: list[tuple[str, str]] = []
        tries = iter(range(MOST_TRIED))
        for host in islice(self._by_lot(), MOST_ASKED):
            for address in await self._addresses(host, said):
                if self._rests(address):
                    later.append((host, address))
                elif next(tries, None) is not None and (
                    opened := await self._try(host, address, changed, said)
                ):
                    return opened
        for (host, address), _ in zip(later, tries, strict=False):
            if opened := await self._try(host, address, changed, said):
                return opened
        raise BackendError("; ".join(said))

    async def _try(
        self, host: str, address: str, changed: Callable[[Connection], None], said: list[str]
    ) -> tuple[Connection, Offer] | None:
        try:
            return await self._session(host, address, changed)
        except (BackendError, ValueError) as error:  # the latter of a name that no TLS can speak of
            said.append(str(error))
            self._resting[address] = asyncio.get_running_loop().time() + REST
            return None

    def _rests(self, address: str) -> bool:
        return self._resting.get(address, 0.0) > asyncio.get_running_loop().time()

    async def _session(
        self, host: str, address: str, changed: Callable[[Connection], None]
    ) -> tuple[Connection, Offer]:
        """A session, in clear where TLS is offered and does not come about."""
        manners = self._manners
        target = Exchanger(
            host, manners.port, Security.PLAIN, hello=manners.hello, address=address, tls=manners.tls
        )
        try:
            return await open_connection(target, manners.timeouts, changed)
        except TlsFailed:
            if manners.tls is Tls.REQUIRED:
                raise
        return await open_connection(replace(target, tls=Tls.NONE), manners.timeouts, changed)

    def _by_lot(self) -> Iterator[str]:
        for tier in self._tiers:
            yield from random.sample(tier, len(tier))

    async def _addresses(self, host: str, said: list[str]) -> list[str]:
        """A host's addresses that may be asked now; what speaks against the others is added to `said`."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._asking, addresses, host, self._resolver)
        except Unasked as error:
            said.append(f"{host}: no name server tells its address: {error}")
            return []
        if not found:
            said.append(f"{host}: has no address")
        fit = []
        for address in found:
            why = None if self._manners.inner else why_inner(plain(address))
            if why is not None:
                said.append(f"{host} [{address}]: is no address of the open internet ({why})")
            else:
                fit.append(address)
        return fit
