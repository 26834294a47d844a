"""Keys that sign for a domain, from being made to being retired.

A key waits until its DNS record was seen, then signs until a newer one of its algorithm does, and then rests:
its record must stay while mails signed by it are still read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.delivery.dkim import HOLDS, Algorithm
from campaigns.errors import NotFound
from campaigns.model.identity import dkim_keys

#: How long the record of a key must stay after its last signature.
STAYS = timedelta(seconds=HOLDS)


class KeyState(StrEnum):
    """Where a key stands."""

    WAITING = "waiting"  #: its record was not seen in the DNS yet
    SIGNING = "signing"  #: mails are signed by it
    RESTING = "resting"  #: a newer one signs; its record must stay for a while
    RETIRED = "retired"  #: its private half is gone


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A key of a domain."""

    id: int
    domain: str
    selector: str
    algorithm: Algorithm
    public: str
    sealed: bytes = field(repr=False)
    created_at: datetime
    active_from: datetime | None
    retired_at: datetime | None


def add(
    session: Session,
    domain: str,
    selector: str,
    algorithm: Algorithm,
    *,
    public: str,
    sealed: bytes,
    now: datetime,
) -> DkimKey:
    """Add a key that waits."""
    values = {
        "domain": domain,
        "selector": selector,
        "algorithm": algorithm.value,
        "public": public,
        "sealed": sealed,
        "created_at": now,
    }
    made = session.execute(sa.insert(dkim_keys).values(values).returning(*dkim_keys.c)).one()
    return _key(made)


def listing(session: Session, domain: str | None = None) -> list[DkimKey]:
    """The keys of all domains, or of one; newest last."""
    query = sa.select(dkim_keys).order_by(dkim_keys.c.domain, dkim_keys.c.id)
    if domain is not None:
        query = query.where(dkim_keys.c.domain == domain)
    return [_key(row) for row in session.execute(query)]


def waiting(session: Session) -> list[DkimKey]:
    """The keys whose record was not seen yet, oldest first."""
    waits = (dkim_keys.c.active_from.is_(None), dkim_keys.c.retired_at.is_(None))
    return [_key(row) for row in session.execute(sa.select(dkim_keys).where(*waits).order_by(dkim_keys.c.id))]


def signing(session: Session, domain: str) -> list[DkimKey]:
    """The keys that sign for a domain: its own, else of the nearest domain above that has some; RSA first."""
    labels = domain.split(".")
    above = [".".join(labels[at:]) for at in range(max(1, len(labels) - 1))]
    rows = session.execute(
        sa.select(dkim_keys).where(
            dkim_keys.c.domain.in_(above),
            dkim_keys.c.active_from.is_not(None),
            dkim_keys.c.retired_at.is_(None),
        )
    )
    keys = [_key(row) for row in rows]
    for name in above:
        if found := chosen(key for key in keys if key.domain == name):
            return found
    return []


def chosen(keys: Iterable[DkimKey]) -> list[DkimKey]:
    """Of a domain's keys those that sign: the newest of each algorithm, and none without an RSA key."""
    newest: dict[Algorithm, DkimKey] = {}
    for key in keys:
        if key.active_from is not None and key.retired_at is None:
            known = newest.get(key.algorithm)
            if known is None or _age(known) < _age(key):
                newest[key.algorithm] = key
    if Algorithm.RSA not in newest:
        return []
    return [newest[algorithm] for algorithm in Algorithm if algorithm in newest]


def states(keys: Sequence[DkimKey]) -> dict[int, KeyState]:
    """Where each of a domain's keys stands, by id."""
    at_work = {key.id for key in chosen(keys)}
    return {key.id: _state(key, at_work) for key in keys}


def rested_until(key: DkimKey, keys: Iterable[DkimKey]) -> datetime | None:
    """Until when the record of a key that no longer signs must stay; None while it signs or waits."""
    if key.retired_at is not None:
        return key.retired_at + STAYS
    followers = [one for one in keys if one.algorithm is key.algorithm and _follows(one, key)]
    ended = min((one.active_from for one in followers if one.active_from is not None), default=None)
    return None if ended is None else ended + STAYS


def activate(session: Session, key: int, *, now: datetime) -> None:
    """Let a key sign from now on; one that does already is left as it is."""
    waits = (dkim_keys.c.id == key, dkim_keys.c.active_from.is_(None), dkim_keys.c.retired_at.is_(None))
    session.execute(sa.update(dkim_keys).where(*waits).values(active_from=now))


def retire(session: Session, key: int, *, now: datetime) -> None:
    """Let a key sign nothing any more, and forget its private half."""
    still = (dkim_keys.c.id == key, dkim_keys.c.retired_at.is_(None))
    session.execute(sa.update(dkim_keys).where(*still).values(retired_at=now, sealed=b""))


def get(session: Session, domain: str, selector: str) -> DkimKey:
    """Load a key.

    Raises:
        NotFound: the domain has no such key.
    """
    where = (dkim_keys.c.domain == domain, dkim_keys.c.selector == selector)
    row = session.execute(sa.select(dkim_keys).where(*where)).one_or_none()
    if row is None:
        raise NotFound(f"{domain} has no key {selector}; postroom dkim list shows those there are.")
    return _key(row)


def _key(row: sa.Row[*tuple[object, ...]]) -> DkimKey:
    values = dict(row._mapping)  # noqa: SLF001 - the library's public name for it
    return DkimKey(**values | {"algorithm": Algorithm(values["algorithm"])})


def _age(key: DkimKey) -> tuple[datetime | None, int]:
    return key.active_from, key.id


def _follows(one: DkimKey, key: DkimKey) -> bool:
    return (
        key.active_from is not None
        and one.active_from is not None
        and (one.active_from, one.id) > (key.active_from, key.id)
    )


def _state(key: DkimKey, at_work: set[int]) -> KeyState:
    if key.retired_at is not None:
        return KeyState.RETIRED
    if key.active_from is None:
        return KeyState.WAITING
    return KeyState.SIGNING if key.id in at_work else KeyState.RESTING
