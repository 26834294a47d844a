"""Where messages went: through which account, to which lane."""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.mail import chunks
from campaigns.values import MessageKey

_chunk = sa.select(chunks.c.account, chunks.c.lane).where(
    chunks.c.run_id == sa.bindparam("run"),
    chunks.c.first_seq <= sa.bindparam("seq"),
    chunks.c.last_seq >= sa.bindparam("seq"),
)


def places_of(session: Session, keys: Iterable[MessageKey]) -> dict[MessageKey, tuple[str, str]]:
    """Account and lane of some messages; of each run its chunks are looked through."""
    found = {}
    for key in keys:
        row = session.execute(_chunk, {"run": key.run, "seq": key.seq}).first()
        if row is not None:
            found[key] = (row.account, row.lane)
    return found
