"""Raw hits: requests for tracked addresses as they came, stored before they are answered."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.dialect import insert_many
from campaigns.model.events import hits, strays
from campaigns.values import Hit

COLUMNS = ("at", "kind", "run_id", "seq", "contact_id", "link", "method", "agent", "address", "headers")
AGENT_SIZE = 500  #: a user agent is cut to this; it is hostile text


def store(session: Session, received: Iterable[Hit]) -> int:
    """Append hits; gives how many."""
    rows = (
        (
            hit.at,
            hit.kind,
            hit.run,
            hit.seq,
            hit.contact,
            hit.link,
            hit.method[:8],
            hit.agent[:AGENT_SIZE].replace("\0", ""),
            hit.address[:45].replace("\0", ""),
            ",".join(hit.headers)[:AGENT_SIZE],
        )
        for hit in received
    )
    return insert_many(session, hits, COLUMNS, rows)


def stray(session: Session, what: str, *, now: datetime, count: int = 1) -> None:
    """Count requests whose token is unknown or forged."""
    insert_many(
        session,
        strays,
        ("day", "what", "count"),
        [(now.date().isoformat(), what, count)],
        conflict="ON CONFLICT (day, what) DO UPDATE SET count = strays.count + excluded.count",
    )


def stray_counts(session: Session, *, since: str) -> dict[str, int]:
    """How many stray requests of each sort came since a day (ISO)."""
    query = (
        sa.select(strays.c.what, sa.func.sum(strays.c.count))
        .where(strays.c.day >= since)
        .group_by(strays.c.what)
    )
    return {row[0]: int(row[1]) for row in session.execute(query)}


def unjudged(session: Session, *, until: datetime, limit: int) -> list[tuple[int, int]]:
    """The messages (run, seq) with hits received before `until` that have no verdict yet, oldest first."""
    query = (
        sa.select(hits.c.run_id, hits.c.seq)
        .where(hits.c.judged.is_(sa.false()), hits.c.at <= until)
        .order_by(hits.c.id)
        .limit(limit)
    )
    return list(dict.fromkeys((row.run_id, row.seq) for row in session.execute(query)))


def of_messages(session: Session, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], list[Hit]]:
    """All hits of these messages, by message, in the order they came."""
    found: dict[tuple[int, int], list[Hit]] = {}
    for at in range(0, len(keys), 400):
        piece = keys[at : at + 400]
        query = sa.select(hits).where(sa.tuple_(hits.c.run_id, hits.c.seq).in_(piece)).order_by(hits.c.id)
        for row in session.execute(query):
            found.setdefault((row.run_id, row.seq), []).append(_hit(row))
    return found


def mark_judged(session: Session, ids: Sequence[int]) -> None:
    """Say that these hits have their events."""
    for at in range(0, len(ids), 500):
        session.execute(sa.update(hits).where(hits.c.id.in_(ids[at : at + 500])).values(judged=True))


def judge_again(session: Session, run: int, seq: int) -> None:
    """Let the hits of a message be judged anew, now that more is known of it."""
    session.execute(sa.update(hits).where(hits.c.run_id == run, hits.c.seq == seq).values(judged=False))


def _hit(row: sa.Row[tuple[object, ...]]) -> Hit:
    return Hit(
        at=row.at,
        kind=row.kind,
        run=row.run_id,
        seq=row.seq,
        contact=row.contact_id,
        link=row.link,
        method=row.method,
        agent=row.agent,
        address=row.address,
        headers=tuple(row.headers.split(",")) if row.headers else (),
        id=row.id,
    )
