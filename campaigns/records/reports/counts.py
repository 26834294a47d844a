"""What a run's messages and events come to: counted afresh for a small run, kept for a large one.

Kept counts are renewed by the worker while news come in. Those of a run whose events were dropped by
retention are final: nothing is left to count them from.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.base import EPOCH
from campaigns.model.dialect import insert_many
from campaigns.model.events import events
from campaigns.model.mail import run_figures, runs
from campaigns.records import campaigns
from campaigns.records.campaigns import Run
from campaigns.records.reports.figures import SCORES, ByVerdict, DomainLine, GateCount, Hour, Ledger
from campaigns.records.reports.hits import clicks_by_link, hits_of, hours_of, returns_of
from campaigns.records.reports.leaving import left_by
from campaigns.records.reports.ledger import bounces_of, domains_of, ledger_of
from campaigns.records.reports.survey import clicked_score
from campaigns.values import EventKind, Gate

LARGE = 20_000  #: messages from which a run's counts are kept
CURSOR = 0  #: stands for a run: its row says up to which id the events were read
AT_ONCE = 5  #: runs
YOUNG = timedelta(days=2)
PAUSES = (timedelta(seconds=60), timedelta(minutes=10))  #: between two counts of a young run, of an older one


@dataclass(frozen=True, slots=True)
class Counts:
    """Everything of one run that its report and the lists must count."""

    ledger: Ledger
    hits: dict[EventKind, ByVerdict]
    bounced: int  #: of the messages sent
    bounced_hard: int  #: of them, those whose address is dead
    blocked: int  #: of them, those that were refused for what we are or wrote
    hours: tuple[Hour, ...]
    links: dict[int, ByVerdict]
    domains: tuple[DomainLine, ...]
    scores: int  #: contacts who clicked a score
    clickers: int  #: messages in which a person clicked
    returned: int  #: messages that came back
    left: int  #: contacts who left a topic, and did not take it back


@dataclass(frozen=True, slots=True)
class Kept:
    """The counts of one run as of a moment."""

    counts: Counts
    at: datetime


@dataclass(frozen=True, slots=True)
class Counted:
    """A run that was counted, and how much news of it was known then."""

    run: int
    news: int
    counts: Counts


def counts_of(session: Session, run: Run, now: datetime) -> Kept:
    """The counts of a run: kept ones with their moment, else counted now."""
    found = kept_of(session, [run.id])
    return found[run.id] if found else Kept(count(session, run), now)


def count(session: Session, run: Run) -> Counts:
    """Go through all messages and events of a run."""
    bounces = bounces_of(session, run.id)
    clickers, returned = returns_of(session, [run.id]).get(run.id, (0, 0))
    return Counts(
        ledger=ledger_of(session, run.id),
        hits=hits_of(session, run.id),
        bounced=sum(one.messages for one in bounces),
        bounced_hard=sum(one.messages for one in bounces if one.hard),
        blocked=sum(one.messages for one in bounces if one.blocked),
        hours=hours_of(session, run),
        links=clicks_by_link(session, run.id),
        domains=domains_of(session, run.id, bounces),
        scores=clicked_score(session, run.id),
        clickers=clickers,
        returned=returned,
        left=left_by(session, run.id),
    )


def kept_of(session: Session, ids: Sequence[int]) -> dict[int, Kept]:
    """The kept counts of those among some runs that have any."""
    c = run_figures.c
    query = sa.select(c.run_id, c.at, c.figures).where(c.run_id.in_(ids))
    return {run: Kept(_read(figures), at) for run, at, figures in session.execute(query)}


def clicked_and_returned(session: Session, ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """For each run: messages in which a person clicked, and messages that came back; kept or counted."""
    c = run_figures.c
    clickers, scores = c.figures["clickers"].as_integer(), c.figures["scores"].as_integer()
    two = (sa.case((clickers < scores, scores), else_=clickers), c.figures["returned"].as_integer())
    kept = sa.select(c.run_id, *two).where(c.run_id.in_(ids))
    found = {run: (clickers, returned) for run, clickers, returned in session.execute(kept)}
    return {**returns_of(session, [run for run in ids if run not in found]), **found}


def keep(session: Session, counted: Sequence[Counted], *, now: datetime) -> None:
    """Keep counts; final ones are not touched."""
    rows = [(one.run, now, one.news, one.news, asdict(one.counts)) for one in counted]
    insert_many(
        session,
        run_figures,
        ("run_id", "at", "news", "counted", "figures"),
        rows,
        conflict="ON CONFLICT (run_id) DO UPDATE SET at = excluded.at, counted = excluded.counted,"
        " figures = excluded.figures WHERE NOT run_figures.final",
    )


def close(session: Session, counted: Sequence[Counted], *, now: datetime) -> None:
    """Keep the last counts of some runs, before their events are dropped; those closed before stay."""
    keep(session, counted, now=now)
    ids = [one.run for one in counted]
    session.execute(sa.update(run_figures).where(run_figures.c.run_id.in_(ids)).values(final=True))


def open_before(session: Session, moment: datetime) -> list[int]:
    """The runs that were opened before a moment and whose counts are not final."""
    final = sa.select(run_figures.c.run_id).where(run_figures.c.final)
    query = sa.select(runs.c.id).where(runs.c.opened_at < moment, runs.c.id.not_in(final))
    return list(session.scalars(query.order_by(runs.c.id)))


def count_last(session: Session, run: int) -> Counted:
    """Count a run that is to be closed."""
    return Counted(run, 0, count(session, campaigns.get_run(session, run)))


def note_news(session: Session) -> None:
    """Mark the kept runs that new events tell of.

    The events of the last time are read once more: a number may have been taken before and written after.
    """
    newest = session.scalar(sa.select(sa.func.max(events.c.id))) or 0
    cursor = session.execute(
        sa.select(run_figures.c.counted, run_figures.c.news).where(run_figures.c.run_id == CURSOR)
    ).one_or_none()
    if cursor is not None and newest > cursor.counted:
        told = sa.select(events.c.run_id).where(events.c.id > cursor.counted, events.c.run_id.is_not(None))
        _mark(session, run_figures.c.run_id.in_(list(session.scalars(told.distinct()))))
    read, at = (cursor.news if cursor else newest), EPOCH
    insert_many(
        session,
        run_figures,
        ("run_id", "at", "news", "counted", "figures"),
        [(CURSOR, at, newest, read, {})],
        conflict="ON CONFLICT (run_id) DO UPDATE SET news = excluded.news, counted = excluded.counted",
    )


def note_verdicts(session: Session, ids: Collection[int]) -> None:
    """Mark runs whose events have other verdicts now; no new event tells of that."""
    _mark(session, run_figures.c.run_id.in_(sorted(ids)))


def _mark(session: Session, which: sa.ColumnElement[bool]) -> None:
    c = run_figures.c
    session.execute(sa.update(run_figures).where(which, c.run_id != CURSOR, ~c.final).values(news=c.news + 1))


def count_news(session: Session, now: datetime) -> list[Counted]:
    """Count the large runs of which something new is known and that were not counted just before."""
    c, young = run_figures.c, runs.c.frozen_at > now - YOUNG
    rested = sa.or_(c.at <= now - PAUSES[1], sa.and_(young, c.at <= now - PAUSES[0]))
    outdated = c.figures["left"].as_integer().is_(None)  # by an earlier version, which counted less
    query = (
        sa.select(runs.c.id, sa.func.coalesce(c.news, 0))
        .outerjoin(run_figures, c.run_id == runs.c.id)
        .where(runs.c.mailable >= LARGE)
        .where(sa.or_(c.run_id.is_(None), sa.and_(~c.final, sa.or_(outdated, c.news > c.counted), rested)))
        .order_by(runs.c.id.desc())
        .limit(AT_ONCE)
    )
    return [
        Counted(run, known, count(session, campaigns.get_run(session, run)))
        for run, known in session.execute(query).all()
    ]


def _read(figures: dict[str, Any]) -> Counts:
    """Read kept counts; who clicked a score has clicked, which final ones of earlier versions do not know."""
    scores = figures["scores"]
    of_scores = {str(SCORES): {"human": scores}} if scores else {}
    ledger = dict(figures["ledger"])
    gates = tuple(GateCount(Gate(one["gate"]), one["at_freeze"], one["later"]) for one in ledger.pop("gates"))
    return Counts(
        ledger=Ledger(**ledger, gates=gates),
        hits={
            EventKind(kind): _at_least(found, scores if kind == EventKind.CLICKED.value else 0)
            for kind, found in figures["hits"].items()
        },
        bounced=figures["bounced"],
        bounced_hard=figures["bounced_hard"],
        blocked=figures.get("blocked", 0),  # not counted by 0.1; nor who left by the preferences page
        hours=tuple(Hour(**hour) for hour in figures["hours"]),
        links={int(number): ByVerdict(**found) for number, found in (of_scores | figures["links"]).items()},
        domains=tuple(DomainLine(**line) for line in figures["domains"]),
        scores=scores,
        clickers=max(figures["clickers"], scores),
        returned=figures["returned"],
        left=figures["left"] if "left" in figures else sum(figures["hits"]["unsubscribed"].values()),
    )


def _at_least(found: dict[str, int], people: int) -> ByVerdict:
    return ByVerdict(**(found | {"human": max(found["human"], people)}))
