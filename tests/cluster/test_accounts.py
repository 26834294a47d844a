"""Several accounts: which processes serve which, on one machine and behind a broker."""

import socket

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from campaigns.cli.accounts import accounts, chosen_account
from campaigns.cli.cluster import celery_worker
from campaigns.cli.running import processes, sender
from campaigns.clock import utc_now
from campaigns.cluster.application import queue_name, queues
from campaigns.config import from_environment
from campaigns.delivery.lanes import ALL_LANES
from campaigns.errors import BackendError, BadSettings, NotAllowed
from campaigns.model.mail import chunks
from campaigns.records import accounts as standings
from campaigns.values import AccountState
from campaigns.wiring import migrate, routing_of
from tests.cluster.stage import kill, wait_until
from tests.delivery.peers import Peer

BROKER = {
    "POSTROOM_BROKER_URL": "amqp://postroom:hunter2@mq.example.com//",
    "POSTROOM_DATABASE_URL": "postgresql://db.example.com/postroom",
}
FILE = """
[accounts.main]
kind = "smtp"
url = "$MAIN_URL"
senders = 2
[accounts.spare]
kind = "smtp"
url = "$SPARE_URL"
[[routes]]
accounts = { main = 1, spare = 1 }
failover = []
"""


@pytest.fixture
def settings(monkeypatch, tmp_path):
    file = tmp_path / "accounts.toml"
    file.write_text(FILE)

    def read(**given):
        env = {
            "POSTROOM_DATA": str(tmp_path),
            "POSTROOM_ACCOUNTS": str(file),
            "MAIN_URL": "smtp://127.0.0.1:1",
            "SPARE_URL": "smtp://127.0.0.1:1",
            **given,
        }
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        return from_environment()

    return read


def test_the_whole_installation_starts_senders_for_each_account(settings):
    own = processes(settings(POSTROOM_SENDERS="3"))
    assert own.count(["sender", "--account", "main"]) == 2
    assert own.count(["sender", "--account", "spare"]) == 3
    assert ["catcher"] not in own


def test_a_cluster_starts_a_worker_for_each_account(settings):
    own = processes(settings(**BROKER))
    assert own.count(["celery-worker", "--account", "main"]) == 1
    assert own.count(["celery-worker", "--account", "spare"]) == 1


@pytest.mark.parametrize(("command", "env"), [(sender, {}), (celery_worker, BROKER)])
def test_where_there_are_several_one_must_be_named(settings, command, env):
    settings(**env)
    with pytest.raises(NotAllowed, match=r"--account NAME.*main, spare"):
        CliRunner().invoke(command, catch_exceptions=False)
    with pytest.raises(NotAllowed, match=r"no account 'mian'; there are main, spare"):
        CliRunner().invoke(command, ["--account", "mian"], catch_exceptions=False)


def test_where_there_is_one_nobody_need_name_it(monkeypatch, tmp_path):
    read = from_environment({"POSTROOM_DATA": str(tmp_path)})
    assert chosen_account(routing_of(read), None, "sender").name == "main"


def test_a_rate_beside_the_file_is_refused(settings):
    with pytest.raises(BadSettings, match=r"POSTROOM_RATE.*would limit nothing"):
        settings(POSTROOM_RATE="50")


def test_each_account_has_queues_of_its_own_and_the_one_of_old_keeps_its(settings):
    assert queue_name("google") == queue_name("google", "main") == "send.google"
    assert queue_name("yahoo japan", "spare") == "send.spare.yahoo-japan"
    assert len({one.name for one in queues(["main", "spare"])}) == 2 * len(ALL_LANES)


def test_accounts_are_shown_at_the_shell_and_asked_on_request(settings, tmp_path):
    with Peer() as peer:
        settings(MAIN_URL=f"smtp://me:a-password@127.0.0.1:{peer.port}", SPARE_URL="smtp://127.0.0.1:1")
        migrate(f"sqlite:///{tmp_path}/postroom.db")
        shown = CliRunner().invoke(accounts, [], catch_exceptions=False)
        assert shown.exit_code == 0
        assert shown.output.splitlines()[0].split() == [
            "account",
            "kind",
            "state",
            "senders",
            "waiting",
            "hour",
            "day",
            "rate/s",
        ]
        nobody = ["→", "No", "sender", "serves", "it:", "nothing", "goes", "out."]
        assert [line.split()[:8] for line in shown.output.splitlines()[1:]] == [
            ["main", "smtp", "open", "0", "0", "0", "0", "-"],
            nobody,
            ["spare", "smtp", "open", "0", "0", "0", "0", "-"],
            nobody,
        ]
        told = CliRunner().invoke(accounts, ["--json"], catch_exceptions=False)
        assert '"sent_day": 0' in told.output
        settings(MAIN_URL=f"smtp://127.0.0.1:{peer.port}")
        asked = CliRunner().invoke(accounts, ["check"], catch_exceptions=False)
        assert asked.exit_code == 1
        assert "main: smtp://127.0.0.1" in asked.output
        assert "spare: " in asked.output
        assert CliRunner().invoke(accounts, ["check", "main"], catch_exceptions=False).exit_code == 0
        assert peer.taken == []
        assert "a-password" not in shown.output + told.output + asked.output


@pytest.mark.cluster
def test_an_account_that_hangs_behind_a_broker_delays_no_other(stage, broker, tmp_path):
    file = tmp_path / "accounts.toml"
    file.write_text(FILE.replace("senders = 2", ""))
    silent = socket.create_server(("127.0.0.1", 0))  # accepts, and never says a word
    with silent:
        env = {
            "POSTROOM_ACCOUNTS": str(file),
            "MAIN_URL": f"smtp://127.0.0.1:{silent.getsockname()[1]}",
            "SPARE_URL": stage.smtp_url,
        }
        stage.fill(600)
        stage.postroom("worker", **env)
        workers = [stage.postroom("celery-worker", "--account", one, **env) for one in ("main", "spare")]
        wait_until(lambda: states(stage, "spare") == {"done"}, "the other account")
        assert "done" not in states(stage, "main")
        for worker in workers:
            kill(worker)
    assert stage.account().doubles == 0


def states(stage, account):
    with stage.stores.readers() as session:
        query = sa.select(chunks.c.state).where(chunks.c.account == account).distinct()
        return set(session.scalars(query))


@pytest.mark.cluster
def test_a_broken_account_behind_a_broker_is_tried_and_opened(stage, broker):
    stage.fill(300)
    with stage.stores.sessions.begin() as session:
        standings.failed(session, "main", BackendError("421 busy"), utc_now())
    stage.postroom("worker")
    stage.celery_workers(1)
    stage.wait_for_end()
    assert stage.account().sound()
    with stage.stores.readers() as session:
        assert standings.standing(session, "main").state is AccountState.OPEN
