"""What a provider's answer means for the mails of its request; everything in it is hostile text."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from campaigns.delivery.dates import read_date
from campaigns.delivery.smtp.replies import plain_text
from campaigns.values import Outcome, OutcomeKind

LONGEST_WAIT = timedelta(days=1)  #: whatever a server asks for
CLOSED = frozenset({401, 402, 403, 404, 405, 407, 410, 426, 451})  #: it is about the account or its address
BUSY = frozenset({408, 425, 429, 503})  #: not now; the request was not worked on


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]  #: names in lower case
    body: bytes = field(repr=False)
    at: datetime  #: when it came

    def json(self) -> object:
        """What the body says; None where that cannot be read."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def text(self) -> str:
        """The body as one line, free of control characters."""
        return plain_text(self.body[:4000].decode("utf-8", "replace"))

    def words(self) -> str:
        """What it says is wrong, as short as it says it itself."""
        told = self.json()
        for name in ("message", "Message", "ErrorMessage", "error", "detail"):
            if isinstance(told, dict) and isinstance(value := told.get(name), str) and value:
                return plain_text(value)
        return self.text or "(nothing)"

    @property
    def retry_after(self) -> timedelta | None:
        """How long to wait, in either of its two forms.

        Source: RFC 9110 §10.2.3.
        """
        return wait_in(
            self.headers.get("retry-after", ""), read_date(self.headers.get("date", "")) or self.at
        )


def wait_in(value: str, now: datetime) -> timedelta | None:
    """Read seconds or an HTTP date; None: neither."""
    text = value.strip()
    try:
        wait = timedelta(seconds=float(text))
    except (ValueError, OverflowError):
        moment = read_date(text)
        if moment is None:
            return None
        wait = moment - now
    return min(max(wait, timedelta(0)), LONGEST_WAIT)


# ---- what an answer may mean for all mails of its request


class Closed(Exception):
    """Nothing was taken, and nothing will be: a person must look after the account."""


class Busy(Exception):
    """Nothing was taken; later it may be."""

    def __init__(self, why: str, wait: timedelta | None = None) -> None:
        super().__init__(why)
        self.wait = wait


class Refused(Exception):
    """Nothing was taken, for the sake of something in the request."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.text)
        self.outcome = outcome


class Doubtful(Exception):
    """Nobody knows what was taken."""


class NotReached(Exception):
    """No byte of the request was written."""


class NotBegun(Exception):
    """Who asked was told not to begin."""


def require_success(answer: Answer) -> None:
    """Nothing where the provider took the request; what it says of single mails is still to be read.

    Raises:
        Closed, Busy, Refused, Doubtful: by the status, as HTTP defines it.

    Source: RFC 9110 §15; 500, 502 and 504 do not say whether the request was worked on.
    """
    status = answer.status
    if 200 <= status < 300:
        return
    told = f"HTTP {status}: {answer.words()}"
    if status in CLOSED or 300 <= status < 400:
        raise Closed(told)
    if status in BUSY:
        raise Busy(told, answer.retry_after)
    if 400 <= status < 500:
        raise Refused(failed(answer.words(), status))
    raise Doubtful(told)


def sent(told: object, status: int = 200) -> Outcome:
    """It was taken; `told` is the provider's own name for it."""
    return Outcome(OutcomeKind.SENT, status, None, plain_text(f"taken as {told}" if told else "taken"))


def failed(text: object, code: int | None = None, enhanced: str | None = None) -> Outcome:
    """It was refused for good."""
    return Outcome(OutcomeKind.FAILED, code, enhanced, plain_text(str(text)))


def deferred(text: object, code: int | None = None) -> Outcome:
    """It was surely not taken, and may be tried again."""
    return Outcome(OutcomeKind.DEFERRED, code, None, plain_text(str(text)))


def unknown(text: object, code: int | None = None) -> Outcome:
    """Nobody knows."""
    return Outcome(OutcomeKind.UNKNOWN, code, None, plain_text(str(text)))


def unreadable(answer: Answer) -> Doubtful:
    """A success whose words cannot be read: perhaps not even the provider's."""
    return Doubtful(f"HTTP {answer.status} with an answer that cannot be read: {answer.text[:200]}")
