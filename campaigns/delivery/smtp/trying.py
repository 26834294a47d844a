"""Try a mail server up to the point where a mail could follow, and send none."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from campaigns.delivery.smtp.connection import Connection
from campaigns.delivery.smtp.opening import open_connection
from campaigns.delivery.smtp.replies import Offer
from campaigns.delivery.smtp.target import Target, Timeouts

SHORT = Timeouts(connect=5, greeting=10, command=10, data=10, final=10)
GOODBYE = 1.0  #: seconds to let QUIT leave


@dataclass(frozen=True, slots=True)
class Session:
    """What a session with the server was like."""

    offer: Offer
    tls: str | None  #: "TLSv1.3"; None: not encrypted
    certificate_until: datetime | None  #: None: none was shown, or its end cannot be read


def try_server(target: Target, timeouts: Timeouts = SHORT) -> Session:
    """Connect, verify, log in, and leave.

    Raises:
        BackendError: with the server, the stage and what it said.
    """
    return asyncio.run(_try(target, timeouts))


async def _try(target: Target, timeouts: Timeouts) -> Session:
    left = asyncio.Event()

    def changed(connection: Connection) -> None:
        if connection.closed:
            left.set()

    connection, offer = await open_connection(target, timeouts, changed)
    assert connection.transport is not None, "open_connection gave an open one"
    secured = connection.transport.get_extra_info("ssl_object")
    session = Session(offer, secured and secured.version(), _until(secured and secured.getpeercert()))
    connection.leave()
    try:
        async with asyncio.timeout(GOODBYE):
            await left.wait()
    except TimeoutError:
        connection.abort("we have seen enough")
    return session


def _until(certificate: dict[str, Any] | None) -> datetime | None:
    """Read "Jan  1 00:00:00 2099 GMT"."""
    try:
        text = str((certificate or {})["notAfter"])
        return datetime.strptime(text, "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)
    except (KeyError, ValueError):
        return None
