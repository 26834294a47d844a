"""A RabbitMQ of our own from Debian's package: own port, data, cookie and port mapper; nothing of the system's."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kombu import Connection

from tests.ports import free_port

LIB = Path("/usr/lib/rabbitmq/lib")
BOOT = 240.0  #: seconds within which it must answer
MISSING = "no RabbitMQ (Debian: apt-get install rabbitmq-server)"


def installed() -> bool:
    """Whether a broker of our own can be started."""
    return _server() is not None


class Rabbit:
    """One broker, that can be killed and started again on the same data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mapper_port, port, self._nodes_port = (free_port() for _ in range(3))
        self.url = f"amqp://guest:guest@127.0.0.1:{port}//"
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{port}\n"
            "vm_memory_high_watermark.absolute = 512MB\n"
            "disk_free_limit.absolute = 50MB\n"
            "log.file.level = warning\n"
        )
        (folder / "plugins").write_text("[].\n")
        self._mapper = subprocess.Popen(
            ["epmd", "-port", str(self._mapper_port), "-address", "127.0.0.1"],
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it on what data it has, and wait until it answers."""
        server = _server()
        assert server is not None, MISSING
        with (self._folder / "out").open("ab") as out:
            self._server = subprocess.Popen(
                [server], env=self._environment(), start_new_session=True, stdout=out, stderr=out
            )
        until = time.monotonic() + BOOT
        while not _answers(self.url):
            assert self._server.poll() is None, (self._folder / "out").read_text()[-2000:]
            assert time.monotonic() < until, "RabbitMQ does not answer"
            time.sleep(0.2)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End it with all its processes, by default without warning."""
        assert self._server is not None, "it was not started"
        os.killpg(self._server.pid, number)
        self._server.wait()

    def close(self) -> None:
        """End it and what stood by it."""
        if self._server is not None and self._server.poll() is None:
            self.kill()
        self._mapper.terminate()
        self._mapper.wait()

    def cpu(self) -> float:
        """CPU seconds of all its processes so far."""
        assert self._server is not None, "it was not started"
        ticks = 0
        for path in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                fields = path.read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12]) if int(fields[3]) == self._server.pid else 0
        return ticks / os.sysconf("SC_CLK_TCK")

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),  # of the cookie, made on first use
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": "postroom@localhost",
            "RABBITMQ_DIST_PORT": str(self._nodes_port),
            "RABBITMQ_CONFIG_FILE": str(self._folder / "rabbitmq"),
            "RABBITMQ_CONF_ENV_FILE": str(self._folder / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "data"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_PID_FILE": str(self._folder / "pid"),
            # it shares the machine with what it is tested with: no scheduler of its spins while idle
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
        }


@contextmanager
def running_rabbit() -> Iterator[Rabbit]:
    """Start a broker in a fresh folder, and end it."""
    folder = Path(tempfile.mkdtemp(prefix="postroom-mq-"))
    rabbit = Rabbit(folder)
    try:
        rabbit.start()
        yield rabbit
    finally:
        rabbit.close()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def broker_url() -> Iterator[str]:
    """The URL of a broker: the one that POSTROOM_TEST_RABBIT names, or one of our own."""
    if given := os.environ.get("POSTROOM_TEST_RABBIT"):
        yield given
        return
    with running_rabbit() as rabbit:
        yield rabbit.url


def _server() -> str | None:
    """The server itself, not the wrapper that insists on the system's user."""
    found = sorted(LIB.glob("rabbitmq_server-*/sbin/rabbitmq-server")) if shutil.which("epmd") else []
    return str(found[-1]) if found else None


def _answers(url: str) -> bool:
    try:
        with Connection(url, connect_timeout=2) as connection:
            connection.ensure_connection(max_retries=1, timeout=2)
    except Exception:
        return False
    return True
