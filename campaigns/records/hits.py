"""Raw hits: requests for tracked addresses as they came, stored before they are answered."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.dialect import changed, insert_many
from campaigns.model.events import JUDGED, WAITS, hit_counts, hits, strays
from campaigns.records import tracking
from campaigns.tracking.verdicts import judge
from campaigns.values import Hit, Tracking, Verdict

COLUMNS = ("at", "kind", "run_id", "seq", "contact_id", "link", "method", "agent", "address", "headers")
AGENT_SIZE = 500  #: a user agent is cut to this; it is hostile text
AFTERWARDS = 20_000  #: hits that are looked through for more of the same messages: some seconds' at least
MOST = 1000  #: hits of one message that are judged: it is forwarded to many, or somebody plays with it
NO_LINK = -1  #: stands among counts for a hit on no link

Key = tuple[int, int]  #: a message: run and seq


class Stored(NamedTuple):
    """A hit as it stands in the store."""

    hit: Hit
    judged: bool
    verdict: Verdict | None  #: that its event has; None: it has none


def store(session: Session, received: Iterable[Hit], *, default: Tracking = Tracking.INDIVIDUAL) -> int:
    """Append hits, count those of contacts who are only counted, and drop those of whoever said no.

    `default` is the installation's level, for contacts who never chose one. Gives how many were appended or
    counted.
    """
    given = list(received)
    levels = tracking.levels_in_force(session, {hit.contact for hit in given if hit.contact}, default)
    levels[0] = Tracking.AGGREGATE  # of nobody in particular
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
        for hit in given
        if levels[hit.contact] is Tracking.INDIVIDUAL
    )
    written = insert_many(session, hits, COLUMNS, rows)
    if apart := [hit for hit in given if levels[hit.contact] is Tracking.AGGREGATE]:
        count_apart(session, apart)
    return written + len(apart)


def count_apart(session: Session, received: Iterable[Hit]) -> None:
    """Count hits of nobody in particular; nothing is kept by which they could be told apart."""
    counted = Counter(
        (hit.run, hit.kind, NO_LINK if hit.link is None else hit.link, _verdict_by_itself(hit))
        for hit in received
    )
    insert_many(
        session,
        hit_counts,
        ("run_id", "kind", "link", "verdict", "count"),
        [(*key, count) for key, count in sorted(counted.items())],
        conflict="ON CONFLICT (run_id, kind, link, verdict)"
        " DO UPDATE SET count = hit_counts.count + excluded.count",
    )


def _verdict_by_itself(hit: Hit) -> str:
    (judgement,) = judge([hit], sent_at=None, link_count=0)
    return judgement.verdict.value


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


class Unjudged(NamedTuple):
    """Messages that have hits without a verdict."""

    messages: list[Key]
    upto: int  #: hits that came up to here say something of these: a scanner's burst is told by what follows


def unjudged(session: Session, *, until: datetime, limit: int) -> Unjudged:
    """The messages of the oldest hits that were received before `until` and have no verdict yet."""
    query = (
        sa.select(hits.c.run_id, hits.c.seq, hits.c.id)
        .where(WAITS, hits.c.at <= until)
        .order_by(hits.c.id)
        .limit(limit)
    )
    rows = session.execute(query).all()
    upto = rows[-1].id + AFTERWARDS if rows else 0
    return Unjudged(list(dict.fromkeys((run, seq) for run, seq, _ in rows)), upto)


def of_messages(
    session: Session, keys: Sequence[Key], *, upto: int = 0, most: int = MOST
) -> dict[Key, list[Stored]]:
    """The hits of these messages that have a verdict, or none yet and an id up to `upto`.

    In the order they came, by message; of each message the first `most`.
    """
    found: dict[Key, list[Stored]] = {}
    for piece in _by_run(keys):
        many = _larger(session, piece, most)
        few = piece._replace(seqs=[seq for seq in piece.seqs if seq not in many])
        for which in (few.among(JUDGED), piece.among(WAITS, hits.c.id <= upto)):
            _collect(found, session.execute(sa.select(hits).where(*which)))
        for seq in many:
            mine = piece._replace(seqs=[seq]).among(JUDGED)
            _collect(found, session.execute(sa.select(hits).where(*mine).order_by(hits.c.id).limit(most)))
    return {key: sorted(stored, key=_number)[:most] for key, stored in found.items()}


class _Piece(NamedTuple):
    """Some messages of one run: asked for together, since SQLite goes through all rows for pairs of ids."""

    run: int
    seqs: list[int]

    def among(self, *those: sa.ColumnElement[bool]) -> tuple[sa.ColumnElement[bool], ...]:
        return (hits.c.run_id == self.run, hits.c.seq.in_(self.seqs), *those)


def _by_run(keys: Sequence[Key]) -> Iterator[_Piece]:
    runs: dict[int, list[int]] = {}
    for run, seq in keys:
        runs.setdefault(run, []).append(seq)
    for run, seqs in runs.items():
        for at in range(0, len(seqs), 400):
            yield _Piece(run, seqs[at : at + 400])


def _collect(found: dict[Key, list[Stored]], rows: Iterable[sa.Row[Any]]) -> None:
    for row in rows:
        verdict = None if row.verdict is None else Verdict(row.verdict)
        found.setdefault((row.run_id, row.seq), []).append(Stored(_hit(row), row.judged, verdict))


def _number(one: Stored) -> int:
    return one.hit.id


def _larger(session: Session, piece: _Piece, most: int) -> list[int]:
    """The messages among these that have more judged hits than `most`; told by the index alone."""
    query = sa.select(hits.c.seq).where(*piece.among(JUDGED)).group_by(hits.c.seq)
    return list(session.scalars(query.having(sa.func.count() > most)))


def mark_judged(session: Session, verdicts: Mapping[int, Verdict | None]) -> None:
    """Say what verdict each of these hits has by now; None: it makes no event."""
    by_verdict: dict[Verdict | None, list[int]] = {}
    for number, verdict in verdicts.items():
        by_verdict.setdefault(verdict, []).append(number)
    for verdict, ids in by_verdict.items():
        for at in range(0, len(ids), 500):
            these = sa.update(hits).where(hits.c.id.in_(ids[at : at + 500]))
            session.execute(these.values(judged=True, verdict=None if verdict is None else verdict.value))


def pass_over(session: Session, key: Key, *, after: int) -> int:
    """Mark a message's hits after one of them as judged, without a verdict; gives how many there were."""
    mine = (hits.c.run_id == key[0], hits.c.seq == key[1], hits.c.id > after, WAITS)
    return changed(session, sa.update(hits).where(*mine).values(judged=True))


def judge_again(session: Session, run: int, seq: int) -> None:
    """Let the hits of a message be judged anew, now that more is known of it."""
    mine = (hits.c.run_id == run, hits.c.seq == seq, JUDGED)
    session.execute(sa.update(hits).where(*mine).values(judged=False))


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
        crowd=row.crowd,
    )
