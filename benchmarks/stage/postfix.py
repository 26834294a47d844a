"""A real Postfix of our own: private folders, a loopback port, and mail that is discarded once queued."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from stage import processes
from stage.peers import SBIN, Peer, tool

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
daemon_directory = {daemons}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = localhost
mydestination =
mynetworks = 127.0.0.0/8
default_transport = discard:
relay_transport = discard:
local_transport = discard:
local_recipient_maps =
alias_maps =
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
smtpd_client_connection_rate_limit = 0
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
maximal_queue_lifetime = 1h
"""
MASTER = """
{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@contextmanager
def running_postfix(folder: Path) -> Iterator[Peer]:
    """Run Postfix for the block; what it has queued it counts in its log."""
    if os.geteuid() != 0:
        print(
            "--postfix needs root: Postfix's master starts as root and gives its rights up.", file=sys.stderr
        )
        sys.exit(2)
    port = processes.free_port()
    folder.chmod(0o755)
    for name in ("config", "queue", "data"):
        (folder / name).mkdir(mode=0o755)
    subprocess.run(["chown", "postfix", str(folder / "data")], check=True)
    daemons = tool("smtpd").rpartition("/")[0]
    (folder / "config" / "main.cf").write_text(MAIN.format(folder=folder, daemons=daemons))
    (folder / "config" / "master.cf").write_text(MASTER.format(port=f"127.0.0.1:{port}"))
    command = [tool("postfix"), "-c", str(folder / "config")]
    env = {**os.environ, "PATH": SBIN}
    subprocess.run([*command, "start"], check=True, env=env, capture_output=True)
    try:
        processes.wait_until(lambda: processes.listening(port), "Postfix's start")
        master = int((folder / "queue" / "pid" / "master.pid").read_text())
        count = partial(_queued, folder / "log")
        yield Peer(f"smtp://127.0.0.1:{port}", port, partial(processes.cpu_below, master), count)
    finally:
        subprocess.run([*command, "abort"], check=False, env=env, capture_output=True)


def _queued(log: Path) -> int:
    return log.read_bytes().count(b": message-id=<") if log.exists() else 0
