"""What a provider's file must give so that its webhooks are believed and read."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from campaigns.delivery.webhooks.signals import Signal
from campaigns.delivery.webhooks.told import load
from campaigns.values import Account

MOST_SIGNALS = 100_000  #: of one call: as many as its longest body holds of real ones


class Unproven(Exception):
    """A call that is not proven to be the provider's; why, for our log alone."""

    def __init__(self, why: str, status: int = 401) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True)
class Call:
    """One request to an account's address, raw."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)  #: names in small letters

    def header(self, name: str) -> str:
        """A header; empty where it did not come."""
        return self.headers.get(name, "")


#: Proves a call to be the provider's, on the raw body, and gives what names this call among all of them:
#: the same name again is a repeat, or a replay if anything else differs. Raises Unproven, and BackendError
#: where it cannot be told now.
Check = Callable[[Call, Account, datetime], str]
#: Gives the signals in a call's JSON. May raise anything: the call is then kept as unreadable.
Read = Callable[[object], Iterable[Signal]]


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The reading half of a provider."""

    check: Check
    read: Read
    needs: tuple[str, ...] = ()  #: options of the account without which no call is believed
    scheme: str = ""  #: how calls are proven, in words
    follow: Callable[[object], str | None] | None = None  #: an address to ask so that calls come at all
    visit: Callable[[str], None] | None = None  #: asks it; raises BackendError


@dataclass(frozen=True, slots=True)
class Reading:
    """What a stored call says."""

    signals: tuple[Signal, ...] = ()
    problem: str = ""  #: why it cannot be read, or not all of it; empty: it can
    follow: str | None = None


def read_call(webhooks: Webhooks, body: bytes) -> Reading:
    """Read a stored call; nothing in it raises."""
    try:
        held = load(body)
        found = iter(webhooks.read(held))
        signals = tuple(islice(found, MOST_SIGNALS))
        more = next(found, None) is not None
        follow = webhooks.follow(held) if webhooks.follow else None
    except ValueError as error:
        return Reading(problem=f"no JSON of this provider's: {str(error)[:200]}")
    except Exception as error:  # noqa: BLE001 - a stranger's text must not stop the others
        return Reading(problem=f"unreadable ({type(error).__name__})")
    if not signals and follow is None and held not in ({}, []):
        return Reading(problem="nothing in it is an event of this provider's")
    # what was read is acted on all the same, and the call is shown; an event is taken once, if read again too
    problem = f"only its first {MOST_SIGNALS:,} events were read" if more else ""
    return Reading(signals, problem, follow)
