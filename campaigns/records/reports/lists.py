"""Numbers for lists of campaigns and runs: one query, whatever the list's length."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.events import events
from campaigns.model.mail import campaigns, runs
from campaigns.records.reports.figures import rate
from campaigns.surveys.scoring import Share
from campaigns.values import EventKind, RunState, Verdict


@dataclass(frozen=True, slots=True)
class ListNumbers:
    """One campaign's numbers over all its runs."""

    runs: int = 0
    newest_run: int | None = None
    audience: int = 0
    mailable: int = 0
    sent: int = 0
    failed: int = 0
    skipped: int = 0  #: after the freeze
    unknown: int = 0
    clicked: int = 0  #: messages in which a person clicked
    bounced: int = 0

    @property
    def click_rate(self) -> Share:
        """Of the delivered messages, those in which a person clicked."""
        return rate(self.clicked, max(0, self.sent - self.bounced))


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run as the list of reports shows it."""

    run: int
    campaign_id: int
    campaign: str
    occurrence: str
    state: RunState
    opened_at: datetime
    sent: int
    numbers: ListNumbers


def campaign_list_numbers(session: Session, ids: Sequence[int]) -> dict[int, ListNumbers]:
    """The numbers of several campaigns, tests left out; a campaign without a run has zeros."""
    kept = sa.and_(runs.c.campaign_id.in_(ids), runs.c.kind == "campaign")
    names = ("audience", "mailable", "sent", "failed", "skipped", "unknown")
    totals = (
        sa.select(
            runs.c.campaign_id,
            sa.func.count().label("runs"),
            sa.func.max(runs.c.id).label("newest_run"),
            *[sa.func.sum(runs.c[name]).label(name) for name in names],
        )
        .where(kept)
        .group_by(runs.c.campaign_id)
        .subquery()
    )
    hits = _hits(kept, runs.c.campaign_id)
    found = (
        sa.func.coalesce(hits.c.clicked, 0).label("clicked"),
        sa.func.coalesce(hits.c.bounced, 0).label("bounced"),
    )
    query = sa.select(totals, *found).outerjoin(hits, hits.c.key == totals.c.campaign_id)
    numbers = {
        row["campaign_id"]: ListNumbers(**{key: row[key] for key in row if key != "campaign_id"})
        for row in session.execute(query).mappings()
    }
    return {number: numbers.get(number, ListNumbers()) for number in ids}


def latest_runs(session: Session, *, before: int | None = None, limit: int = 50) -> list[RunLine]:
    """Runs of campaigns that are not deleted, newest first; `before` is the last id seen."""
    query = (
        sa.select(runs, campaigns.c.name)
        .join(campaigns, campaigns.c.id == runs.c.campaign_id)
        .where(runs.c.kind == "campaign", campaigns.c.deleted_at.is_(None))
        .order_by(runs.c.id.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(runs.c.id < before)
    found = session.execute(query).all()
    hits = _hits(runs.c.id.in_([row.id for row in found]), runs.c.id)
    counted = {row.key: row for row in session.execute(sa.select(hits))}
    lines = []
    for row in found:
        mine = counted.get(row.id)
        numbers = ListNumbers(
            1, row.id, row.audience, row.mailable, row.sent, row.failed, row.skipped, row.unknown,
            mine.clicked if mine else 0, mine.bounced if mine else 0,
        )  # fmt: skip
        lines.append(
            RunLine(
                row.id,
                row.campaign_id,
                row.name,
                row.occurrence,
                RunState(row.state),
                row.opened_at,
                row.sent,
                numbers,
            )
        )
    return lines


def _hits(which: sa.ColumnElement[bool], key: sa.ColumnElement[int]) -> sa.Subquery:
    """Messages in which a person clicked, and messages that came back, by `key`."""
    clicked = sa.and_(events.c.kind == EventKind.CLICKED.value, events.c.verdict == Verdict.HUMAN.value)
    bounced = events.c.kind == EventKind.BOUNCED.value
    each = (
        sa.select(
            key.label("key"),
            events.c.run_id,
            events.c.seq,
            sa.func.max(sa.case((clicked, 1), else_=0)).label("clicked"),
            sa.func.max(sa.case((bounced, 1), else_=0)).label("bounced"),
        )
        .select_from(runs)
        .join(events, events.c.run_id == runs.c.id)
        .where(which, sa.or_(clicked, bounced))
        .group_by(key, events.c.run_id, events.c.seq)
        .subquery()
    )
    return (
        sa.select(
            each.c.key,
            sa.func.sum(each.c.clicked).label("clicked"),
            sa.func.sum(each.c.bounced).label("bounced"),
        )
        .group_by(each.c.key)
        .subquery()
    )
