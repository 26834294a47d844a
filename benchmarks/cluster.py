"""A cluster: 1, 2 and 4 Celery workers behind RabbitMQ and PostgreSQL, `postroom sender`s beside them.

    python benchmarks/cluster.py [--quick] [--mails N] [--connections N] [--delay MS]

Twice: to a sink that answers at once, where the machine's cores are the limit, and to one that answers each
mail after some milliseconds, as a mail server elsewhere does, where the number of processes is. Each turn's
counts must agree. Then four processes share one account's limit. Uses a RabbitMQ of Debian's package.
"""

import argparse
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing.queues import Queue
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
from stage import letter, peers, processes, world
from stage.peers import Peer

from campaigns.records import pace
from campaigns.wiring import Stores, open_stores

sys.path.insert(0, str(processes.ROOT))
from tests.cluster.rabbit import MISSING, installed, running_rabbit

PROCESSES = (1, 2, 4)
ALONE = (1, 4)  #: embedded senders beside them
SIZE = 10_000
WARM_UP, FEW = world.FIRST  #: mails before the clock runs; mails to the slow sink
SPEED_UP = {2: 1.8, 4: 3.4}  #: where the sink's answers are the limit
SHARE = 0.85  #: of what as many embedded senders do
RATE, SENDERS, SECONDS = 500, 4, 8.0
PATIENCE = 600.0


class Turn(NamedTuple):
    """What one turn gave."""

    name: str
    count: int
    seconds: float
    cpu: float  #: of the senders, Celery's own processes included
    broker: float
    store: float
    wal: float  #: bytes that the store wrote to its log

    @property
    def rate(self) -> float:
        """Mails a second."""
        return self.count / self.seconds


class Ground(NamedTuple):
    """What all turns share."""

    stores: Stores
    folder: Path
    env: dict[str, str]
    broker_cpu: "partial[float]"
    store_cpu: "partial[float]"


def main() -> None:
    arguments = parse()
    if not installed():
        print(MISSING, file=sys.stderr)
        sys.exit(2)
    print(f"{os.cpu_count()} cores for senders, sink, broker and store")
    budgets: list[str] = []
    with tempfile.TemporaryDirectory(prefix="postroom-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        ground = stack.enter_context(open_ground(folder, arguments))
        with sink(folder) as peer:
            alone = race(ground, peer, None, ALONE, celery=False)
            budgets += at_once(alone, race(ground, peer, None, PROCESSES))
        with answering_late(folder, arguments.delay / 1000) as peer:
            turns = race(ground, peer, FEW if arguments.mails > FEW else None, PROCESSES)
            budgets += late(turns, arguments.delay)
        budgets += disk(ground.stores)
        budgets += together(ground.stores)
    print()
    print("\n".join(budgets))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="3,000 mails a turn")
    parser.add_argument("--mails", type=int, help="to the sink that answers at once")
    parser.add_argument("--connections", type=int, default=20, help="of each process")
    parser.add_argument("--delay", type=int, default=80, help="ms after which the slow sink answers a mail")
    arguments = parser.parse_args()
    arguments.mails = arguments.mails or (3_000 if arguments.quick else 60_000)
    return arguments


@contextmanager
def open_ground(folder: Path, arguments: argparse.Namespace) -> Iterator[Ground]:
    """Start broker and store, and put the contacts in."""
    with running_rabbit() as rabbit, world.place(folder, postgres=True) as url:
        world.fill(url, arguments.mails)
        stores = open_stores(url)
        with stores.readers() as session:
            backend = int(session.execute(sa.text("SELECT pg_backend_pid()")).scalar_one())
        env = {
            "POSTROOM_DATA": str(folder / "data"),
            "POSTROOM_DATABASE_URL": url,
            "POSTROOM_BROKER_URL": rabbit.url,
            "POSTROOM_SECRET": world.SECRET,
            "POSTROOM_SMTP_CONNECTIONS": str(arguments.connections),
            "POSTROOM_METRICS_PORT": "0",
            "POSTROOM_LOG_LEVEL": "warning",
        }
        postmaster = partial(processes.cpu_below, processes.parent(backend))
        yield Ground(stores, folder, env, partial(rabbit.cpu), postmaster)
        stores.engine.dispose()


@contextmanager
def sink(folder: Path) -> Iterator[Peer]:
    """Run the quickest server that is here."""
    with (
        peers.sink(folder)
        if shutil.which("smtp-sink", path=peers.SBIN)
        else answering_late(folder, 0.0) as peer
    ):
        yield peer


@contextmanager
def answering_late(folder: Path, delay: float) -> Iterator[Peer]:
    """Run a server of our own that answers each mail so many seconds later."""
    port, taken = processes.free_port(), folder / f"took-{delay}"
    taken.touch()
    words = [sys.executable, "-m", "tests.cluster.sink", str(port), str(taken), str(delay)]
    with processes.running(words, {}, folder / "log") as process:
        processes.wait_until(lambda: processes.listening(port), "the sink's start")
        count = lambda: taken.read_bytes().count(b"\n")  # noqa: E731 - one of two like it
        yield Peer(f"smtp://127.0.0.1:{port}", port, partial(processes.cpu, process), count)


def race(
    ground: Ground, peer: Peer, limit: int | None, numbers: Sequence[int], *, celery: bool = True
) -> list[Turn]:
    """Send the same campaign by so many processes in turn."""
    turns = []
    for number in numbers:
        turns.append(turn(ground, peer, limit, number, celery=celery))
        show(turns[-1])
    return turns


def turn(ground: Ground, peer: Peer, limit: int | None, number: int, *, celery: bool) -> Turn:
    """Start senders, send a campaign, and see whether all counts agree."""
    command = "celery-worker" if celery else "sender"
    name, log = f"{number} {command}{'s' if number > 1 else ''}", ground.folder / "log"
    env = {**ground.env, "POSTROOM_SMTP_URL": peer.url}
    with ExitStack() as stack:
        if celery:
            stack.enter_context(processes.postroom("worker", env, log))
        else:
            env["POSTROOM_BROKER_URL"] = ""
        senders = [stack.enter_context(processes.postroom(command, env, log)) for _ in range(number)]
        drain(ground.stores, f"warm {name} {peer.port}", WARM_UP)
        taken, before = peer.count(), spent(ground, senders)
        count, seconds = drain(ground.stores, f"letter {name} {peer.port}", limit)
        after = spent(ground, senders)
        processes.wait_until(lambda: peer.count() >= taken + count, "the sink's count")
        assert peer.count() == taken + count, f"the sink counted {peer.count() - taken} of {count}"
    return Turn(name, count, seconds, *(late - soon for late, soon in zip(after, before, strict=True)))


def spent(ground: Ground, senders: Sequence[processes.Process]) -> tuple[float, float, float, float]:
    """Give the CPU seconds of senders, broker and store so far, and the bytes of the store's log."""
    written = sa.text("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")
    with ground.stores.readers() as session:
        log = float(session.execute(written).scalar_one())
    return sum(map(processes.cpu, senders)), ground.broker_cpu(), ground.store_cpu(), log


def drain(stores: Stores, name: str, limit: int | None) -> tuple[int, float]:
    """Open and freeze a campaign; gives its mails, and the seconds until all are settled."""
    with stores.sessions.begin() as session:
        run = world.open_campaign(session, name, letter.write(SIZE), limit)
        count = world.freeze(session, run)
    began = time.monotonic()

    def done() -> bool:
        with stores.readers() as session:
            return world.settled(session, run) >= count

    processes.wait_until(done, f"sending {count:,} mails", PATIENCE)
    seconds = time.monotonic() - began
    with stores.readers() as session:
        states, events = world.truth(session, run)
    assert states == {"sent": count}, f"the ledger says {states} of {count}"
    assert events == count, f"{events} events of {count}"
    return count, seconds


def show(turn: Turn) -> None:
    micros = [part / turn.count * 1e6 for part in (turn.cpu, turn.broker, turn.store)]
    print(
        f"{turn.name:20} {turn.rate:8,.0f}/s   CPU a mail: senders {micros[0]:4.0f} µs,"
        f" broker {micros[1]:3.0f} µs, store {micros[2]:4.0f} µs; log {turn.wal / turn.count:,.0f} B",
        flush=True,
    )


def at_once(alone: Sequence[Turn], cluster: Sequence[Turn]) -> Iterator[str]:
    """Where the sink costs nothing: what the way round the broker costs, and what the cores still give."""
    most = cluster[-1]
    unit = f"x {most.name.partition(' ')[0]} postroom senders"
    yield budget("cluster_share", most.rate / alone[-1].rate, unit, SHARE, least=True)
    cpu = (most.cpu + most.broker) / most.count / (alone[-1].cpu / alone[-1].count)
    yield budget("cluster_cpu", cpu, "x CPU a mail of postroom senders", 1 / SHARE)
    yield f"beside: cluster_share_1 {cluster[0].rate / alone[0].rate:.2f} x 1 postroom sender"
    for number, one in zip(PROCESSES[1:], cluster[1:], strict=True):
        yield f"beside: cluster_cores_speed_up_{number} {one.rate / cluster[0].rate:.2f} x 1 process"


def late(turns: Sequence[Turn], delay: int) -> Iterator[str]:
    """Where each answer takes its time: what more processes bring."""
    for number, one in zip(PROCESSES[1:], turns[1:], strict=True):
        gain = one.rate / turns[0].rate
        what = f"x 1 process, {delay} ms a mail"
        yield budget(f"cluster_speed_up_{number}", gain, what, SPEED_UP[number], least=True)


def disk(stores: Stores) -> Iterator[str]:
    """What is stored of each contact and each mail, indexes included."""
    size = (
        "SELECT coalesce(sum(pg_total_relation_size(relid)), pg_total_relation_size('{0}'))"
        " FROM pg_partition_tree('{0}')"
    )
    with stores.readers() as session:
        for what, tables in (
            ("contact", ("contacts", "customers", "consents", "activity")),
            ("message", ("messages", "chunks")),
            ("event", ("events",)),
        ):
            rows = session.scalar(sa.text(f"SELECT count(*) FROM {tables[0]}"))
            used = sum(session.scalar(sa.text(size.format(table))) for table in tables)
            yield f"beside: cluster_disk_{what} {used / rows:,.0f} B each of {rows:,}"


def together(stores: Stores) -> Iterator[str]:
    """Four processes keep one account's limit: the worst of all seconds, and what is left unused."""
    context = multiprocessing.get_context("spawn")
    told: Queue[list[float]] = context.Queue()
    until = time.monotonic() + SECONDS
    url = stores.engine.url.render_as_string(hide_password=False)
    senders = [context.Process(target=keep_pace, args=(url, until, told)) for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    moments = [told.get(timeout=SECONDS + 30) for _ in senders]
    for sender in senders:
        sender.join()
    went = sorted(moment for one in moments for moment in one)
    worst = max(
        sum(1 for at in went[first : first + RATE * 2] if at < went[first] + 1) for first in range(len(went))
    )
    mean = (len(went) - 1) / (went[-1] - went[0])
    shares = sorted(map(len, moments))
    yield f"beside: cluster_pace {mean:.0f}/s of {RATE}, {shares[0]} to {shares[-1]} each"
    yield budget("cluster_pace_worst_second", (worst / RATE - 1) * 100, "% above the limit", 2)
    yield budget("cluster_pace_used", mean / RATE * 100, "% of the limit", 97, least=True)


def keep_pace(url: str, until: float, told: "Queue[list[float]]") -> None:
    """Play a sender that reserves blocks and lets them go evenly; tells when each message went."""
    stores, count, went = open_stores(url), pace.block(RATE), list[float]()
    while time.monotonic() < until:
        with stores.sessions.begin() as session:
            wait = pace.reserve(session, "smtp", count, RATE)
        start = time.monotonic() + wait
        for at in range(count):
            time.sleep(max(0.0, start + at / RATE - time.monotonic()))
            went.append(time.monotonic())
    stores.engine.dispose()
    told.put(went)


def budget(name: str, value: float, unit: str, target: float, *, least: bool = False) -> str:
    kept = value >= target if least else value <= target
    return f"budget {name} {value:.4g} {unit} target {target:g} {processes.verdict(kept=kept)}"


if __name__ == "__main__":
    main()
