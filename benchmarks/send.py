"""Sending: a store's contacts through the real `postroom sender` to a sink, Postfix's smtp-source beside it.

    python benchmarks/send.py [--quick] [--postgres] [--recipients N] [--rounds N] [--sizes 10,30]
        [--senders N] [--connections N] [--tls-auth] [--postfix] [--million]

All of it is on: personal places, tracked links, pixel, unsubscribe headers, gates, ledger, events, and the
store is as durable as it is delivered. Rounds send in turn by smtp-source and by Postroom, mails of the same
size to the same smtp-sink on the same cores; the medians count. Needs Postfix's tools.
After `make compiled`, PYTHONPATH=build/compiled before the command measures the compiled program.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
from stage import letter, peers, processes, world
from stage.peers import Peer, Spent
from stage.postfix import running_postfix

from campaigns.flows.sending import IS_COMPILED
from campaigns.model.dialect import is_postgres
from campaigns.wiring import Stores, open_stores

FEW, MANY = 10_000, 1_000_000
WARM_UP = 100  #: mails before the clock runs
RATIO = 1.1
CPU_US = {10: 75, 30: 115}
POSTGRES_SHARE = 0.85
MEMORY_MB = 150
CONSTANT = 0.1
PATIENCE = 1800.0


class Turn(NamedTuple):
    """What one turn of the senders gave."""

    count: int
    seconds: float
    cpu: float  #: of the senders
    sink: float
    store: float  #: of the database's own processes; SQLite has none
    memory: float  #: MB, the largest sender's peak
    freeze: float  #: seconds

    @property
    def rate(self) -> float:
        """Mails a second."""
        return self.count / self.seconds

    def micros(self, seconds: float) -> float:
        """CPU microseconds a mail."""
        return seconds / self.count * 1e6


#: Gives the CPU seconds of senders, sink and store so far.
Meter = Callable[[], tuple[float, float, float]]


@dataclass
class Ground:
    """A filled store and how to send from it."""

    url: str
    stores: Stores
    folder: Path
    senders: int
    connections: int
    turns: int = 0


def main() -> None:
    arguments = parse()
    peers.tool("smtp-sink")
    peers.tool("smtp-source")
    program = "compiled" if IS_COMPILED else "interpreted"
    print(f"{os.cpu_count()} cores for senders, sink and store; the program is {program}")
    with tempfile.TemporaryDirectory(prefix="postroom-bench-") as name, ExitStack() as stack:
        Path(name).chmod(0o755)
        grounds = {"sqlite": stack.enter_context(ground(arguments, Path(name), postgres=False))}
        if arguments.postgres:
            grounds["postgres"] = stack.enter_context(ground(arguments, Path(name), postgres=True))
        budgets = list(beside(grounds, arguments))
        if arguments.million:
            for kind, one in grounds.items():
                budgets += list(constant(kind, one))
    print()
    print("\n".join(budgets))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="10,000 recipients, one round")
    parser.add_argument("--recipients", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--sizes", default="10,30", help="KB of HTML")
    parser.add_argument("--postgres", action="store_true", help="a PostgreSQL of our own too")
    parser.add_argument("--senders", type=int, default=1)
    parser.add_argument("--connections", type=int, default=20, help="of smtp-source, and of each sender")
    parser.add_argument("--tls-auth", action="store_true", help="also to a server with STARTTLS and AUTH")
    parser.add_argument("--postfix", action="store_true", help="also into a real Postfix (needs root)")
    parser.add_argument("--million", action="store_true", help="memory and cost a mail at 10 k and 1 M; long")
    arguments = parser.parse_args()
    arguments.recipients = arguments.recipients or (10_000 if arguments.quick else 60_000)
    if arguments.million:
        arguments.recipients = max(MANY, arguments.recipients)
    arguments.rounds = arguments.rounds or (1 if arguments.quick else 3)
    arguments.sizes = [int(size) for size in arguments.sizes.split(",")]
    return arguments


@contextmanager
def ground(arguments: argparse.Namespace, folder: Path, *, postgres: bool) -> Iterator[Ground]:
    with world.place(folder, postgres=postgres) as url:
        world.fill(url, arguments.recipients)
        stores = open_stores(url)
        yield Ground(url, stores, folder, arguments.senders, arguments.connections)
        stores.engine.dispose()


def beside(grounds: dict[str, Ground], arguments: argparse.Namespace) -> Iterator[str]:
    """Send mails of each size by smtp-source and from each store in turn."""
    limit = FEW if arguments.million else None
    count = limit or arguments.recipients
    for size in arguments.sizes:
        wire = look(grounds["sqlite"], size)
        print(f"{size} KB of HTML: {wire:,} bytes on the wire")
        by_source(grounds["sqlite"], count, wire, kept=False)
        sources: list[Spent] = []
        turns: dict[str, list[Turn]] = {kind: [] for kind in grounds}
        for _ in range(arguments.rounds):
            sources.append(by_source(grounds["sqlite"], count, wire))
            for kind, one in grounds.items():
                turns[kind].append(to_sink(one, size, limit))
                show(f"{kind}", turns[kind][-1])
        yield from told(size, sources, turns)
        yield from elsewhere(grounds["sqlite"], size, wire, arguments)


def elsewhere(one: Ground, size: int, wire: int, arguments: argparse.Namespace) -> Iterator[str]:
    """Send to other servers, without a target: their own work is most of it."""
    if arguments.tls_auth:
        with peers.secured(one.folder) as peer:
            yield aside(f"tls_auth_{size}k", send(one, peer, size, FEW))
    if arguments.postfix:
        with tempfile.TemporaryDirectory(prefix="postroom-") as name, running_postfix(Path(name)) as peer:
            source = peers.source(peer, count=FEW, size=wire, connections=one.connections)
            rate = f"smtp-source {FEW / source.seconds:,.0f}/s"
            yield f"{aside(f'postfix_{size}k', send(one, peer, size, FEW))}; {rate}"


def look(one: Ground, size: int) -> int:
    """Look at a few mails in a sink that writes them down; gives their mean size."""
    folder = one.folder / f"dump{size}"
    folder.mkdir()
    folder.chmod(0o777)
    with peers.sink(one.folder, "-d", f"{folder}/m.") as peer:
        send(one, peer, size, WARM_UP, warm=False)
    mails = peers.dumped(folder)
    assert len(mails) == WARM_UP, f"{len(mails)} mails came of {WARM_UP}"
    for _wire, mail in mails:
        html = mail.get_body(("html",))
        text = mail.get_body(("plain",))
        assert html is not None, "a mail lacks its HTML"
        assert text is not None, "a mail lacks its text"
        page = html.get_content()
        assert page.count("/c/") >= len(letter.LINKS), "a mail lacks a tracked link"
        assert "/o/" in page, "a mail lacks its pixel"
        assert mail["to"].addresses[0].addr_spec in page, "a mail is not personal"
        assert "List-Unsubscribe=One-Click" in mail["list-unsubscribe-post"]
    assert len({mail["message-id"] for _wire, mail in mails}) == WARM_UP
    return round(statistics.mean(wire for wire, _mail in mails))


def by_source(one: Ground, count: int, wire: int, *, kept: bool = True) -> Spent:
    with peers.sink(one.folder) as peer:
        spent = peers.source(peer, count=count, size=wire, connections=one.connections, kept=kept)
    name = "smtp-source" if kept else "smtp-source, a connection a mail"
    print(
        f"{name} {count / spent.seconds:8,.0f}/s  {spent.cpu / count * 1e6:4.0f} µs CPU a mail,"
        f" sink {spent.sink / count * 1e6:4.0f} µs",
        flush=True,
    )
    return spent


def to_sink(one: Ground, size: int, limit: int | None) -> Turn:
    with peers.sink(one.folder) as peer:
        return send(one, peer, size, limit)


def send(one: Ground, peer: Peer, size: int, limit: int | None, *, warm: bool = True) -> Turn:
    """Start senders, send a campaign to all contacts or the first, and see whether all counts agree."""
    env = {
        "POSTROOM_DATA": str(one.folder / "data"),
        "POSTROOM_DATABASE_URL": one.url,
        "POSTROOM_SECRET": world.SECRET,
        "POSTROOM_SMTP_URL": peer.url,
        "POSTROOM_SMTP_CONNECTIONS": str(one.connections),
        "POSTROOM_METRICS_PORT": "0",
        **peer.env,
    }
    one.turns += 1
    with ExitStack() as stack:
        senders = [
            stack.enter_context(processes.postroom("sender", env, one.folder / "log"))
            for _ in range(one.senders)
        ]
        if warm:
            taken = peer.count()
            drained(one, *begin(one, f"warm{size}.{one.turns}", size, WARM_UP)[:2])
            came_to(peer, taken + WARM_UP)
        taken, cost = peer.count(), meter(one, senders, peer)
        run, count, freeze = begin(one, f"letter{size}.{one.turns}", size, limit)
        before = cost()
        seconds = drained(one, run, count)
        after = cost()
        memory = max(processes.peak_memory(process) for process in senders)
        came_to(peer, taken + count)
    check(one.stores, run, count, peer.count() - taken)
    cpu, sink, store = (late - soon for late, soon in zip(after, before, strict=True))
    return Turn(count, seconds, cpu, sink, store, memory, freeze)


def came_to(peer: Peer, count: int) -> None:
    """Wait until the sink has told of so many mails; it may do so a moment after it has answered."""
    processes.wait_until(lambda: peer.count() >= count, "the sink's count")


def meter(
    one: Ground, senders: list[processes.Process], peer: Peer
) -> Callable[[], tuple[float, float, float]]:
    """Give the CPU seconds of senders, sink and store so far, whenever asked."""
    postmaster = None
    with one.stores.readers() as session:
        if is_postgres(session):
            backend = int(session.execute(sa.text("SELECT pg_backend_pid()")).scalar_one())
            postmaster = processes.parent(backend)
    store = (lambda: 0.0) if postmaster is None else partial(processes.cpu_below, postmaster)
    return lambda: (sum(map(processes.cpu, senders)), peer.cpu(), store())


def begin(one: Ground, name: str, size: int, limit: int | None) -> tuple[int, int, float]:
    """Open and freeze a campaign; gives run and mails, and the seconds to freeze them."""
    with one.stores.sessions.begin() as session:
        run = world.open_campaign(session, name, letter.write(size * 1000), limit)
    began = time.monotonic()
    with one.stores.sessions.begin() as session:
        count = world.freeze(session, run)
    return run, count, time.monotonic() - began


def drained(one: Ground, run: int, count: int) -> float:
    """Wait until all of a run that was just frozen is settled; gives the seconds."""
    began = time.monotonic()

    def done() -> bool:
        with one.stores.readers() as session:
            return world.settled(session, run) >= count

    processes.wait_until(done, f"sending {count:,} mails", PATIENCE)
    return time.monotonic() - began


def check(stores: Stores, run: int, count: int, came: int) -> None:
    """Compare ledger, history and sink; a benchmark of wrong results is none."""
    with stores.readers() as session:
        states, events = world.truth(session, run)
    assert states == {"sent": count}, f"the ledger says {states} of {count}"
    assert events == count, f"{events} events of {count}"
    assert came == count, f"the sink counted {came} of {count}"


def show(name: str, turn: Turn) -> None:
    print(
        f"{name:11} {turn.rate:8,.0f}/s  {turn.micros(turn.cpu):4.0f} µs CPU a mail,"
        f" sink {turn.micros(turn.sink):4.0f} µs, store {turn.micros(turn.store):3.0f} µs,"
        f" peak {turn.memory:.0f} MB, frozen in {turn.freeze:.1f} s",
        flush=True,
    )


def told(size: int, sources: list[Spent], turns: dict[str, list[Turn]]) -> Iterator[str]:
    """Give the budgets of one size: medians, each turn against its round's smtp-source."""
    ratios = {
        kind: statistics.median(t.rate * s.seconds / s.count for t, s in zip(found, sources, strict=True))
        for kind, found in turns.items()
    }
    rates = sorted(s.count / s.seconds for s in sources)
    yield f"beside: smtp-source {size} KB {rates[0]:,.0f} to {rates[-1]:,.0f}/s"
    for kind, found in turns.items():
        name = f"send_{kind}_{size}k"
        spread = sorted(turn.rate for turn in found)
        yield f"beside: {name} {spread[0]:,.0f} to {spread[-1]:,.0f}/s, frozen in {found[-1].freeze:.1f} s"
        if kind == "sqlite":
            yield budget(f"{name}_ratio", ratios[kind], "x smtp-source", RATIO, least=True)
        else:
            share = ratios[kind] / ratios["sqlite"]
            yield budget(f"{name}_share", share, "x SQLite", POSTGRES_SHARE, least=True)
        cpu = statistics.median(turn.micros(turn.cpu) for turn in found)
        most = CPU_US.get(size)
        if most is None or kind != "sqlite":
            yield f"beside: {name}_cpu {cpu:.0f} µs a mail"
        else:
            yield budget(f"{name}_cpu", cpu, "µs", most)
        yield budget(f"{name}_memory", max(turn.memory for turn in found), "MB", MEMORY_MB)


def budget(name: str, value: float, unit: str, target: float, *, least: bool = False) -> str:
    kept = value >= target if least else value <= target
    return f"budget {name} {value:.4g} {unit} target {target:g} {processes.verdict(kept=kept)}"


def aside(name: str, turn: Turn) -> str:
    show(name, turn)
    cost = f"{turn.micros(turn.cpu):.0f} µs CPU a mail, {turn.memory:.0f} MB"
    return f"beside: send_{name} {turn.rate:,.0f}/s, {cost}"


def constant(kind: str, one: Ground) -> Iterator[str]:
    """Compare the cost of a mail and the memory at 10,000 and at a million recipients."""
    few, many = to_sink(one, 10, FEW), to_sink(one, 10, None)
    show(f"{kind} 10 k", few)
    show(f"{kind} 1 M", many)
    growth = (many.cpu + many.store) / many.count / ((few.cpu + few.store) / few.count) - 1
    yield budget(f"send_{kind}_growth", abs(growth) * 100, "% (10 k to 1 M)", CONSTANT * 100)
    yield budget(f"send_{kind}_memory_10k", few.memory, "MB", MEMORY_MB)
    yield budget(f"send_{kind}_memory_1m", many.memory, "MB", MEMORY_MB)


if __name__ == "__main__":
    main()
