"""The process that takes hits, killed under load: whatever it answered is in the store."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from tests.ports import free_port
from tests.web.public.scene import Scene, on_sqlite

PATIENCE = 120.0  #: seconds for whatever is waited for
UNDER_LOAD = 300  #: hits answered before the kill
CLIENTS = 8
SERVE = """
import sys
from pathlib import Path
from campaigns.wiring import open_stores
from tests.web.public.scene import on_sqlite, settings
from web.hits import serve
url, port, data = sys.argv[1:]
serve(open_stores(url), settings(Path(data), url, hits_port=int(port)))
"""


@contextmanager
def served(url: str, data: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = free_port()
    command = [sys.executable, "-c", SERVE, url, str(port), str(data)]
    root = Path(__file__).parents[3]
    process = subprocess.Popen(command, cwd=root, start_new_session=True, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: listens(port))
        yield process, port
    finally:
        kill_all(process)


def kill_all(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(PATIENCE)


def wait_until(true: Callable[[], bool], seconds: float = PATIENCE) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Clients:
    """Ask for the pixel and a link until nobody answers; each request is known by its agent."""

    def __init__(self, port: int, scene: Scene) -> None:
        self.answered: set[str] = set()
        self.wrong: list[int] = []
        paths = [scene.path("o"), scene.path("c") + "/1"]
        self.threads = [threading.Thread(target=self._ask, args=(port, paths, n)) for n in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def _ask(self, port: int, paths: list[str], client: int) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            for turn in range(1_000_000):
                agent = f"{client}.{turn}"
                connection.request("GET", paths[turn % 2], headers={"User-Agent": agent})
                answer = connection.getresponse()
                answer.read()
                if answer.status not in {200, 302}:
                    self.wrong.append(answer.status)
                self.answered.add(agent)
        except (OSError, HTTPException):
            return

    def join(self) -> None:
        for thread in self.threads:
            thread.join(PATIENCE)


def test_kill_9_under_load_loses_no_answered_hit(scene: Scene, database_url: str, tmp_path: Path) -> None:
    with served(database_url, tmp_path) as (process, port):
        clients = Clients(port, scene)
        wait_until(lambda: len(clients.answered) > UNDER_LOAD or bool(clients.wrong))
        kill_all(process)
        clients.join()
    stored = [row.agent for row in scene.hits()]
    assert clients.wrong == []
    assert clients.answered <= set(stored)
    assert len(stored) == len(set(stored))
    assert len(stored) - len(clients.answered) <= CLIENTS  # only what was on its way to an answer


@on_sqlite
def test_the_worker_does_not_outlive_its_parent(scene: Scene, database_url: str, tmp_path: Path) -> None:
    with served(database_url, tmp_path) as (process, port):
        process.kill()
        wait_until(lambda: not listens(port))


@on_sqlite
def test_real_headers_come_through_the_server(scene: Scene, database_url: str, tmp_path: Path) -> None:
    with served(database_url, tmp_path) as (_process, port):
        raw = (
            f"GET {scene.path('o')} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 10.0.0.1, 203.0.113.9\r\n".encode()
            + b"User-Agent: A browser/1.0\r\nAccept-Language: de\r\nConnection: close\r\n\r\n"
        )
        assert b"200 OK" in exchange(port, raw)
        for hostile in (
            raw.replace(b"browser", b"Gr\xc3\xbc\xc3\x9fe \xff"),
            b"GET /o/%00%ff%fe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            b"GET /c/\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            b"GET /o/x HTTP/1.1\r\nHost: x\r\nX-Big: " + b"a" * 300_000 + b"\r\nConnection: close\r\n\r\n",
            b"POST /u/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nabcde",
            b"nonsense\r\n\r\n",
        ):
            status = exchange(port, hostile).partition(b"\r\n")[0]
            assert b" 5" not in status, (hostile[:60], status)
        head = exchange(
            port, f"HEAD {scene.path('o')} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        )
        assert b"content-length: 43" in head.lower()
        assert head.endswith(b"\r\n\r\n")
    first = scene.hits()[0]
    assert first.agent == "A browser/1.0"
    assert first.address == "203.0.113.9"
    assert first.headers == "accept-language"


def exchange(port: int, raw: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as peer:
        received = b""
        try:
            peer.sendall(raw)
            while piece := peer.recv(65536):
                received += piece
        except ConnectionError:
            pass
        return received
