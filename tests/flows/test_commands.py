"""What every command says when the installation is not as it should be."""

import os
import subprocess
import sys
from errno import EACCES
from socket import create_server

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from structlog.testing import capture_logs

from campaigns.cli import _root, main, ports, running
from campaigns.cli.alone import alone
from campaigns.cli.running import processes
from campaigns.config import ELSEWHERE, from_environment
from campaigns.errors import PostroomError
from tests.ports import free_port

RULE = '{"version": 1, "rule": {"everyone": true}}'


def postroom(folder, *words, **environment):
    (folder / "rule.json").write_text(RULE)
    told = {"PATH": os.environ["PATH"], "POSTROOM_DATA": str(folder / "data"), **environment}
    return subprocess.run(
        [sys.executable, "-m", "campaigns.cli", *words],
        cwd=folder,
        env=told,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """Run a command in this process; gives the words in which it gave up."""
    (tmp_path / "rule.json").write_text(RULE)
    monkeypatch.chdir(tmp_path)
    for name, value in {"DATA": "data", "WEB_PORT": free_port(), "HITS_PORT": free_port()}.items():
        monkeypatch.setenv(f"POSTROOM_{name}", str(value))

    def run(*words):
        ended = CliRunner().invoke(_root, words)
        assert isinstance(ended.exception, PostroomError), ended.exception
        return str(ended.exception)

    return run


def test_who_looks_where_nothing_is_makes_nothing_and_hears_where_it_looked(tmp_path):
    ended = postroom(tmp_path, "count", "rule.json")
    assert ended.returncode == 1
    assert ended.stderr == f"postroom: data folder: there is no {tmp_path / 'data'}. {ELSEWHERE}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["rule.json"]


@pytest.mark.parametrize(
    "words",
    ["explain rule.json --contact 1", "preview letter --contact 17", "doubts", "export-person 17", "lanes", "accounts",
     "dkim list", "retain", "verdicts --again", "webhooks", "check letter", "dns shop.example", "receive --again"],
)  # fmt: skip
def test_no_reader_makes_a_folder_or_a_store(tmp_path, shell, words):
    assert ELSEWHERE in shell(*words.split())
    assert not (tmp_path / "data").exists()
    (tmp_path / "data").mkdir()
    there = tmp_path / "data" / "postroom.db"
    assert shell(*words.split()) == f"database: there is no {there}. {ELSEWHERE}"
    assert not there.exists()


@pytest.mark.parametrize("words", ["count rule.json", "run", "migrate", "web", "lanes"])
def test_what_is_no_installation_is_told_by_whatever_opens_it(tmp_path, shell, words):
    (tmp_path / "data").write_text("a file")
    assert (
        shell(*words.split()) == f"data folder: {tmp_path / 'data'} is no folder. Set POSTROOM_DATA to one."
    )
    (tmp_path / "data").unlink()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "postroom.db").write_bytes(b"no database" * 1000)
    told = shell(*words.split())
    assert told.startswith(f"database: {tmp_path / 'data' / 'postroom.db'}: file is not a database. ")
    assert "backup" in told


def test_a_folder_that_may_not_be_written_is_told_with_what_to_set(shell, monkeypatch):
    monkeypatch.setenv("POSTROOM_DATA", "/proc/none")
    told = shell("run")
    assert told.startswith("data folder: /proc/none: ")
    assert "Set POSTROOM_DATA to a folder that this user" in told


@pytest.mark.parametrize(
    "words",
    ["count rule.json", "migrate", "run", "lanes", "import contacts people.csv --yes", "dkim make a.example"],
)
def test_the_store_of_a_newer_program_is_refused_by_readers_and_writers(
    tmp_path, database_url, stores, shell, monkeypatch, words
):
    with stores.sessions.begin() as session:
        session.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    (tmp_path / "people.csv").write_text("email\nada@example.com\n")
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("POSTROOM_DATABASE_URL", database_url)
    assert shell(*words.split()) == (
        "database: tables: at 9999, which this program does not know. "
        "Run the newer program, or restore the backup made before it ran."
    )


def test_migrating_tables_that_no_release_left_does_not_say_to_migrate(
    tmp_path, database_url, stores, shell, monkeypatch
):
    with stores.sessions.begin() as session:
        session.execute(sa.text("UPDATE alembic_version SET version_num = '0019'"))
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("POSTROOM_DATABASE_URL", database_url)
    assert shell("count", "rule.json").endswith("Run: postroom migrate")
    told = shell("migrate")
    assert "restore the backup" in told
    assert "Run: postroom migrate" not in told


@pytest.mark.parametrize("words", ["run", "sender", "count"])
def test_a_file_that_may_not_be_written_is_told_in_one_line(monkeypatch, capsys, words):
    def refused():
        raise PermissionError(EACCES, os.strerror(EACCES), "/srv/run.lock")

    monkeypatch.setattr("campaigns.cli._root", refused)
    monkeypatch.setattr("sys.argv", ["postroom", words])
    with pytest.raises(SystemExit):
        main()
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith(
        f"postroom: /srv/run.lock: Permission denied. Let this user ({os.geteuid()}) write"
    )


def test_a_database_that_is_away_is_told_without_its_login(tmp_path):
    (tmp_path / "data").mkdir()
    url = "postgresql://somebody:secret@127.0.0.1:1/shop"
    ended = postroom(tmp_path, "count", "rule.json", POSTROOM_DATABASE_URL=url)
    assert ended.returncode == 1
    (told,) = ended.stderr.splitlines()
    assert told.startswith("postroom: database: ")
    assert told.endswith("Start it, and check POSTROOM_DATABASE_URL: host, port, name, user and password.")
    assert "secret" not in told


def test_an_installation_is_run_once_at_a_time(tmp_path, shell):
    data = tmp_path / "data"
    data.mkdir()
    with alone(data):
        assert shell("run").startswith(f"Process {os.getpid()} runs the installation in {data} already. ")
    with alone(data):
        pass


def test_accounts_that_are_catchers_have_one_started_for_each_port(tmp_path):
    file, port = tmp_path / "accounts.toml", free_port()
    caught = f'kind = "catcher"\nurl = "smtp://127.0.0.1:{port}"\n'
    file.write_text(f'[accounts.main]\n{caught}[accounts.spare]\n{caught}[[routes]]\naccounts = "main"\n')
    env = {"POSTROOM_DATA": str(tmp_path / "data"), "POSTROOM_ACCOUNTS": str(file)}
    commands = processes(from_environment(env))
    assert [words for words in commands if words[0] == "catcher"] == [["catcher", "--port", str(port)]]
    with create_server(("127.0.0.1", port)):
        assert "catcher" not in [words[0] for words in processes(from_environment(env))]


def test_no_catcher_is_started_where_another_installations_listens(tmp_path, monkeypatch):
    monkeypatch.delenv("POSTROOM_SMTP_URL", raising=False)
    monkeypatch.setattr(running, "CATCHER_PORT", free_port())
    monkeypatch.setattr(ports, "PATIENCE", 0.0)
    settings = from_environment({"POSTROOM_DATA": str(tmp_path / "data")})
    assert ["catcher"] in processes(settings)
    with create_server(("127.0.0.1", running.CATCHER_PORT)), capture_logs() as told:
        assert ["catcher"] not in processes(settings)
    assert [(line["log_level"], line["port"]) for line in told if "port" in line] == [
        ("warning", running.CATCHER_PORT)
    ]


def test_an_installation_does_not_share_its_ports_with_another(tmp_path):
    with create_server(("127.0.0.1", 0), reuse_port=True) as demo:
        port = demo.getsockname()[1]
        ended = postroom(tmp_path, "run", POSTROOM_WEB_PORT=str(port), POSTROOM_HITS_PORT=str(port))
    assert ended.returncode == 1
    assert f"POSTROOM_WEB_PORT: is {port}, where something listens already" in ended.stderr
    assert f"POSTROOM_HITS_PORT: is {port}" in ended.stderr
    assert not (tmp_path / "data" / "postroom.db").exists()


def test_a_process_that_is_started_is_of_the_program_that_starts_it(tmp_path, monkeypatch):
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "campaigns" / "__init__.py").write_text("raise SystemExit('another program')")
    monkeypatch.chdir(tmp_path)
    process = running.start(["--version"], tmp_path / "log")
    assert (process.wait(60), "another" in (tmp_path / "log").read_text()) == (0, False)
