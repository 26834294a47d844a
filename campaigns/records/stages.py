"""Lifecycle stages by what customers order: who is late by their own habit, who has gone, who came back.

The rule is here alone. A customer's usual gap is the mean time between their orders that stand (neither
cancelled nor returned), and never under `SHORTEST`; where only one is known, `UNKNOWN` stands for it. Longer
than `AT_RISK` gaps without an order is at risk, longer than `LAPSED` gaps is lapsed. The next order makes a
lapsed customer won back, and one that was only at risk active; one more in the usual time makes a won back
customer active. Imports of orders make prospects new and active. Nobody else writes stages.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.base import Moment
from campaigns.model.customers import customers
from campaigns.model.dialect import changed, is_postgres

AT_RISK = 1.5  #: usual gaps without an order
LAPSED = 2.0
SHORTEST = timedelta(days=30)  #: two orders of one day say nothing about a habit
UNKNOWN = timedelta(days=180)  #: the gap of those who ordered once
AT_ONCE = 500

_STANDING = "o.status NOT IN ('cancelled', 'returned')"
#: Who has another stage than the one written down. `{late}` is how long ago the last order was, `{span}` the
#: time between the first and the last, `{step}` that between the last two; all in seconds.
_DUE = f"""
SELECT id, stage, wanted FROM (
  SELECT id, stage, CASE
    WHEN late > :lapsed * gap THEN 'lapsed'
    WHEN stage = 'lapsed' AND late > :at_risk * gap THEN 'lapsed'
    WHEN late > :at_risk * gap THEN 'at risk'
    WHEN stage = 'lapsed' THEN 'won back'
    WHEN stage = 'at risk' THEN CASE WHEN n = 1 THEN 'new' ELSE 'active' END
    WHEN stage = 'won back' AND (SELECT {{step}} FROM orders o WHERE o.customer_id = known.id AND {_STANDING}
      AND o.placed_at < known.last) <= :at_risk * gap THEN 'active'
    ELSE stage END AS wanted
  FROM (
    SELECT c.id, c.stage, s.n, s.last, {{late}} AS late,
      CASE WHEN s.n = 1 THEN :unknown WHEN {{span}} / (s.n - 1) < :shortest THEN :shortest
      ELSE {{span}} / (s.n - 1) END AS gap
    FROM (SELECT o.customer_id, count(*) AS n, min(o.placed_at) AS first, max(o.placed_at) AS last
      FROM orders o WHERE {_STANDING} GROUP BY o.customer_id) s
    JOIN customers c ON c.id = s.customer_id
    WHERE c.stage IN ('new', 'active', 'at risk', 'lapsed', 'won back')
  ) known
) judged WHERE wanted <> stage
"""


class Move(NamedTuple):
    """A customer whose stage is another by now."""

    customer: int
    before: str
    after: str


def due(session: Session, now: datetime) -> list[Move]:
    """Whose stage is another by now; reads every order once, and writes nothing."""
    if is_postgres(session):
        words = {name: f"extract(epoch FROM {text})::float8" for name, text in _SPANS.items()}
    else:
        words = {name: f"({text}) / 1e6" for name, text in _SPANS.items()}
    statement = sa.text(_DUE.format(**words)).bindparams(
        sa.bindparam("now", now, type_=Moment()),
        sa.bindparam("at_risk", AT_RISK, type_=sa.Float()),
        sa.bindparam("lapsed", LAPSED, type_=sa.Float()),
        sa.bindparam("shortest", SHORTEST.total_seconds(), type_=sa.Float()),
        sa.bindparam("unknown", UNKNOWN.total_seconds(), type_=sa.Float()),
    )
    return [Move(*row) for row in session.execute(statement)]


_SPANS = {"late": "(:now - s.last)", "span": "(s.last - s.first)", "step": "(known.last - max(o.placed_at))"}


def move(session: Session, moves: Sequence[Move], *, now: datetime) -> int:
    """Write new stages down where the old one still stands; gives how many."""
    by_step: dict[tuple[str, str], list[int]] = {}
    for one in moves:
        by_step.setdefault((one.before, one.after), []).append(one.customer)
    count = 0
    for (before, after), ids in by_step.items():
        for at in range(0, len(ids), AT_ONCE):
            mine = sa.and_(customers.c.id.in_(ids[at : at + AT_ONCE]), customers.c.stage == before)
            values = {"stage": after, "updated_at": now}
            count += changed(session, sa.update(customers).where(mine).values(values))
    return count


def move_by_import(run: Callable[[str], int], at_now: str) -> int:
    """Make prospects new at the first of `staged_orders` that stands, and new ones active at their second.

    Gives how many became new. `run` runs a statement, `at_now` is the import's moment in SQL.
    """
    first = run(
        f"UPDATE customers SET stage = 'new', updated_at = {at_now} WHERE stage = 'prospect' AND id IN"
        " (SELECT s.customer_id FROM staged_orders s WHERE s.change = 'new'"
        " AND coalesce(s.status, 'placed') NOT IN ('cancelled', 'returned'))"
    )
    run(
        f"UPDATE customers SET stage = 'active', updated_at = {at_now} WHERE stage = 'new'"
        " AND id IN (SELECT s.customer_id FROM staged_orders s WHERE s.change = 'new')"
        f" AND (SELECT count(*) FROM orders o WHERE o.customer_id = customers.id AND {_STANDING}) > 1"
    )
    return first
