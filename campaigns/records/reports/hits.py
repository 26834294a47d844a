"""Numbers from the history: who opened and clicked, when, and what."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import reduce

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.events import events
from campaigns.model.expressions import hours_after
from campaigns.model.mail import links
from campaigns.records.campaigns import Run
from campaigns.records.reports.figures import SCORES, ByVerdict, Hour, LinkLine, rate
from campaigns.tracking.instrument import SURVEY_PAGE
from campaigns.values import EventKind, Verdict

HOURS = 48  #: of the chart
COMPARED = 20  #: earlier runs that make the average
#: Of several verdicts on one contact, the first of these decides.
RANK = (Verdict.HUMAN, Verdict.UNKNOWN, Verdict.PRIVACY, Verdict.MACHINE)
COUNTED = (
    EventKind.OPENED, EventKind.CLICKED, EventKind.VIEWED, EventKind.COMPLAINED, EventKind.REPLIED,
)  # fmt: skip
#: A score in a mail is a link to the survey: whoever follows it has clicked.
CLICKS = (EventKind.CLICKED.value, EventKind.SCORE_CLICKED.value)


def most_human() -> sa.ColumnElement[int]:
    """The rank of the most human verdict of a group of events, 0 for a person's."""
    ranks = {verdict.value: rank for rank, verdict in enumerate(RANK)}
    return sa.func.min(sa.case(ranks, value=events.c.verdict, else_=RANK.index(Verdict.UNKNOWN)))


def hits_of(session: Session, run: int) -> dict[EventKind, ByVerdict]:
    """Contacts by kind of event and by the most human verdict."""
    kind = sa.case(
        (events.c.kind == EventKind.SCORE_CLICKED.value, EventKind.CLICKED.value), else_=events.c.kind
    )
    each = (
        sa.select(kind.label("kind"), events.c.contact_id, most_human().label("rank"))
        .where(events.c.run_id == run, events.c.kind.in_([*(one.value for one in COUNTED), *CLICKS]))
        .group_by(kind, events.c.contact_id)
        .subquery()
    )
    query = sa.select(each.c.kind, each.c.rank, sa.func.count().label("n")).group_by(each.c.kind, each.c.rank)
    counts: dict[EventKind, dict[str, int]] = {one: {} for one in COUNTED}
    for row in session.execute(query):
        counts[EventKind(row.kind)][RANK[row.rank].value] = row.n
    return {one: ByVerdict(**found) for one, found in counts.items()}


def hours_of(session: Session, run: Run) -> tuple[Hour, ...]:
    """Each contact's first open and click as a person, and first hit of a machine, by the hour."""
    machine = events.c.verdict.in_([Verdict.MACHINE.value, Verdict.PRIVACY.value])
    human = events.c.verdict == Verdict.HUMAN.value
    sort = sa.case(
        (sa.and_(human, events.c.kind == EventKind.OPENED.value), "opened"),
        (sa.and_(human, events.c.kind.in_(CLICKS)), "clicked"),
        (machine, "machines"),
    )
    start = run.frozen_at or run.opened_at
    first = (
        sa.select(events.c.contact_id, sort.label("sort"), sa.func.min(events.c.at).label("at"))
        .where(
            events.c.run_id == run.id,
            events.c.kind.in_([EventKind.OPENED.value, *CLICKS]),
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
    """Contacts by the number of the link that they followed, all scores in the mail together."""
    score = events.c.kind == EventKind.SCORE_CLICKED.value
    number = sa.case((score, SCORES), else_=events.c.detail["link"].as_integer())
    each = (
        sa.select(number.label("number"), events.c.contact_id, most_human().label("rank"))
        .where(events.c.run_id == run, events.c.kind.in_(CLICKS))
        .group_by(number, events.c.contact_id)
        .subquery()
    )
    query = sa.select(each.c.number, each.c.rank, sa.func.count()).group_by(each.c.number, each.c.rank)
    counts: dict[int, dict[str, int]] = {}
    for found, rank, count in session.execute(query):
        counts.setdefault(found, {})[RANK[rank].value] = count
    return {found: ByVerdict(**by_verdict) for found, by_verdict in counts.items()}


def links_of(
    session: Session, run: Run, clicks: Mapping[int, ByVerdict], unnamed: Mapping[int, int], clickers: int
) -> tuple[LinkLine, ...]:
    """The mail's links in all languages together, the most followed first.

    An address that stands in a mail more than once has a line for each place, so that places can be told
    apart; a contact gets one language, so nobody is counted twice in a line.
    """
    lines = []
    for (url, _), places in _places(session, run).items():
        for place, rows in enumerate(places, start=1):
            numbers, languages = zip(*rows, strict=True)
            clicked = _together(clicks.get(number, ByVerdict()) for number in numbers)
            others = sum(unnamed.get(number, 0) for number in numbers)
            known = tuple(language for language in languages if language)
            which = place if url and len(places) > 1 else 0
            lines.append(LinkLine(numbers, known, url, which, clicked, rate(clicked.human, clickers), others))
    shown = [line for line in lines if not line.is_survey or line.clicked.total or line.unnamed]
    return tuple(sorted(shown, key=lambda line: (-line.clicked.human, -line.clicked.total, line.number)))


def _places(session: Session, run: Run) -> dict[tuple[str, bool], list[list[tuple[int, str]]]]:
    """By address and place: the link's number and language, of each language one.

    Links to offered products, which all languages share, stand apart from those that templates hold.
    """
    query = sa.select(links.c.number, links.c.language, links.c.url)
    found: dict[tuple[str, bool], list[list[tuple[int, str]]]] = {}
    met: Counter[tuple[str, str]] = Counter()
    for row in session.execute(query.where(links.c.run_id == run.id).order_by(links.c.number)):
        places = found.setdefault((row.url, bool(row.language)), [])
        place = met[row.url, row.language]
        met[row.url, row.language] += 1
        if place == len(places):
            places.append([])
        places[place].append((row.number, row.language))
    if run.survey_version_id is not None:
        found["", False] = [[(SURVEY_PAGE, "")], [(SCORES, "")]]
    return found


def _together(counts: Iterable[ByVerdict]) -> ByVerdict:
    return reduce(ByVerdict.with_others, counts, ByVerdict())


def returns_of(session: Session, ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """For each run: messages in which a person clicked, and messages that came back."""
    clicked = sa.and_(events.c.kind.in_(CLICKS), events.c.verdict == Verdict.HUMAN.value)
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
