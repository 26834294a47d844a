"""Every metric: its name, what it counts, its labels. docs/ADMIN.md holds the same table; a test compares."""

from dataclasses import dataclass
from enum import StrEnum


class Sort(StrEnum):
    """How a metric behaves."""

    COUNTER = "counter"  #: only grows; kept by each process
    HISTOGRAM = "histogram"  #: counts by size; kept by each process
    GAUGE = "gauge"  #: read from the database when asked


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, in base units: seconds, bytes, or plain counts."""

    name: str  #: with its unit; a counter's ends with _total
    sort: Sort
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()  #: of a histogram, rising


QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LONG = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)

DELIVERIES = Metric(
    "postroom_deliveries_total",
    Sort.COUNTER,
    "Answers of a backend about single messages: sent, deferred, failed or unknown.",
    ("backend", "outcome"),
)
SKIPPED = Metric(
    "postroom_skipped_total",
    Sort.COUNTER,
    "Messages that a gate stopped after the freeze.",
    ("gate",),
)
SEND_SECONDS = Metric(
    "postroom_send_duration_seconds",
    Sort.HISTOGRAM,
    "From a chunk's first answer to its last.",
    ("backend",),
    LONG,
)
CHUNK_SECONDS = Metric(
    "postroom_chunk_run_seconds", Sort.HISTOGRAM, "From a chunk's claim until it is settled.", (), LONG
)
LOAD_SECONDS = Metric(
    "postroom_load_seconds",
    Sort.HISTOGRAM,
    "Loading a chunk's contacts and asking its gates again.",
    (),
    QUICK,
)
SETTLE_SECONDS = Metric(
    "postroom_settle_seconds", Sort.HISTOGRAM, "Writing what became of a chunk, retries included.", (), QUICK
)
RATE_WAIT = Metric(
    "postroom_rate_wait_seconds_total",
    Sort.COUNTER,
    "Seconds that senders waited for their share of an account's rate.",
    ("backend",),
)
BACKEND_FAILURES = Metric(
    "postroom_backend_failures_total",
    Sort.COUNTER,
    "Times a backend failed as a whole; its chunk was put off.",
    ("backend",),
)
STORE_RETRIES = Metric(
    "postroom_store_retries_total",
    Sort.COUNTER,
    "Outcome writes that the database did not take at once, and that were tried again.",
)
FENCED = Metric(
    "postroom_fenced_total",
    Sort.COUNTER,
    "Writes refused because another sender had taken the chunk over.",
)
LEASES_EXPIRED = Metric(
    "postroom_lease_expired_total", Sort.COUNTER, "Chunks taken from senders that were lost."
)
DOUBTS = Metric("postroom_doubts_total", Sort.COUNTER, "Messages that a lost sender left in doubt.")
HITS = Metric(
    "postroom_tracking_events_total",
    Sort.COUNTER,
    "Requests for tracked addresses that are stored, and strays: those with a forged or unknown token.",
    ("kind",),
)
HITS_REFUSED = Metric(
    "postroom_tracking_refused_total",
    Sort.COUNTER,
    "Requests answered 503 because the store did not take them.",
)
RETURNS = Metric(
    "postroom_returned_mails_total", Sort.COUNTER, "Mails that came back, by what they were.", ("kind",)
)
WEBHOOKS = Metric(
    "postroom_webhook_calls_total",
    Sort.COUNTER,
    "Calls of providers: new, repeat, refused (not proven to be theirs), or stray (no such address).",
    ("outcome",),
)
WEBHOOK_EVENTS = Metric(
    "postroom_webhook_events_total",
    Sort.COUNTER,
    "Events that providers told of, by what became of them: delivered, bounced, repeat, unknown, stray …",
    ("outcome",),
)
TICK_SECONDS = Metric(
    "postroom_tick_seconds", Sort.HISTOGRAM, "How long a tick of the worker took.", ("tick",), QUICK
)
TICK_FAILURES = Metric(
    "postroom_tick_failures_total", Sort.COUNTER, "Ticks that failed; the log says why.", ("tick",)
)

#: Kept by each process, added up when asked.
COUNTED = (
    DELIVERIES,
    SKIPPED,
    SEND_SECONDS,
    CHUNK_SECONDS,
    LOAD_SECONDS,
    SETTLE_SECONDS,
    RATE_WAIT,
    BACKEND_FAILURES,
    STORE_RETRIES,
    FENCED,
    LEASES_EXPIRED,
    DOUBTS,
    HITS,
    HITS_REFUSED,
    RETURNS,
    WEBHOOKS,
    WEBHOOK_EVENTS,
    TICK_SECONDS,
    TICK_FAILURES,
)

CHUNKS = Metric(
    "postroom_chunks",
    Sort.GAUGE,
    "Chunks that are not done: ready, deferred (due later), claimed, or held (their run is paused).",
    ("state",),
)
OLDEST_READY = Metric(
    "postroom_oldest_ready_chunk_age_seconds",
    Sort.GAUGE,
    "How long the chunk that waits longest could have been sent; 0: none waits.",
)
BACK_OFF = Metric(
    "postroom_backoff_seconds",
    Sort.GAUGE,
    "Until the first deferred chunk is due (its backend failed, or recipients were deferred); 0: none is.",
)
ACCOUNT_SILENT = Metric(
    "postroom_account_silent_seconds",
    Sort.GAUGE,
    "How long nothing could go through an account, for it failed; 0: it works again.",
    ("account",),
)
ACCOUNT_WAITING = Metric(
    "postroom_account_waiting",
    Sort.GAUGE,
    "Messages that wait in an account's queue, at most.",
    ("account",),
)
LANE_RATE = Metric(
    "postroom_lane_rate_per_minute",
    Sort.GAUGE,
    "Mails a minute that a lane may be given now, holds aside; missing: it has no limit.",
    ("account", "lane"),
)
LANE_CAP = Metric(
    "postroom_lane_cap_per_minute",
    Sort.GAUGE,
    "The lane's cap, set or started with; missing: it has none.",
    ("account", "lane"),
)
LANE_HELD = Metric(
    "postroom_lane_held_seconds",
    Sort.GAUGE,
    "Until a lane that is held or full for today reopens; 0: it is open; +Inf: until somebody opens it.",
    ("account", "lane"),
)
LANE_BACKED_OFF = Metric(
    "postroom_lane_backed_off",
    Sort.GAUGE,
    "1: what its servers said, or a person, holds or slows a lane; 0: nothing does.",
    ("account", "lane"),
)
LANE_WAITING = Metric(
    "postroom_lane_waiting",
    Sort.GAUGE,
    "Messages that wait for a lane, at most.",
    ("account", "lane"),
)
IN_DOUBT = Metric("postroom_in_doubt", Sort.GAUGE, "Messages whose fate is unknown and a person must decide.")
HITS_WAITING = Metric(
    "postroom_tracking_queue_depth",
    Sort.GAUGE,
    "Stored requests for tracked addresses that have no verdict yet; 100,000 at most.",
)
TICK_AGE = Metric(
    "postroom_tick_age_seconds", Sort.GAUGE, "Since a tick of the worker last succeeded.", ("tick",)
)
STORE_UP = Metric("postroom_store_up", Sort.GAUGE, "1: the database answered; 0: the gauges are missing.")

#: Read from the database when asked, by the one exporter.
MEASURED = (
    CHUNKS,
    OLDEST_READY,
    BACK_OFF,
    ACCOUNT_SILENT,
    ACCOUNT_WAITING,
    LANE_RATE,
    LANE_CAP,
    LANE_HELD,
    LANE_BACKED_OFF,
    LANE_WAITING,
    IN_DOUBT,
    HITS_WAITING,
    TICK_AGE,
    STORE_UP,
)
