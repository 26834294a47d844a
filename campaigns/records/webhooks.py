"""Calls of providers: stored once before they are answered, read later, let go when they are old.

Also which events were taken already, and how many calls and events of each sort there were.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from hashlib import blake2b
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.base import Moment
from campaigns.model.dialect import changed, insert_many, is_postgres
from campaigns.model.webhooks import webhook_calls, webhook_counts, webhook_events

AT_ONCE = 100  #: calls that are read together
BYTES_AT_ONCE = 16 * 1024 * 1024  #: and at most so much of them, beyond the first
LONGEST_PROBLEM = 500
_COLUMNS = ("account", "kind", "at", "name", "digest", "body", "state", "due_at")


@dataclass(frozen=True, slots=True)
class NewCall:
    """A call that was proven to be the provider's."""

    account: str
    kind: str
    at: datetime
    name: str  #: what names it among all calls of the account
    body: bytes


@dataclass(frozen=True, slots=True)
class StoredCall:
    """A call as it came."""

    id: int
    account: str
    kind: str
    at: datetime
    body: bytes
    tries: int


class Kept(Enum):
    """What became of a call that came."""

    NEW = "new"
    REPEAT = "repeat"  #: the same call was stored before
    REPLAY = "replay"  #: another call was stored before under this name


@dataclass(frozen=True, slots=True)
class Count:
    """How many of a sort there were, and when the last."""

    account: str
    what: str
    count: int
    last_at: datetime


def digest(*parts: bytes) -> str:
    """A short name for something long, or foreign."""
    made = blake2b(digest_size=16)
    for part in parts:
        made.update(len(part).to_bytes(8) + part)
    return made.hexdigest()


def keep(session: Session, call: NewCall) -> Kept:
    """Store a call, once."""
    name, body = digest(call.name.encode("utf-8", "replace")), digest(call.body)
    row = (call.account, call.kind, call.at, name, body, call.body, "waiting", call.at)
    conflict = "ON CONFLICT (account, name) DO NOTHING"
    if insert_many(session, webhook_calls, _COLUMNS, [row], conflict=conflict):
        return Kept.NEW
    c = webhook_calls.c
    stored = session.scalar(sa.select(c.digest).where(c.account == call.account, c.name == name))
    return Kept.REPEAT if stored == body else Kept.REPLAY


def waiting(session: Session, *, now: datetime) -> list[StoredCall]:
    """The calls that are to be read, the oldest first: as many as can be held at once."""
    c = webhook_calls.c
    due = (
        sa.select(c.id, sa.func.length(c.body).label("size"))
        .where(c.state == "waiting", c.due_at <= now)
        .order_by(c.due_at, c.id)
        .limit(AT_ONCE)
    )
    chosen: list[int] = []
    total = 0
    for row in session.execute(due):
        total += row.size
        if chosen and total > BYTES_AT_ONCE:
            break
        chosen.append(row.id)
    query = sa.select(c.id, c.account, c.kind, c.at, c.body, c.tries).where(c.id.in_(chosen)).order_by(c.id)
    return [StoredCall(*row) for row in session.execute(query)]


def settle(session: Session, call: int, *, problem: str = "", forget: bool = False) -> None:
    """Say that a call was read, or why it cannot be; `forget` what it said, where that may not be kept."""
    values: dict[str, Any] = {"state": "unreadable" if problem else "read"}
    values["problem"] = problem[:LONGEST_PROBLEM] or None
    if forget:
        values["body"] = b""
    session.execute(sa.update(webhook_calls).where(webhook_calls.c.id == call).values(values))


def postpone(session: Session, call: int, *, problem: str, due_at: datetime) -> None:
    """Let a call wait: something outside that it asks for is away."""
    c = webhook_calls.c
    values = {"due_at": due_at, "problem": problem[:LONGEST_PROBLEM], "tries": c.tries + 1}
    session.execute(sa.update(webhook_calls).where(c.id == call).values(values))


def read_again(session: Session, *, now: datetime) -> int:
    """Let every call that could not be read be tried once more; gives how many there are."""
    values = {"state": "waiting", "due_at": now}
    return changed(
        session, sa.update(webhook_calls).where(webhook_calls.c.state == "unreadable").values(values)
    )


def event_key(account: str, event: str) -> str:
    """What names an event among those of all accounts, by the provider's id."""
    return digest(account.encode(), event.encode("utf-8", "replace"))


def take(session: Session, found: Mapping[str, int]) -> set[str]:
    """Take events by their keys, each with the call that brought it; gives those not taken before."""
    if is_postgres(session):
        given = "unnest(CAST(:keys AS text[]), CAST(:calls AS bigint[])) AS given(key, call)"
        named: dict[str, Any] = {"keys": list(found), "calls": list(found.values())}
        picks = "given.key, given.call"
    else:
        given, picks = "json_each(:found)", "value->>0, value->>1"
        named = {"found": json.dumps(list(found.items()))}
    statement = (
        f"INSERT INTO webhook_events (key, call_id) SELECT {picks} FROM {given} WHERE true"
        " ON CONFLICT (key) DO NOTHING RETURNING key"
    )
    return set(session.scalars(sa.text(statement), named)) if found else set()


def count(session: Session, account: str, amounts: Mapping[str, int], *, now: datetime) -> None:
    """Count calls and events of an account, by what became of them."""
    day = now.date().isoformat()
    rows = [(day, account, what, number, now) for what, number in sorted(amounts.items())]
    columns = ("day", "account", "what", "count", "last_at")
    added = "count = webhook_counts.count + excluded.count, last_at = excluded.last_at"
    conflict = f"ON CONFLICT (day, account, what) DO UPDATE SET {added}"
    insert_many(session, webhook_counts, columns, rows, conflict=conflict)


def counts(session: Session, *, since: datetime) -> list[Count]:
    """How many of each sort there were since a day, by account."""
    c = webhook_counts.c
    query = (
        sa.select(c.account, c.what, sa.func.sum(c.count), sa.type_coerce(sa.func.max(c.last_at), Moment))
        .where(c.day >= since.date().isoformat())
        .group_by(c.account, c.what)
        .order_by(c.account, c.what)
    )
    return [Count(row[0], row[1], int(row[2]), row[3]) for row in session.execute(query)]


@dataclass(frozen=True, slots=True)
class Unread:
    """A call that could not be read, or that waits."""

    id: int
    account: str
    at: datetime
    state: str
    problem: str
    size: int
    body: bytes  #: its beginning


def unread(session: Session, *, now: datetime, limit: int = 20, beginning: int = 400) -> list[Unread]:
    """The newest calls that could not be read, or have waited for a minute."""
    c = webhook_calls.c
    late = sa.and_(c.state == "waiting", c.at < now - timedelta(minutes=1))
    query = (
        sa.select(
            c.id,
            c.account,
            c.at,
            c.state,
            sa.func.coalesce(c.problem, ""),
            sa.func.length(c.body),
            sa.func.substr(c.body, 1, beginning),
        )
        .where(sa.or_(c.state == "unreadable", late))
        .order_by(c.id.desc())
        .limit(limit)
    )
    return [Unread(*row[:6], bytes(row[6] or b"")) for row in session.execute(query)]


def how_many_old(session: Session, before: datetime) -> int:
    """How many calls came before a moment, and wait for nothing."""
    c = webhook_calls.c
    query = sa.select(sa.func.count()).where(c.at < before, c.state != "waiting")
    return int(session.scalar(query) or 0)


def forget_some(session: Session, before: datetime, limit: int = 2000) -> int:
    """Delete a batch of calls that came before a moment, with the memory of their events; 0: none is left."""
    c = webhook_calls.c
    old = sa.select(c.id).where(c.at < before, c.state != "waiting").order_by(c.at).limit(limit)
    chosen: Sequence[Any] = session.scalars(old).all()
    for at in range(0, len(chosen), 500):
        piece = chosen[at : at + 500]
        session.execute(sa.delete(webhook_events).where(webhook_events.c.call_id.in_(piece)))
        session.execute(sa.delete(webhook_calls).where(c.id.in_(piece)))
    return len(chosen)
