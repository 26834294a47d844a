"""Mail servers to send to, and Postfix's own load generator beside us."""

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import NamedTuple

from stage import processes

CURE = (
    "smtp-sink and smtp-source come with Postfix: DEBIAN_FRONTEND=noninteractive"
    " apt-get install -y --no-install-recommends postfix"
)
SBIN = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/lib/postfix/sbin"
BACKLOG = 512
OWN_HEADERS = 200  #: bytes that smtp-source adds to the length it is told


class Spent(NamedTuple):
    """What a turn took."""

    seconds: float
    cpu: float  #: seconds of the sending side
    sink: float  #: CPU seconds of the receiving side
    count: int  #: mails that the receiving side counted


@dataclass
class Peer:
    """A server that takes mail: where it is, and what it says it took."""

    url: str
    port: int
    cpu: Callable[[], float]  #: seconds so far
    count: Callable[[], int]  #: mails taken so far
    env: dict[str, str] = field(default_factory=dict)  #: what a sender needs to trust it


def _counted(path: Path) -> int:
    """Read the newest count of a sink that tells it again and again."""
    words = path.read_bytes()[-200:].replace(b"\r", b"\n").split()
    return next((int(word[5:]) for word in reversed(words) if word.startswith(b"mesg=")), 0)


def tool(name: str) -> str:
    """Find one of Postfix's programs; say how to get it where it is missing."""
    found = shutil.which(name, path=SBIN)
    if found is None:
        print(f"{name} is missing. {CURE}", file=sys.stderr)
        sys.exit(2)
    return found


@contextmanager
def sink(folder: Path, *options: str) -> Iterator[Peer]:
    """Run smtp-sink: it takes all mail and forgets it."""
    port = processes.free_port()
    # it gives up root's rights by itself, for the name it is told, and may run only so
    rights = ["-u", "nobody"] if os.geteuid() == 0 else []
    words = [tool("smtp-sink"), *rights, "-c", *options, f"127.0.0.1:{port}", str(BACKLOG)]
    counted = folder / f"sink-{port}"
    with processes.running(words, {}, counted) as process:
        processes.wait_until(lambda: processes.listening(port), "smtp-sink's start")
        told = partial(processes.cpu, process), partial(_counted, counted)
        yield Peer(f"smtp://127.0.0.1:{port}", port, *told)


@contextmanager
def secured(folder: Path) -> Iterator[Peer]:
    """Run a server of our own that wants STARTTLS and a password; its authority is made for this run."""
    port = processes.free_port()
    counted = folder / f"tls-{port}"
    script = Path(__file__).with_name("tls_peer.py")
    with processes.running([sys.executable, str(script), str(port), str(folder)], {}, counted) as process:
        processes.wait_until(lambda: processes.listening(port), "the TLS server's start")
        trust = {"POSTROOM_SMTP_CAFILE": str(folder / "authority.pem")}
        told = partial(processes.cpu, process), partial(_counted, counted)
        yield Peer(f"smtp+starttls://me:secret@localhost:{port}", port, *told, trust)


def source(peer: Peer, *, count: int, size: int, connections: int, kept: bool = True) -> Spent:
    """Send mails of one size by smtp-source, each connection kept open, or each for one mail."""
    words = [tool("smtp-source"), "-s", str(connections), "-m", str(count), "-l", str(size - OWN_HEADERS)]
    words += ["-f", "letter@shop.example.com", "-t", "person@example.com", f"127.0.0.1:{peer.port}"]
    if kept:
        words.insert(1, "-d")
    before, taken = peer.cpu(), peer.count()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    subprocess.run(words, check=True)
    seconds = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    processes.wait_until(lambda: peer.count() - taken >= count, "the count of smtp-source's mails")
    return Spent(seconds, cpu, peer.cpu() - before, peer.count() - taken)


def dumped(folder: Path) -> list[tuple[int, EmailMessage]]:
    """Read the mails that smtp-sink wrote down, each with its size on the wire."""
    found = []
    for path in sorted(folder.iterdir()):
        lines = path.read_bytes().split(b"\n")
        while lines and lines[0].startswith((b"X-Client-", b"X-Helo-", b"X-Mail-", b"X-Rcpt-")):
            lines.pop(0)
        wire = sum(len(line) + 2 for line in lines)
        parsed = message_from_bytes(b"\r\n".join(lines), policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        found.append((wire, parsed))
    return found
