"""The table of the ways out; what each must do is in contract.py."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from campaigns.delivery.contract import Backend, Capabilities, Watch
from campaigns.delivery.providers import PROVIDERS, Ways, read_options
from campaigns.delivery.smtp.pool import SmtpBackend
from campaigns.delivery.smtp.target import Limits, read_target
from campaigns.errors import BadSettings
from campaigns.values import Account, Problem

__all__ = ["PROVIDERS", "Backend", "Capabilities", "Watch", "open_account", "open_backend"]


def open_account(
    account: Account,
    *,
    connections: int = 4,
    per_connection: int = 100,
    cafile: Path | None = None,
) -> Backend:
    """Make the backend of one account; nothing is connected before the first mail.

    The other arguments hold where the account's own options say nothing.

    Raises:
        BadSettings: naming all that is wrong with the account; its secrets are never shown.
    """
    provider = PROVIDERS.get(account.kind)
    if provider is None:
        cure = f"Use one of {', '.join(PROVIDERS)}."
        raise BadSettings(
            [Problem(f"accounts.{account.name}.kind", f"{account.kind[:80]!r} is unknown.", cure)]
        )
    options = read_options(account, provider.options)
    return provider.opener(account, options, Ways(connections, per_connection, cafile))


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
        what = f"{scheme!r} is no kind of backend."  # all of it may hold a password
        raise BadSettings([Problem("POSTROOM_SMTP_URL", what, f"Use one of {known}.")])
    return opener(smtp_url, connections, per_connection, cafile)


def _smtp(url: str, connections: int, per_connection: int, cafile: Path | None) -> Backend:
    return SmtpBackend(read_target(url, cafile), Limits(connections, per_connection))


BACKENDS: dict[str, Callable[[str, int, int, Path | None], Backend]] = {
    "smtp": _smtp,
    "smtp+starttls": _smtp,
    "smtps": _smtp,
}
