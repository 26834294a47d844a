"""A domain's keys: made, let sign once the world can verify them, followed by newer ones, and retired."""

from collections.abc import Iterable
from datetime import datetime

from dns.resolver import Resolver
from sqlalchemy.orm import Session

from campaigns.delivery.dkim import Algorithm
from campaigns.delivery.dkim_keys import (
    SEEN,
    SELECTOR,
    Vault,
    make_key,
    public_text,
    published,
    record_name,
)
from campaigns.delivery.domains import Unasked
from campaigns.delivery.headers import ascii_domain
from campaigns.errors import BadInput, NotAllowed
from campaigns.records import dkim_keys
from campaigns.records.dkim_keys import DkimKey, KeyState
from campaigns.values import Problem


def make(
    session: Session,
    vault: Vault,
    domain: str,
    algorithm: Algorithm,
    *,
    selector: str | None = None,
    now: datetime,
) -> DkimKey:
    """Make a key that waits for its DNS record.

    Raises:
        BadInput: there is no such domain, or the selector cannot be used.
        NotAllowed: an Ed25519 key without an RSA key beside it.
    """
    domain = read_domain(domain)
    known = dkim_keys.listing(session, domain)
    living = [key for key in known if key.retired_at is None]
    if algorithm is Algorithm.ED25519 and all(key.algorithm is not Algorithm.RSA for key in living):
        raise NotAllowed(
            f"{domain} has no RSA key, and some large receivers verify nothing else: make that one first."
        )
    taken = {key.selector for key in known}
    chosen = _free_selector(taken, algorithm, now) if selector is None else _selector(selector, taken)
    private = make_key(algorithm)
    sealed = vault.seal(private, record_name(chosen, domain))
    return dkim_keys.add(
        session, domain, chosen, algorithm, public=public_text(private), sealed=sealed, now=now
    )


def rotate(session: Session, vault: Vault, domain: str, *, now: datetime) -> list[DkimKey]:
    """Make a follower for each key that signs; the old one signs until the new one's record is seen.

    Raises:
        BadInput: there is no such domain.
        NotAllowed: no key signs, or a new one waits already.
    """
    domain = read_domain(domain)
    known = dkim_keys.listing(session, domain)
    state = dkim_keys.states(known)
    waiting = [key.selector for key in known if state[key.id] is KeyState.WAITING]
    if waiting:
        raise NotAllowed(
            f"{domain} has a key that waits for its DNS record already: {', '.join(waiting)}. "
            "Set the record and run postroom dkim check, or retire the key."
        )
    old = [key for key in known if state[key.id] is KeyState.SIGNING]
    if not old:
        raise NotAllowed(f"No key signs for {domain}: make one by postroom dkim make {domain}.")
    return [make(session, vault, domain, key.algorithm, now=now) for key in old]


def retire(session: Session, domain: str, selector: str, *, force: bool = False, now: datetime) -> DkimKey:
    """Retire a key: its private half is forgotten.

    Raises:
        NotFound: there is no such key.
        NotAllowed: it signs, and nothing else would do so in its place.
    """
    domain = read_domain(domain)
    key = dkim_keys.get(session, domain, selector)
    known = dkim_keys.listing(session, domain)
    if dkim_keys.states(known)[key.id] is KeyState.SIGNING and not force:
        raise NotAllowed(
            f"{selector} signs for {domain}: run postroom dkim rotate {domain} first, "
            "or say --force to send without its signature."
        )
    dkim_keys.retire(session, key.id, now=now)
    return dkim_keys.get(session, domain, selector)


def visible(keys: Iterable[DkimKey], resolver: Resolver) -> list[DkimKey]:
    """Those of some keys whose record the world can see; where nobody answers, it cannot."""
    return [key for key in keys if _is_visible(key, resolver)]


def _is_visible(key: DkimKey, resolver: Resolver) -> bool:
    try:
        seen = published(key.algorithm, key.public, resolver, record_name(key.selector, key.domain))
    except Unasked:
        return False
    return seen in SEEN


def activate(session: Session, keys: Iterable[DkimKey], *, now: datetime) -> None:
    """Let keys sign whose records were seen."""
    for key in keys:
        dkim_keys.activate(session, key.id, now=now)


def read_domain(text: str) -> str:
    """A domain as its records are found: A-labels in small letters.

    Raises:
        BadInput: it is none.
    """
    try:
        domain = ascii_domain(text.strip().rstrip(".").lower())
    except BadInput:  # its cure is that of an address
        domain = ""
    if "." not in domain:
        raise BadInput([Problem("domain", f"{text[:80]!r} is no domain.", "Write it like company.example.")])
    return domain


def _selector(text: str, taken: set[str]) -> str:
    selector = text.lower()
    if not SELECTOR.fullmatch(selector):
        what = f"{text[:80]!r} is no selector."
        raise BadInput([Problem("selector", what, "Use up to 63 letters, digits and dashes.")])
    if selector in taken:
        what = f"{selector} names another key of this domain, and for good."
        raise BadInput([Problem("selector", what, "Choose a new one.")])
    return selector


def _free_selector(taken: set[str], algorithm: Algorithm, now: datetime) -> str:
    """A name that says when the key was made; a selector is never used again."""
    stem = f"pr{now:%Y%m%d}" + ("e" if algorithm is Algorithm.ED25519 else "")
    names = (stem if count == 1 else f"{stem}-{count}" for count in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)
