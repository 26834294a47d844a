"""Where mail goes to, how the way is secured, and how patient we are."""

import ipaddress
import ssl
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from campaigns.errors import BadSettings
from campaigns.values import Problem


class Security(StrEnum):
    """How a connection is protected."""

    PLAIN = "smtp"  #: not at all; passwords only to this machine itself
    STARTTLS = "smtp+starttls"  #: upgraded before anything is said, or not used
    TLS = "smtps"  #: from the first byte


PORTS = {Security.PLAIN: 25, Security.STARTTLS: 587, Security.TLS: 465}


@dataclass(frozen=True, slots=True)
class Target:
    """One SMTP server and our account there."""

    host: str
    port: int
    security: Security
    user: str | None = None
    password: str = field(default="", repr=False)
    cafile: Path | None = None  #: authorities to trust instead of the system's
    hello: str = ""  #: the name that we greet by; empty: this machine's

    @property
    def place(self) -> str:
        """What is connected to."""
        return self.host

    def upgrades(self, *, offered: bool) -> bool:  # noqa: ARG002 - a relay is told, not asked
        """Whether TLS must begin after the greeting, as far as that hangs on the server's offer."""
        return self.security is Security.STARTTLS

    def __str__(self) -> str:
        return f"{self.security}://{self.host}:{self.port}"

    def tls_context(self) -> ssl.SSLContext:
        """A context that verifies both certificate and name; mail that goes to a relay has no other kind."""
        return ssl.create_default_context(cafile=self.cafile)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for the server.

    Source: RFC 5321 §4.5.3.2. The time for the final reply begins with the body's first byte.
    """

    connect: float = 30
    greeting: float = 300
    command: float = 300
    data: float = 120
    final: float = 780  #: 3 minutes for the body's blocks and 10 for the reply


@dataclass(frozen=True, slots=True)
class Limits:
    """How many connections at once, and how many mails on one."""

    connections: int = 4
    per_connection: int = 100


def read_target(url: str, cafile: Path | None = None) -> Target:
    """Read smtp://, smtp+starttls:// or smtps://, with user:password@ if needed.

    Raises:
        BadSettings: when it cannot be read; the message never shows the password.
    """
    problems: list[Problem] = []
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        security = Security(parts.scheme)
    except ValueError:
        cure = "Write it as smtp://host:port, smtp+starttls:// or smtps://, with user:password@ if needed."
        raise BadSettings([Problem("POSTROOM_SMTP_URL", "cannot be read.", cure)]) from None
    if not host:
        problems.append(Problem("POSTROOM_SMTP_URL", "names no host.", "Write it as smtp://host:port."))
    if parts.path.strip("/") or parts.query or parts.fragment:
        problems.append(Problem("POSTROOM_SMTP_URL", "has something after the port.", "Remove it."))
    _require_safe_login(parts, host, security, problems)
    if problems:
        raise BadSettings(problems)
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password or "")
    return Target(host, port or PORTS[security], security, user, password, cafile)


def _require_safe_login(parts: SplitResult, host: str, security: Security, problems: list[Problem]) -> None:
    if parts.username and security is Security.PLAIN and not is_loopback(host):
        what = "would send the password unprotected."
        problems.append(Problem("POSTROOM_SMTP_URL", what, "Use smtps:// or smtp+starttls://."))


def is_loopback(host: str) -> bool:
    """Whether this host is surely the machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
