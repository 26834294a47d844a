"""Postfix and Dovecot of Debian, each with its own folder, on loopback, for root's tests."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from tests.ports import free_port

POSTFIX, DAEMONS = "/usr/sbin/postfix", "/usr/lib/postfix/sbin"
DOVECOT = "/usr/sbin/dovecot"
OWNER = "nobody"  #: of the delivered mail
PASSWORD = "returned"
MISSING = "Postfix or Dovecot is missing, or this is not root (Debian: apt-get install postfix dovecot-imapd dovecot-pop3d)"

MAIN_CF = """
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
daemon_directory = {daemons}
command_directory = /usr/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {home}/log/postfix
maillog_file_prefixes = {home}
myhostname = relay.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
local_transport = error:no local mail
smtp_dns_support_level = disabled
smtp_host_lookup = native
transport_maps = inline:{{ {{ kunde.example = smtp:[127.0.0.1]:{sink} }} }}
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {home}/mail
virtual_mailbox_maps = static:Maildir/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
bounce_queue_lifetime = 1h
"""

MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

DOVECOT_CONF = """
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/log/dovecot
protocols = imap pop3
listen = 127.0.0.1
mail_location = maildir:{home}/mail/Maildir
first_valid_uid = 1
first_valid_gid = 1
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{certificate}
disable_plaintext_auth = yes
default_internal_user = dovecot
default_login_user = dovenull
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={home}/mail
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = 0
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""


def installed():
    found = all(Path(one).exists() for one in (POSTFIX, DOVECOT, "/usr/lib/dovecot/pop3"))
    return found and os.geteuid() == 0


def make_home(home):
    """Folders that the servers' own users may enter, and one that the mailbox's owner has."""
    home.chmod(0o755)
    for name in ("queue", "data", "mail", "run", "state", "log", "postfix"):
        (home / name).mkdir()
    shutil.chown(home / "data", "postfix")
    shutil.chown(home / "mail", OWNER)


@contextmanager
def postfix(home, *, sink, domain):
    """A relay that hands kunde.example to a sink, and returned mail to the mailbox; gives its port."""
    port = free_port()
    owner = pwd.getpwnam(OWNER)
    config = home / "postfix"
    names = {"home": home, "daemons": DAEMONS, "sink": sink, "domain": domain}
    (config / "main.cf").write_text(MAIN_CF.format(**names, uid=owner.pw_uid, gid=owner.pw_gid))
    (config / "master.cf").write_text(MASTER_CF.format(port=port))
    with _running([POSTFIX, "-c", str(config), "start-fg"], home, home / "queue/pid/master.pid", port):
        yield port


@contextmanager
def dovecot(home, certificate):
    """The mailbox by IMAP and POP3; gives the ports of imap (STARTTLS), imaps and pop3s."""
    imap, imaps, pop3s = (free_port() for _ in range(3))
    owner = pwd.getpwnam(OWNER)
    names = {"home": home, "certificate": certificate, "password": PASSWORD}
    ports = {"imap": imap, "imaps": imaps, "pop3s": pop3s}
    conf = home / "dovecot.conf"
    conf.write_text(DOVECOT_CONF.format(**names, **ports, uid=owner.pw_uid, gid=owner.pw_gid))
    with _running([DOVECOT, "-F", "-c", str(conf)], home, home / "run/master.pid", imaps):
        yield imap, imaps, pop3s


@contextmanager
def _running(command, home, pid_file, port):
    """Start a server, wait until it listens, and end it and all that it started by its own process ids."""
    with (home / "log" / f"{Path(command[0]).name}.out").open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
    try:
        wait_for(lambda: _listens(port), lambda: _logs(home))
        yield
    finally:
        for pid in {process.pid, *_pid_in(pid_file)}:
            _end(pid)
        process.wait(60)


def _end(pid):
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return


def _pid_in(file):
    return [int(file.read_text())] if file.exists() and file.read_text().strip().isdigit() else []


def _listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(holds, told=lambda: "", seconds=180.0):
    until = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < until, told()
        time.sleep(0.05)
    return found


def _logs(home):
    return "\n".join(f"== {file.name}\n{file.read_text()[-2000:]}" for file in (home / "log").iterdir())
