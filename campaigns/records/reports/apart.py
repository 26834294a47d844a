"""What contacts did who are counted without a name: hits, not people, since nobody knows whose they are."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.events import hit_counts
from campaigns.records.reports.figures import SCORES, Apart, ApartLine
from campaigns.tracking.instrument import HONEYPOT
from campaigns.values import Verdict

_BY_PROGRAMS = {Verdict.MACHINE.value, Verdict.PRIVACY.value}


def apart_of(session: Session, run: int) -> Apart:
    """The hits of a run that stand in nobody's history."""
    c = hit_counts.c
    as_clicks = {"score": "click"}
    lines: dict[str, list[int]] = {}
    links: dict[int, int] = {}
    query = sa.select(c.kind, c.link, c.verdict, c.count).where(c.run_id == run)
    for kind, link, verdict, count in session.execute(query):
        by_programs = verdict in _BY_PROGRAMS
        lines.setdefault(as_clicks.get(kind, kind), [0, 0])[by_programs] += count
        number = SCORES if kind == "score" else link
        if kind in ("click", "score") and not by_programs and number != HONEYPOT:
            links[number] = links.get(number, 0) + count
    made = {kind: ApartLine(*counts) for kind, counts in lines.items()}
    nothing = ApartLine(0, 0)
    return Apart(made.get("open", nothing), made.get("click", nothing), made.get("view", nothing), links)
