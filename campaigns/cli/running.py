"""Commands that run: the whole installation, or one of its processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click
import structlog

from campaigns.cli.accounts import account_option, chosen_account
from campaigns.cli.alone import alone
from campaigns.cli.opening import bring_up_to_date, require_store
from campaigns.cli.ports import is_taken, require_free, stays_taken
from campaigns.clock import utc_now
from campaigns.config import Settings, from_environment
from campaigns.delivery.routes import Routing
from campaigns.errors import BackendError, NotAllowed
from campaigns.records import staff
from campaigns.records.serving import SENDER, WORKER
from campaigns.values import Account
from campaigns.wiring import Stores, attendance, enter, open_stores, routing_of

if TYPE_CHECKING:  # the command line is quick because each command loads its own
    from campaigns.flows.sending import Postbox

log = structlog.get_logger()
IDLE = 0.2  #: seconds a sender waits when nothing is due
BACKEND_REST = 1.0  #: seconds a sender waits when its backend has failed; its account is closed for longer
JOURNAL_REST = 5.0  #: seconds a sender waits when its journal cannot be written
STORE_REST = 1.0  #: seconds a sender waits when the store is away
#: Seconds a sender that is to end waits for answers; then they are in doubt. Less than `end` gives it.
SENDER_PATIENCE = 10.0
RESTART_REST = 2.0  #: seconds before a child that ended is started again
HERE, CATCHER_PORT = "127.0.0.1", 2525
#: A sender reads each contact once: what SQLite keeps for a second look only makes the process large.
LEAN = {"mmap_size": "0", "cache_size": "-16384"}


class Stopping:
    """Becomes true when the process is asked to end (SIGTERM or SIGINT).

    Args:
        patience: seconds after which whatever is still waited for is interrupted; None: it is not.

    """

    def __init__(self, patience: float | None = None) -> None:
        self.asked = False
        self._patience = patience
        signal.signal(signal.SIGALRM, self._insist)
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, self._ask)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        if self._patience is not None and not self.asked:
            signal.setitimer(signal.ITIMER_REAL, self._patience)
        self.asked = True

    def _insist(self, _number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    def done(self) -> None:
        """Interrupt nothing any more."""
        signal.setitimer(signal.ITIMER_REAL, 0)

    def __call__(self) -> bool:
        return self.asked

    def wait(self, seconds: float) -> None:
        """Sleep, but not beyond being asked to end."""
        until = time.monotonic() + seconds
        while not self.asked and time.monotonic() < until:
            time.sleep(min(0.1, max(0.0, until - time.monotonic())))


def _open(settings: Settings, door: str, **pragmas: str) -> Stores:
    enter(settings, door)
    require_store(settings)
    return open_stores(settings.database_url, **pragmas)


@click.command("migrate")
def migrate_() -> None:
    """Bring the store's tables up to date."""
    bring_up_to_date(from_environment().database_url)


@click.command()
def run() -> None:
    """Run everything on this machine: pages, tracking, worker and senders, until Ctrl-C."""
    settings = from_environment()
    with alone(settings.data):
        require_free(settings)
        bring_up_to_date(settings.database_url)
        _tell(f"Pages: http://127.0.0.1:{settings.web_port}/{_welcome(settings)}")
        _tell(f"Tracking, surveys and preferences: {settings.public_url}")
        supervise(processes(settings), Stopping())


def _welcome(settings: Settings) -> str:
    stores = open_stores(settings.database_url)
    with stores.readers() as session:
        anybody = staff.any_exist(session)
    stores.engine.dispose()
    return "" if anybody else "   (the first visit makes the administrator)"


def processes(settings: Settings) -> list[list[str]]:
    """The commands of an installation; the catcher where no mail server is named, or an account is one."""
    routing = routing_of(settings)
    own = [["web"], ["hits"], ["worker"]]
    for name in routing.accounts:
        which = [] if routing.is_plain() else ["--account", name]
        many = routing.senders.get(name, settings.senders)
        own += [["celery-worker", *which]] if settings.broker_url else [["sender", *which]] * many
    if settings.accounts_file is None and "POSTROOM_SMTP_URL" not in os.environ:
        own = [*_usual_catcher(), *own]
    return [*_catchers(routing), *own]


def _usual_catcher() -> Iterator[list[str]]:
    """The catcher where no mail server is named, unless another installation's listens in its place."""
    _tell("No POSTROOM_SMTP_URL: mails go to the local catcher, nobody receives them. See Caught mails.")
    if not stays_taken(HERE, CATCHER_PORT):
        yield ["catcher"]
        return
    log.warning(
        "something listens on the catcher's port already: another installation, or the demo. "
        "It gets the mails. End it, or set POSTROOM_SMTP_URL",
        port=CATCHER_PORT,
    )


def _catchers(routing: Routing) -> Iterator[list[str]]:
    """One for each port that accounts of this kind name, unless somebody listens there."""
    from campaigns.delivery.smtp.target import read_target

    caught = {one.name: one.options["url"] for one in routing.accounts.values() if one.kind == "catcher"}
    ports = {name: read_target(url).port for name, url in caught.items()}
    for port in sorted(set(ports.values())):
        names = ", ".join(name for name, own in ports.items() if own == port)
        _tell(f"Mails of {names} go to the local catcher on port {port}, nobody receives them.")
        if not is_taken(HERE, port):
            yield ["catcher", "--port", str(port)]


def _tell(text: str) -> None:
    """Say something to whoever started us; where nobody looks it is an entry of the log like any other."""
    if sys.stdout.isatty():
        click.echo(text)
    else:
        log.info(text)


def supervise(commands: Sequence[Sequence[str]], stopping: Callable[[], bool]) -> None:
    """Start each command, start again what ends, and end all when asked."""
    children = [(command, start(command)) for command in commands]
    try:
        while not stopping():
            time.sleep(0.2)
            for at, (command, child) in enumerate(children):
                if child.poll() is not None:
                    log.error("a process ended; starting it again", command=command[0], code=child.returncode)
                    time.sleep(RESTART_REST)
                    children[at] = (command, start(command))
    finally:
        end([child for _, child in children])


def start(command: Sequence[str], log_file: Path | None = None) -> subprocess.Popen[bytes]:
    """Start one of our commands as a process of its own; what it says goes to the file, if one is given.

    It is of the program that we are, though we were called in a folder with another, such as a checkout.
    """
    words = [sys.executable, "-P", "-m", "campaigns.cli", *command]
    path = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    if log_file is None:
        return subprocess.Popen(words, env=env, start_new_session=True)
    with log_file.open("ab") as file:
        return subprocess.Popen(words, env=env, start_new_session=True, stdout=file, stderr=subprocess.STDOUT)


def end(children: Sequence[subprocess.Popen[Any]], within: float = 20.0) -> None:
    """Ask processes to end, and end those that do not within the time."""
    for child in children:
        if child.poll() is None:
            child.terminate()
    until = time.monotonic() + within
    for child in children:
        try:
            child.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()


@click.command()
def worker() -> None:
    """Tick: open and finish runs, judge hits, read returned mail."""
    from campaigns.cli.cluster import executor_of
    from campaigns.exporter import start_exporter
    from campaigns.worker import Worker

    settings = from_environment()
    stores = _open(settings, "worker")
    stopping = Stopping()
    attending = attendance(settings, stores, routing_of(settings), WORKER)
    attending.start()
    ticking = Worker(stores, settings, executor=executor_of(settings))
    ticking.start()
    exporter = start_exporter(stores, settings)
    while not stopping():
        stopping.wait(1.0)
    if exporter is not None:
        exporter.stop()
    ticking.stop()
    attending.stop()


@click.command()
@account_option
def sender(name: str | None) -> None:
    """Send what is due through an account, until asked to end; start as many as there are cores to spare."""
    from campaigns.flows.sending import AWAY
    from campaigns.wiring import open_postbox

    settings = from_environment()
    if settings.broker_url:
        raise NotAllowed(
            "POSTROOM_BROKER_URL is set, so this installation is a cluster, whose senders the broker feeds: "
            "start `postroom celery-worker`, or unset it to let this machine send alone."
        )
    routing = routing_of(settings)
    account = chosen_account(routing, name, "sender")
    stores = _open(settings, "sender", **LEAN)
    stopping = Stopping(SENDER_PATIENCE)
    attending = attendance(settings, stores, routing, SENDER, account.name)
    attending.start()
    post = open_postbox(settings, stores, stopping, account)
    rounds = _Rounds(settings, post, account)
    while not stopping():
        stopping.wait(rounds.turn())
    stopping.done()
    post.backend.close()
    with suppress(*AWAY):  # then the journal is for the next recovery to read
        rounds.look_after()
        post.journal.close()
    attending.stop()


class _Rounds:
    """What a sender does again and again."""

    def __init__(self, settings: Settings, post: "Postbox", account: Account) -> None:
        self._settings, self._post, self._account = settings, post, account
        self._sure = False  # that the store calls ours what we know of, and nothing more

    def turn(self) -> float:
        """Send what is due; gives the seconds to rest then. Whatever goes wrong, the next turn goes on."""
        from campaigns.flows import probing
        from campaigns.flows.sending import AWAY, drain

        try:
            self.look_after()
            self._try_if_broken()
            drain(self._post)
        except BackendError as error:
            with suppress(*AWAY):
                probing.note_failure(self._post.sessions, self._account.name, error, utc_now())
            return BACKEND_REST
        except AWAY:
            self._sure = False
            log.warning("the store is away; trying again", exc_info=True)
            return STORE_REST
        except OSError:
            log.exception("the crash journal cannot be written; without it nothing is sent")
            return JOURNAL_REST
        except KeyboardInterrupt:
            self._sure = False
            log.warning("the server did not answer in time to end; what it was given is in doubt")
        return IDLE

    def look_after(self) -> None:
        """Settle what lost senders left, and what we lost sight of ourselves."""
        from campaigns.flows.recovery import recover

        if not self._sure:
            settings, owner = self._settings, self._post.journal.owner
            recover(self._post.sessions, settings.journals, settings.secret, utc_now, own=owner)
            self._sure = True

    def _try_if_broken(self) -> None:
        from campaigns.delivery.trying import try_again
        from campaigns.flows import probing

        ask = partial(try_again, self._account, self._settings.smtp_cafile)
        probing.probe(self._post.sessions, self._post.readers, self._account.name, ask, utc_now)


@click.command()
def hits() -> None:
    """Serve tracked addresses and the customers' pages."""
    from web.hits import serve

    settings = from_environment()
    serve(_open(settings, "hits"), settings, host=settings.host)


@click.command()
def web() -> None:
    """Serve the desks' pages."""
    from web.serve import serve

    settings = from_environment()
    require_store(settings)
    serve(settings)


@click.command()
@click.option("--port", default=CATCHER_PORT, show_default=True, help="Port on the loopback address.")
def catcher(port: int) -> None:
    """Catch all mail on this machine instead of sending it."""
    from campaigns.delivery.catcher import main

    main(from_environment().data / "caught", HERE, port)
