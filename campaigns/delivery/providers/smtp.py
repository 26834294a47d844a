"""SMTP, to a relay or to the local catcher."""

from pathlib import Path
from urllib.parse import urlsplit

from campaigns.delivery.contract import Backend, Capabilities
from campaigns.delivery.providers.hook_options import RELAYED_BY, relay_options
from campaigns.delivery.providers.provider import Option, Options, Provider, Ways, a_count
from campaigns.delivery.providers.relayed import RelayedBackend, marker
from campaigns.delivery.smtp.pool import SmtpBackend
from campaigns.delivery.smtp.target import Limits, is_loopback, read_target
from campaigns.errors import BadSettings
from campaigns.values import Account

CAPABILITIES = SmtpBackend.capabilities


def _open(account: Account, options: Options, ways: Ways) -> Backend:
    cafile = Path(options["cafile"]) if options.get("cafile") else ways.cafile
    limits = Limits(
        int(options["connections"] or ways.connections),
        int(options["per_connection"] or ways.per_connection),
    )
    target, mark = read_target(options["url"], cafile), marker(options.get(RELAYED_BY, ""))
    backend = SmtpBackend(target, limits) if mark is None else RelayedBackend(target, limits, mark)
    backend.name = account.name
    return backend


def _an_smtp_address(value: str) -> str:
    """What read_target would say of it; it never shows the password."""
    try:
        read_target(value)
    except BadSettings as error:
        return " ".join(f"{problem.what} {problem.cure}" for problem in error.problems).rstrip(".")
    return ""


def _a_catcher(value: str) -> str:
    wrong = _an_smtp_address(value)
    if wrong or is_loopback(urlsplit(value).hostname or ""):
        return wrong
    return "is not on this machine; a catcher is."


def _a_file(value: str) -> str:
    return "" if Path(value).is_file() else "is no file."


def a_number(value: str) -> str:
    """A whole number from 1 to 100000."""
    fits = value.isascii() and value.isdigit() and 1 <= int(value) <= 100_000
    return "" if fits else "is no number from 1 to 100000."


COMMON = (
    Option("connections", "connections at once, 1 to 64", check=a_count),
    Option("per_connection", "mails on one connection", check=a_number),
)
ADDRESS = "smtp://host:port, smtp+starttls:// or smtps://, with user:password@ if needed"

PROVIDER = Provider(
    name="smtp",
    title="SMTP (a relay of yours or of a provider)",
    capabilities=CAPABILITIES,
    options=(
        Option("url", ADDRESS, required=True, secret=True, check=_an_smtp_address),
        Option("cafile", "a file of authorities to trust instead of the system's", check=_a_file),
        *COMMON,
        *relay_options(),
    ),
    opener=_open,
)
CATCHER = Provider(
    name="catcher",
    title="The local catcher",
    capabilities=Capabilities(smtputf8=True, sandbox=True),
    options=(Option("url", "smtp://127.0.0.1:port", required=True, secret=True, check=_a_catcher), *COMMON),
    opener=_open,
)
