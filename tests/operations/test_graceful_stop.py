"""SIGTERM while mails are on the wire: what was sent counts as sent, nothing is lost, and the code is 0."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http import HTTPStatus
from http.client import HTTPConnection

import sqlalchemy as sa

from campaigns.metrics.counts import read_all
from campaigns.model.mail import messages
from campaigns.values import MessageState
from campaigns.wiring import migrate, open_stores
from tests.delivery.peers import Peer, Say
from tests.flows.test_sending import a_frozen_run
from tests.ports import free_port

PEOPLE = 60


PATIENCE = 120.0  #: seconds for whatever is waited for
COMMAND = "import sys; from campaigns.cli import main, running; sys.argv[1:] = ['{}']; running.{}; main()"
HASTY = COMMAND.format("sender", "SENDER_PATIENCE = 1.0")
#: For answers that do come, even if the machine stands still meanwhile.
PATIENT = COMMAND.format("sender", f"SENDER_PATIENCE = {PATIENCE}")
#: It kills no process that is slow to end: one that does not end by itself is seen.
WHOLE = COMMAND.format("run", f"end.__defaults__ = ({PATIENCE},)")


@contextlib.contextmanager
def process(command, log, **env):
    """One of our commands, or a program; killed at the end if it did not end."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
    ours = ["-c", command] if command.startswith("import ") else ["-m", "campaigns.cli", *command.split()]
    words = [sys.executable, *ours]
    with log.open("wb") as out, subprocess.Popen(words, env=given | env, stdout=out, stderr=out) as child:
        try:
            yield child
        finally:
            if child.poll() is None:
                child.kill()


def wait_for(fact, seconds=PATIENCE):
    until = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < until, "it did not come to that in time"
        time.sleep(0.02)


def states(stores, run):
    with stores.readers() as session:
        query = sa.select(messages.c.address, messages.c.state).where(messages.c.run_id == run)
        return dict(session.execute(query).all())


def env_of(tmp_path, database_url, peer):
    return {
        "POSTROOM_DATA": str(tmp_path / "data"),
        "POSTROOM_DATABASE_URL": database_url,
        "POSTROOM_SMTP_URL": f"smtp://127.0.0.1:{peer.port}",
        "POSTROOM_SECRET": "a secret for tests only, long enough",
    }


def test_a_sender_that_is_asked_to_end_loses_nothing_and_sends_nothing_twice(stores, database_url, tmp_path):
    run = a_frozen_run(stores, *[{"email": f"p{number}@people.example"} for number in range(PEOPLE)])

    asked, in_a_hurry = threading.Event(), threading.Event()

    def slow(stage, _seen):
        if stage == "body" and not in_a_hurry.is_set():
            if len(peer.taken) >= 10:
                asked.wait(PATIENCE)  # the sender, to end; seconds of work are left then
                return Say(b"250 2.0.0 Ok\r\n", delay=0.5)
            return Say(b"250 2.0.0 Ok\r\n", delay=0.01)
        return None

    with Peer(slow) as peer:
        env = env_of(tmp_path, database_url, peer)
        with process(PATIENT, tmp_path / "one.log", **env) as sender:
            wait_for(lambda: len(peer.taken) >= 10)
            sender.send_signal(signal.SIGTERM)
            asked.set()
            assert sender.wait(PATIENCE) == 0
        before = set(peer.recipients)
        found = states(stores, run)
        assert 0 < len(before) < PEOPLE, "it was meant to be interrupted"
        assert {address for address, state in found.items() if state == MessageState.SENT} == before
        assert set(found.values()) == {MessageState.SENT, MessageState.QUEUED}
        in_a_hurry.set()
        with process("sender", tmp_path / "two.log", **env) as sender:
            wait_for(lambda: set(states(stores, run).values()) == {MessageState.SENT})
            sender.send_signal(signal.SIGTERM)
            assert sender.wait(PATIENCE) == 0
        assert len(peer.recipients) == PEOPLE
        assert set(peer.recipients.values()) == {1}
    counted = read_all(tmp_path / "data" / "metrics")
    assert counted["postroom_deliveries_total", ("smtp", "sent")] == PEOPLE
    assert counted["postroom_send_duration_seconds_sum", ("smtp",)] > 0
    for log in ("one.log", "two.log"):
        for line in (tmp_path / log).read_text().splitlines():
            assert json.loads(line)["level"] in {"info", "warning"}, line


def test_a_server_that_never_answers_does_not_hold_up_the_end(tmp_path, sqlite_pattern):
    database_url = f"sqlite:///{tmp_path / 'store.db'}"
    migrate(database_url)
    stores = open_stores(database_url)
    run = a_frozen_run(stores, *[{"email": f"p{number}@people.example"} for number in range(8)])

    given, over = threading.Event(), threading.Event()

    def silent(stage, _seen):
        if stage == "body":
            given.set()
            over.wait(2 * PATIENCE)
            return Say(cut=True)
        return None

    with Peer(silent) as peer:
        with process(HASTY, tmp_path / "log", **env_of(tmp_path, database_url, peer)) as sender:
            # From DATA to the whole body nothing is in doubt yet: a sender asked to end there owns up to no mail.
            wait_for(given.is_set)
            sender.send_signal(signal.SIGTERM)
            assert sender.wait(PATIENCE) == 0, "no answer comes before `over`"
        over.set()
    found = states(stores, run)
    begun = sum(line.startswith("DATA") for line in peer.lines)
    assert set(found.values()) <= {MessageState.UNKNOWN, MessageState.QUEUED}
    assert 1 <= sum(state == MessageState.UNKNOWN for state in found.values()) <= max(begun, 4)
    stores.engine.dispose()


def test_each_process_ends_when_asked(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    migrate(f"sqlite:///{data / 'postroom.db'}")
    ports = {name: free_port() for name in ("web", "hits", "metrics")}
    env = {f"POSTROOM_{name.upper()}_PORT": str(port) for name, port in ports.items()}
    env["POSTROOM_DATA"] = str(data)
    with contextlib.ExitStack() as stack:
        children = {
            command: stack.enter_context(process(command, tmp_path / command, **env))
            for command in ("web", "hits", "metrics", f"catcher --port {free_port()}")
        }
        env["POSTROOM_METRICS_PORT"] = "0"
        children["worker"] = stack.enter_context(process("worker", tmp_path / "worker", **env))
        for port in ports.values():
            wait_for(lambda port=port: answers(port))
        wait_for((data / "caught" / "new").exists)
        counts = data / "metrics" / "worker-0.counts"
        wait_for(lambda: counts.exists() and counts.stat().st_size > 0)
        for child in children.values():
            child.send_signal(signal.SIGTERM)
        assert {command: child.wait(PATIENCE) for command, child in children.items()} == dict.fromkeys(
            children, 0
        )


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers(port):
    """Whether the process is up: some listen before they can answer, and are not to be asked to end in between."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def test_a_whole_installation_ends_when_asked_and_leaves_no_process(tmp_path):
    web, hits, metrics = free_port(), free_port(), free_port()
    with Peer() as peer:
        env = env_of(tmp_path, f"sqlite:///{tmp_path / 'store.db'}", peer) | {
            "POSTROOM_WEB_PORT": str(web),
            "POSTROOM_HITS_PORT": str(hits),
            "POSTROOM_METRICS_PORT": str(metrics),
        }
        with process(WHOLE, tmp_path / "log", **env) as parent:
            for port in (web, hits, metrics):
                wait_for(lambda port=port: answers(port))
            parent.send_signal(signal.SIGTERM)
            assert parent.wait(PATIENCE - 10) == 0, (tmp_path / "log").read_text()
    assert not any(listens(port) for port in (web, hits, metrics))
    log = (tmp_path / "log").read_text()
    assert "Traceback" not in log
    assert "a process ended" not in log
    assert all(json.loads(line)["door"] for line in log.splitlines())
