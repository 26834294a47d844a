"""Try an account up to the point where a mail could follow, and send none."""

from pathlib import Path

from campaigns.delivery.providers import PROVIDERS, Ways, read_options
from campaigns.delivery.providers.http import HttpBackend
from campaigns.delivery.smtp.target import read_target
from campaigns.delivery.smtp.trying import try_server
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
    finally:
        backend.close()
    return f"{provider.title} answers, and takes our key"
