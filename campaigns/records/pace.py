"""One account's limit, kept by all senders on all machines: a row holds the moment until which it is taken.

This is the generic cell rate algorithm: nobody polls, nobody starves, and the only clock is the database's.
"""

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.dialect import clock_words, is_postgres, read_duration, stored_duration

BLOCKS = 25  #: reservations a second of an account in full use; more would burden the row, fewer would burst
RESERVE = """
    INSERT INTO paces (name, free_at) VALUES (:name, {now} + :length)
    ON CONFLICT (name) DO UPDATE SET free_at = {later}(paces.free_at, {now}) + :length
    RETURNING free_at - :length - {now}
"""


def block(rate: float) -> int:
    """How many messages to reserve at once, so that a block lasts about a 25th of a second."""
    return max(1, int(rate / BLOCKS))


def reserve(session: Session, name: str, count: int, rate: float) -> float:
    """Reserve room for `count` messages at `rate` a second; gives the seconds to wait before the first.

    Then they may go, better evenly over `count / rate` seconds than at once. Call it in a transaction of its
    own and commit right away: until then nobody else can reserve. On PostgreSQL it does not wait for the
    disk: what a crash loses is one block.
    """
    if is_postgres(session):
        session.execute(sa.text("SET LOCAL synchronous_commit = off"))
    length = stored_duration(session, timedelta(seconds=count / rate))
    statement = sa.text(RESERVE.format(**clock_words(session)))
    wait = session.execute(statement, {"name": name, "length": length}).scalar_one()
    return max(0.0, read_duration(wait).total_seconds())
