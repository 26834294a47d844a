"""/metrics: what all processes counted, and what waits in the database, in the format of Prometheus.

One process exports; it listens on a port of its own, which the world need not reach.
"""

import hmac
import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from campaigns.config import Settings
from campaigns.metrics import FOLDER, names
from campaigns.metrics.counts import Series, read_all
from campaigns.metrics.names import Metric, Sort
from campaigns.model.dialect import database_now
from campaigns.records import accounts, backlog, lanes, routes, ticks
from campaigns.records.lanes import LaneLine
from campaigns.wiring import Stores

TYPE = "text/plain; version=0.0.4; charset=utf-8"
Gauges = dict[Metric, dict[tuple[str, ...], float]]  #: by the values of their labels
PATIENCE = 10.0  #: seconds a reader may take to ask

log = structlog.get_logger()


class Everything(Collector):
    """All metrics, read anew each time."""

    def __init__(self, stores: Stores, data: Path) -> None:
        self._stores, self._folder = stores, data / FOLDER

    def describe(self) -> Iterable[Family]:
        """Nothing needs to be read to know the names."""
        return [
            Family(metric.name, metric.help, metric.sort.value)
            for metric in (*names.COUNTED, *names.MEASURED)
        ]

    def collect(self) -> Iterator[Family]:
        counts = read_all(self._folder)
        for metric in names.COUNTED:
            yield _histogram(metric, counts) if metric.sort is Sort.HISTOGRAM else _counter(metric, counts)
        yield from self._gauges()

    def _gauges(self) -> Iterator[Family]:
        up = 1.0
        measured: Gauges = {}
        try:
            with self._stores.readers() as session:
                measured = measure(session)
        except SQLAlchemyError as error:
            log.warning("the store cannot be measured", error=str(error))
            up = 0.0
        measured[names.STORE_UP] = {(): up}
        for metric, values in measured.items():
            family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
            for labels, value in values.items():
                family.add_metric(labels, value)
            yield family


def measure(session: Session) -> Gauges:
    """Every gauge of the database, by its labels."""
    queue = backlog.measure(session)
    return _lanes(session) | {
        names.CHUNKS: {(state,): float(count) for state, count in queue.chunks.items()},
        names.OLDEST_READY: {(): queue.oldest_ready.total_seconds()},
        names.BACK_OFF: {(): queue.backed_off.total_seconds()},
        names.ACCOUNT_SILENT: {
            (name,): silent.total_seconds() for name, silent in accounts.silences(session).items()
        },
        names.ACCOUNT_WAITING: {(name,): float(one.mails) for name, one in routes.queues(session).items()},
        names.IN_DOUBT: {(): float(queue.in_doubt)},
        names.HITS_WAITING: {(): float(queue.hits)},
        names.TICK_AGE: {(tick.name,): tick.age.total_seconds() for tick in ticks.ages(session)},
    }


def _lanes(session: Session) -> Gauges:
    """How fast each lane may be served, and what waits for it."""
    now = database_now(session)
    lines = [one for one in lanes.lane_lines(session, now) if one.account != lanes.EVERY_ACCOUNT]
    waiting = lanes.waiting(session)
    return {
        names.LANE_RATE: {(one.account, one.lane): one.rate for one in lines if one.rate is not None},
        names.LANE_CAP: {(one.account, one.lane): one.limits.cap for one in lines if one.limits.cap},
        names.LANE_HELD: {(one.account, one.lane): _shut_for(one, now) for one in lines},
        names.LANE_BACKED_OFF: {
            (one.account, one.lane): float(one.word in {"held", "half open", "slowed"}) for one in lines
        },
        names.LANE_WAITING: {
            **{(one.account, one.lane): 0.0 for one in lines},
            **{place: float(one.mails) for place, one in waiting.items()},
        },
    }


def _shut_for(one: LaneLine, now: datetime) -> float:
    if one.word not in {"held", "full"}:
        return 0.0
    return float("inf") if one.reopens_at is None else max(0.0, (one.reopens_at - now).total_seconds())


def _counter(metric: Metric, counts: Mapping[Series, float]) -> Family:
    family = CounterMetricFamily(metric.name.removesuffix("_total"), metric.help, labels=metric.labels)
    found = {labels: value for (name, labels), value in sorted(counts.items()) if name == metric.name}
    if not metric.labels:
        found.setdefault((), 0.0)  # a count that has not begun is no gap
    for labels, value in found.items():
        family.add_metric(labels, value)
    return family


def _histogram(metric: Metric, counts: Mapping[Series, float]) -> Family:
    """Add the buckets up: each holds all that is not larger."""
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    sums = {labels: value for (name, labels), value in sorted(counts.items()) if name == f"{metric.name}_sum"}
    for labels, total in sums.items():
        buckets, held = [], 0.0
        for bound in (*metric.bounds, float("inf")):
            held += counts.get((f"{metric.name}_bucket", (*labels, repr(bound))), 0.0)
            buckets.append(("+Inf" if bound == float("inf") else repr(bound), held))
        family.add_metric(labels, buckets=buckets, sum_value=total)
    return family


class Exporter:
    """Answers GET /metrics in threads of its own, from `start` to `stop`."""

    def __init__(self, stores: Stores, settings: Settings) -> None:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(Everything(stores, settings.data))
        handler = type("_Reader", (_Answer,), {"registry": registry, "token": settings.metrics_token})
        self._server = ThreadingHTTPServer((settings.metrics_host, settings.metrics_port), handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    def start(self) -> None:
        """Answer from now on."""
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


def start_exporter(stores: Stores, settings: Settings) -> Exporter | None:
    """Export, unless it is not wanted or another process does; a worker works without it."""
    if settings.metrics_port == 0:
        return None
    try:
        exporter = Exporter(stores, settings)
    except OSError as error:
        where = f"{settings.metrics_host}:{settings.metrics_port}"
        log.warning(
            "metrics are not served here; another process may serve them", at_port=where, error=str(error)
        )
        return None
    exporter.start()
    return exporter


class _Answer(BaseHTTPRequestHandler):
    registry: CollectorRegistry
    token: str
    timeout = PATIENCE
    server_version = "postroom"
    sys_version = ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/healthz":
            self._say(200, b"alive\n")
        elif path != "/metrics":
            self._say(404, b"Metrics are at /metrics.\n")
        elif not self._may_read():
            self._say(401, b"Show the token: Authorization: Bearer ...\n")
        else:
            self._say(200, generate_latest(self.registry), TYPE)

    def _may_read(self) -> bool:
        shown = self.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        return not self.token or hmac.compare_digest(shown.encode(), self.token.encode())

    def _say(self, code: int, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        if code == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_said: object) -> None:
        """Readers come every few seconds: they are not worth a line."""
