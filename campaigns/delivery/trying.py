"""Try an account up to the point where a mail could follow, and send none."""

from pathlib import Path

from campaigns.delivery.direct.backend import DirectBackend
from campaigns.delivery.domains import Unasked, addresses, host_names, open_resolver
from campaigns.delivery.fetching.networks import plain, why_inner
from campaigns.delivery.mx import answers_about_known
from campaigns.delivery.providers import PROVIDERS, Ways, read_options
from campaigns.delivery.providers.http import HttpBackend
from campaigns.delivery.smtp.target import read_target
from campaigns.delivery.smtp.trying import try_server
from campaigns.errors import BackendError
from campaigns.values import Account


def try_account(account: Account, cafile: Path | None = None) -> str:
    """Log in to a server, or ask a provider whether it would take mail; gives what was found.

    Raises:
        BackendError: with what it said instead.
        BadSettings: naming what is wrong with the account.
    """
    provider = PROVIDERS[account.kind]
    options = read_options(account, provider.options)
    if "url" in options and account.kind in {"smtp", "catcher"}:
        own = options.get("cafile")
        target = read_target(options["url"], Path(own) if own else cafile)
        session = try_server(target)
        security = f"{session.tls}, certificate verified" if session.tls else "not encrypted"
        return f"{target} answers, {'logged in' if target.user else 'without a login'}, {security}"
    backend = provider.opener(account, options, Ways(cafile=cafile))
    try:
        if isinstance(backend, HttpBackend):
            backend.probe()
        elif isinstance(backend, DirectBackend):
            return _reached(backend.probe())
    finally:
        backend.close()
    return f"{provider.title} answers, and takes our key"


def try_again(account: Account, cafile: Path | None = None) -> str:
    """Ask a broken account whether it takes mail; where we deliver ourselves, for what breaks it alone.

    That is a missing name server (`delivery/direct`). A large provider that does not answer, or an address
    without a name, kept no mail from going before.

    Raises:
        BackendError: with what is still wrong.
        BadSettings: naming what is wrong with the account.
    """
    if account.kind != "direct":
        return try_account(account, cafile)
    try:
        resolver = open_resolver()
    except Unasked as error:
        raise BackendError(f"this machine names no name server: {error}") from error
    if not answers_about_known(resolver):
        raise BackendError("no name server tells where mail goes")
    return "name servers answer"


def _reached(own: str) -> str:
    """What strangers' servers will think of our address, which they look up before all else.

    Source: Gmail's, Yahoo's and Outlook.com's rules for senders (PTR and A must agree).
    """
    if why_inner(plain(own)) is not None:
        return f"port 25 is open; our address is told by others only ({own} is within): see that it has a PTR"
    try:
        resolver = open_resolver()
        names = host_names(own, resolver)
        agreed = [name for name in names if own in addresses(name, resolver)]
    except Unasked as error:
        return f"port 25 is open; no name server tells the name of {own}: {error}"
    if agreed:
        return f"port 25 is open; {own} is {agreed[0]}"
    what = "has no name (PTR)" if not names else f"is called {names[0]}, and that name leads elsewhere"
    raise BackendError(f"{own} {what}: large providers refuse its mail. Ask who gave you the address.")
