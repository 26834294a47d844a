"""From which networks all links of others' mails were followed: asked of the hits of machines."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.delivery.lanes import OTHER, lane_of
from campaigns.model.dialect import given
from campaigns.model.events import FOLLOWED, OF_MACHINES, hits
from campaigns.model.expressions import in_bytes
from campaigns.model.mail import messages
from campaigns.tracking.bursts import beginnings, network
from campaigns.tracking.instrument import HONEYPOT
from campaigns.tracking.sweepers import ENOUGH, LINKS, House
from campaigns.values import Hit, Verdict

MOST = 300  #: hits of a network that are looked through: some dozen mails'
AGAIN = 1000  #: earlier hits that are judged again for a network
PIECE = 500


def known(session: Session, found: Iterable[Hit]) -> dict[str, set[House]]:
    """Whose mails were swept from the networks of these hits, as far as that matters."""
    near = {network(hit.address) for hit in found if hit.address and hit.kind != "open"}
    ranges = [(start, _after(start), one) for one in sorted(near) for start in beginnings(one)]
    houses: defaultdict[str, set[House]] = defaultdict(set)
    for start, beyond, one in _with_machines(session, ranges):
        houses[one] |= _houses(session, start, beyond)
    return houses


def house_of(address: str | None, contact: int) -> House:
    """Whom a mail went to: a company by its domain; at a large provider everybody stands alone."""
    domain = (address or "").rpartition("@")[2]
    return domain if domain and lane_of(domain) == OTHER else f"contact {contact}"


def is_news(session: Session, near: str, whose: House, before: Collection[House]) -> bool:
    """Whether a sweep of somebody's mail tells of a network what its earlier ones (`before`) did not.

    To be asked before the sweep's own verdicts are written.
    """
    if whose in before or len(before) >= ENOUGH:
        return False
    return not any(_is_full(session, start, _after(start)) for start in beginnings(near))


def _is_full(session: Session, start: str, beyond: str) -> bool:
    """Whether machines left more hits than are looked through, so that one more is not heard."""
    some = sa.select(sa.literal(1)).where(OF_MACHINES, in_bytes(session, hits.c.address, start, beyond))
    return session.scalar(some.offset(MOST - 1).limit(1)) is not None


def look_again(session: Session, networks: Iterable[str]) -> None:
    """Let what else came from these networks be judged anew."""
    c = hits.c
    for one in sorted(networks):
        for start in beginnings(one):
            within = in_bytes(session, c.address, start, _after(start))
            doubted = c.verdict.in_([Verdict.HUMAN.value, Verdict.UNKNOWN.value])
            ids = session.scalars(sa.select(c.id).where(FOLLOWED, within, doubted).limit(AGAIN)).all()
            for at in range(0, len(ids), PIECE):
                these = c.id.in_(ids[at : at + PIECE])
                session.execute(sa.update(hits).where(these).values(judged=False))


def _after(start: str) -> str:
    """The first text beyond all that begin so."""
    return start[:-1] + chr(ord(start[-1]) + 1)


_Span = tuple[str, str, str]


def _with_machines(session: Session, ranges: Sequence[_Span]) -> list[_Span]:
    """Those ranges in which a machine was; mostly there was none, which one question tells."""
    asked = given(session, [sa.Text(), sa.Text(), sa.Text()], ranges)
    within = in_bytes(session, hits.c.address, asked.c.c0, asked.c.c1)
    there = sa.exists(sa.select(hits.c.id).where(OF_MACHINES, within))
    return [(row.c0, row.c1, row.c2) for row in session.execute(sa.select(asked).where(there))]


def _houses(session: Session, start: str, beyond: str) -> set[House]:
    c = hits.c
    some = (
        sa.select(c.run_id, c.seq, c.contact_id, c.link)
        .where(OF_MACHINES, in_bytes(session, c.address, start, beyond), c.link.is_not(None))
        .limit(MOST)
        .subquery()
    )
    swept = (
        sa.select(some.c.run_id, some.c.seq, some.c.contact_id)
        .group_by(some.c.run_id, some.c.seq, some.c.contact_id)
        .having((sa.func.count(some.c.link.distinct()) >= LINKS) | (sa.func.min(some.c.link) == HONEYPOT))
        .subquery()
    )
    mine = sa.and_(messages.c.run_id == swept.c.run_id, messages.c.seq == swept.c.seq)
    query = sa.select(messages.c.address, swept.c.contact_id).join_from(swept, messages, mine)
    return {house_of(row.address, row.contact_id) for row in session.execute(query)}
