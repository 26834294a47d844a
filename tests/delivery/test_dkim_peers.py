"""Our signatures, verified by programs that receivers run: OpenDKIM and rspamd, where they are installed."""

import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from campaigns.clock import utc_now
from tests.delivery.test_dkim import BOTH, MAILS, RECORDS
from tests.name_server import NameServer, text_record
from tests.ports import free_port

#: A receiver gets a mail with headers and body, and no line longer than SMTP allows.
RECEIVED = {
    name: data
    for name, data in MAILS.items()
    if name not in {"headers alone", "a body whose line does not end"}
}
SBIN = f"{os.environ.get('PATH', '')}:/usr/sbin"
OPENDKIM, RSPAMD = shutil.which("opendkim", path=SBIN), shutil.which("rspamd", path=SBIN)
NAMES = {name.rstrip("."): text for name, text in RECORDS.items()}
START = 30.0  #: seconds for a server to answer


def signed(data):
    """These programs believe no signature of another time."""
    return BOTH.signatures(data, utc_now()) + data


def tampered(data):
    """One letter of the body is another, or there is one where there was none."""
    return data[:-3] + b"~\r\n" if data[-3:-2].isalnum() else data + b"~\r\n"


# ---- OpenDKIM


@pytest.fixture
def opendkim(tmp_path):
    if OPENDKIM is None:
        pytest.skip("needs OpenDKIM (Debian: apt-get install opendkim)")
    (tmp_path / "dns").write_text("".join(f"{name} {text}\n" for name, text in NAMES.items()))
    conf = tmp_path / "opendkim.conf"
    conf.write_text(f"Mode v\nSyslog no\nDomain none.example\nTestDNSData file:{tmp_path / 'dns'}\n")

    def judge(data):
        mail = tmp_path / "mail.eml"
        mail.write_bytes(data)
        command = [OPENDKIM, "-x", conf, "-vv", "-t", mail]
        ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
        said = (ran.stdout + ran.stderr).partition("hname='Authentication-Results'")[2]
        found = re.findall(r"dkim=(\w+)[^;]*header\.a=(\w+)-sha256", said)
        return {algorithm: verdict for verdict, algorithm in found}

    return judge


@pytest.mark.parametrize("data", RECEIVED.values(), ids=RECEIVED)
def test_opendkim_believes_both_signatures(opendkim, data):
    assert opendkim(signed(data)) == {"rsa": "pass", "ed25519": "pass"}


@pytest.mark.parametrize("name", ["plain", "wide text", "attachments"])
def test_opendkim_believes_no_mail_that_was_changed(opendkim, name):
    assert opendkim(tampered(signed(MAILS[name]))) == {"rsa": "fail", "ed25519": "fail"}


# ---- rspamd


CONF = """
options {{
  filters = "dkim";
  pidfile = "{folder}/pid"; cache_file = "{folder}/cache"; history_file = "{folder}/history"; rrd = "";
  tempdir = "{folder}"; hs_cache_dir = "{folder}"; url_tld = "{folder}/suffixes"; disable_hyperscan = true;
  dns {{ nameserver = ["127.0.0.1:{names}:1"]; timeout = 1s; retransmits = 2; }}
  local_addrs = [];
}}
logging {{ type = "console"; level = "warning"; }}
dkim {{ time_jitter = 6h; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; mime = true; }}
"""


@pytest.fixture(scope="module")
def rspamd(tmp_path_factory):
    if RSPAMD is None:
        pytest.skip("needs rspamd (Debian: apt-get install rspamd)")
    folder = tmp_path_factory.mktemp("rspamd")
    with NameServer({(name, "TXT"): [text_record(text)] for name, text in NAMES.items()}) as server:
        port = free_port()
        (folder / "suffixes").write_text("example\n")
        conf = folder / "rspamd.conf"
        conf.write_text(CONF.format(folder=folder, names=server.resolver().port, port=port))
        with (folder / "log").open("wb") as log:
            started = subprocess.Popen([RSPAMD, "-c", conf, "-f", "-i"], stdout=log, stderr=log)
        try:
            wait_for(port, started, folder / "log")
            yield lambda data: symbols(port, data)
        finally:
            started.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                started.wait(10)
            started.kill()
            started.wait()


def wait_for(port: int, started: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + START
    while time.monotonic() < until and started.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    pytest.fail(f"rspamd does not answer:\n{log.read_text()[-2000:]}")


def symbols(port, data):
    """What rspamd says of a mail's signatures: its verdict, and by which selectors."""
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    asked.request("POST", "/checkv2", body=data)
    said = json.loads(asked.getresponse().read())["symbols"]
    asked.close()
    return {name: set(one["options"]) for name, one in said.items() if name.startswith("R_DKIM")}


BELIEVED = {"blumen.example:s=one", "blumen.example:s=two"}


#: rspamd takes repeated headers in an order of its own where there is one name too many; we write none twice.
ONCE = {name: data for name, data in RECEIVED.items() if name != "headers twice"}


@pytest.mark.parametrize("data", ONCE.values(), ids=ONCE)
def test_rspamd_believes_both_signatures(rspamd, data):
    assert rspamd(signed(data)) == {"R_DKIM_ALLOW": BELIEVED}


@pytest.mark.parametrize("name", ["plain", "wide text", "attachments"])
def test_rspamd_believes_no_mail_that_was_changed(rspamd, name):
    assert rspamd(tampered(signed(MAILS[name]))) == {"R_DKIM_REJECT": BELIEVED}
