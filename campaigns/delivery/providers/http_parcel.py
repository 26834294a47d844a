"""Mails that share a request, and how a thread carries them to the provider."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any

from campaigns.delivery.providers.answers import Busy, Closed, Doubtful, NotReached, Refused, failed
from campaigns.delivery.providers.api import Api, Request, attempt_key
from campaigns.errors import BadInput
from campaigns.values import Outcome, Outgoing

if TYPE_CHECKING:  # httpx is loaded by who opens an account that needs it
    from campaigns.delivery.providers.http_call import Caller

REPLAYS = (1.0, 4.0, 15.0)  #: seconds before the same request is made again, where that does no harm
WINDOW = (
    0.5  #: the share of a provider's memory for keys in which we repeat: clocks differ, requests take time
)
LEAVE = 0.5  #: seconds between looks whether who would grant the leave has gone


@dataclass(eq=False)
class Parcel:
    """Mails on their way together."""

    mails: list[Outgoing]
    begun: bool = False  #: the watch was told of each, since a byte of theirs was about to go
    waited: float = 0.0  #: seconds that the provider made it wait
    waits: int = 0


@dataclass(frozen=True, slots=True)
class Leave:
    """A thread asks whether its parcel's first byte may go."""

    parcel: Parcel
    said: threading.Event = field(default_factory=threading.Event)
    yes: list[bool] = field(default_factory=list)

    def grant(self, granted: bool) -> None:  # noqa: FBT001 - it is the whole answer
        """Say yes or no."""
        self.yes.append(granted)
        self.said.set()


@dataclass(frozen=True, slots=True)
class Back:
    """A thread has come back."""

    parcel: Parcel
    told: list[tuple[Outgoing, Outcome]]  #: what is known of single mails
    error: Exception | None = None  #: what is known of all others
    left: list[Outgoing] = field(default_factory=list)  #: these others


Reports = SimpleQueue[Leave | Back]


@dataclass(frozen=True, slots=True)
class Porter:
    """Carries parcels of one call of `send`; any thread may use it."""

    api: Api
    caller: "Caller"
    reports: Reports
    hurry: threading.Event  #: no more waiting between repeats
    gone: threading.Event  #: nobody listens any more

    def carry(self, parcel: Parcel) -> Back:
        """Ask the provider, and again where that is safe and nobody knows yet what came of it."""
        told: list[tuple[Outgoing, Outcome]] = []
        mails = parcel.mails
        try:
            mails, pieces = self._pieces(parcel, told)
            outcomes = self._ask(parcel, mails, pieces) if mails else []
            return Back(parcel, [*told, *zip(mails, outcomes, strict=True)])
        except Exception as error:  # noqa: BLE001 - whatever it is, the thread that sends must hear of it
            return Back(parcel, told, error, mails)

    def _pieces(
        self, parcel: Parcel, told: list[tuple[Outgoing, Outcome]]
    ) -> tuple[list[Outgoing], list[Any]]:
        mails, pieces = [], []
        for mail in parcel.mails:
            try:
                pieces.append(self.api.piece(mail))
                mails.append(mail)
            except BadInput as error:
                told.append((mail, failed(error)))
            except Exception as error:  # noqa: BLE001 - one mail that we cannot write stops no other
                text = f"it could not be written for this provider: {type(error).__name__}: {error}"
                told.append((mail, failed(text)))
        return mails, pieces

    def _ask(self, parcel: Parcel, mails: Sequence[Outgoing], pieces: Sequence[Any]) -> list[Outcome]:
        key, memory = attempt_key(mails), self.api.capabilities.idempotency
        until = monotonic() + (memory.total_seconds() * WINDOW if memory else 0)
        pauses = iter(REPLAYS if memory else ())
        doubt: Doubtful | None = None
        while True:
            try:
                return self._ask_once(parcel, mails, pieces, key)
            except Doubtful as error:
                doubt = error
            except (NotReached, Busy, Closed, Refused):  # says nothing of the request before
                if doubt is None:
                    raise
            pause = next(pauses, None)
            if self.hurry.is_set():
                pauses = iter(())  # once more at once, and then a person decides
            if pause is None or monotonic() + pause > until or self.gone.is_set():
                raise doubt
            self.hurry.wait(pause)

    def _ask_once(
        self, parcel: Parcel, mails: Sequence[Outgoing], pieces: Sequence[Any], key: str
    ) -> list[Outcome]:
        request, limit = self._request(pieces, key), self.api.capabilities.max_bytes
        if limit is not None and len(request.body) > limit:
            text = f"the mail is larger than the {limit} bytes that this provider takes"
            raise Refused(failed(text, 552, "5.3.4"))
        answer = self.caller.call(request, self._leave_for(parcel))
        return self.api.hear(answer, mails)

    def _request(self, pieces: Sequence[Any], key: str) -> Request:
        """Make the request; where that fails, as with keys that cannot be had, no byte was written."""
        try:
            return self.api.ask(pieces, key)
        except Exception as error:
            raise NotReached(f"{type(error).__name__}: {error}") from error

    def _leave_for(self, parcel: Parcel) -> Callable[[], bool]:
        def begin() -> bool:
            if parcel.begun:
                return True
            leave = Leave(parcel)
            self.reports.put(leave)
            while not leave.said.wait(LEAVE):
                if self.gone.is_set():
                    return False
            return leave.yes[0]

        return begin
