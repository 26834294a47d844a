"""One row a provider: what it is called, what it can, what its accounts must say, and how it is opened."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

from campaigns.delivery.contract import Backend, Capabilities
from campaigns.delivery.smtp.target import is_loopback
from campaigns.delivery.webhooks import Webhooks
from campaigns.errors import BadSettings
from campaigns.values import Account, Problem

Options = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that an account says of itself."""

    name: str
    means: str  #: what to write, for who fills it in; stands in BACKENDS.md and in errors
    required: bool = False
    default: str = ""
    secret: bool = False  #: never shown, not even in an error
    check: Callable[[str], str] | None = None  #: says what is wrong with a value; nothing: it holds


@dataclass(frozen=True, slots=True)
class Ways:
    """What all accounts of a process have in common."""

    connections: int = 4  #: SMTP connections, or requests in flight
    per_connection: int = 100  #: mails on one SMTP connection
    cafile: Path | None = None  #: authorities to trust instead of the system's


@dataclass(frozen=True, slots=True)
class Provider:
    """A kind of account."""

    name: str  #: Account.kind
    title: str  #: what its makers call it
    capabilities: Capabilities
    options: tuple[Option, ...]
    opener: Callable[[Account, Options, Ways], Backend]
    webhooks: Webhooks | None = None  #: how its calls are believed and read; nothing: it makes none
    selectors: tuple[str, ...] = ()  #: of its DKIM keys, where they are alike for all domains


def read_options(account: Account, options: tuple[Option, ...]) -> dict[str, str]:
    """The account's options with their defaults.

    Raises:
        BadSettings: naming all that is missing, unknown or does not hold.
    """
    problems = [_unknown(account, name, options) for name in account.options if not _of(name, options)]
    settled = {}
    for option in options:
        value = account.options.get(option.name, "").strip() or option.default
        settled[option.name] = value
        if not value and option.required:
            problems.append(Problem(_where(account, option.name), "is missing.", f"Set it: {option.means}."))
        elif value and option.check and (what := option.check(value)):
            shown = "its value" if option.secret or "@" in value else repr(value[:80])
            problems.append(Problem(_where(account, option.name), f"{shown} {what}", f"{option.means}."))
    if problems:
        raise BadSettings(problems)
    return settled


def _of(name: str, options: tuple[Option, ...]) -> bool:
    return any(option.name == name for option in options)


def _where(account: Account, option: str) -> str:
    return f"accounts.{account.name}.{option}"


def _unknown(account: Account, name: str, options: tuple[Option, ...]) -> Problem:
    names = [option.name for option in options]
    near = get_close_matches(name, names, n=1)
    cure = f"Did you mean {near[0]}?" if near else f"There are {', '.join(names)}."
    return Problem(_where(account, name[:80]), f"is no option of {account.kind}.", cure)


# ---- what a value may be


def a_web_address(value: str) -> str:
    """An address to which secrets may be sent: https, or http on this machine."""
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "is no web address."
    if parts.username or parts.password or parts.query or parts.fragment or not host:
        return "must be a plain web address, without a name, password, question mark or #."
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)):
        return ""
    return "must begin with https://, for a key would be sent unprotected."


def a_count(value: str) -> str:
    """A whole number from 1 to 64."""
    return (
        "" if value.isascii() and value.isdigit() and 1 <= int(value) <= 64 else "is no number from 1 to 64."
    )


def seconds(value: str) -> str:
    """A whole number from 1 to 600."""
    fits = value.isascii() and value.isdigit() and 1 <= int(value) <= 600
    return "" if fits else "is no number of seconds from 1 to 600."


def yes_or_no(value: str) -> str:
    """One of two words."""
    return "" if value in {"yes", "no"} else "is neither yes nor no."


def a_word(value: str) -> str:
    """Something that fits a header of a request."""
    fits = value.isascii() and value.isprintable() and " " not in value
    return "" if fits else "holds blanks or signs that no key has."


# ---- options that all providers over HTTP have

URL = "url"


def batch_option(most: int) -> Option:
    """How many mails share a request, for providers that take several."""

    def check(value: str) -> str:
        fits = value.isascii() and value.isdigit() and 1 <= int(value) <= most
        return "" if fits else f"is no number from 1 to {most}."

    means = f"mails in one request, 1 to {most}: fewer leave fewer in doubt when an answer is lost"
    return Option("batch", means, default=str(min(most, 100)), check=check)


def http_options(*own: Option, url: str, connections: str = "") -> tuple[Option, ...]:
    """A provider's own options with the common ones behind them."""
    where = "the address of its API; another region's, or that of a proxy of yours"
    address = Option(URL, where, required=not url, default=url, check=a_web_address)
    return (
        *own,
        address,
        Option("connections", "requests at once, 1 to 64", default=connections, check=a_count),
        Option("timeout", "seconds to wait for an answer, 1 to 600", default="60", check=seconds),
        Option("tag", "a word that the provider's own statistics are kept by", check=a_word),
    )
