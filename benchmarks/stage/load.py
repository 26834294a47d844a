"""Load on a web server over kept connections: by wrk where it is installed, else by a loop of our own."""

import json
import random
import select
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

SERVED = 20_000  #: requests written beforehand, gone through again and again
HEADERS = (
    "Host: t.shop.example.com\r\n"
    "User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E1\r\n"
    "Accept: image/avif,image/webp,*/*;q=0.8\r\nAccept-Language: de-DE,de;q=0.9\r\nAccept-Encoding: gzip\r\n"
    "X-Forwarded-For: 203.0.113.77\r\n"
)
LUA = """
local requests, at = {}, 0
function init(args)
  for path in io.lines(args[1]) do
    requests[#requests + 1] = "GET " .. path .. " HTTP/1.1\\r\\n" .. args[2]:gsub("|", "\\r\\n") .. "\\r\\n"
  end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('{"answers":%d,"wrong":%d,"seconds":%f,"p50":%f,"p99":%f,"most":%f}\\n',
    summary.requests, e.status + e.connect + e.read + e.write + e.timeout, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
"""


class Told(NamedTuple):
    """What a load was answered; times in milliseconds."""

    answers: int
    wrong: int
    seconds: float
    p50: float
    p99: float
    most: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds


def name() -> str:
    """Name the generator that is used."""
    return "wrk" if shutil.which("wrk") else "the benchmark's own generator (apt-get install wrk is lighter)"


def load(port: int, paths: list[str], *, seconds: float, connections: int, folder: Path) -> Told:
    """Ask for the paths in turn on so many kept connections."""
    file = folder / "paths"
    file.write_text("\n".join(paths) + "\n")
    if shutil.which("wrk"):
        return _wrk(port, file, seconds, connections)
    words = [sys.executable, __file__, str(port), str(file), str(seconds), str(connections)]
    return _told(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def _wrk(port: int, file: Path, seconds: float, connections: int) -> Told:
    script = file.with_suffix(".lua")
    script.write_text(LUA)
    words = ["wrk", "-t1", f"-c{connections}", f"-d{round(seconds)}s", "--timeout", "10s", "-s", str(script)]
    words += [f"http://127.0.0.1:{port}", "--", str(file), HEADERS.replace("\r\n", "|")]
    return _told(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def _told(output: str) -> Told:
    return Told(**json.loads(output.strip().splitlines()[-1]))


class _Client:
    """One kept connection: a request, its answer, the next request."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.asked = 0.0

    def ask(self, request: bytes) -> None:
        self.asked = time.perf_counter()
        self.socket.sendall(request)

    def answer(self) -> bytes | None:
        """Give the status line once the answer is whole; empty when the server closed."""
        received = self.socket.recv(65536)
        if not received:
            return b""
        self.buffer += received
        head, end, body = self.buffer.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return None
        self.buffer = b""
        return head[:12]


def _length(head: bytes) -> int:
    at = head.lower().find(b"content-length:")
    return int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


def _generate(port: int, paths: list[str], seconds: float, connections: int) -> Told:
    requests = [f"GET {path} HTTP/1.1\r\n{HEADERS}\r\n".encode() for path in paths]
    clients = {client.socket.fileno(): client for client in (_Client(port) for _ in range(connections))}
    poll = select.epoll()
    times: list[float] = []
    wrong = turn = 0
    began = time.perf_counter()
    for number, client in clients.items():
        poll.register(number, select.EPOLLIN)
        client.ask(requests[(turn := turn + 1) % len(requests)])
    while (now := time.perf_counter()) - began < seconds and clients:
        for number, _event in poll.poll(0.1):
            status = clients[number].answer()
            if status is None:
                continue
            if not status:
                wrong += 1
                clients.pop(number).socket.close()
                continue
            times.append(time.perf_counter() - clients[number].asked)
            wrong += status[9:10] not in b"23"
            clients[number].ask(requests[(turn := turn + 1) % len(requests)])
    ordered = sorted(times) or [0.0]
    p50, p99 = (ordered[int(len(ordered) * share)] * 1e3 for share in (0.5, 0.99))
    return Told(len(times), wrong, now - began, p50, p99, ordered[-1] * 1e3)


if __name__ == "__main__":
    random.seed(1)
    to, where, lasting, many = sys.argv[1:]
    lines = Path(where).read_text().split()
    print(json.dumps(_generate(int(to), lines, float(lasting), int(many))._asdict()))
