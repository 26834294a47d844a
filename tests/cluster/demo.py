"""A campaign through a cluster, every number checked: `make demo-cluster`, or `python -m tests.cluster.demo [MAILS]`.

Starts RabbitMQ and PostgreSQL, or uses those that POSTROOM_TEST_RABBIT and POSTROOM_TEST_POSTGRES name; then two
schedulers and two Celery workers with two sender processes each. In the middle a person pauses and resumes.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

from campaigns.model.events import events
from campaigns.model.mail import chunks, runs
from campaigns.records import campaigns
from campaigns.values import RunState
from tests.cluster.rabbit import MISSING, broker_url, installed
from tests.cluster.stage import Stage, wait_until
from tests.postgres import create_database, running_postgres

MAILS = 10_000


def main(mails: int) -> bool:
    """Play it; True: every number is right."""
    say("Starting RabbitMQ and PostgreSQL …")
    with broker_url() as broker, running_postgres() as server, tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder), create_database(server, "demo_cluster"), broker)
        try:
            stage.fill(mails)
            say(f"A campaign to {mails:,} contacts is due.")
            for _ in range(2):
                stage.postroom("worker")
            stage.celery_workers(2, processes=2)
            say("Two schedulers and two Celery workers with two sender processes each are started.")
            play(stage, mails)
            return check(stage, mails)
        finally:
            stage.close()


def play(stage: Stage, mails: int) -> None:
    """Let it go, pause and resume it, and wait for the end."""
    wait_until(lambda: stage.taken() > mails // 3, "a third of the mails", 60)
    began = time.monotonic()
    move(stage, RunState.RUNNING, RunState.PAUSED)
    rest = at_rest(stage)
    seconds = max(0.0, rest - began)
    say(f"Paused at {stage.taken():,} mails; the last one left {seconds:.1f} s after that. Resumed.")
    move(stage, RunState.PAUSED, RunState.RUNNING)
    began = time.monotonic()
    before = stage.taken()
    stage.wait_for_end(120)
    rate = (mails - before) / (time.monotonic() - began)
    say(f"The rest went at {rate:,.0f} mails a second, with all of it on these {os.cpu_count()} cores.")


def at_rest(stage: Stage) -> float:
    """Wait until nothing has left for a second; gives the moment of the last mail."""
    count, last = stage.taken(), time.monotonic()
    while time.monotonic() - last < 1.0:
        time.sleep(0.02)
        if stage.taken() != count:
            count, last = stage.taken(), time.monotonic()
    return last


def move(stage: Stage, expected: RunState, to: RunState) -> None:
    """Do what a person does with the run."""
    with stage.stores.sessions.begin() as session:
        run = campaigns.get_run(session, session.scalars(sa.select(runs.c.id)).one())
        campaigns.move_runs(session, run.campaign_id, to, expected=[expected])


def lanes(stage: Stage) -> dict[str, int]:
    """How many chunks each lane has."""
    with stage.stores.readers() as session:
        query = sa.select(chunks.c.lane, sa.func.count()).group_by(chunks.c.lane).order_by(chunks.c.lane)
        return dict(session.execute(query).all())


def check(stage: Stage, mails: int) -> bool:
    """Compare ledger, run, history, queue and what arrived; says each."""
    account = stage.account()
    with stage.stores.readers() as session:
        run = session.execute(sa.select(runs)).one()
        history = session.scalar(sa.select(sa.func.count()).where(events.c.kind == "sent"))
        left = session.scalar(sa.select(sa.func.count()).where(chunks.c.state != "done"))
    numbers = {
        "mails in the ledger": (account.mails, mails),
        "contacts who got theirs": (account.arrived, mails),
        "copies too many": (account.doubles, 0),
        "left out": (account.lost + account.false, 0),
        "in doubt": (account.in_doubt, 0),
        "sent, by the run": (run.sent, mails),
        "sent, by the history": (history, mails),
        "chunks left": (left, 0),
    }
    say("Chunks by lane: " + ", ".join(f"{lane} {count}" for lane, count in lanes(stage).items()))
    for name, (is_, should) in numbers.items():
        say(f"  {name:<26}{is_:>8,}   {'ok' if is_ == should else f'should be {should:,}'}")
    return all(is_ == should for is_, should in numbers.values())


def say(text: str) -> None:
    """Tell what happens."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if not installed() and "POSTROOM_TEST_RABBIT" not in os.environ:
        sys.exit(f"{MISSING}, and POSTROOM_TEST_RABBIT names none")
    sys.exit(0 if main(int(sys.argv[1]) if len(sys.argv) > 1 else MAILS) else 1)
