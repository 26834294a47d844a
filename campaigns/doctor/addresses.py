"""What the world reaches: the address in every mail, and what it must not reach."""

import http.client
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

from campaigns.config import Settings
from campaigns.delivery.smtp.target import is_loopback
from campaigns.doctor.findings import Finding, bad, ok, warn

PATIENCE = 5.0  #: seconds
ALIVE = b"alive"
DEAD_LINKS = "every link, survey and unsubscribe address in our mails is dead"


def examine_addresses(settings: Settings) -> Iterator[Finding]:
    """Look at the public address and at where metrics are served."""
    parts = urlsplit(settings.public_url)
    local = is_loopback(parts.hostname or "")
    if local:
        found = f"{settings.public_url} is this machine: nobody else can follow a link"
        yield warn("public address", found, "Set POSTROOM_PUBLIC_URL to what the world reaches, with https.")
    elif parts.scheme != "https":
        cure = "Put a TLS proxy before it and set POSTROOM_PUBLIC_URL to https://…"
        yield bad("public address", f"{settings.public_url} is not encrypted", cure)
    else:
        yield ok("public address", settings.public_url)
    yield examine_answer(settings.public_url, local=local)
    yield examine_metrics(settings)


def examine_answer(url: str, *, local: bool = False) -> Finding:
    """Ask the public address whether Postroom is behind it."""
    check, cure = "public address: answer", "Start postroom hits, and let the proxy pass everything on to it."
    judged = warn if local else bad
    try:
        status, body = _get(f"{url}/healthz")
    except ssl.SSLCertVerificationError as error:
        return bad(check, f"its certificate is refused: {error.verify_message}", "Renew it in the proxy.")
    except (OSError, http.client.HTTPException) as error:
        return judged(check, f"no answer ({error or type(error).__name__}): {DEAD_LINKS}", cure)
    if status != 200 or ALIVE not in body:
        return judged(check, f"something else answers there, with {status}", cure)
    return ok(check, "Postroom answers")


def _get(url: str) -> tuple[int, bytes]:
    """GET, following nothing."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection = http.client.HTTPConnection(host, parts.port, timeout=PATIENCE)
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(host, parts.port, timeout=PATIENCE, context=context)
    try:
        connection.request("GET", parts.path, headers={"User-Agent": "postroom doctor"})
        answer = connection.getresponse()
        return answer.status, answer.read(1000)
    finally:
        connection.close()


def examine_metrics(settings: Settings) -> Finding:
    """Judge who may read the metrics."""
    where = f"{settings.metrics_host}:{settings.metrics_port}"
    if settings.metrics_port == 0:
        return ok("metrics", "not served here")
    if not is_loopback(settings.metrics_host) and not settings.metrics_token:
        return warn("metrics", f"{where} shows them to whoever reaches it", "Set POSTROOM_METRICS_TOKEN.")
    return ok("metrics", f"at {where}")
