"""One installation to be broken: a store, a rude mail server, processes of `postroom`, and an account at the end."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from campaigns.clock import utc_now
from campaigns.flows import audience, schedule
from campaigns.flows.recovery import recover
from campaigns.model.consent import consents
from campaigns.model.customers import contacts, customers
from campaigns.model.dialect import insert_many
from campaigns.model.mail import chunks, messages, runs
from campaigns.records import audience as frozen
from campaigns.records import segments
from campaigns.records.suppressions import address_hash
from campaigns.values import RunState
from campaigns.wiring import open_stores
from tests.crash.peer import LINE, Manners
from tests.factories import SECRET, a_campaign, a_topic

Process = subprocess.Popen[bytes]

CONNECTIONS = 4  #: of one sender; each has at most one mail on the wire that is not answered
EVERYBODY = {"version": 1, "rule": {"field": "contact.email", "is": "set"}}
OVER = (RunState.FINISHED, RunState.DOUBTS)
REFUSED = ("dead", "spam")  #: what the peer never takes
ADDRESS = re.compile(r"(fine|dead|spam|busy|late)(\d{7})@example\.com")
PATIENCE = 240.0  #: seconds for whatever is waited for
AHEAD = (
    50  #: mails that the server takes beyond those that are waited for, so that no play ends before its blows
)


@dataclass(frozen=True)
class Account:
    """What became of a run, by the ledger and by the mail server."""

    mails: int  #: that were to be sent
    doubles: int  #: copies beyond the first
    lost: int  #: without an end that the server's words explain
    false: int  #: called sent and never taken, or taken and called neither sent nor in doubt
    in_doubt: int

    def sound(self, most_in_doubt: int) -> bool:
        """Nobody twice, nobody left out, in doubt only what may be."""
        return not (self.doubles or self.lost or self.false) and self.in_doubt <= most_in_doubt


class Stage:
    """Processes around one store; `close` ends them all."""

    def __init__(
        self, folder: Path, database_url: str, manners: Manners, *, data: Path | None = None
    ) -> None:
        self.folder, self.url = folder, database_url
        self.data = data or folder / "data"
        self.stores = open_stores(database_url)
        self.log = folder / "log"
        self._took = folder / "taken"
        self._processes: list[Process] = []
        self._looked_after = 0.0
        (folder / "cuts").touch()
        self._took.touch()
        self.allow(AHEAD)
        listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._server = listener.getsockname()
        self._env = {
            **os.environ,
            "POSTROOM_DATA": str(self.data),
            "POSTROOM_DATABASE_URL": database_url,
            "POSTROOM_SMTP_URL": f"smtp://127.0.0.1:{listener.getsockname()[1]}",
            "POSTROOM_LANE_CAPS": "off",
            "POSTROOM_SMTP_CONNECTIONS": str(CONNECTIONS),
            "POSTROOM_SECRET": SECRET.decode(),
            "POSTROOM_METRICS_PORT": "0",
            "POSTROOM_LOG": "text",
        }
        number = listener.fileno()
        words = ["-m", "tests.crash.peer", str(number), str(folder), json.dumps(asdict(manners))]
        self._start(words, pass_fds=(number,))
        listener.close()

    @property
    def journals(self) -> Path:
        return self.data / "journal"

    # ---- processes

    def postroom(self, *words: str, **env: str) -> Process:
        """Start one of our commands."""
        return self._start(["-m", "campaigns.cli", *words], env)

    def sender(self) -> Process:
        return self.postroom("sender")

    def python(self, *words: str) -> Process:
        """Start a module of the tests' own."""
        return self._start(["-m", *words])

    def _start(self, words: list[str], env: dict[str, str] | None = None, **more) -> Process:
        with self.log.open("ab") as log:
            made = subprocess.Popen(
                [sys.executable, *words],
                env={**self._env, **(env or {})},
                start_new_session=True,
                stdout=log,
                stderr=log,
                **more,
            )
        self._processes.append(made)
        return made

    def close(self) -> None:
        for process in self._processes:
            kill_tree(process)
        self.stores.engine.dispose()

    # ---- the campaign

    def fill(self, mails: int) -> int:
        """Put in contacts who said yes, some with a refusal in their name; schedule a campaign to them."""
        now = utc_now()
        people = range(1, mails + 1)
        with self.stores.sessions.begin() as session:
            topic = a_topic(session)
            made = [(n, f"Customer {n}", now, now) for n in people]
            insert_many(session, customers, ("id", "name", "created_at", "updated_at"), made)
            columns = ("id", "customer_id", "email", "email_hash", "given_name", "created_at", "updated_at")
            rows = [(n, n, address(n), address_hash(SECRET, address(n)), "Ada", now, now) for n in people]
            insert_many(session, contacts, columns, rows)
            said = [(n, topic, "granted", now, "form", now) for n in people]
            said_columns = ("contact_id", "topic_id", "state", "at", "source", "recorded_at")
            insert_many(session, consents, said_columns, said)
            segments.save(session, "all", "All", EVERYBODY, author="test", now=now)
            campaign = a_campaign(session, topic=topic, segment_id=segments.find(session, "all"))
            schedule.schedule(session, campaign, actor="test", now=now)
        return campaign

    def freeze(self, *, chunk: int) -> None:
        """Open the campaign's run and freeze its audience, in chunks of a size of our own."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(frozen, "CHUNK", chunk)
            with self.stores.sessions.begin() as session:
                schedule.open_runs(session, utc_now())
                audience.freeze_open_runs(session, utc_now())

    def hurry(self) -> None:
        """Let all that waits be due now."""
        with self.stores.sessions.begin() as session:
            session.execute(
                sa.update(messages).where(messages.c.not_before.is_not(None)).values(not_before=None)
            )
            session.execute(sa.update(chunks).where(chunks.c.state == "ready").values(not_before=None))

    def look_after(self) -> None:
        """Do what the worker does from time to time: settle lost senders' chunks, finish runs."""
        if time.monotonic() - self._looked_after < 0.2:
            return
        self._looked_after = time.monotonic()
        self.hurry()
        recover(self.stores.sessions, self.journals, SECRET, utc_now)
        with self.stores.sessions.begin() as session:
            schedule.finish_runs(session, utc_now())

    def wait_for_end(self, seconds: float = PATIENCE) -> None:
        """Wait until the run is over, and do meanwhile what the worker does."""
        self.allow(None)

        def over() -> bool:
            self.look_after()
            return self.is_over()

        wait_until(over, f"the run {self.states()}", seconds)

    def is_over(self) -> bool:
        with self.stores.readers() as session:
            return session.scalar(sa.select(runs.c.state)) in OVER

    def states(self) -> Counter[str]:
        with self.stores.readers() as session:
            query = sa.select(messages.c.state, sa.func.count()).group_by(messages.c.state)
            return Counter(dict(session.execute(query).all()))

    def lease_runs_out(self, pid: int) -> None:
        """Let the lease of all that one process holds end, by the database's clock."""
        with self.stores.sessions.begin() as session:
            session.execute(
                sa.update(chunks)
                .where(chunks.c.state == "claimed", chunks.c.owner.like(f"%-{pid}-%"))
                .values(lease_until=utc_now() - timedelta(days=1))
            )

    def can_write(self) -> bool:
        """Whether nobody holds a lock on what senders write."""
        if self.stores.engine.dialect.name == "sqlite":
            return self._can_write_sqlite()
        try:
            with self.stores.sessions.begin() as session:
                for table in (chunks, runs):
                    session.execute(sa.select(table).with_for_update(nowait=True))
        except OperationalError:
            return False
        return True

    def _can_write_sqlite(self) -> bool:
        store = sqlite3.connect(self.stores.engine.url.database, timeout=0.1)
        try:
            store.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        finally:
            store.close()
        return True

    # ---- what the mail server knows

    def taken(self) -> int:
        """How many mails the server has taken."""
        return self._took.stat().st_size // LINE

    def cuts(self) -> int:
        """How many connections it has cut in the middle of a mail."""
        return (self.folder / "cuts").stat().st_size // LINE

    def wait_for(self, taken: int) -> bool:
        """Wait until the server has taken so many; False: all there is has gone out before."""
        self.allow(taken + AHEAD)
        wait_until(lambda: self.taken() >= taken or self.is_over(), f"mail {taken}")
        return not self.is_over()

    def allow(self, mails: int | None) -> None:
        """How many mails the server takes until it is allowed more; None: all that come."""
        asked, new = self.folder / "allowed", self.folder / "allowed.new"
        if mails is None:
            asked.unlink(missing_ok=True)
        else:
            new.write_text(str(mails))
            new.replace(asked)

    def wait_for_the_server(self) -> None:
        """Wait until it has read all that was on its way, from senders that live no more too."""
        with socket.create_connection(self._server, PATIENCE) as asking, asking.makefile("rb") as said:
            for _ in range(3):  # it serves all connections by turns
                said.readline()
                asking.sendall(b"NOOP\r\n")

    def account(self) -> Account:
        """Compare the ledger with what the server took."""
        self.wait_for_the_server()
        arrived = Counter(self._took.read_text().splitlines())
        with self.stores.readers() as session:
            ledger = dict(session.execute(sa.select(messages.c.address, messages.c.state)).all())
            everybody = session.scalars(sa.select(contacts.c.email)).all()
            counted = session.execute(sa.select(runs)).one()
        by_state = Counter(ledger.values())
        assert {state: getattr(counted, state) for state in ("sent", "failed", "unknown", "skipped")} == {
            state: by_state[state] for state in ("sent", "failed", "unknown", "skipped")
        }
        explained = [who for who in everybody if ledger.get(who) in explains(who)]
        sent = {who for who, state in ledger.items() if state == "sent"}
        doubted = {who for who, state in ledger.items() if state == "unknown"}
        return Account(
            mails=len(everybody),
            doubles=sum(arrived.values()) - len(arrived),
            lost=len(everybody) - len(explained),
            false=len(sent - arrived.keys()) + len(arrived.keys() - sent - doubted),
            in_doubt=len(doubted),
        )


def explains(who: str) -> set[str]:
    """The ends that a recipient's mail may have."""
    return {"failed", "unknown"} if who.startswith(REFUSED) else {"sent", "unknown"}


def address(number: int) -> str:
    """A contact's address; one in fifty has each kind of refusal."""
    kinds = {7: "dead", 17: "spam", 27: "busy", 37: "late"}
    return f"{kinds.get(number % 50, 'fine')}{number:07}@example.com"


@contextmanager
def staged(folder: Path, database_url: str, manners: Manners, **more) -> Iterator[Stage]:
    """A stage for one scenario."""
    stage = Stage(folder, database_url, manners, **more)
    try:
        yield stage
    except BaseException:
        sys.stderr.write(stage.log.read_text()[-5000:])
        raise
    finally:
        stage.close()


def wait_until(true: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Wait for something; an AssertionError names it when it does not come."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"{what} took more than {seconds:.0f} s"
        time.sleep(0.02)


def kill(process: Process) -> None:
    """Kill a process as `kill -9` does."""
    process.kill()
    process.wait()


def kill_tree(process: Process) -> int:
    """Kill a process and all that it has started, whatever their sessions; gives how many."""
    tree = [process.pid]
    for pid in tree:
        with suppress(OSError):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                tree += [int(child) for child in (thread / "children").read_text().split()]
    for pid in tree:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    return len(tree)
