"""Refusals that tell nothing of what they are about, kept until it is clear whether all are told the same."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.delivery.refusals import MANY_ALIKE
from campaigns.model.dialect import insert_many
from campaigns.model.lanes import lane_refusals
from campaigns.model.mail import chunks

KEPT = timedelta(days=1)
COLUMNS = ("run_id", "account", "lane", "words", "at", "seqs")


class Place(NamedTuple):
    """Where a refusal was heard."""

    run: int
    account: str
    lane: str


def refused_alike(session: Session, where: Place, since: datetime) -> tuple[dict[str, frozenset[int]], bool]:
    """By what was said since a moment the messages that were told so, and whether many may be yet to come.

    Asked are all lanes of the run and account, for words may be a relay's; those that took a mail
    since then are left out: there it is about whom it was to.
    """
    taken, mails = _lanes_of(session, where, since)
    c = lane_refusals.c
    query = sa.select(c.lane, c.words, c.seqs).where(
        c.run_id == where.run, c.account == where.account, c.at >= since
    )
    found: defaultdict[str, set[int]] = defaultdict(set)
    for lane, words, seqs in session.execute(query):
        if lane not in taken:
            found[words] |= set(seqs)
    most = mails.get(where.lane, 0) if taken else sum(mails.values())
    return {words: frozenset(seqs) for words, seqs in found.items()}, most >= MANY_ALIKE


def _lanes_of(session: Session, where: Place, since: datetime) -> tuple[set[str], dict[str, int]]:
    """The lanes of a run and account that took a mail since a moment, and how many each is given."""
    c = chunks.c
    size = sa.func.sum(c.last_seq - c.first_seq + 1)
    query = (
        sa.select(c.lane, sa.func.max(c.taken_at), size)
        .where(c.run_id == where.run, c.account == where.account)
        .group_by(c.lane)
    )
    rows = session.execute(query).all()
    taken = {lane for lane, at, _ in rows if at is not None and at >= since}
    return taken, {lane: int(count) for lane, _, count in rows}


def keep_refused(session: Session, where: Place, alike: Mapping[str, Iterable[int]], now: datetime) -> None:
    """Keep which messages were refused with the same words; more than a few are not kept."""
    for words, seqs in sorted(alike.items()):
        mine = (*where, words)
        insert_many(session, lane_refusals, COLUMNS, [(*mine, now, [])], conflict="ON CONFLICT DO NOTHING")
        here = sa.and_(*[lane_refusals.c[name] == one for name, one in zip(COLUMNS, mine, strict=False)])
        before = session.scalar(sa.select(lane_refusals.c.seqs).where(here).with_for_update()) or []
        kept = sorted({*before, *seqs})[:MANY_ALIKE]
        session.execute(sa.update(lane_refusals).where(here).values(at=now, seqs=kept))


def is_refused_old(session: Session, now: datetime) -> bool:
    """Whether some are too old to be asked."""
    return session.scalar(sa.select(sa.exists().where(lane_refusals.c.at < now - KEPT))) or False


def forget_refused(session: Session, now: datetime) -> None:
    """Let go of what is too old to be asked."""
    session.execute(sa.delete(lane_refusals).where(lane_refusals.c.at < now - KEPT))
