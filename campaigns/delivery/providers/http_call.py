"""One request and its answer, and what is known where there is none."""

import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import httpx

from campaigns.clock import utc_now
from campaigns.delivery.providers.answers import Answer, Busy, Doubtful, NotBegun, NotReached
from campaigns.delivery.providers.api import Request
from campaigns.delivery.smtp.replies import plain_text

CONNECT = 10.0  #: seconds until a connection stands
IDLE = 5.0  #: seconds that a connection is kept unused; servers close theirs later, not in our hands
MAX_ANSWER = 2 * 1024 * 1024  #: bytes; 1,000 mails are answered in some 200,000


logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of each request, and we tell of each mail


class Caller:
    """Connections to one provider; any thread may call."""

    def __init__(self, url: str, *, connections: int, timeout: float, cafile: Path | None = None) -> None:
        self._timeout = timeout
        self._client = httpx.Client(
            verify=_verifying(url, cafile),
            trust_env=False,  # neither a proxy nor a .netrc of the environment sees our keys
            follow_redirects=False,
            timeout=httpx.Timeout(timeout, connect=min(CONNECT, timeout)),
            limits=httpx.Limits(
                max_connections=connections + 1, max_keepalive_connections=connections, keepalive_expiry=IDLE
            ),
            headers={"user-agent": "Postroom"},
        )

    def call(self, request: Request, begin: Callable[[], bool]) -> Answer:
        """Ask; `begin` is asked when a connection stands and no byte was written yet.

        Raises:
            NotReached: no connection.
            NotBegun: `begin` said no.
            Busy: the request was cut before its end, so that nobody can have worked on it.
            Doubtful: the whole request was written, and nothing came back.
        """
        progress = _Progress(begin)
        deadline = monotonic() + self._timeout
        try:
            with self._client.stream(
                "POST",
                request.url,
                headers=request.headers,
                content=request.body,
                extensions={"trace": progress.trace},
            ) as response:
                body = _read(response, deadline)
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, headers, body, utc_now())
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as error:
            raise progress.judge(error) from error

    def close(self) -> None:
        """End all connections."""
        self._client.close()


def _verifying(url: str, cafile: Path | None) -> ssl.SSLContext:
    """What verifies certificate and name; without TLS, which only this machine may do, it trusts nobody."""
    if url.startswith("http://"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return ssl.create_default_context(cafile=cafile)


class _Progress:
    """How far a request has come."""

    def __init__(self, begin: Callable[[], bool]) -> None:
        self._begin = begin
        self._begun = self._whole = False

    def trace(self, name: str, _info: dict[str, Any]) -> None:
        if name.endswith("send_request_headers.started") and not self._begun:
            if not self._begin():
                raise NotBegun
            self._begun = True
        elif name.endswith("send_request_body.complete"):
            self._whole = True

    def judge(self, error: Exception) -> Exception:
        told = plain_text(f"{type(error).__name__}: {error}")
        if not self._begun:
            return NotReached(told)
        if not self._whole:
            return Busy(f"the connection broke within the request ({told})")
        return Doubtful(f"no answer ({told})")


def _read(response: httpx.Response, deadline: float) -> bytes:
    """The body, up to what an answer may have; the rest of a longer one is not waited for."""
    parts, size = [], 0
    for part in response.iter_bytes():
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER:
            break
        if monotonic() > deadline:
            raise httpx.ReadTimeout("the answer has no end")
    return b"".join(parts)
