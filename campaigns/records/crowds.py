"""How many recipients of one company had their mails followed from one address at once: asked of the hits."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.delivery.lanes import OTHER, lane_of
from campaigns.model.dialect import given
from campaigns.model.events import FOLLOWED, hits
from campaigns.model.mail import messages
from campaigns.records.hits import Key, Stored
from campaigns.tracking.crowds import NEAR, Sighting, counts, others
from campaigns.tracking.verdicts import CROWD
from campaigns.values import Hit

MOST = 50_000  #: hits of others that are looked through at once: no company's people click so often


def note(session: Session, found: Mapping[Key, Sequence[Stored]]) -> dict[Key, list[Stored]]:
    """Give these messages' hits with what is known of their crowds now.

    One look for all of them. Hits of other messages that turn out to be of the same crowd are written down,
    and judged anew.
    """
    fresh = [
        one.hit
        for stored in found.values()
        for one in stored
        if not one.judged and counts(one.hit.kind, one.hit.agent, one.hit.address)
    ]
    known = others(_sightings(session, fresh)) if fresh else {}
    crowds = {number: count for number, count in known.items() if count >= CROWD}
    if crowds:
        _write(session, crowds)
    return {
        key: [
            one._replace(hit=replace(one.hit, crowd=crowds[one.hit.id])) if one.hit.id in crowds else one
            for one in stored
        ]
        for key, stored in found.items()
    }


def _sightings(session: Session, fresh: Sequence[Hit]) -> list[Sighting]:
    """What followed links from the same addresses at that time: these hits, and those judged before.

    Those that wait will see these when it is their turn.
    """
    these = given(session, [hits.c.id.type], [(hit.id,) for hit in fresh])
    mine = _query().join(these, hits.c.id == these.c.c0)
    rows = {row.id: row for query in (mine, _around(session, fresh)) for row in session.execute(query)}
    seen = []
    for row in rows.values():
        domain = row.to.rpartition("@")[2]
        # people of a large provider share addresses by chance; those of a company work at one place
        if counts(row.kind, row.agent, row.address) and lane_of(domain) == OTHER:
            seen.append(Sighting(row.id, (row.run_id, row.seq), domain, row.address, row.at))
    return seen


def _query() -> sa.Select[Any]:
    c = hits.c
    return (
        sa.select(c.id, c.run_id, c.seq, c.kind, c.agent, c.address, c.at, messages.c.address.label("to"))
        .join(messages, sa.and_(messages.c.run_id == c.run_id, messages.c.seq == c.seq))
        .where(messages.c.address.is_not(None))
    )


def _around(session: Session, fresh: Sequence[Hit]) -> sa.Select[Any]:
    """Judged hits near these: each address in its own time."""
    moments: defaultdict[str, list[datetime]] = defaultdict(list)
    for hit in fresh:
        moments[hit.address].append(hit.at)
    spans = [(address, min(found) - NEAR, max(found) + NEAR) for address, found in moments.items()]
    c = hits.c
    near = given(session, [c.address.type, c.at.type, c.at.type], spans)
    during = sa.and_(c.address == near.c.c0, c.at.between(near.c.c1, near.c.c2))
    return _query().where(FOLLOWED).join(near, during).limit(MOST)


def _write(session: Session, crowds: Mapping[int, int]) -> None:
    """Write larger crowds down; a hit that was judged without knowing is due again."""
    c = hits.c
    smaller = {
        row.id for row in session.execute(sa.select(c.id).where(c.id.in_(list(crowds)), c.crowd < CROWD))
    }
    for number in sorted(smaller):
        session.execute(sa.update(hits).where(c.id == number).values(crowd=crowds[number], judged=False))
