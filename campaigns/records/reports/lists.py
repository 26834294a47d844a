"""Numbers for lists of campaigns and runs: one query, whatever the list's length."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.mail import campaigns, runs
from campaigns.records.reports.counts import clicked_and_returned
from campaigns.records.reports.figures import rate
from campaigns.surveys.scoring import Share
from campaigns.values import RunState


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
    campaign_of = {row.id: row.campaign_id for row in session.execute(sa.select(runs).where(kept))}
    came: dict[int, list[int]] = {}
    for run, counts in clicked_and_returned(session, list(campaign_of)).items():
        both = came.setdefault(campaign_of[run], [0, 0])
        both[:] = [before + more for before, more in zip(both, counts, strict=True)]
    numbers = {}
    for row in session.execute(sa.select(totals)).mappings():
        clicked, bounced = came.get(row["campaign_id"], (0, 0))
        known = {key: row[key] for key in row if key != "campaign_id"}
        numbers[row["campaign_id"]] = ListNumbers(**known, clicked=clicked, bounced=bounced)
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
    counted = clicked_and_returned(session, [row.id for row in found])
    lines = []
    for row in found:
        clicked, bounced = counted.get(row.id, (0, 0))
        numbers = ListNumbers(
            1, row.id, row.audience, row.mailable, row.sent, row.failed, row.skipped, row.unknown,
            clicked, bounced,
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
