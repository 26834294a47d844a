"""What each process of a Celery worker does: a postbox of its own, made after the fork, chunk by chunk."""

import mmap
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import monotonic, sleep
from types import FrameType

import structlog

from campaigns import logs, metrics
from campaigns.clock import utc_now
from campaigns.config import Settings
from campaigns.delivery.trying import try_again
from campaigns.errors import BackendError
from campaigns.flows import dispatching, probing
from campaigns.flows.attending import Attendance
from campaigns.flows.recovery import recover
from campaigns.flows.sending import AWAY, Postbox, send_this
from campaigns.records.outbox.publishing import Due
from campaigns.records.serving import SENDER
from campaigns.values import Account
from campaigns.wiring import Stores, attendance, open_postbox, open_stores, routing_of

RECOVER_EVERY = 15.0  #: seconds between looks for senders that died on this machine
PROBE_EVERY = 2.0  #: seconds between looks whether the account is broken and its time has come
#: Seconds a sender that is to end waits for answers; then they are in doubt.
PATIENCE = 10.0

log = structlog.get_logger()


class Ending:
    """Whether the worker was asked to end: one byte that its processes share, made before they are."""

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)
        self._armed = False

    def ask(self) -> None:
        """Let every process stop after what is on the wire."""
        self._byte[0] = 1

    def __call__(self) -> bool:
        """Asked by a sender at work; at the first yes an alarm is set, for answers may not come."""
        asked = bool(self._byte[0])
        if asked and not self._armed:
            self._armed = True
            signal.setitimer(signal.ITIMER_REAL, PATIENCE)
        return asked

    def rest(self) -> None:
        """The sender is done: no alarm."""
        signal.setitimer(signal.ITIMER_REAL, 0)


class Sender:
    """One process's way out; `open` it after the fork."""

    def __init__(
        self, settings: Settings, ending: Ending, account: Account, serves: Callable[[str], bool]
    ) -> None:
        self._settings, self._ending, self._account, self._serves = settings, ending, account, serves
        self._stores: Stores | None = None
        self._post: Postbox | None = None
        self._attending: Attendance | None = None
        self._sure = False  # that the store calls ours what we know of, and nothing more

    def open(self) -> None:
        """Begin in a process of its own: connections, journal, and a look after those that died before."""
        signal.signal(signal.SIGALRM, _insist)
        logs.name_addresses_by(self._settings.secret)
        metrics.keep(self._settings.data, "sender")
        self._stores = open_stores(self._settings.database_url)
        for name, seconds, act in (
            ("recovery", RECOVER_EVERY, self._look_after_the_dead),
            ("probing", PROBE_EVERY, self._try_the_account),
        ):
            threading.Thread(target=_again, args=(act, seconds), name=name, daemon=True).start()
        routing = routing_of(self._settings)
        self._attending = attendance(self._settings, self._stores, routing, SENDER, self._account.name)
        self._attending.start()

    def send(self, run: int, number: int) -> int:
        """Send a chunk if it is due and nobody has it, and for some seconds what else is due of our lanes.

        Gives how many messages were answered for.
        """
        assert self._stores is not None, "open() comes first"
        try:
            if self._post is None:
                self._post = open_postbox(self._settings, self._stores, self._ending, self._account)
            if not self._sure:
                self._recover(self._stores, self._post.journal.owner)
                self._sure = True
            answered = send_this(self._post, run, number, self._serves)
            if not answered:
                self._not_sent(self._stores, run, number)
        except BackendError as error:
            log.warning("the backend failed; the chunk waits", run=run, chunk=number, error=str(error))
            with suppress(*AWAY):
                probing.note_failure(self._stores.sessions, self._account.name, error, utc_now())
        except AWAY:
            self._sure = False
            log.warning("the store is away; the chunk will be published again", exc_info=True)
        except OSError:
            log.exception("the crash journal cannot be written; without it nothing is sent")
        except KeyboardInterrupt:
            self._sure = False
            log.warning("the server did not answer in time to end; what it was given is in doubt")
        else:
            return answered
        finally:
            self._ending.rest()
        return 0

    def close(self) -> None:
        """Say goodbye to the mail server, and leave no journal."""
        if self._attending is not None:
            self._attending.stop()
        if self._post is not None:
            self._post.backend.close()
            if self._sure:  # else it is for recovery to read
                self._post.journal.close()

    def _not_sent(self, stores: Stores, run: int, number: int) -> None:
        """The message is spent, and perhaps the chunk is due still: its run was paused and goes on again."""
        with stores.sessions.begin() as session:
            dispatching.take_back(session, [Due(run, number, "")])

    def _look_after_the_dead(self) -> None:
        assert self._stores is not None
        self._recover(self._stores, None)

    def _try_the_account(self) -> None:
        """Ask a broken account now and then whether it takes mail again."""
        assert self._stores is not None
        ask = partial(try_again, self._account, self._settings.smtp_cafile)
        probing.probe(self._stores.sessions, self._stores.readers, self._account.name, ask, utc_now)

    def _recover(self, stores: Stores, own: str | None) -> None:
        recover(stores.sessions, self._settings.journals, self._settings.secret, utc_now, own=own)


def _again(act: Callable[[], None], seconds: float) -> None:
    """Do something for ever, so many seconds apart, whatever comes of it."""
    while True:
        began = monotonic()
        try:
            act()
        except Exception:
            log.exception("what is done now and then failed; trying again", what=act.__name__)
        sleep(max(1.0, seconds - (monotonic() - began)))


def _insist(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
