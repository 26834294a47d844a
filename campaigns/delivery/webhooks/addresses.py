"""Where a provider calls: a path that nobody can guess, for each account its own."""

import re
from base64 import urlsafe_b64encode
from hashlib import blake2b
from urllib.parse import quote

from campaigns.values import Account

MOST_BYTES = 5 * 1024 * 1024  #: of one call
SECRET = "webhook_secret"  # noqa: S105 - the option's name
FIT = re.compile(r"[A-Za-z0-9_-]{20,100}")


def hook_secret(account: Account, installation: bytes) -> str:
    """Give the secret part of an account's address: its own option, or made from the installation's secret.

    Change the option to shut an address that somebody has seen.
    """
    chosen = account.options.get(SECRET, "")
    if FIT.fullmatch(chosen):
        return chosen
    key = blake2b(installation, digest_size=64, person=b"postroom key").digest()
    made = blake2b(f"{account.kind}\n{account.name}\n{chosen}".encode(), key=key, person=b"postroom hook")
    return urlsafe_b64encode(made.digest()[:30]).decode()


def hook_url(account: Account, installation: bytes, public_url: str) -> str:
    """Give the address to enter at the provider."""
    return f"{public_url}/hooks/{quote(account.name, safe='')}/{hook_secret(account, installation)}"
