"""Which accounts call us: those of providers, and relays that belong to one."""

from typing import NamedTuple

from campaigns.delivery.providers import PROVIDERS
from campaigns.delivery.providers.hook_options import RELAYED_BY
from campaigns.delivery.webhooks import Webhooks
from campaigns.values import Account


class Calling(NamedTuple):
    """Whose calls an account's are."""

    kind: str  #: of the provider
    title: str
    webhooks: Webhooks


def calling(account: Account) -> Calling | None:
    """Say whose calls an account makes; None: it makes none."""
    provider = PROVIDERS.get(account.options.get(RELAYED_BY) or account.kind)
    if provider is None or provider.webhooks is None:
        return None
    return Calling(provider.name, provider.title, provider.webhooks)
