"""One call of `send`: mails gathered into parcels, parcels on their way, and what came of each mail.

A request whose fate nobody knows makes us careful: one mail at a time, until one is answered. After three in
a row, or a closed door, the backend has failed; before mail is risked again, an empty request asks how it is.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from queue import Empty
from time import monotonic
from typing import TYPE_CHECKING

from campaigns.delivery.providers.answers import (
    Busy,
    Closed,
    Doubtful,
    NotBegun,
    NotReached,
    Refused,
    deferred,
    failed,
    require_success,
    unknown,
)
from campaigns.delivery.providers.api import Api
from campaigns.delivery.providers.http_parcel import Back, Leave, Parcel, Porter
from campaigns.delivery.smtp.work import Work
from campaigns.errors import BackendError
from campaigns.values import Outcome, Outgoing

if TYPE_CHECKING:  # httpx is loaded by who opens an account that needs it
    from campaigns.delivery.providers.http_call import Caller

HUNGER = 0.005  #: seconds before a batch that had nothing is asked again
SWEEP = 0.1  #: seconds between two looks at the watch's wish to stop
LINGER = 0.25  #: seconds that a parcel waits to become full
PARCEL = 8 * 1024 * 1024  #: bytes of mail in one request: each is held some four times while it is on its way
GRACE = 10.0  #: seconds that answers are waited for, once sending is to stop
PATIENCE = 20.0  #: seconds that a mail is kept waiting here for a provider that is busy
FIRST_WAIT = 1.0  #: seconds, where it does not say how long; doubled each time
DOUBTS = 3  #: requests in a row whose fate nobody knows
AFTER_DOUBTS = timedelta(minutes=1)
AFTER_CLOSED = timedelta(minutes=5)


@dataclass
class Health:
    """What a backend remembers of its provider from one call to the next."""

    name: str  #: of the account, for errors
    doubts: int = 0  #: requests in a row whose fate nobody knows
    shut: bool = False  #: ask before mail is risked

    def failure(self, why: object, rest: timedelta | None = None) -> BackendError:
        """Fail as a whole, and remember it; who sends for this account keeps the rest, and may end it."""
        self.shut = True
        return BackendError(f"{self.name}: {why}", retry_after=rest, busy=isinstance(why, Busy))


def look(api: Api, caller: "Caller", health: Health) -> None:
    """Ask with an empty request whether mail would be taken: it is refused, but only once we are let in.

    Raises:
        BackendError: it would not, or nobody can say.
    """
    try:
        require_success(caller.call(api.ask([], ""), lambda: True))
    except Refused:
        pass  # it looked at what we asked, so it lets us in
    except Busy as error:
        raise health.failure(error, error.wait) from error
    except Closed as error:
        raise health.failure(_closed(error), AFTER_CLOSED) from error
    except (Doubtful, NotReached) as error:
        raise health.failure(error) from error
    except Exception as error:  # what we ask with could not be had, as keys of a role
        raise health.failure(_mistake(error)) from error
    health.shut = False


@dataclass
class Round:
    """What is on its way."""

    work: Work
    porter: Porter
    health: Health
    connections: int
    most: int  #: mails in one request
    dispatch: Callable[[Porter, Parcel], None]  #: gives a parcel to a thread
    patience: float = PATIENCE
    _gathered: list[Outgoing] = field(default_factory=list)
    _since: float = 0.0
    _bytes: int = 0
    _waiting: deque[Parcel] = field(default_factory=deque)  #: to be begun, or begun again
    _flying: set[Parcel] = field(default_factory=set)
    _rest_until: float = 0.0
    _over_since: float | None = None
    _failure: BackendError | None = None

    def run(self) -> None:
        """Until all that was started is answered.

        Raises:
            BackendError: as `Backend.send` says.
        """
        if self.health.shut:
            look(self.porter.api, self.porter.caller, self.health)
        try:
            while not self.work.finished:
                self._begin()
                self._hear()
        finally:
            self.porter.gone.set()
            self._give_up("sending was interrupted")
        if error := self.work.error or self._failure:
            raise error

    # ---- beginning

    def _begin(self) -> None:
        if self.work.stopping():
            self._put_down()
            return
        self._gather()
        if monotonic() < self._rest_until:
            return
        limit = 1 if self.health.doubts else self.connections
        while len(self._flying) < limit and (parcel := self._next()):
            self._flying.add(parcel)
            self.dispatch(self.porter, parcel)
            self._gather()

    def _next(self) -> Parcel | None:
        if not self._waiting:
            if not self._gathered or not (self._full() or self._lingered()):
                return None
            self._waiting.append(Parcel(self._gathered))
            self._gathered, self._bytes = [], 0
        parcel = self._waiting.popleft()
        if self.health.doubts and len(parcel.mails) > 1:
            self._waiting.appendleft(replace(parcel, mails=parcel.mails[1:]))
            parcel = replace(parcel, mails=parcel.mails[:1])
        return parcel

    def _lingered(self) -> bool:
        return not self.work.hungry or monotonic() - self._since >= LINGER

    def _gather(self) -> None:
        """Take mails for the next parcel, as many as it holds."""
        while not self._full() and (mail := self.work.take()):
            refusal = self._refusal(mail)
            if refusal is not None:
                self.work.refuse(mail, refusal)
            elif self._gathered and not self._fits(mail):
                self._waiting.append(Parcel(self._gathered))
                self._start_with(mail)
            elif self._gathered:
                self._gathered.append(mail)
                self._bytes += len(mail.data)
            else:
                self._start_with(mail)

    def _start_with(self, mail: Outgoing) -> None:
        self._gathered, self._bytes, self._since = [mail], len(mail.data), monotonic()

    def _full(self) -> bool:
        if not self._gathered:
            return False
        most = 1 if self.health.doubts else self.most
        is_alone = len(self._gathered) == 1 and self.porter.api.alone(self._gathered[0])
        return is_alone or len(self._gathered) >= most

    def _fits(self, mail: Outgoing) -> bool:
        limit = min(PARCEL, self.porter.api.capabilities.max_bytes or PARCEL)
        return self._bytes + len(mail.data) <= limit and not self.porter.api.alone(mail)

    def _refusal(self, mail: Outgoing) -> Outcome | None:
        """What keeps a mail from this provider altogether."""
        able = self.porter.api.capabilities
        if mail.smtputf8 and not able.smtputf8:
            text = "the address has a name beyond ASCII, which this provider does not take"
            return failed(text, 553, "5.6.7")
        most = able.max_mail or able.max_bytes
        if most is not None and len(mail.data) > most:
            return failed(f"the mail is larger than the {most} bytes that this provider takes", 552, "5.3.4")
        return None

    # ---- hearing

    def _hear(self) -> None:
        try:
            report = self.porter.reports.get(timeout=self._pause())
        except Empty:
            self._look_at_the_clock()
            return
        if isinstance(report, Leave):
            report.grant(self._start(report.parcel))
        elif report.parcel in self._flying:
            self._flying.discard(report.parcel)
            self._settle(report)

    def _pause(self) -> float:
        if self.work.finished:
            return 0
        return HUNGER if self.work.hungry and not self._full() else SWEEP

    def _start(self, parcel: Parcel) -> bool:
        """Tell the watch of each mail, just before the first byte."""
        if parcel not in self._flying or self.work.stopping():
            return False
        started = []
        for mail in parcel.mails:
            if not self.work.start(mail):
                break
            started.append(mail)
        parcel.begun = len(started) == len(parcel.mails)
        if not parcel.begun:  # stopped in between: nothing has gone, but of these the watch knows
            parcel.mails = parcel.mails[len(started) :]
            for mail in started:
                self.work.answer(mail, deferred("sending was stopped before this mail went"))
        return parcel.begun

    def _settle(self, back: Back) -> None:
        for mail, outcome in back.told:
            self._answer(back.parcel, mail, outcome)
        error = back.error
        if error is None:
            self.health.doubts = 0
        elif isinstance(error, Refused):
            self._divide(back, error)
        elif isinstance(error, Busy):
            self._wait(back, error)
        elif isinstance(error, Doubtful):
            self._doubt(back, error)
        else:
            self._stop(back, error)

    def _answer(self, parcel: Parcel, mail: Outgoing, outcome: Outcome) -> None:
        if parcel.begun:
            self.work.answer(mail, outcome)
        elif mail in parcel.mails:
            self.work.refuse(mail, outcome)

    def _divide(self, back: Back, error: Refused) -> None:
        """A request was refused whole: find the mail for whose sake, by halves."""
        self.health.doubts = 0
        if len(back.left) == 1:
            self._answer(back.parcel, back.left[0], error.outcome)
            return
        middle = len(back.left) // 2
        for half in (back.left[:middle], back.left[middle:]):
            self._waiting.append(Parcel(half, back.parcel.begun))

    def _wait(self, back: Back, error: Busy) -> None:
        """Keep the mails here for a short while; for longer they are put off, and all rests."""
        parcel = back.parcel
        asked = error.wait.total_seconds() if error.wait is not None else 0.0
        wait = max(asked, FIRST_WAIT * 2**parcel.waits)  # also where it asks for none: each try costs
        again = Parcel(back.left, parcel.begun, parcel.waited + wait, parcel.waits + 1)
        if again.waited <= self.patience:
            self._rest_until = max(self._rest_until, monotonic() + wait)
            self._waiting.append(again)
            return
        rest = timedelta(seconds=wait)
        self._stop(back, error, rest, f"{error}; to be tried again in {wait:.0f} seconds")

    def _doubt(self, back: Back, error: Doubtful) -> None:
        for mail in back.left:
            self._answer(back.parcel, mail, unknown(error))
        self.health.doubts += 1
        if self.health.doubts >= DOUBTS:
            self.health.doubts = DOUBTS - 1  # after the next rest one is enough
            why = f"{DOUBTS} requests in a row got no clear answer; the last: {error}"
            self._fail(self.health.failure(why, AFTER_DOUBTS))

    def _stop(self, back: Back, error: Exception, rest: timedelta | None = None, text: str = "") -> None:
        """Nothing of the parcel was taken, and nothing more is begun."""
        outcome = deferred(f"not handed over: {text or error}")
        if isinstance(error, Closed):
            self._fail(self.health.failure(_closed(error), AFTER_CLOSED))
        elif isinstance(error, Busy | NotReached):
            self._fail(self.health.failure(error, rest))
        elif not isinstance(error, NotBegun) and not back.parcel.begun:
            self._fail(self.health.failure(_mistake(error)))
        elif not isinstance(error, NotBegun):  # a mistake of ours: who knows when it came about
            outcome = unknown(_mistake(error))
            self.work.stop(error)
        for mail in back.left:
            if back.parcel.begun:
                self.work.answer(mail, outcome)
            elif mail in back.parcel.mails:
                self.work.put_back(mail, str(error), None, counted=False)

    def _fail(self, failure: BackendError) -> None:
        self._failure = self._failure or failure
        self.work.stop()

    # ---- ending

    def _put_down(self) -> None:
        """Begin nothing more; what waits here is given back, or put off if the watch knows of it."""
        self.porter.hurry.set()
        self._over_since = self._over_since or monotonic()
        parcels = [*self._waiting, Parcel(self._gathered)]
        self._waiting.clear()
        self._gathered = []
        for parcel in parcels:
            for mail in parcel.mails:
                if parcel.begun:
                    self.work.answer(mail, deferred("sending was stopped while the provider was busy"))
                else:
                    self.work.put_back(mail, "stopped", None, counted=False)

    def _look_at_the_clock(self) -> None:
        """Do not wait for ever for a provider's word, once sending is to stop."""
        if self._over_since and self._failure is None and monotonic() - self._over_since > GRACE:
            self._give_up("sending was stopped")

    def _give_up(self, why: str) -> None:
        """Whatever is on its way now may have been taken."""
        flying, self._flying = self._flying, set()
        for parcel in flying:
            for mail in parcel.mails:
                if parcel.begun:
                    self.work.answer(mail, unknown(f"{why} before the provider answered"))
                else:
                    self.work.put_back(mail, why, None, counted=False)


def _mistake(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _closed(error: Closed) -> str:
    told = str(error).rstrip(". ")
    return (
        f"{told}. Look after the account's key, rights and address; nothing more is sent with it meanwhile."
    )
