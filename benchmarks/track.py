"""Opens and clicks over HTTP: durable before they are answered, a plain Flask route beside.

    python benchmarks/track.py [--quick] [--postgres] [--seconds N] [--rounds N] [--connections N]
        [--servers]

The real `postroom hits`, the genuine addresses of a frozen run, three opens to a click, on kept connections.
The load comes from the same machine. Each round serves each way in turn; the medians count.
"""

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
from stage import letter, load, processes, world
from stage.load import Told
from stage.servers import SERVERS

from campaigns.model.events import hits
from campaigns.tracking.tokens import Keyring, Purpose
from campaigns.wiring import Stores, open_stores

STAGE = Path(__file__).parent / "stage"
P99_MS = 40
PEOPLE = 5_000
WARM_UP = 1.0  #: seconds
REST = 0.3  #: seconds until what the warm-up left unread is stored


class Way(NamedTuple):
    """One way to take hits."""

    name: str
    sync: str
    least: float | None = None  #: answers a second; None: no target
    plain: bool = False  #: a Flask route that commits each hit
    server: str = ""  #: of stage/servers.py; empty: `postroom hits` as it is


SQLITE = (
    Way("full", "full", 7_000),
    Way("normal", "normal", 15_000),
    Way("plain_full", "full", plain=True),
)
POSTGRES = (Way("postgres", "full", 5_500), Way("plain_postgres", "full", plain=True))


class Turn(NamedTuple):
    """What one turn of one way gave."""

    told: Told
    stored: int  #: hits in the store
    cpu: float  #: of the server, microseconds an answer

    def lost(self) -> int:
        """How many answers were given for hits that are not in the store."""
        return max(0, self.told.answers - self.told.wrong - self.stored)


def main() -> None:
    arguments = parse()
    print(f"load from {load.name()}, {arguments.connections} connections, {os.cpu_count()} cores for all")
    with tempfile.TemporaryDirectory(prefix="postroom-bench-") as name:
        folder = Path(name)
        with world.place(folder, postgres=arguments.postgres) as url:
            world.fill(url, PEOPLE)
            stores = open_stores(url)
            paths = genuine(stores)
            ways = POSTGRES if arguments.postgres else SQLITE
            if arguments.servers:
                ways += tuple(others())
            turns: dict[str, list[Turn]] = {way.name: [] for way in ways}
            for _ in range(arguments.rounds):
                for way in ways:
                    turns[way.name].append(turn(way, url, stores, paths, arguments, folder))
                    show(way, turns[way.name][-1])
            stores.engine.dispose()
    print()
    print("\n".join(line for way in ways for line in budgets(way, turns[way.name], arguments.connections)))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="one round of 4 seconds a way")
    parser.add_argument("--postgres", action="store_true", help="start a PostgreSQL of our own")
    parser.add_argument("--seconds", type=int, help="of load a turn")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--servers", action="store_true", help="other web servers with the same front too")
    arguments = parser.parse_args()
    arguments.seconds = arguments.seconds or (4 if arguments.quick else 8)
    arguments.rounds = arguments.rounds or (1 if arguments.quick else 3)
    return arguments


def others() -> Iterator[Way]:
    """Give other web servers, as far as they are installed, each syncing hits fully and less."""
    for name, (module, _threads) in SERVERS.items():
        if find_spec(module) is None:
            print(f"{name} is left out: pip install {module}")
            continue
        yield from (Way(f"{name}_{sync}", sync, server=name) for sync in ("full", "normal"))


def genuine(stores: Stores) -> list[str]:
    """Freeze a run and write the addresses that its mails would carry: three opens to a click."""
    with stores.sessions.begin() as session:
        run = world.open_campaign(session, "letter", letter.write(10_000))
        world.freeze(session, run)
        people = world.addressed(session, run)
    keyring = Keyring(world.SECRET.encode())
    draw = random.Random(3)
    paths = []
    for _ in range(load.SERVED):
        seq, contact = draw.choice(people)
        if draw.random() < 0.75:
            paths.append(f"/o/{keyring.sign(Purpose.OPEN, run, seq, contact)}")
        else:
            number = draw.randint(1, len(letter.LINKS))
            paths.append(f"/c/{keyring.sign(Purpose.CLICK, run, seq, contact)}/{number}")
    return paths


def turn(
    way: Way, url: str, stores: Stores, paths: list[str], arguments: argparse.Namespace, folder: Path
) -> Turn:
    """Serve one way, load it, and count what it stored."""
    port = processes.free_port()
    env = {
        "POSTROOM_DATA": str(folder / "data"),
        "POSTROOM_DATABASE_URL": url,
        "POSTROOM_SECRET": world.SECRET,
        "POSTROOM_HITS_PORT": str(port),
        "POSTROOM_HITS_SYNC": way.sync,
    }
    with served(way, env, folder / "log") as process:
        processes.wait_until(lambda: processes.listening(port), "the server's start")
        load.load(port, paths, seconds=WARM_UP, connections=arguments.connections, folder=folder)
        time.sleep(REST)
        before, spent = count(stores), processes.cpu(process)
        told = load.load(
            port, paths, seconds=arguments.seconds, connections=arguments.connections, folder=folder
        )
        spent = processes.cpu(process) - spent
    return Turn(told, count(stores) - before, spent / max(1, told.answers) * 1e6)


@contextmanager
def served(way: Way, env: Mapping[str, str], log: Path) -> Iterator[processes.Process]:
    if not (way.plain or way.server):
        with processes.postroom("hits", env, log) as process:
            yield process
        return
    script = [str(STAGE / "plain.py")]
    if way.server:
        script = [str(STAGE / "servers.py"), way.server, env["POSTROOM_HITS_PORT"]]
    path = os.pathsep.join([str(STAGE.parent), str(processes.ROOT), os.environ.get("PYTHONPATH", "")])
    with processes.running([sys.executable, *script], {**env, "PYTHONPATH": path}, log) as process:
        yield process


def count(stores: Stores) -> int:
    with stores.readers() as session:
        return int(session.execute(sa.select(sa.func.count()).select_from(hits)).scalar_one())


def show(way: Way, one: Turn) -> None:
    told = one.told
    print(
        f"{way.name:26} {told.rate:8,.0f} hits/s  p50 {told.p50:6.1f} ms  p99 {told.p99:6.1f} ms"
        f"  most {told.most:6.0f} ms  {one.cpu:4.0f} µs CPU of the server a hit"
        f"  answered {told.answers:,}, wrongly {told.wrong}, stored {one.stored:,}",
        flush=True,
    )


def budgets(way: Way, turns: list[Turn], connections: int) -> Iterator[str]:
    rate = statistics.median(one.told.rate for one in turns)
    p99 = statistics.median(one.told.p99 for one in turns)
    if way.least is None:
        yield f"beside: {way.name} {rate:,.0f} hits/s, p99 {p99:.1f} ms"
        return
    lost = sum(one.lost() for one in turns)
    wrong = sum(one.told.wrong for one in turns)
    # what was on its way when the load ended is stored and was never read
    more = max(one.stored - one.told.answers for one in turns)
    yield f"budget hits_{way.name} {rate:.0f} hits/s target {way.least:.0f} {_word(rate >= way.least)}"
    yield f"budget hits_{way.name}_p99 {p99:.1f} ms target {P99_MS} {_word(p99 <= P99_MS)}"
    yield f"budget hits_{way.name}_lost {lost + wrong} hits target 0 {_word(not lost + wrong)}"
    yield f"budget hits_{way.name}_beyond {more} hits target {connections} {_word(more <= connections)}"


def _word(kept: bool) -> str:  # noqa: FBT001
    return processes.verdict(kept=kept)


if __name__ == "__main__":
    main()
