"""Texts outside of a person's own rows that name their address or phone: logs, samples, rules, raw calls."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.accounts import accounts
from campaigns.model.dialect import is_postgres
from campaigns.model.events import imports
from campaigns.model.lanes import lane_log, lanes
from campaigns.model.mail import campaign_log, messages, run_figures, segment_versions
from campaigns.model.webhooks import webhook_calls
from campaigns.records.needles import GONE, Needles, without

#: Small tables that are looked through as a whole. Of those with a row a mail, hit or event the person's own
#: rows are found by index (records/erasure).
PLACES = (
    (campaign_log, "what"),
    (segment_versions, "rule"),
    (imports, "counts"),
    (imports, "file"),
    (accounts, "sample"),
    (lanes, "sample"),
    (lanes, "warm_word"),
    (lane_log, "what"),
    (webhook_calls, "problem"),
)


def remove(session: Session, contact: int, needles: Needles) -> None:
    """Take a person's addresses and phones out of all such texts."""
    for table, name in PLACES:
        _remove(session, table, name, needles, sa.true())
    of_runs = sa.select(messages.c.run_id).where(messages.c.contact_id == contact)
    _remove(session, run_figures, "figures", needles, run_figures.c.run_id.in_(of_runs))
    for call in session.execute(_calls(session, needles)).all():
        body = needles.raw.sub(GONE.encode(), call.body)
        this = sa.update(webhook_calls).where(webhook_calls.c.id == call.id)
        session.execute(this.values(body=body))


def calls(session: Session, needles: Needles) -> int:
    """How many raw calls of providers name the person."""
    return session.scalar(sa.select(sa.func.count()).select_from(_calls(session, needles).subquery())) or 0


def _remove(
    session: Session, table: sa.Table, name: str, needles: Needles, among: sa.ColumnElement[bool]
) -> None:
    column = table.c[name]
    text = sa.func.lower(sa.cast(column, sa.Text))
    named = sa.or_(sa.false(), *(text.contains(one, autoescape=True) for one in needles.anywhere))
    keys = list(table.primary_key.columns)
    for row in session.execute(sa.select(column, *keys).where(among, named)).all():
        this = [key == value for key, value in zip(keys, row[1:], strict=True)]
        session.execute(sa.update(table).where(*this).values({name: without(row[0], needles.sure)}))


def _calls(session: Session, needles: Needles) -> sa.Select[tuple[int, bytes]]:
    """The calls whose body names an address: the events of others in it are still to be taken."""
    body = webhook_calls.c.body
    on_postgres = is_postgres(session)
    text = sa.func.lower(sa.func.encode(body, "escape") if on_postgres else sa.cast(body, sa.Text))
    ways = [one.replace("\\", "\\\\") if on_postgres else one for one in needles.in_bodies]
    named = sa.or_(sa.false(), *(text.contains(way, autoescape=True) for way in ways))
    return sa.select(webhook_calls.c.id, body).where(named)
