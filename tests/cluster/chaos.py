"""The cluster's chaos, long form: `make chaos-cluster`, or `python -m tests.cluster.chaos [MAILS] [KILLS]`.

Senders, schedulers and the broker are killed at random while a campaign runs, and every chunk is published three
times. Prints one table, and exits with 1 if anybody got two copies or was left out.
"""

import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from campaigns.cluster.publisher import Publisher
from campaigns.errors import ExecutorAway
from campaigns.model.mail import chunks
from tests.cluster.rabbit import MISSING, Rabbit, installed, running_rabbit
from tests.cluster.stage import CONNECTIONS, OVER, Account, Process, Stage, kill, wait_until
from tests.postgres import create_database, running_postgres

MAILS, KILLS, SEED = 100_000, 50, 7
DELAY = 0.001  #: seconds the sink takes for a mail, so that there is always something to interrupt
PATIENCE = 300.0  #: seconds to finish after the last kill


class Chaos:
    """What is running, and what may be killed of it."""

    def __init__(self, stage: Stage, rabbit: Rabbit) -> None:
        self._stage, self._rabbit = stage, rabbit
        self._draw = random.Random(SEED)
        self._workers = stage.celery_workers(2, processes=2)
        self._schedulers = [stage.postroom("worker") for _ in range(2)]
        self.kills: Counter[str] = Counter()
        self.most_in_doubt = 0

    def strike(self) -> None:
        """Kill something."""
        blow = self._draw.choices(
            (self._sender, self._machine, self._scheduler, self._broker), weights=(5, 3, 1, 1)
        )[0]
        self.kills[blow()] += 1

    def _sender(self) -> str:
        """One sender process; its worker replaces it."""
        victims = [path.name.split("-")[-2] for path in (self._stage.folder / "data" / "journal").glob("*")]
        if victims:
            with suppress(ProcessLookupError):
                os.kill(int(self._draw.choice(victims)), signal.SIGKILL)
        self.most_in_doubt += CONNECTIONS
        return "a sender process"

    def _machine(self) -> str:
        """A whole worker with all its processes."""
        self._again(self._workers, "celery-worker", "--processes", "2")
        self.most_in_doubt += 2 * CONNECTIONS
        return "a whole Celery worker"

    def _scheduler(self) -> str:
        self._again(self._schedulers, "worker")
        return "a scheduler"

    def _broker(self) -> str:
        self._rabbit.kill()
        time.sleep(self._draw.uniform(0.0, 2.0))
        self._rabbit.start()
        return "the broker"

    def _again(self, processes: list[Process], *words: str) -> None:
        at = self._draw.randrange(len(processes))
        kill(processes[at])
        processes[at] = self._stage.postroom(*words)


def publish_thrice(stage: Stage, url: str) -> int:
    """Publish every chunk of the run three times, in no order; gives how many messages that is."""
    with stage.stores.readers() as session:
        every = session.execute(sa.select(chunks.c.run_id, chunks.c.number, chunks.c.lane)).all() * 3
    random.Random(SEED).shuffle(every)
    publisher = Publisher(url)
    for run, number, lane in every:
        with suppress(ExecutorAway):
            publisher.submit(run, number, lane)
    publisher.close()
    return len(every)


def main(mails: int, kills: int) -> bool:
    """Play it, print the table; True: nobody twice, nobody left out."""
    with running_rabbit() as rabbit, running_postgres() as server, tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder), create_database(server, "chaos"), rabbit.url)
        try:
            stage.slow_down(DELAY)
            stage.fill(mails)
            began = time.monotonic()
            chaos = Chaos(stage, rabbit)
            wait_until(lambda: stage.states()["queued"], "the freeze", 60)
            published = publish_thrice(stage, rabbit.url)
            for number in range(1, kills + 1):
                wait_until(
                    lambda n=number: stage.taken() >= mails * 0.9 * n / kills or over(stage), "mail", 120
                )
                if over(stage):
                    break
                chaos.strike()
            stage.wait_for_end(PATIENCE)
            account = stage.account()
            show(chaos, account, published, time.monotonic() - began)
            return account.sound() and account.in_doubt <= chaos.most_in_doubt
        finally:
            stage.close()


def over(stage: Stage) -> bool:
    """Whether there is nothing left to interrupt."""
    return stage.run_state() in OVER


def show(chaos: Chaos, account: Account, published: int, seconds: float) -> None:
    """Print what was done and what came of it."""
    table = Table(title="A cluster under attack")
    for column in (
        "kills",
        "mails",
        "doubles",
        "lost",
        "in doubt",
        "at most",
        "messages published",
        "seconds",
    ):
        table.add_column(column, justify="right")
    lost = account.lost + account.false
    counts = (sum(chaos.kills.values()), account.mails, account.doubles, lost)
    doubts = (account.in_doubt, chaos.most_in_doubt)
    table.add_row(*(f"{n:,}" for n in (*counts, *doubts, published)), f"{seconds:.0f}")
    console = Console(width=110)
    console.print(table)
    console.print("Killed: " + ", ".join(f"{n} × {what}" for what, n in chaos.kills.most_common()) + ".")


if __name__ == "__main__":
    if not installed():
        sys.exit(MISSING)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and end all that was started
    given = [int(word) for word in sys.argv[1:]]
    sys.exit(0 if main(*(given + [MAILS, KILLS][len(given) :])) else 1)
