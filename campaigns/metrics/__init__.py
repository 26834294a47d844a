"""What a process counts of its own work, by plain functions; called for each chunk, never for each message.

Nothing here may fail or wait: without `keep` the counts stay in memory, and a disk that is full loses
counts, never mail. No address and no contact may stand in a label: what does not look like a name becomes
"other".
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic

from campaigns.metrics import names
from campaigns.metrics.counts import Counts, Series
from campaigns.metrics.names import Metric
from campaigns.values import Gate, Outcome, OutcomeKind

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.:/-]{0,59}")
FOLDER = "metrics"  #: within the data folder

_counts = Counts()
os.register_at_fork(after_in_child=_counts.forget)


def keep(data: Path, role: str) -> None:
    """Keep this process's counts where the exporter finds them; each door calls it once, as `role`."""
    with suppress(OSError):  # counted in memory then; `postroom doctor` tells what is wrong with the folder
        _counts.keep(data / FOLDER, role)


def answered(backend: str, kind: OutcomeKind, count: int) -> None:
    """So many messages of a chunk had this outcome."""
    _add(names.DELIVERIES, count, backend, kind.value)


def results(backend: str, outcomes: Iterable[Outcome], gates: Iterable[Gate]) -> None:
    """All that became of a chunk's messages."""
    for kind, count in Counter(outcome.kind for outcome in outcomes).items():
        answered(backend, kind, count)
    for gate, count in Counter(gates).items():
        skipped(gate, count)


@contextmanager
def timing(tell: Callable[[float], None]) -> Iterator[None]:
    """Tell how many seconds the block took, if it came to its end, to `settled` or its like."""
    began = monotonic()
    yield
    tell(monotonic() - began)


def skipped(gate: Gate, count: int) -> None:
    """A gate stopped so many messages of a chunk."""
    _add(names.SKIPPED, count, gate.value)


def sent_chunk(backend: str, seconds: float) -> None:
    """A chunk's answers came within so long."""
    _observe(names.SEND_SECONDS, seconds, backend)


def ran_chunk(seconds: float) -> None:
    """A chunk is settled, so long after its claim."""
    _observe(names.CHUNK_SECONDS, seconds)


def loaded(seconds: float) -> None:
    """A chunk's contacts were loaded and its gates asked."""
    _observe(names.LOAD_SECONDS, seconds)


def settled(seconds: float) -> None:
    """The store took what became of a chunk."""
    _observe(names.SETTLE_SECONDS, seconds)


def rate_waited(backend: str, seconds: float) -> None:
    """A sender waited for its share of an account's rate."""
    _add(names.RATE_WAIT, seconds, backend)


def backend_failed(backend: str) -> None:
    """A backend failed as a whole."""
    _add(names.BACKEND_FAILURES, 1, backend)


def store_retried() -> None:
    """The store did not take a write; it is tried again."""
    _add(names.STORE_RETRIES, 1)


def fenced() -> None:
    """A chunk turned out to be another sender's by now."""
    _add(names.FENCED, 1)


def lease_expired(count: int = 1) -> None:
    """Chunks were taken from senders that were lost."""
    _add(names.LEASES_EXPIRED, count)


def in_doubt(count: int) -> None:
    """So many messages came to be in doubt by recovery; those a backend left unanswered are `answered`."""
    _add(names.DOUBTS, count)


def hits(counts: Mapping[str, int]) -> None:
    """Requests for tracked addresses were stored; by kind: open, click, view, score, stray."""
    for kind, count in counts.items():
        _add(names.HITS, count, kind)


def hits_refused(count: int) -> None:
    """Requests for tracked addresses could not be stored."""
    _add(names.HITS_REFUSED, count)


def returned(kind: str) -> None:
    """A mail came back."""
    _add(names.RETURNS, 1, kind)


def webhook(outcome: str) -> None:
    """Count a provider's call."""
    _add(names.WEBHOOKS, 1, outcome)


def webhook_events(counts: Mapping[str, int]) -> None:
    """Count what became of a provider's events."""
    for outcome, count in counts.items():
        _add(names.WEBHOOK_EVENTS, count, outcome)


def ticked(tick: str, seconds: float) -> None:
    """A tick of the worker is done."""
    _observe(names.TICK_SECONDS, seconds, tick)


def tick_failed(tick: str) -> None:
    """A tick of the worker failed."""
    _add(names.TICK_FAILURES, 1, tick)


def _add(metric: Metric, amount: float, *labels: str) -> None:
    if amount > 0:
        _counts.add({(metric.name, tuple(map(_plain, labels))): float(amount)})


def _observe(metric: Metric, seconds: float, *labels: str) -> None:
    """Count into the first bucket that holds it; the exporter adds the buckets up."""
    bound = next((bound for bound in metric.bounds if seconds <= bound), float("inf"))
    values = tuple(map(_plain, labels))
    amounts: dict[Series, float] = {
        (f"{metric.name}_bucket", (*values, repr(bound))): 1.0,
        (f"{metric.name}_sum", values): max(0.0, seconds),
    }
    _counts.add(amounts)


def _plain(label: str) -> str:
    return label if PLAIN.fullmatch(label) else "other"
