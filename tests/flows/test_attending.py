"""Processes say that they live, what they serve and by which file; the doctor tells of what is missing."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.config import from_environment
from campaigns.delivery.routes import Route, Routing
from campaigns.doctor.accounts import examine_serving
from campaigns.doctor.findings import Level
from campaigns.flows.attending import Attendance
from campaigns.model.accounts import serving as table
from campaigns.model.dialect import database_now
from campaigns.records import serving
from campaigns.records.serving import SENDER, WORKER, Alive
from campaigns.values import Account
from campaigns.wiring import attendance, routing_of
from tests.records.test_routes import a_running_run
from tests.timed import until

FILE = '[accounts.main]\nkind = "smtp"\nurl = "smtp://127.0.0.1:9"\n[accounts.spare]\nkind = "smtp"\nurl = "$SPARE"\n'
ROUTES = '[[routes]]\naccounts = ["main", "spare"]\n'
ONE = Alive("machine-7", SENDER, "main", "abc")


@pytest.fixture
def env(tmp_path, database_url):
    file = tmp_path / "accounts.toml"
    file.write_text(FILE + ROUTES)
    return {
        "POSTROOM_DATA": str(tmp_path / "data"),
        "POSTROOM_ACCOUNTS": str(file),
        "POSTROOM_DATABASE_URL": database_url,
        "SPARE": "smtp://127.0.0.1:10",
    }


def told(env):
    found = list(examine_serving(from_environment(env), env, utc_now()))
    assert all(one.cure for one in found if one.level is not Level.OK)
    return {one.check: (one.level.value, one.found) for one in found}


def a_process(env, stores, door, account=""):
    settings = from_environment(env)
    return attendance(settings, stores, routing_of(settings, env), door, account)


def test_who_spoke_lately_lives_and_who_was_silent_for_long_does_not(stores):
    for one in (ONE, ONE, replace(ONE, process="machine-8", door=WORKER, account="")):
        Attendance(stores.sessions, one).say()
    with stores.sessions.begin() as session:
        assert [one.process for one in serving.alive(session)] == ["machine-7", "machine-8"]
        late = database_now(session) - serving.PATIENCE
        session.execute(sa.update(table).where(table.c.process == "machine-7").values(seen_at=late))
        assert [one.process for one in serving.alive(session)] == ["machine-8"]
        serving.leave(session, "machine-8")
        assert serving.alive(session) == []


def test_a_process_is_heard_until_it_ends(stores):
    attending = Attendance(stores.sessions, ONE)
    attending.start()
    until(lambda: _alive(stores))
    assert _alive(stores) == [ONE]
    attending.stop()
    assert _alive(stores) == []


def _alive(stores):
    with stores.readers() as session:
        return serving.alive(session)


def test_the_doctor_tells_of_accounts_that_nobody_serves_and_how_much_waits(env, stores):
    with stores.sessions.begin() as session:
        a_running_run(session, {"google": 2})
    assert told(env) == {
        "account main: served": ("bad", "no sender serves it, and 20 mails wait"),
        "account spare: served": ("warn", "no sender serves it"),
    }
    for account in ("main", "main", "spare"):
        a_process(env, stores, SENDER, account).say()
    assert told(env) == {
        "account main: served": ("ok", "by 2 senders"),
        "account spare: served": ("ok", "by 1 sender"),
    }


def test_the_doctor_tells_of_processes_that_began_before_the_file_was_changed(env, stores):
    a_process(env, stores, SENDER, "main").say()
    a_process(env, stores, WORKER).say()
    assert "accounts: since the start" not in told(env)
    env["SPARE"] = "smtp://127.0.0.1:11"
    a_process(env, stores, SENDER, "spare").say()
    level, found = told(env)["accounts: since the start"]
    assert (level, found) == ("warn", "read otherwise by 1 sender main, 1 worker")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_sender_that_runs_is_seen_and_one_that_ended_is_not(env, stores):
    words = [sys.executable, "-m", "campaigns.cli", "sender", "--account", "spare"]
    child = subprocess.Popen(words, env={**os.environ, **env}, stderr=subprocess.DEVNULL)
    try:
        until(lambda: _alive(stores))
        assert [(one.door, one.account) for one in _alive(stores)] == [(SENDER, "spare")]
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(120)
    assert _alive(stores) == []


def test_a_digest_tells_all_that_matters_apart_and_nothing_of_it():
    account = Account("main", "smtp", {"url": "smtp://me:secret@relay.example"}, 5.0)
    one = Routing({"main": account}, (Route({"main": 1.0}),), {"main": 2})
    others = [
        replace(one, accounts={"main": replace(account, options={"url": "smtp://me:other@relay.example"})}),
        replace(one, accounts={"main": replace(account, rate=None)}),
        replace(one, routes=(Route({"main": 1.0}, failover_after=timedelta(hours=1)),)),
        replace(one, routes=(Route({"main": 1.0}, lanes=frozenset({"google"})), *one.routes)),
        replace(one, senders={}),
    ]
    digests = [each.digest(b"key") for each in (one, *others)]
    assert len(set(digests)) == len(digests)
    again = Routing({"main": Account("main", "smtp", dict(account.options), 5.0)}, one.routes, {"main": 2})
    assert again.digest(b"key") == one.digest(b"key") != one.digest(b"other key")
