"""What a spam filter thinks: rspamd as it is, SpamAssassin as its protocol says, and filters that misbehave."""

import contextlib
import os
import shutil
import socket
import stat
import subprocess
import threading
import time

import pytest

from campaigns.clock import utc_now
from campaigns.delivery import spam
from campaigns.delivery.spam import Rule, ask, find_filter, read_report, read_rspamd
from campaigns.errors import BackendError
from campaigns.flows.checking.specimen import of_template
from campaigns.mailing import Signing
from campaigns.tracking.tokens import Keyring
from tests.delivery.fetching.web_server import WebServer, said
from tests.factories import SECRET
from tests.ports import free_port

SBIN = f"{os.environ.get('PATH', '')}:/usr/sbin"
RSPAMD = shutil.which("rspamd", path=SBIN)
SPAMASSASSIN = shutil.which("spamassassin", path=SBIN)
START = 90.0  #: seconds for it to compile its rules on a busy machine
SPAMMY = (
    b'From: "WINNER" <prince@lottery.example>\r\nTo: x@shop.example\r\nSubject: FREE MONEY!!! 100% GUARANTEED\r\n'
    b"Content-Type: text/html\r\n\r\n<html><body><font color=white>hidden</font>"
    b'<a href="http://1.2.3.4/x">http://bank.example/</a> CLICK HERE cialis FREE!!!</body></html>\r\n'
)
REPORT = """\
Content analysis details:   (15.3 points, 5.0 required)

 pts rule name              description
---- ---------------------- --------------------------------------------------
 2.5 SUBJ_ALL_CAPS          Subject is all capitals
-0.5 GOOD_THING             Something in its favour which goes on and
                            on in the next line
 0.0 NOTHING                No points
13.3 GTUBE                  BODY: Generic Test
"""


# ---- rspamd

CONF = """
.include "/etc/rspamd/metrics.conf"
.include "/etc/rspamd/actions.conf"
.include "/etc/rspamd/groups.conf"
.include "/etc/rspamd/composites.conf"
lua = "/usr/share/rspamd/rules/rspamd.lua";
options {{
  filters = "chartable,dkim,regexp";
  pidfile = "{folder}/pid"; cache_file = "{folder}/cache"; history_file = "{folder}/history"; rrd = "";
  tempdir = "{folder}"; hs_cache_dir = "{folder}"; disable_hyperscan = true;
  dns {{ nameserver = ["127.0.0.1:9:1"]; timeout = 0.1s; retransmits = 1; }}
  local_addrs = [];
}}
logging {{ type = "console"; level = "warning"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; mime = true; }}
"""


@pytest.fixture(scope="module")
def rspamd(tmp_path_factory):
    """A filter with the rules that Debian gives it, but for those that ask the network."""
    if RSPAMD is None:
        pytest.skip("needs rspamd (Debian: apt-get install rspamd)")
    folder = tmp_path_factory.mktemp("rspamd")
    port = free_port()
    (folder / "rspamd.conf").write_text(CONF.format(folder=folder, port=port))
    with (folder / "log").open("wb") as log:
        started = subprocess.Popen([RSPAMD, "-c", folder / "rspamd.conf", "-f", "-i"], stdout=log, stderr=log)
    try:
        until = time.monotonic() + START
        while not spam._answers(port, b"GET /ping HTTP/1.0\r\n\r\n", b"pong"):
            if time.monotonic() > until or started.poll() is not None:
                pytest.fail(f"rspamd does not answer:\n{(folder / 'log').read_text()[-2000:]}")
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        started.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            started.wait(10)
        started.kill()
        started.wait()


@pytest.fixture
def newsletter(session):
    signing = Signing(Keyring(SECRET), "https://mail.shop.example")
    return of_template(session, "newsletter", signing, utc_now()).mail


@pytest.fixture
def database_url(sqlite_pattern, tmp_path):
    shutil.copy(sqlite_pattern, tmp_path / "store.db")
    return f"sqlite:///{tmp_path / 'store.db'}"


def test_rspamd_tells_a_good_newsletter_from_spam(rspamd, newsletter):
    good, bad = ask(rspamd, newsletter), ask(rspamd, SPAMMY)
    assert good.by == bad.by == "rspamd"
    assert not good.is_spam
    assert good.points < 3
    assert bad.is_spam
    assert bad.points > 6 > good.points
    assert good.threshold == bad.threshold > 5
    assert bad.rules[0].points >= bad.rules[-1].points
    assert "HTTP_TO_IP" in {one.name for one in bad.rules}
    assert all(one.points and one.words for one in bad.rules)


GOOD = {"score": 1, "required_score": 15.0, "action": "no action"}


@pytest.mark.parametrize(
    "symbols",
    [
        [],
        None,
        5,
        "x",
        {"A": 5},
        {"A": []},
        {"A": None},
        {"A": {"score": 0, "description": [1]}},
        {"A": {"score": []}},
    ],
)
def test_odd_symbols_are_passed_over(symbols):
    assert read_rspamd({**GOOD, "symbols": symbols}).rules == ()


@pytest.mark.parametrize(
    "answer",
    [b"[]", b"5", b"null", b'"x"', b"{}", b"[" * 200_000, b'{"score": NaN, "required_score": 1}', b'{"score": [], "required_score": 1}',
     b'{"score": true, "required_score": 1}', b'{"score": 1e999, "required_score": 1}', b'{"score": 1%s, "required_score": 1}' % (b"0" * 400),
     b'{"score": 1%s, "required_score": 1}' % (b"0" * 5000),
     b'{"score": 1, "required_score": 1, "symbols": {"A": {"score": "x"}}}'],
)  # fmt: skip
def test_an_odd_answer_of_rspamd_is_no_judgement(answer):
    with (
        WebServer(lambda *_: said("200 OK", body=answer)) as server,
        pytest.raises(BackendError, match="no judgement"),
    ):
        ask(f"http://127.0.0.1:{server.port}", SPAMMY)


def test_rspamd_is_found_where_it_usually_is(rspamd, monkeypatch):
    monkeypatch.setattr(spam, "RSPAMD", int(rspamd.rpartition(":")[2]))
    assert find_filter("") == rspamd
    assert find_filter("off") is None
    assert find_filter("spamd://filter.example:783") == "spamd://filter.example:783"


def test_without_a_filter_there_is_none(monkeypatch):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))  # bound, and nobody listens
        for name in ("RSPAMD", "SPAMD"):
            monkeypatch.setattr(spam, name, one.getsockname()[1])
        monkeypatch.setenv("PATH", "")
        assert find_filter("") is None


@pytest.mark.parametrize(
    ("action", "is_spam"),
    [
        ("no action", False),
        ("greylist", False),
        ("add header", True),
        ("rewrite subject", True),
        ("reject", True),
    ],
)
def test_rspamd_is_believed_in_what_it_would_do(action, is_spam):
    symbols = {"A": {"score": 1.0, "description": "one"}, "B": {"score": -3.0}, "C": {"score": 0.0}, "D": {}}
    score = read_rspamd({"score": 4.0, "required_score": 15.0, "action": action, "symbols": symbols})
    assert score.is_spam == is_spam
    assert score.rules == (Rule("B", -3.0, ""), Rule("A", 1.0, "one"))


@pytest.mark.parametrize(
    "reply",
    [
        said("500 No"),
        said("200 OK", body=b"no JSON"),
        said("200 OK", body=b"{}"),
        said("200 OK", body=b'{"score": "x", "required_score": 1}'),
        said("200 OK", body=b"[]"),
        b"",
        b"SSH-2.0\r\n",
    ],
)
def test_a_filter_that_misbehaves_is_told_and_nothing_worse(reply):
    with WebServer(lambda *_: reply) as server, pytest.raises(BackendError, match="gave no judgement"):
        ask(f"http://127.0.0.1:{server.port}", b"Subject: x\r\n\r\nx")


# ---- SpamAssassin


@contextlib.contextmanager
def spamd(answer: bytes):
    """Says what it is told to, once the mail has come; remembers the mail."""
    taken: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        with contextlib.suppress(OSError):
            client, _ = server.accept()
            with client:
                held = b""
                while more := client.recv(65536):
                    held += more
                taken.append(held)
                client.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"spamd://127.0.0.1:{server.getsockname()[1]}", taken
    server.close()
    thread.join(60)


def test_spamd_is_asked_by_its_protocol():
    head = "SPAMD/1.1 0 EX_OK\r\nContent-length: 99\r\nSpam: True ; 15.3 / 5.0\r\n\r\n"
    with spamd((head + REPORT).encode()) as (where, taken):
        score = ask(where, b"Subject: x\r\n\r\nx")
    assert taken == [b"REPORT SPAMC/1.2\r\nContent-length: 15\r\n\r\nSubject: x\r\n\r\nx"]
    assert (score.by, score.points, score.threshold, score.is_spam) == ("SpamAssassin", 15.3, 5.0, True)
    assert [one.name for one in score.rules] == ["GTUBE", "SUBJ_ALL_CAPS", "GOOD_THING"]
    assert score.rules[2].words == "Something in its favour which goes on and on in the next line"


@pytest.mark.parametrize(
    "answer", [b"", b"SPAMD/1.1 74 EX_IOERR\r\n\r\n", b"SPAMD/1.1 0 EX_OK\r\n\r\n", b"\xff" * 99]
)
def test_a_spamd_that_misbehaves_is_told(answer):
    with spamd(answer) as (where, _), pytest.raises(BackendError):
        ask(where, b"Subject: x\r\n\r\nx")


def test_the_command_is_asked_without_a_network(tmp_path, monkeypatch):
    program = tmp_path / "spamassassin"
    program.write_text(
        f"#!/bin/sh\ncat > {tmp_path}/mail\necho \"$@\" > {tmp_path}/words\ncat <<'END'\n{REPORT}END\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    score = ask(spam.COMMAND, b"Subject: x\r\n\r\nx")
    assert (score.points, score.threshold, score.is_spam, len(score.rules)) == (15.3, 5.0, True, 3)
    assert (tmp_path / "words").read_text().split() == ["-t", "-L"]
    assert (tmp_path / "mail").read_bytes() == b"Subject: x\r\n\r\nx"


def test_a_command_that_fails_or_is_gone_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackendError):
        ask(spam.COMMAND, b"x")
    program = tmp_path / "spamassassin"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(BackendError):
        ask(spam.COMMAND, b"x")


@pytest.mark.skipif(SPAMASSASSIN is None, reason="needs SpamAssassin (Debian: apt-get install spamassassin)")
def test_the_real_command_tells_a_good_newsletter_from_spam(newsletter):
    good, bad = ask(spam.COMMAND, newsletter), ask(spam.COMMAND, SPAMMY)
    assert not good.is_spam
    assert bad.points > good.points
    assert bad.rules


def test_a_report_of_anything_is_read_without_harm():
    for text in ("", "pts\n" * 5000, "1.0 " * 5000, "\x00\x1b[31m 1.0 RULE \x1b[0m", "9" * 5000 + " RULE x"):
        for rule in read_report(text):
            assert rule.words.isprintable() or rule.words == ""


def test_a_filters_login_is_not_told_where_it_fails():
    with pytest.raises(BackendError, match="gave no judgement") as caught:
        ask("http://us3r:S3CRET@127.0.0.1:1/", b"Subject: x\r\n\r\n")
    assert "http://127.0.0.1:1" in str(caught.value)
    assert "S3CRET" not in str(caught.value)
