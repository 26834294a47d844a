"""Numbers from the history: who opened and clicked, when, and what."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.dialect import hours_after
from campaigns.model.events import events
from campaigns.model.mail import links
from campaigns.records.campaigns import Run
from campaigns.records.reports.figures import ByVerdict, Hour, LinkLine, rate
from campaigns.values import EventKind, Verdict

HOURS = 48  #: of the chart
COMPARED = 20  #: earlier runs that make the average
#: Of several verdicts on one contact, the first of these decides.
RANK = (Verdict.HUMAN, Verdict.UNKNOWN, Verdict.PRIVACY, Verdict.MACHINE)
COUNTED = (
    EventKind.OPENED, EventKind.CLICKED, EventKind.VIEWED, EventKind.COMPLAINED, EventKind.REPLIED,
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


def clicks_by_link(session: Session, run: int) -> dict[int, ByVerdict]:
    """Contacts by the number of the link that they followed."""
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
    return {found: ByVerdict(**by_verdict) for found, by_verdict in counts.items()}


def links_of(
    session: Session, run: int, clicks: Mapping[int, ByVerdict], clickers: int
) -> tuple[LinkLine, ...]:
    """The mail's links, the most followed first."""
    known = session.execute(sa.select(links).where(links.c.run_id == run).order_by(links.c.number))
    lines = []
    for row in known:
        clicked = clicks.get(row.number, ByVerdict())
        lines.append(LinkLine(row.number, row.language, row.url, clicked, rate(clicked.human, clickers)))
    return tuple(sorted(lines, key=lambda line: (-line.clicked.human, -line.clicked.total, line.number)))


def returns_of(session: Session, ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """For each run: messages in which a person clicked, and messages that came back."""
    clicked = sa.and_(events.c.kind == EventKind.CLICKED.value, events.c.verdict == Verdict.HUMAN.value)
    bounced = events.c.kind == EventKind.BOUNCED.value
    query = (
        sa.select(
            events.c.run_id,
            sa.func.count(sa.distinct(sa.case((clicked, events.c.seq)))),
            sa.func.count(sa.distinct(sa.case((bounced, events.c.seq)))),
        )
        .where(events.c.run_id.in_(ids), sa.or_(clicked, bounced))
        .group_by(events.c.run_id)
    )
    return {run: (clickers, returned) for run, clickers, returned in session.execute(query)}
