"""From nothing to a session that takes mail: connect, greeting, EHLO, TLS, AUTH."""

import asyncio
import base64
import socket
import ssl
from collections.abc import Callable

from campaigns.delivery.smtp.connection import Connection, ConnectionEnded
from campaigns.delivery.smtp.replies import Offer, Reply, read_offer
from campaigns.delivery.smtp.target import Security, Target, Timeouts, is_loopback
from campaigns.errors import BackendError


class TlsFailed(BackendError):
    """The server would speak, but not under TLS."""


async def open_connection(
    target: Target, timeouts: Timeouts, changed: Callable[[Connection], None]
) -> tuple[Connection, Offer]:
    """Open a session up to the point where MAIL may follow.

    Raises:
        BackendError: with the server, the stage and what it said.
    """
    loop = asyncio.get_running_loop()
    connection = Connection(loop, timeouts, changed)
    try:
        await _connect(connection, target, timeouts)
        return connection, await _introduce(connection, target, timeouts)
    except (OSError, ssl.SSLError, ConnectionEnded, TimeoutError) as error:
        connection.abort("the opening failed")
        raise BackendError(f"{target}: {_reason(error)}") from error
    except BaseException:
        connection.abort("the opening failed")
        raise


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate was refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error}"
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time"
    return str(error) or type(error).__name__


async def _connect(connection: Connection, target: Target, timeouts: Timeouts) -> None:
    context = target.tls_context() if target.security is Security.TLS else None
    async with asyncio.timeout(timeouts.connect):
        await asyncio.get_running_loop().create_connection(
            lambda: connection,
            target.place,
            target.port,
            ssl=context,
            server_hostname=target.host if context else None,
        )


async def _introduce(connection: Connection, target: Target, timeouts: Timeouts) -> Offer:
    _require(await connection.ask(b"", timeouts.greeting), 220, target, "its greeting")
    offer = await _hello(connection, target, timeouts)
    if target.upgrades(offered=offer.starttls):
        await _starttls(connection, target, timeouts, offer)
        offer = await _hello(connection, target, timeouts)
    if target.user is not None:
        await _login(connection, target, timeouts, offer)
    return offer


def _require(reply: Reply, code: int, target: Target, stage: str) -> None:
    if reply.code != code:
        raise BackendError(f"{target}: {stage} was {reply.code} {reply.text}")


async def _hello(connection: Connection, target: Target, timeouts: Timeouts) -> Offer:
    name = target.hello.encode() or _own_name(connection)
    reply = await connection.ask(b"EHLO %s\r\n" % name, timeouts.command)
    if reply.code == 250:
        return read_offer(reply)
    if target.security is not Security.STARTTLS and reply.code in {500, 502, 504}:
        reply = await connection.ask(b"HELO %s\r\n" % name, timeouts.command)
    _require(reply, 250, target, "its answer to our hello")
    return Offer()


def _own_name(connection: Connection) -> bytes:
    """Our host's full name if it has one, else the address literal of our end.

    Source: RFC 5321 §4.1.3, §4.1.4.
    """
    name = socket.gethostname()
    if "." in name and name.isascii() and not name.endswith((".localdomain", ".local")):
        return name.encode()
    assert connection.transport is not None, "asked before connected"
    address = connection.transport.get_extra_info("sockname")[0]
    return (f"[IPv6:{address}]" if ":" in address else f"[{address}]").encode()


async def _starttls(connection: Connection, target: Target, timeouts: Timeouts, offer: Offer) -> None:
    """Upgrade, or fail: mail and password never go out unprotected where TLS was asked for.

    Source: RFC 3207.
    """
    if not offer.starttls:
        raise BackendError(f"{target}: the server does not offer STARTTLS; use smtps:// or ask its keeper.")
    reply = await connection.ask(b"STARTTLS\r\n", timeouts.command)
    if reply.code != 220:
        raise TlsFailed(f"{target}: its answer to STARTTLS was {reply.code} {reply.text}")
    assert connection.transport is not None, "asked before connected"
    connection.forget_plaintext()
    try:
        async with asyncio.timeout(timeouts.connect):
            connection.transport = await asyncio.get_running_loop().start_tls(
                connection.transport, connection, target.tls_context(), server_hostname=target.host
            )
    except (OSError, TimeoutError) as error:
        raise TlsFailed(f"{target}: {_reason(error)}") from error
    connection.forget_plaintext()


async def _login(connection: Connection, target: Target, timeouts: Timeouts, offer: Offer) -> None:
    """AUTH PLAIN, else LOGIN, over TLS or to this machine itself only.

    Source: RFC 4954, RFC 4616.
    """
    if target.security is Security.PLAIN and not is_loopback(target.host):
        raise BackendError(f"{target}: a password is not sent without TLS; use smtps:// or smtp+starttls://.")
    user, password = (target.user or "").encode(), target.password.encode()
    if "PLAIN" in offer.auth:
        token = base64.b64encode(b"\0%s\0%s" % (user, password))
        reply = await connection.ask(b"AUTH PLAIN %s\r\n" % token, timeouts.command)
    elif "LOGIN" in offer.auth:
        reply = await connection.ask(b"AUTH LOGIN\r\n", timeouts.command)
        for secret in (user, password):
            if reply.code == 334:
                reply = await connection.ask(base64.b64encode(secret) + b"\r\n", timeouts.command)
    else:
        known = " ".join(sorted(offer.auth)) or "nothing"
        raise BackendError(f"{target}: the server offers no AUTH that we speak (PLAIN, LOGIN), but {known}.")
    _require(reply, 235, target, f"its answer to the login of {target.user!r}")
