"""Numbers from the history: who opened and clicked, when, and what."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.dialect import hours_after
from campaigns.model.events import events
from campaigns.model.mail import campaigns as campaign_table
from campaigns.model.mail import links, runs
from campaigns.records.campaigns import Run
from campaigns.records.reports.figures import Average, ByVerdict, Hour, LinkLine, rate
from campaigns.values import EventKind, Verdict

HOURS = 48  #: of the chart
COMPARED = 20  #: earlier runs that make the average
#: Of several verdicts on one contact, the first of these decides.
RANK = (Verdict.HUMAN, Verdict.UNKNOWN, Verdict.PRIVACY, Verdict.MACHINE)
COUNTED = (
    EventKind.OPENED, EventKind.CLICKED, EventKind.VIEWED, EventKind.COMPLAINED, EventKind.UNSUBSCRIBED,
    EventKind.REPLIED,
)  # fmt: skip


def most_human() -> sa.ColumnElement[int]:
    """The rank of the most human verdict of a group of events, 0 for a person's."""
    ranks = {verdict.value: rank for rank, verdict in enumerate(RANK)}
    return sa.func.min(sa.case(ranks, value=events.c.verdict, else_=RANK.index(Verdict.UNKNOWN)))


def hits_of(session: Session, run: int) -> dict[EventKind, ByVerdict]:
    """Contacts by kind of event and by the most human verdict."""
    each = (
        sa.select(events.c.kind, events.c.contact_id, most_human().label("rank"))
        .where(events.c.run_id == run, events.c.kind.in_([kind.value for kind in COUNTED]))
        .group_by(events.c.kind, events.c.contact_id)
        .subquery()
    )
    query = sa.select(each.c.kind, each.c.rank, sa.func.count().label("n")).group_by(each.c.kind, each.c.rank)
    counts: dict[EventKind, dict[str, int]] = {kind: {} for kind in COUNTED}
    for row in session.execute(query):
        counts[EventKind(row.kind)][RANK[row.rank].value] = row.n
    return {kind: ByVerdict(**found) for kind, found in counts.items()}


def hours_of(session: Session, run: Run) -> tuple[Hour, ...]:
    """Each contact's first open and click as a person, and first hit of a machine, by the hour."""
    machine = events.c.verdict.in_([Verdict.MACHINE.value, Verdict.PRIVACY.value])
    human = events.c.verdict == Verdict.HUMAN.value
    sort = sa.case(
        (sa.and_(human, events.c.kind == EventKind.OPENED.value), "opened"),
        (sa.and_(human, events.c.kind == EventKind.CLICKED.value), "clicked"),
        (machine, "machines"),
    )
    start = run.frozen_at or run.opened_at
    first = (
        sa.select(events.c.contact_id, sort.label("sort"), sa.func.min(events.c.at).label("at"))
        .where(
            events.c.run_id == run.id,
            events.c.kind.in_([EventKind.OPENED.value, EventKind.CLICKED.value]),
            sa.or_(human, machine),
        )
        .group_by(events.c.contact_id, sort)
        .subquery()
    )
    hour = hours_after(session, first.c.at, start)
    query = (
        sa.select(first.c.sort, hour, sa.func.count())
        .where(first.c.at >= start, first.c.at < start + timedelta(hours=HOURS))
        .group_by(first.c.sort, hour)
    )
    counts: list[dict[str, int]] = [{} for _ in range(HOURS)]
    for name, number, count in session.execute(query):
        counts[int(number)][name] = count
    return tuple(Hour(**found) for found in counts)


def links_of(session: Session, run: int, clickers: int) -> tuple[LinkLine, ...]:
    """The mail's links, the most followed first."""
    number = events.c.detail["link"].as_integer()
    each = (
        sa.select(number.label("number"), events.c.contact_id, most_human().label("rank"))
        .where(events.c.run_id == run, events.c.kind == EventKind.CLICKED.value)
        .group_by(number, events.c.contact_id)
        .subquery()
    )
    query = sa.select(each.c.number, each.c.rank, sa.func.count()).group_by(each.c.number, each.c.rank)
    counts: dict[int, dict[str, int]] = {}
    for found, rank, count in session.execute(query):
        counts.setdefault(found, {})[RANK[rank].value] = count
    known = session.execute(sa.select(links).where(links.c.run_id == run).order_by(links.c.number))
    lines = []
    for row in known:
        clicked = ByVerdict(**counts.get(row.number, {}))
        lines.append(LinkLine(row.number, row.language, row.url, clicked, rate(clicked.human, clickers)))
    return tuple(sorted(lines, key=lambda line: (-line.clicked.human, -line.clicked.total, line.number)))


def average_before(session: Session, run: Run) -> Average | None:
    """The click rate of the last runs of other campaigns that started earlier."""
    earlier = (
        sa.select(runs.c.id, runs.c.sent)
        .join(campaign_table, campaign_table.c.id == runs.c.campaign_id)
        .where(
            runs.c.kind == "campaign",
            runs.c.campaign_id != run.campaign_id,
            runs.c.opened_at < run.opened_at,
            runs.c.finished_at.is_not(None),
            runs.c.sent > 0,
            sa.exists().where(links.c.run_id == runs.c.id),  # without links nobody can click
            campaign_table.c.deleted_at.is_(None),
        )
        .order_by(runs.c.opened_at.desc())
        .limit(COMPARED)
        .subquery()
    )
    rates = [
        min(1.0, row.clickers / (row.sent - row.bounced))
        for row in session.execute(_clickers_and_bounces(earlier))
        if row.sent > row.bounced
    ]
    return Average(len(rates), sum(rates) / len(rates)) if rates else None


def _clickers_and_bounces(of_runs: sa.Subquery) -> sa.Select[Any]:
    """For each run: how many messages were sent, bounced, and clicked by a person."""
    clicked = sa.and_(events.c.kind == EventKind.CLICKED.value, events.c.verdict == Verdict.HUMAN.value)
    bounced = events.c.kind == EventKind.BOUNCED.value
    here = sa.and_(events.c.run_id == of_runs.c.id, sa.or_(clicked, bounced))
    return (
        sa.select(
            of_runs.c.id,
            of_runs.c.sent,
            sa.func.count(sa.distinct(sa.case((clicked, events.c.seq)))).label("clickers"),
            sa.func.count(sa.distinct(sa.case((bounced, events.c.seq)))).label("bounced"),
        )
        .select_from(of_runs)
        .outerjoin(events, here)
        .group_by(of_runs.c.id, of_runs.c.sent)
    )
