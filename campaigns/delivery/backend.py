"""The table of the ways out; what each must do is in contract.py."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from campaigns.delivery.contract import Backend, Capabilities, Watch
from campaigns.delivery.smtp.pool import SmtpBackend
from campaigns.delivery.smtp.target import Limits, read_target
from campaigns.errors import BadSettings
from campaigns.values import Problem

__all__ = ["Backend", "Capabilities", "Watch", "open_backend"]


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
    return SmtpBackend(read_target(url, cafile), Limits(connections, per_connection))


BACKENDS: dict[str, Callable[[str, int, int, Path | None], Backend]] = {
    "smtp": _smtp,
    "smtp+starttls": _smtp,
    "smtps": _smtp,
}
