"""The doctor finds what is wrong, names the cure, and changes nothing."""

import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.config import Settings, from_environment
from campaigns.doctor import folders, machine, store
from campaigns.doctor.addresses import examine_addresses, examine_answer, examine_metrics
from campaigns.doctor.broker import examine_broker
from campaigns.doctor.findings import Level, guarded
from campaigns.doctor.round import examine
from campaigns.records import senders
from campaigns.wiring import migrate, open_stores
from tests.factories import NOW, SENDER


def levels(found):
    return {finding.check: finding.level.value for finding in found}


@pytest.fixture
def here(tmp_path, database_url):
    env = {"POSTROOM_DATA": str(tmp_path / "data"), "POSTROOM_DATABASE_URL": database_url}
    return from_environment(env)


# ---- the database


def test_a_good_database_is_well(database_url, stores):
    if stores.engine.dialect.name == "postgresql":  # the tests' server trades safety for time
        with stores.sessions() as session:
            found = {one.check: one.level.value for one in store.examine_durability(session)}
        assert found["database: fsync"] == "bad"
    found = levels(store.examine_store(database_url))
    bad = {check for check, level in found.items() if level != "ok" and "fsync" not in check}
    assert {"worker"} <= bad <= {"worker", "database: full_page_writes", "database: synchronous_commit"}


def test_looking_leaves_nothing_behind(database_url, stores):
    def tables():
        return sorted(sa.inspect(stores.engine).get_table_names())

    before = tables()
    list(store.examine_store(database_url))
    assert tables() == before


HOLDING = """
import os, signal, sys
import sqlalchemy as sa
from campaigns.wiring import open_stores
with open_stores(sys.argv[1]).sessions.begin() as session:
    session.execute(sa.text("SELECT 1"))
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_frozen_process_that_holds_sqlites_lock_is_named(tmp_path, sqlite_pattern):
    url = f"sqlite:///{shutil.copy(sqlite_pattern, tmp_path / 'store.db')}"
    words, pipe = [sys.executable, "-c", HOLDING, url], subprocess.PIPE
    opened = open_stores(url, busy_timeout="50")
    with subprocess.Popen(words, stdin=pipe, stdout=pipe) as process:
        process.stdout.readline()
        found = [store.examine_writing(opened)]
        os.kill(process.pid, signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        found += [store.examine_writing(opened)]
        process.kill()
    assert [(one.level, f"process {process.pid} " in one.found) for one in found] == [
        (Level.WARN, True),
        (Level.BAD, True),
    ]
    assert f"kill -9 {process.pid} " in found[1].cure
    assert store.examine_writing(opened).level is Level.OK
    opened.engine.dispose()


def test_old_tables_are_told_with_the_command(database_url, stores):
    with stores.sessions.begin() as session:
        session.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    (found,) = [one for one in store.examine_store(database_url) if one.check == "database: tables"]
    assert (found.level, found.cure) == (Level.BAD, "Run: postroom migrate")


def test_tables_of_a_newer_program_are_not_to_be_migrated(database_url, stores):
    with stores.sessions.begin() as session:
        session.execute(sa.text("UPDATE alembic_version SET version_num = 'zzzz'"))
    (found,) = [one for one in store.examine_store(database_url) if one.check == "database: tables"]
    assert found.level is Level.BAD
    assert "newer program" in found.cure


def test_a_database_that_is_away_is_told_without_its_password():
    (found,) = store.examine_store("postgresql://ada:secret-word@127.0.0.1:1/none")
    assert found.level is Level.BAD
    assert "secret-word" not in found.found + found.cure


def test_a_file_that_is_not_there_is_not_made(tmp_path):
    path = tmp_path / "none.db"
    assert levels(store.examine_store(f"sqlite:///{path}")) == {"database": "bad"}
    assert not path.exists()


def test_a_database_that_may_only_be_read_is_bad(tmp_path, sqlite_pattern):
    opened = open_stores(f"sqlite:///file:{sqlite_pattern}?mode=ro&uri=true")
    assert store.examine_writing(opened).level is Level.BAD
    opened.engine.dispose()


@given(apart=st.floats(-100, 100), took=st.floats(0, 5))
@settings(max_examples=80, deadline=None)
def test_clocks_are_judged_by_how_far_they_surely_are_apart(apart, took):
    before, after = NOW, NOW + timedelta(seconds=took)
    found = store.judge_clock(NOW + timedelta(seconds=apart), before, after)
    surely = max(-apart, apart - took, 0)
    assert found.level is (Level.BAD if surely > 30.001 else Level.WARN if surely > 2.001 else Level.OK) or (
        min(abs(surely - 2), abs(surely - 30)) < 0.01
    )


# ---- the machine


@pytest.mark.parametrize(("limit", "level"), [(100, "bad"), (1024, "warn"), (8192, "ok"), (-1, "ok")])
def test_open_files_are_judged(limit, level):
    assert machine.examine_open_files(limit).level.value == level


@pytest.mark.parametrize(("synchronised", "level"), [(True, "ok"), (False, "warn"), (None, "warn")])
def test_the_time_service_is_judged(synchronised, level):
    assert machine.examine_time_service(synchronised=synchronised).level.value == level


def test_the_kernel_can_be_asked_for_its_clock():
    assert machine.time_service() in {True, False, None}


def test_time_zones_are_known_here():
    assert machine.examine_time_zones().level is Level.OK


# ---- the folders


def test_a_folder_of_ones_own_is_well(tmp_path):
    tmp_path.chmod(0o700)
    found = levels(folders.examine_folder("data folder", tmp_path))
    assert {check for check, level in found.items() if level == "bad"} <= {"data folder: space"}
    assert found["data folder: mode"] == "ok"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_others_see_into_is_told(tmp_path):
    tmp_path.chmod(0o755)
    (found,) = [one for one in folders.examine_folder("data", tmp_path) if one.check == "data: mode"]
    assert (found.level, found.cure) == (Level.WARN, f"chmod 700 {tmp_path}")


def test_a_folder_that_cannot_be_written_is_bad():
    (found,) = [
        one for one in folders.examine_folder("x", folders.Path("/proc")) if one.check == "x: writeable"
    ]
    assert found.level is Level.BAD


def test_no_folder_is_bad(tmp_path):
    assert levels(folders.examine_folder("x", tmp_path / "none")) == {"x": "bad"}


MOUNTS = """22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /srv rw - nfs4 nas:/export rw
31 22 0:41 / /srv/local\\040disk rw - xfs /dev/sdb1 rw
32 22 0:42 / /srvx rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib", "ext4"),
        ("/srv/a/b", "nfs4"),
        ("/srv/local disk/x", "xfs"),
        ("/srvx", "tmpfs"),
        ("/srvxy", "ext4"),
    ],
)
def test_the_disk_of_a_folder_is_found(tmp_path, path, kind):
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTS)
    assert folders.filesystem(folders.Path(path), table) == kind


def test_a_disk_over_the_network_is_bad_and_a_fleeting_one_is_told(tmp_path, monkeypatch):
    for kind, level in (("nfs4", "bad"), ("tmpfs", "warn"), ("overlay", "warn"), ("ext4", "ok"), ("", "ok")):
        monkeypatch.setattr(folders, "filesystem", lambda _path, kind=kind: kind)
        found = levels(folders.examine_folder("x", tmp_path))
        assert found["x: disk"] == level


@pytest.mark.parametrize(("free", "level"), [(10**8, "bad"), (10**9, "warn"), (10**10, "ok")])
def test_free_space_is_judged(free, level):
    assert folders.examine_space("x", free).level.value == level


def test_a_secret_that_others_can_read_is_bad(here):
    assert folders.examine_secret(here).level is Level.OK
    path = here.data / "secret.key"
    path.chmod(0o644)
    found = folders.examine_secret(here)
    assert (found.level, found.cure) == (Level.BAD, f"chmod 600 {path}")


def test_a_short_secret_is_told_and_never_shown(tmp_path):
    found = folders.examine_secret(
        from_environment({"POSTROOM_DATA": str(tmp_path), "POSTROOM_SECRET": "brief-secret"})
    )
    assert found.level is Level.WARN
    assert "brief-secret" not in found.found + found.cure


def test_a_maildir_is_judged(tmp_path):
    assert folders.examine_maildir(tmp_path).level is Level.BAD
    for name in ("new", "cur", "tmp"):
        (tmp_path / name).mkdir()
    assert folders.examine_maildir(tmp_path).level is Level.OK


# ---- the addresses


@pytest.fixture
def answering():
    """A web server that says what it is told to."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = self.server.says
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.says = (200, b"alive\n")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_public_address_that_answers_is_well(answering):
    url = f"http://127.0.0.1:{answering.server_port}"
    assert examine_answer(url).level is Level.OK
    for says in ((404, b"alive"), (200, b"welcome to nginx"), (301, b"")):
        answering.says = says
        assert examine_answer(url).level is Level.BAD


def test_a_public_address_without_an_answer_is_bad_except_on_ones_own_machine():
    assert examine_answer("http://127.0.0.1:1").level is Level.BAD
    assert examine_answer("http://127.0.0.1:1", local=True).level is Level.WARN


def test_a_public_address_without_tls_is_bad(tmp_path):
    env = {"POSTROOM_DATA": str(tmp_path), "POSTROOM_PUBLIC_URL": "http://t.invalid"}
    found = levels(examine_addresses(from_environment(env)))
    assert found["public address"] == found["public address: answer"] == "bad"


def test_metrics_for_everyone_are_told(tmp_path):
    env = {"POSTROOM_DATA": str(tmp_path), "POSTROOM_METRICS_HOST": "0.0.0.0"}
    assert examine_metrics(from_environment(env)).level is Level.WARN
    assert examine_metrics(from_environment(env | {"POSTROOM_METRICS_TOKEN": "x"})).level is Level.OK


@pytest.mark.parametrize(
    "says", [b"\x01\x00", b"HTTP/1.1 400 Bad Request", b"", b"\x01\x00\x00\xff\xff\xff\xff"]
)
def test_what_is_no_broker_is_told(says):
    heard = []

    def answer():
        client, _ = server.accept()
        with client:
            heard.append(client.recv(8))
            client.sendall(says)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer)
        thread.start()
        url = f"amqp://ada:secret-word@127.0.0.1:{server.getsockname()[1]}//"
        (found,) = examine_broker(url)
        thread.join()
    assert found.level is Level.BAD
    assert heard == [b"AMQP\x00\x00\x09\x01"]
    assert "secret-word" not in found.found


def test_a_broker_that_is_away_is_bad_and_none_is_none():
    assert [one.level for one in examine_broker("amqp://127.0.0.1:1//")] == [Level.BAD]
    assert list(examine_broker("")) == []


# ---- the whole round


def test_bad_settings_are_findings_each_with_its_cure(tmp_path):
    env = {"POSTROOM_DATA": str(tmp_path), "POSTROOM_SENDERS": "many", "POSTROOM_SMTP_URL": "gopher://x"}
    found = levels(examine(env, NOW))
    assert found["settings: POSTROOM_SENDERS"] == found["settings: POSTROOM_SMTP_URL"] == "bad"


def test_a_data_folder_that_cannot_be_made_is_a_finding():
    found = levels(examine({"POSTROOM_DATA": "/proc/none"}, NOW))
    assert found["settings: data folder"] == "bad"


def test_looking_where_nothing_is_makes_no_folder(tmp_path):
    found = levels(examine({"POSTROOM_DATA": str(tmp_path / "none")}, NOW))
    assert found["settings: data folder"] == "bad"
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_looked_at_keeps_nobody_from_looking_further():
    def broken():
        yield machine.examine_time_zones()
        raise RuntimeError("a mistake of ours")

    (found,) = guarded("machine", broken)
    assert found.level is Level.BAD
    assert "a mistake of ours" in found.found


def doctor(env, *options):
    words = [sys.executable, "-m", "campaigns.cli", "doctor", *options]
    given_env = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")} | env
    return subprocess.run(words, env=given_env, capture_output=True, text=True, timeout=300, check=False)


def test_the_command_exits_1_only_if_something_is_bad(tmp_path):
    env = {"POSTROOM_DATA": str(tmp_path / "data"), "POSTROOM_METRICS_PORT": "0"}
    url = from_environment(env).database_url
    migrate(url)
    stores = open_stores(url)
    with stores.sessions.begin() as session:
        senders.add(session, SENDER, now=NOW)
    stores.engine.dispose()
    found = doctor(env, "--json")
    told = json.loads(found.stdout)
    # the example domain is nowhere: without a network nobody can be asked, with one it has no records
    bad = [one["check"] for one in told["findings"] if one["level"] == "bad"]
    assert [check for check in bad if not check.endswith(("space", ": MX", ": SPF", ": DMARC"))] == []
    assert found.returncode == (0 if told["ok"] else 1)
    (tmp_path / "data" / "secret.key").chmod(0o644)
    found = doctor(env)
    assert found.returncode == 1
    assert "bad   secret: " in found.stdout
    assert f"→ chmod 600 {tmp_path}/data/secret.key" in found.stdout
    assert found.stderr == ""


def test_every_finding_that_is_not_ok_has_a_cure(here: Settings):
    env = {"POSTROOM_DATA": str(here.data), "POSTROOM_DATABASE_URL": here.database_url}
    found = list(examine(env, NOW))
    assert len(found) > 15
    assert [one for one in found if (one.level is Level.OK) == bool(one.cure)] == []
