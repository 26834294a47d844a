"""What a way out must do, and what it may ask of the one who sends."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from campaigns.values import MessageKey, Outcome, Outgoing


class Watch(Protocol):
    """The sender's side: what a backend tells while it works, in the thread that called `send`."""

    def started(self, key: MessageKey) -> None:
        """Before the message's first byte, or with its refusal; never twice for one message."""

    def answered(self, key: MessageKey, outcome: Outcome) -> None:
        """Once for each started message."""

    def stopping(self) -> bool:
        """True: start no further message. Asked before each one, so it must be quick."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can and cannot do."""

    distinct: bool = True  #: a batch may hold a different mail for each recipient
    substituted: bool = False  #: it would merge one text for many; we render here and do not use it
    envelope_sender: bool = True  #: returned mail goes where Outgoing.mail_from says
    own_message_id: bool = True  #: our Message-ID reaches the recipient
    own_signature: bool = True  #: our DKIM signature reaches the recipient unbroken
    recipient_headers: bool = True  #: each mail has its own headers, List-Unsubscribe before all
    pictures: bool = True  #: pictures within a mail are shown
    smtputf8: bool = False  #: a local part beyond ASCII may be accepted
    tags: bool = False  #: a word of ours that its statistics are kept by
    metadata: bool = False  #: our reference comes back with every event
    sandbox: bool = False  #: can be told to take mail and send none
    max_batch: int | None = None  #: mails in one request
    max_bytes: int | None = None  #: of one request
    max_mail: int | None = None  #: bytes of one mail, where that is less
    idempotency: timedelta | None = None  #: how long a repeat with the same key does no harm


class Backend(Protocol):
    """A way out."""

    name: str
    capabilities: Capabilities

    def send(self, batch: Iterable[Outgoing | None], watch: Watch) -> None:
        """Send what the batch yields, pulled as the wire takes it, until all started are answered.

        The batch may yield None: there is nothing at the moment, ask again soon.
        A message that was taken but not started when sending stops is released: the watch never
        hears of it. An error raised by the batch or the watch stops sending and is raised again.

        Raises:
            BackendError: when the backend itself failed; whatever was started has been answered.
        """

    def close(self) -> None:
        """Say goodbye; the backend may not be used again."""
