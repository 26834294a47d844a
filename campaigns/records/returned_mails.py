"""Returned mails as they came, for a while: when the rules improve they are read again."""

import zlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.dialect import insert_many
from campaigns.model.returned import returned_mails

MOST = 32 * 1024  #: octets kept of one; what a notice says stands at its beginning
KEPT = timedelta(days=30)
AT_ONCE = 200  #: read
LET_GO_AT_ONCE = 1000
_COLUMNS = ("digest", "at", "contact_id", "run_id", "seq", "sort", "hard", "rules", "raw")


@dataclass(frozen=True, slots=True)
class Judged:
    """What a returned mail was taken for."""

    kind: str  #: its class
    hard: bool
    rules: int  #: of which version


@dataclass(frozen=True, slots=True)
class Kept:
    """One mail with what it was taken for."""

    id: int
    digest: str
    at: datetime
    contact: int
    run: int
    seq: int
    judged: Judged
    raw: bytes


def keep(
    session: Session, raw: bytes, judged: Judged, *, digest: str, whom: tuple[int, int, int], now: datetime
) -> None:
    """Keep a mail that was believed, once; `whom` are its contact, run and message."""
    row = (digest, now, *whom, judged.kind, judged.hard, judged.rules, zlib.compress(raw[:MOST]))
    once = "ON CONFLICT (digest) DO NOTHING"
    insert_many(session, returned_mails, _COLUMNS, [row], conflict=once)


def how_many_over(session: Session, now: datetime) -> int:
    """How many there are whose time is over."""
    c = returned_mails.c
    return session.scalar(sa.select(sa.func.count()).where(c.at < now - KEPT)) or 0


def let_go(session: Session, now: datetime) -> None:
    """Delete some of those whose time is over."""
    c = returned_mails.c
    old = sa.select(c.id).where(c.at < now - KEPT).order_by(c.at).limit(LET_GO_AT_ONCE)
    session.execute(sa.delete(returned_mails).where(c.id.in_(old)))


def older(session: Session, rules: int, *, now: datetime, after: int = 0) -> list[Kept]:
    """Some of those that were judged by rules before these, in their order; none whose time is over."""
    c = returned_mails.c
    mine = (c.rules < rules, c.id > after, c.at >= now - KEPT)
    query = sa.select(returned_mails).where(*mine).order_by(c.id).limit(AT_ONCE)
    return [
        Kept(
            row.id,
            row.digest,
            row.at,
            row.contact_id,
            row.run_id,
            row.seq,
            Judged(row.sort, row.hard, row.rules),
            zlib.decompress(row.raw),
        )
        for row in session.execute(query)
    ]


def judge(session: Session, kept: int, judged: Judged) -> None:
    """Write down what a mail is taken for now."""
    values = {"sort": judged.kind, "hard": judged.hard, "rules": judged.rules}
    session.execute(sa.update(returned_mails).where(returned_mails.c.id == kept).values(values))


def told_of(session: Session, contact: int) -> list[dict[str, object]]:
    """What came back from somebody, as a file for them tells it."""
    c = returned_mails.c
    query = sa.select(c.at, c.run_id, c.seq, c.sort, c.hard, c.raw).where(c.contact_id == contact)
    return [
        {**row, "raw": zlib.decompress(row["raw"]).decode(errors="replace")}
        for row in session.execute(query.order_by(c.at, c.id)).mappings()
    ]


def forget(session: Session, contacts: Collection[int]) -> None:
    """Let go what came back from somebody."""
    session.execute(sa.delete(returned_mails).where(returned_mails.c.contact_id.in_(contacts)))
