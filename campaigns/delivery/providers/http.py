"""Backends over HTTP: requests in flight in threads of their own, told of in the thread that calls `send`."""

import threading
from collections.abc import Iterable
from queue import SimpleQueue
from typing import TYPE_CHECKING

from campaigns.delivery.contract import Capabilities, Watch
from campaigns.delivery.providers.api import Api
from campaigns.delivery.providers.http_parcel import Parcel, Porter
from campaigns.delivery.providers.http_round import PATIENCE, Health, Round, look
from campaigns.delivery.providers.provider import Options, Ways
from campaigns.delivery.smtp.work import Work
from campaigns.values import Account, Outgoing

if TYPE_CHECKING:  # httpx is loaded by who opens an account that needs it
    from campaigns.delivery.providers.http_call import Caller

Job = tuple[Porter, Parcel]


class HttpBackend:
    """Sends over a provider's API. One thread at a time; another one that calls `send` waits."""

    def __init__(
        self,
        name: str,
        api: Api,
        caller: "Caller",
        *,
        connections: int,
        batch: int | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self.name = name
        self.capabilities: Capabilities = api.capabilities
        self._api, self._caller = api, caller
        self._connections, self._patience = connections, patience
        self._most = batch or api.capabilities.max_batch or 1
        self._health = Health(name)
        self._lock = threading.Lock()
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads = 0

    def send(self, batch: Iterable[Outgoing | None], watch: Watch) -> None:
        with self._lock:
            self._round(Work(batch, watch)).run()

    def probe(self) -> None:
        """Ask whether mail would be taken, and send none.

        Raises:
            BackendError: it would not.
        """
        with self._lock:
            look(self._api, self._caller, self._health)

    def close(self) -> None:
        with self._lock:
            for _ in range(self._threads):
                self._jobs.put(None)
            self._threads = 0
            self._caller.close()

    def _round(self, work: Work) -> Round:
        porter = Porter(self._api, self._caller, SimpleQueue(), threading.Event(), threading.Event())
        return Round(
            work, porter, self._health, self._connections, self._most, self._dispatch, self._patience
        )

    def _dispatch(self, porter: Porter, parcel: Parcel) -> None:
        if self._threads < self._connections:
            self._threads += 1
            # a daemon: a provider that never answers must not keep the process from ending
            threading.Thread(target=self._carry, name=f"{self.name} {self._threads}", daemon=True).start()
        self._jobs.put((porter, parcel))

    def _carry(self) -> None:
        while (job := self._jobs.get()) is not None:
            porter, parcel = job
            porter.reports.put(porter.carry(parcel))


def open_http(account: Account, options: Options, ways: Ways, api: Api) -> HttpBackend:
    """A backend for an account over HTTP; nothing is connected before the first mail."""
    from campaigns.delivery.providers.http_call import Caller

    connections = int(options["connections"] or ways.connections)
    caller = Caller(
        options["url"], connections=connections, timeout=float(options["timeout"]), cafile=ways.cafile
    )
    batch = int(options["batch"]) if options.get("batch") else None
    return HttpBackend(account.name, api, caller, connections=connections, batch=batch)
