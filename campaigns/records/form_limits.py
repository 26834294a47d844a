"""How often something was done lately, counted in the store: many processes share one count."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.base import Moment
from campaigns.model.dialect import changed
from campaigns.model.forms import form_limits

_SPEND = """
INSERT INTO form_limits (key, count, ends_at) VALUES (:key, 1, :ends)
ON CONFLICT (key) DO UPDATE SET
  count = CASE WHEN form_limits.ends_at <= :now THEN 1 ELSE form_limits.count + 1 END,
  ends_at = CASE WHEN form_limits.ends_at <= :now THEN excluded.ends_at ELSE form_limits.ends_at END
RETURNING count
"""


def spend(session: Session, key: bytes, *, within: timedelta, now: datetime) -> int:
    """Count one more; gives how many there were since the count began. Others of this key wait."""
    statement = sa.text(_SPEND).bindparams(
        sa.bindparam("key", key, type_=sa.LargeBinary()),
        sa.bindparam("now", now, type_=Moment()),
        sa.bindparam("ends", now + within, type_=Moment()),
    )
    return int(session.execute(statement).scalar_one())


def tidy(session: Session, now: datetime) -> int:
    """Forget the counts that are over."""
    return changed(session, sa.delete(form_limits).where(form_limits.c.ends_at <= now))
