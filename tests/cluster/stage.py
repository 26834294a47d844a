"""An installation on many processes: a store with contacts in several lanes, a sink, and what `postroom` starts."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.flows import schedule
from campaigns.model.consent import consents
from campaigns.model.customers import contacts, customers
from campaigns.model.dialect import insert_many
from campaigns.model.mail import messages, runs
from campaigns.records import segments
from campaigns.records.suppressions import address_hash
from campaigns.values import RunState
from campaigns.wiring import migrate, open_stores
from tests.factories import SECRET, a_campaign, a_topic
from tests.ports import free_port

PATIENCE = 180.0  #: seconds for whatever is waited for
DOMAINS = ("gmail.com", "outlook.com", "gmx.de", "yahoo.co.jp", "example.com", "example.org")
CONNECTIONS = 8  #: of each sender process; as many mails may be on its wire
EVERYBODY = {"version": 1, "rule": {"field": "contact.email", "is": "set"}}
OVER = (RunState.FINISHED, RunState.DOUBTS)

Process = subprocess.Popen[bytes]


@dataclass(frozen=True)
class Account:
    """What became of a run, by the ledger and by the sink."""

    mails: int  #: in the ledger
    arrived: int
    doubles: int  #: copies beyond the first
    lost: int  #: neither arrived nor listed: the worst that can be
    in_doubt: int
    false: int  #: called sent, and never arrived

    def sound(self) -> bool:
        """Nobody twice, nobody left out."""
        return not (self.doubles or self.lost or self.false)


class Stage:
    """Processes around one store and one broker; `close` ends them all."""

    def __init__(self, folder: Path, database_url: str, broker_url: str) -> None:
        self.folder = folder
        self.url = database_url
        migrate(database_url)
        self.stores = open_stores(database_url)
        self._port, self._took = free_port(), folder / "took"
        self._took.touch()
        self._processes: list[Process] = []
        self._env = {
            **os.environ,
            "POSTROOM_DATA": str(folder / "data"),
            "POSTROOM_DATABASE_URL": database_url,
            "POSTROOM_BROKER_URL": broker_url,
            "POSTROOM_SMTP_URL": self.smtp_url,
            "POSTROOM_LANE_CAPS": "off",
            "POSTROOM_SECRET": SECRET.decode(),
            "POSTROOM_SMTP_CONNECTIONS": str(CONNECTIONS),
            "POSTROOM_METRICS_PORT": "0",
            "POSTROOM_LOG": "json",
        }
        self._sink = self._open_sink(0.0)

    @property
    def smtp_url(self) -> str:
        """Where the sink is."""
        return f"smtp://127.0.0.1:{self._port}"

    def slow_down(self, delay: float) -> None:
        """Let the sink answer each mail so many seconds later; before anything is sent."""
        end(self._sink)
        self._sink = self._open_sink(delay)

    def _open_sink(self, delay: float) -> Process:
        sink = self._start(
            [sys.executable, "-m", "tests.cluster.sink", str(self._port), str(self._took), str(delay)]
        )
        wait_until(self._listening, "the sink")
        return sink

    def postroom(self, *words: str, **env: str) -> Process:
        """Start one of our commands."""
        return self._start([sys.executable, "-m", "campaigns.cli", *words], **env)

    def celery_workers(self, count: int, *, processes: int = 1, **env: str) -> list[Process]:
        """Start Celery workers, each as if on a machine of its own."""
        return [self.postroom("celery-worker", "--processes", str(processes), **env) for _ in range(count)]

    def _start(self, words: Sequence[str], **env: str) -> Process:
        with (self.folder / "log").open("ab") as log:
            made = subprocess.Popen(
                words, env={**self._env, **env}, start_new_session=True, stdout=log, stderr=log
            )
        self._processes.append(made)
        return made

    def fill(self, count: int) -> None:
        """Put in contacts of several lanes who said yes, and schedule a campaign to all of them."""
        now = utc_now()
        with self.stores.sessions.begin() as session:
            topic = a_topic(session)
            people = [(n, f"Customer {n}", now, now) for n in range(1, count + 1)]
            insert_many(session, customers, ("id", "name", "created_at", "updated_at"), people)
            columns = ("id", "customer_id", "email", "email_hash", "given_name", "created_at", "updated_at")
            addresses = [(n, f"person{n}@{DOMAINS[n % len(DOMAINS)]}") for n in range(1, count + 1)]
            rows = [(n, n, one, address_hash(SECRET, one), "Ada", now, now) for n, one in addresses]
            insert_many(session, contacts, columns, rows)
            said = [(n, topic, "granted", now, "form", now) for n in range(1, count + 1)]
            said_columns = ("contact_id", "topic_id", "state", "at", "source", "recorded_at")
            insert_many(session, consents, said_columns, said)
            segments.save(session, "all", "All", EVERYBODY, author="test", now=now)
            campaign = a_campaign(session, topic=topic, segment_id=segments.find(session, "all"))
            schedule.schedule(session, campaign, actor="test", now=now)

    def run_state(self) -> RunState | None:
        """How far the campaign's run is; None: not opened yet."""
        with self.stores.readers() as session:
            found = session.scalar(sa.select(runs.c.state))
            return None if found is None else RunState(found)

    def states(self) -> Counter[str]:
        """How many messages are in each state."""
        with self.stores.readers() as session:
            query = sa.select(messages.c.state, sa.func.count()).group_by(messages.c.state)
            return Counter(dict(session.execute(query).all()))

    def taken(self) -> int:
        """How many mails the sink has taken."""
        return self._took.read_bytes().count(b"\n")

    def seconds(self) -> float:
        """How long ago the sink took the first mail."""
        return utc_now().timestamp() - self._took.with_name("took.first").stat().st_mtime

    def wait_for_end(self, seconds: float = PATIENCE) -> None:
        """Wait until the run is over."""
        wait_until(lambda: self.run_state() in OVER, f"the run ({self.states()})", seconds)

    def account(self) -> Account:
        """Compare the ledger with what arrived."""
        arrived = Counter(self._took.read_text().splitlines())
        with self.stores.readers() as session:
            rows = session.execute(sa.select(messages.c.address, messages.c.state)).all()
        in_doubt = {address for address, state in rows if state == "unknown"}
        sent = {address for address, state in rows if state == "sent"}
        return Account(
            mails=len(rows),
            arrived=len(arrived),
            doubles=sum(arrived.values()) - len(arrived),
            lost=len({address for address, _ in rows} - arrived.keys() - in_doubt - sent),
            in_doubt=len(in_doubt),
            false=len(sent - arrived.keys()),
        )

    def close(self) -> None:
        """End everything, the first started last."""
        for process in self._processes:
            if process is not self._sink:
                process.terminate()
        for process in reversed(self._processes):
            end(process)
        self.stores.engine.dispose()

    def _listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


def end(process: Process, within: float = 60.0) -> None:
    """Ask a process to end, then insist; with its whole session."""
    if process.poll() is None:
        process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(within)
    kill(process)


def kill(process: Process) -> None:
    """Kill a process and all of its session at once."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(true: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Wait for something; an AssertionError names it when it does not come."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"{what} took more than {seconds:.0f} s"
        time.sleep(0.05)
