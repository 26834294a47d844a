"""Addresses never to be mailed: kept by keyed hash, so that the list outlives erasure and names nobody."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.errors import NotFound
from campaigns.imports.addresses import AddressHasher
from campaigns.model.consent import suppressions

#: Why an address may be on the list.
REASONS = ("hard bounce", "kept bouncing", "complaint", "request", "erasure", "import")
_ASKED_AT_ONCE = 500  # well under every driver's limit of parameters


class Listing(NamedTuple):
    """Why an address is on the list."""

    reason: str
    at: datetime
    actor: str
    evidence: dict[str, Any]


def address_hash(secret: bytes, address: str) -> bytes:
    """Hash a normalised address (campaigns/imports/addresses.py) with the installation's secret."""
    return hasher(secret)(address)


@lru_cache(maxsize=8)
def hasher(secret: bytes) -> Callable[[str], bytes]:
    """Give `address_hash` for one secret, with the key's part of the work done once."""
    return AddressHasher(secret).one


def add(
    session: Session,
    hashed: bytes,
    reason: str,
    *,
    now: datetime,
    evidence: Mapping[str, object] | None = None,
    actor: str = "",
) -> bool:
    """Put an address on the list; say whether it is new there for this reason.

    The same address may be listed for several reasons; lifting ends all of them.
    """
    if reason not in REASONS:
        raise ValueError(f"{reason!r} is not a reason for a suppression: {', '.join(REASONS)}")
    listed = _in_force(suppressions.c.address_hash == hashed, suppressions.c.reason == reason)
    if session.execute(listed).first():
        return False
    row = {
        "address_hash": hashed,
        "reason": reason,
        "evidence": dict(evidence or {}),
        "at": now,
        "actor": actor,
    }
    session.execute(sa.insert(suppressions).values(row))
    return True


def lift(session: Session, hashed: bytes, *, by: str, why: str, now: datetime) -> int:
    """End every suppression of an address, on a person's word; the rows stay as evidence.

    Raises:
        NotFound: the address is not on the list.
    """
    table = suppressions
    ended = session.execute(
        sa.update(table)
        .where(table.c.address_hash == hashed, table.c.lifted_at.is_(None))
        .values(lifted_at=now, lifted_by=by, lifted_reason=why)
        .returning(table.c.id)
    ).all()
    if not ended:
        raise NotFound("This address is not suppressed; there is nothing to lift.")
    return len(ended)


def is_suppressed(session: Session, hashed: bytes) -> bool:
    """Say whether an address must not be mailed."""
    return session.execute(_in_force(suppressions.c.address_hash == hashed)).first() is not None


def was_lifted(session: Session, hashed: bytes, *, since: datetime) -> bool:
    """Say whether a person has taken an address off the list since a moment."""
    c = suppressions.c
    taken_off = sa.select(c.id).where(c.address_hash == hashed, c.lifted_at > since)
    return session.execute(taken_off.limit(1)).first() is not None


def hashes(session: Session, among: Iterable[bytes]) -> set[bytes]:
    """Give those of the hashes that are suppressed."""
    found: set[bytes] = set()
    left = iter(among)
    while some := list(islice(left, _ASKED_AT_ONCE)):
        found.update(session.scalars(_in_force(suppressions.c.address_hash.in_(some))))
    return found


def listed(session: Session, among: Iterable[bytes]) -> dict[bytes, list[Listing]]:
    """Say, by hash, why and since when addresses are suppressed; the oldest reason first."""
    found: dict[bytes, list[Listing]] = {}
    c = suppressions.c
    left = iter(among)
    while some := list(islice(left, _ASKED_AT_ONCE)):
        query = (
            sa.select(suppressions)
            .where(c.lifted_at.is_(None), c.address_hash.in_(some))
            .order_by(c.at, c.id)
        )
        for row in session.execute(query):
            one = Listing(row.reason, row.at, row.actor, row.evidence)
            found.setdefault(row.address_hash, []).append(one)
    return found


def in_force() -> sa.Select[tuple[bytes]]:
    """Select every suppressed hash, to be met with `contacts.email_hash` in SQL."""
    return _in_force()


def _in_force(*conditions: sa.ColumnElement[bool]) -> sa.Select[tuple[Any]]:
    return sa.select(suppressions.c.address_hash).where(suppressions.c.lifted_at.is_(None), *conditions)
