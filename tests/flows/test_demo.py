"""The whole path as a user runs it: CSV files, the commands, real SMTP, real HTTP, real notices, a true report."""

import os
import subprocess
import sys
from pathlib import Path
from socket import create_server

import pytest

from campaigns.delivery import caught
from campaigns.records import staff
from campaigns.records.staff import Desk, NewStaff
from demo.main import _make_anew
from tests.ports import free_port


def play(tmp_path, **env):
    return subprocess.run(
        [sys.executable, "-m", "demo", "--once", "--customers", "400"],
        env={**os.environ, "POSTROOM_DATA": str(tmp_path / "demo"), **env},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def test_a_demo_shares_no_port_that_was_named_with_an_installation(tmp_path):
    with create_server(("127.0.0.1", 0), reuse_port=True) as other:
        port = str(other.getsockname()[1])
        ended = play(tmp_path, POSTROOM_WEB_PORT=port, POSTROOM_HITS_PORT=str(free_port()))
    assert ended.returncode == 1
    assert f"POSTROOM_WEB_PORT: is {port}, where something listens already." in ended.stderr


def test_a_demo_leaves_a_database_alone_that_has_an_installation_in_it(tmp_path, database_url, stores, now):
    with stores.sessions.begin() as session:
        staff.add(
            session,
            NewStaff("ada@shop.example", "Ada", "correct horse battery", frozenset({Desk.ADMIN})),
            now,
        )
    ports = {f"POSTROOM_{door}_PORT": str(free_port()) for door in ("WEB", "HITS")}
    ended = play(tmp_path, POSTROOM_DATABASE_URL=database_url, **ports)
    assert ended.returncode == 1
    assert "names a database with an installation in it" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_demo_and_what_runs_beside_it_are_seen_by_nobody_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("POSTROOM_DATA", raising=False)
    _make_anew(Path("var/demo").absolute())
    caught.prepare(tmp_path / "var" / "demo" / "caught")
    folders = [tmp_path / "var", *(path for path in (tmp_path / "var").rglob("*") if path.is_dir())]
    assert len(folders) == 5
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}


@pytest.mark.timed  # its people and machines are told apart by the seconds between what they do
def test_the_demos_report_is_what_the_played_world_did(database_url, tmp_path):
    ports = {f"POSTROOM_{door}_PORT": str(free_port()) for door in ("WEB", "HITS")}
    played = play(tmp_path, POSTROOM_DATABASE_URL=database_url, **ports)
    assert played.returncode == 0, played.stdout[-4000:] + played.stderr[-4000:]
    assert "Every number above is what the world really did." in played.stdout
