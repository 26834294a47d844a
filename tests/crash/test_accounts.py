"""Several accounts, real processes, really killed: nobody is mailed twice, and one's trouble is nobody else's."""

import json
import socket
from collections import Counter
from dataclasses import asdict

import pytest
import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.delivery.accounts import read_accounts
from campaigns.flows import audience, schedule
from campaigns.model.mail import chunks, messages
from campaigns.records import accounts
from campaigns.records import audience as frozen
from campaigns.values import AccountState
from tests.crash.peer import Manners
from tests.crash.stage import CONNECTIONS, Stage, explains, kill, kill_tree, wait_until

FAILOVER = """
[[routes]]
accounts = {{ main = 1 }}
failover = ["backup"]
failover_after = "1s"
"""
HALVES = "[[routes]]\naccounts = {{ main = 1, backup = 1 }}\n"


class TwoAccounts(Stage):
    """A stage with two mail servers, each an account: main and backup."""

    def __init__(self, folder, database_url, routes, main=None, backup=None):
        super().__init__(folder, database_url, main or Manners())
        self.main_server = self._processes[0]
        self.backup_folder = folder / "backup"
        self.backup_folder.mkdir()
        listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        number = listener.fileno()
        words = ["-m", "tests.crash.peer", str(number), str(self.backup_folder)]
        self._start([*words, json.dumps(asdict(backup or Manners()))], pass_fds=(number,))
        self._env["BACKUP_URL"] = f"smtp://127.0.0.1:{listener.getsockname()[1]}"
        listener.close()
        self.file = folder / "accounts.toml"
        self.file.write_text(
            '[accounts.main]\nkind = "smtp"\nurl = "$POSTROOM_SMTP_URL"\n'
            f'[accounts.backup]\nkind = "smtp"\nurl = "$BACKUP_URL"\nconnections = {CONNECTIONS}\n'
            + routes.format()
        )
        self._env["POSTROOM_ACCOUNTS"] = str(self.file)

    def sender_of(self, account):
        return self.postroom("sender", "--account", account)

    def open(self, mails, chunk):
        """Freeze a campaign, its chunks dealt out by the accounts file."""
        self.fill(mails)
        routing = read_accounts(self.file, self._env)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(frozen, "CHUNK", chunk)
            with self.stores.sessions.begin() as session:
                schedule.open_runs(session, utc_now())
                audience.freeze_open_runs(session, utc_now(), routing)

    def backup_took(self):
        return Counter((self.backup_folder / "taken").read_text().splitlines())

    def main_took(self):
        return Counter((self.folder / "taken").read_text().splitlines())

    def chunks_of(self, account):
        with self.stores.readers() as session:
            c = chunks.c
            query = sa.select(c.state, sa.func.count()).where(c.account == account).group_by(c.state)
            return Counter(dict(session.execute(query).all()))

    def state_of(self, account):
        with self.stores.readers() as session:
            return accounts.standing(session, account).state

    def lose_no_patience(self):
        """Do what the worker does from time to time; it runs besides."""
        self.look_after()
        return self.is_over()


@pytest.fixture
def stage(tmp_path, database_url):
    made = []

    def open_stage(routes, **manners):
        made.append(TwoAccounts(tmp_path, database_url, routes, **manners))
        return made[-1]

    yield open_stage
    for one in made:
        one.close()


def ends(stage):
    """Everybody's end, by the ledger and by what both servers took."""
    took = stage.main_took() + stage.backup_took()
    with stage.stores.readers() as session:
        ledger = dict(session.execute(sa.select(messages.c.address, messages.c.state)).all())
    return took, ledger


def test_an_account_that_dies_half_way_with_its_sender_hands_over_and_nobody_is_mailed_twice(stage):
    stage = stage(FAILOVER, main=Manners(delay=0.005), backup=Manners())
    stage.open(600, chunk=20)
    first = stage.sender_of("main")
    stage.sender_of("backup")
    stage.postroom("worker")
    assert stage.wait_for(60)
    kill(first)  # with mails on the wire
    second = stage.sender_of("main")
    assert stage.wait_for(150)
    kill_tree(stage.main_server)  # under its hands
    wait_until(lambda: stage.state_of("main") is AccountState.BROKEN, "main's end")
    wait_until(stage.lose_no_patience, f"the run {stage.states()}")
    kill(second)
    took, ledger = ends(stage)
    assert max(took.values()) == 1, "somebody was mailed twice"
    assert all(state in explains(who) for who, state in ledger.items())
    sent = {who for who, state in ledger.items() if state == "sent"}
    doubted = {who for who, state in ledger.items() if state == "unknown"}
    assert sent <= took.keys() <= sent | doubted
    assert len(ledger) == 600
    assert len(doubted) <= 2 * CONNECTIONS
    assert stage.backup_took().total() > 200
    assert set(stage.chunks_of("main")) | set(stage.chunks_of("backup")) == {"done"}


@pytest.mark.parametrize("trouble", ["hangs", "refuses"])
def test_an_account_that_hangs_or_refuses_delays_no_mail_of_another(stage, trouble):
    stage = stage(HALVES, main=Manners(delay=3600.0))
    stage.open(400, chunk=20)
    share = stage.chunks_of("backup")["ready"]
    assert 8 <= share <= 12
    if trouble == "refuses":
        kill_tree(stage.main_server)
    stage.sender_of("main")
    wait_until(
        lambda: stage.chunks_of("main")["claimed"] or stage.state_of("main") is AccountState.BROKEN, "main"
    )
    stage.sender_of("backup")

    def backup_is_done():
        stage.hurry()
        return stage.chunks_of("backup") == {"done": share}

    wait_until(backup_is_done, "the other account", 120)
    assert stage.main_took().total() <= CONNECTIONS
    assert stage.chunks_of("main")["ready"] >= 20 - share - 2
