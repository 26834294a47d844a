"""What a way out must do, and the table of the ways there are."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from campaigns.errors import BadSettings
from campaigns.values import MessageKey, Outcome, Outgoing, Problem


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
    envelope_sender: bool = True  #: returned mail goes where Outgoing.mail_from says
    own_message_id: bool = True  #: our Message-ID reaches the recipient
    smtputf8: bool = False  #: a local part beyond ASCII may be accepted
    max_batch: int | None = None
    max_bytes: int | None = None
    idempotency: timedelta | None = None  #: how long a repeat with the same key does no harm


class Backend(Protocol):
    """A way out."""

    name: str
    capabilities: Capabilities

    def send(self, batch: Iterable[Outgoing], watch: Watch) -> None:
        """Send what the batch yields, pulled as the wire takes it, until all started are answered.

        A message that was taken but not started when sending stops is released: the watch never
        hears of it. An error raised by the batch or the watch stops sending and is raised again.

        Raises:
            BackendError: when the backend itself failed; whatever was started has been answered.
        """

    def close(self) -> None:
        """Say goodbye; the backend may not be used again."""


def open_backend(
    smtp_url: str,
    *,
    connections: int = 4,
    per_connection: int = 100,
    cafile: Path | None = None,
) -> Backend:
    """Make the backend that the address names; nothing is connected before the first mail.

    Raises:
        BadSettings: when the address cannot be read.
    """
    scheme = urlsplit(smtp_url).scheme
    opener = BACKENDS.get(scheme)
    if opener is None:
        known = ", ".join(f"{name}://" for name in BACKENDS)
        what = f"{scheme or smtp_url!r} is no kind of backend."
        raise BadSettings([Problem("POSTROOM_SMTP_URL", what, f"Use one of {known}.")])
    return opener(smtp_url, connections, per_connection, cafile)


def _smtp(url: str, connections: int, per_connection: int, cafile: Path | None) -> Backend:
    from campaigns.delivery.smtp.pool import SmtpBackend
    from campaigns.delivery.smtp.target import Limits, read_target

    return SmtpBackend(read_target(url, cafile), Limits(connections, per_connection))


BACKENDS: dict[str, Callable[[str, int, int, Path | None], Backend]] = {
    "smtp": _smtp,
    "smtp+starttls": _smtp,
    "smtps": _smtp,
}
