"""How calls are proven: keys, windows, and the schemes that more than one provider uses."""

import hmac
from base64 import b64decode
from binascii import Error as NoBase64
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import blake2b

from campaigns.delivery.webhooks.contract import Call, Unproven
from campaigns.delivery.webhooks.told import moment
from campaigns.values import Account

KEY = "webhook_key"
USER, PASSWORD = "webhook_user", "webhook_password"
STANDARD_WINDOW = timedelta(minutes=5)
MOST_SIGNATURES = 20
SHORTEST_KEY = 16  #: bytes


def keys_of(account: Account, name: str = KEY) -> Sequence[str]:
    """The keys that an account's calls may be signed with: several while one takes the other's place.

    Raises:
        Unproven: there is none; nothing of this account can be believed.
    """
    found = account.options.get(name, "").split()
    if not found:
        raise Unproven(f"the account has no {name}", 403)
    return found


def within(stamp: object, now: datetime, window: timedelta) -> None:
    """Require a moment to be near to now.

    Raises:
        Unproven: it is not, or it is none.
    """
    at = moment(stamp)
    if at is None or abs(now - at) > window:
        raise Unproven("signed too long ago, or in the future")


def same(one: str, other: str) -> bool:
    """Compare without telling by the time it takes where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def decoded(text: str) -> bytes:
    """Read base64, by either alphabet; empty where it is none."""
    try:
        return b64decode(text.translate({45: "+", 95: "/"}) + "=" * (-len(text) % 4), validate=True)
    except (NoBase64, ValueError):
        return b""


def digest_of(body: bytes) -> str:
    """A short name for a body."""
    return blake2b(body, digest_size=16).hexdigest()


def require_password(call: Call, account: Account) -> None:
    """Where the account names a user and a password for its calls: require them.

    Source: RFC 7617.

    Raises:
        Unproven: they are not given, or others.
    """
    user, password = account.options.get(USER, ""), account.options.get(PASSWORD, "")
    if not (user or password):
        return
    scheme, _, given = call.header("authorization").partition(" ")
    expected = f"{user}:{password}"
    shown = decoded(given.strip()).decode("utf-8", "replace") if scheme.lower() == "basic" else ""
    if not same(shown, expected):
        raise Unproven("user or password is missing or wrong")


def by_secret_path(call: Call, account: Account, _now: datetime) -> str:
    """Who knows the path, and the password if there is one, is believed: these providers sign nothing.

    The body names the call: the same body again is the same call.
    """
    require_password(call, account)
    return digest_of(call.body)


def by_standard_signature(
    call: Call, account: Account, now: datetime, *, prefix: str = "webhook", key: str = KEY
) -> str:
    """Check a signature over id, time and body, and give the id.

    Source: Standard Webhooks 1.0; Svix uses the same with headers of its own name.
    """
    require_password(call, account)
    name, stamp = call.header(f"{prefix}-id")[:300], call.header(f"{prefix}-timestamp")[:30]
    given = call.header(f"{prefix}-signature")[:8000].split()[:MOST_SIGNATURES]
    signed = f"{name}.{stamp}.".encode("utf-8", "replace") + call.body
    fits = False
    for one_key in keys_of(account, key):
        secret = decoded(one_key.removeprefix("whsec_"))
        if len(secret) < SHORTEST_KEY:  # of what is no base64 nothing is left, and that anybody knows
            raise Unproven(f"the account's {key} cannot be read", 403)
        expected = hmac.digest(secret, signed, "sha256")
        for one in given:
            version, _, signature = one.partition(",")
            fits |= version == "v1" and hmac.compare_digest(decoded(signature), expected)
    if not (fits and name):
        raise Unproven("no signature fits")
    within(stamp, now, STANDARD_WINDOW)
    return name
