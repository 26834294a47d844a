"""The way out to the recipients' own mail servers."""

import asyncio
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import dns.resolver
import uvloop

from campaigns.delivery.contract import Capabilities, Watch
from campaigns.delivery.direct.delivery import Delivery, Ways
from campaigns.delivery.direct.exchangers import Exchangers, Manners
from campaigns.delivery.direct.finding import Found, Tiers, find
from campaigns.delivery.direct.group import Group
from campaigns.delivery.domains import Unasked, open_resolver
from campaigns.delivery.mx import answers_about_known
from campaigns.delivery.smtp.target import Limits
from campaigns.errors import BackendError
from campaigns.values import Outgoing

ASKING = 16  #: questions to the name server at once
KNOWN_FOR = 300.0  #: seconds that a domain's servers are not asked for again; the resolver keeps to their TTL
UNHEARD_FOR = 60.0  #: where nobody answered
MOST_DOMAINS = 20_000  #: kept in mind
MOST_GROUPS = 1_000
DEAF = 8  #: domains in a row about which nobody answers, until it is asked whether anybody does

PROBED = "gmail.com"
FAREWELL = 2.0  #: seconds to end in after an interrupt
GOODBYE = 0.3  #: seconds to let QUIT leave


@dataclass(frozen=True, slots=True)
class Share:
    """How much is done at once."""

    groups: int = 20  #: sets of servers
    limits: Limits = field(default=Limits(2, 100))  #: for each of them


class DirectBackend:
    """Sends to the servers of each recipient's domain. One thread at a time; another one waits."""

    name = "direct"
    capabilities = Capabilities(smtputf8=True)

    def __init__(
        self,
        manners: Manners | None = None,
        share: Share | None = None,
        resolver: dns.resolver.Resolver | None = None,
    ) -> None:
        self._manners = manners or Manners()
        self._share = share or Share()
        self._resolver = resolver
        self._lock = threading.Lock()
        self._loop = uvloop.new_event_loop()
        self._asking = ThreadPoolExecutor(ASKING, "mx")
        self._known: dict[str, tuple[float, Found]] = {}
        self._groups: dict[Tiers, Group] = {}
        self._unheard = 0  # domains in a row
        self._delivery: Delivery | None = None

    def send(self, batch: Iterable[Outgoing | None], watch: Watch) -> None:
        with self._lock:
            task = self._loop.create_task(self._send(batch, watch))
            try:
                self._loop.run_until_complete(task)
            except Exception:
                raise
            except BaseException:  # an interrupt: tell what is in doubt, as far as the watch still listens
                if self._delivery:
                    self._delivery.abort("sending was interrupted")
                self._loop.run_until_complete(asyncio.wait({task}, timeout=FAREWELL))
                raise

    def close(self) -> None:
        with self._lock:
            self._asking.shutdown(wait=False, cancel_futures=True)
            if not self._loop.is_closed():
                self._loop.close()

    def probe(self) -> str:
        """Greet a large provider's server and leave; gives our end's address, as this machine knows it.

        Raises:
            BackendError: with what kept us from it.
        """
        with self._lock:
            return self._loop.run_until_complete(self._probe())

    async def _send(self, batch: Iterable[Outgoing | None], watch: Watch) -> None:
        self._asked()
        self._delivery = Delivery(
            batch, watch, Ways(self._recall, self._find, self._group), self._share.groups
        )
        await self._delivery.run()
        if error := self._delivery.error:
            raise error

    async def _probe(self) -> str:
        found = await self._loop.run_in_executor(self._asking, find, PROBED, self._asked())
        if found.instead is not None:
            raise BackendError(found.instead.text)
        servers = self._exchangers(found.tiers)
        try:
            connection, _ = await servers.open(lambda _: None)
        except BackendError as error:
            what = f"no mail server of {PROBED} can be reached: {error}. Is port 25 closed to this machine?"
            raise BackendError(what) from error
        assert connection.transport is not None, "open gave an open one"
        address = str(connection.transport.get_extra_info("sockname")[0])
        connection.leave()
        await asyncio.sleep(GOODBYE)
        connection.abort("we have seen enough")
        return address

    # ---- what a delivery asks

    def _asked(self) -> dns.resolver.Resolver:
        """The resolver; the machine's own unless another was given."""
        if self._resolver is None:
            try:
                self._resolver = open_resolver()
            except Unasked as error:
                raise BackendError(f"this machine names no name server: {error}") from error
        return self._resolver

    def _recall(self, domain: str) -> Found | None:
        until, found = self._known.get(domain, (0.0, None))
        return found if until > self._loop.time() else None

    def _find(self, domain: str) -> asyncio.Future[Found]:
        asked = asyncio.wrap_future(self._asking.submit(self._ask, domain), loop=self._loop)
        asked.add_done_callback(lambda done: self._remember(domain, done))
        return asked

    def _ask(self, domain: str) -> Found:
        """In a thread of its own."""
        resolver = self._asked()
        found = find(domain, resolver)
        self._unheard = self._unheard + 1 if found.unheard else 0
        if self._unheard >= DEAF and not answers_about_known(resolver):
            raise BackendError(
                f"no name server tells where mail goes: {found.instead and found.instead.text}"
            )
        return found

    def _remember(self, domain: str, asked: asyncio.Future[Found]) -> None:
        if asked.cancelled() or asked.exception():
            return
        if len(self._known) >= MOST_DOMAINS:
            self._known.clear()
        found = asked.result()
        self._known[domain] = self._loop.time() + (UNHEARD_FOR if found.unheard else KNOWN_FOR), found

    def _group(self, found: Found) -> Group:
        group = self._groups.get(found.tiers)
        if group is None:
            if len(self._groups) >= MOST_GROUPS:
                self._groups = {key: one for key, one in self._groups.items() if not one.is_unused}
            group = Group(self._exchangers(found.tiers), self._share.limits, self._loop)
            self._groups[found.tiers] = group
        return group

    def _exchangers(self, tiers: Tiers) -> Exchangers:
        return Exchangers(tiers, self._manners, self._asked(), self._asking)
