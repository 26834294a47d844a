"""Why hits of a run were judged as they were: the commonest reasons, of the newest hits."""

import re
from collections import Counter

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.events import events
from campaigns.records.reports.figures import ReasonLine
from campaigns.values import EventKind, Verdict

LOOKED_AT = 2000  #: hits; reading the reasons of millions would hold up the page
MOST = 8
_NUMBER = re.compile(r"\d+")


def reasons_of(session: Session, run: int) -> tuple[ReasonLine, ...]:
    """The commonest reasons for verdicts that are no person's, each with how many hits it befell.

    Reasons that differ in a number only are one, told with the number of the newest.
    """
    c = events.c
    kinds = [kind.value for kind in (EventKind.OPENED, EventKind.CLICKED, EventKind.SCORE_CLICKED)]
    newest = sa.select(c.id, c.verdict, c.detail).where(c.run_id == run, c.kind.in_(kinds))
    found: Counter[tuple[str, str]] = Counter()
    words: dict[tuple[str, str], str] = {}
    for row in session.execute(newest.order_by(c.id.desc()).limit(LOOKED_AT)):
        if row.verdict == Verdict.HUMAN.value:
            continue
        for reason in row.detail.get("reasons", ()):
            key = (row.verdict, _NUMBER.sub("#", str(reason)))
            words.setdefault(key, str(reason))
            found[key] += 1
    return tuple(
        ReasonLine(Verdict(key[0]), words[key], count)
        for key, count in sorted(found.most_common(MOST), key=lambda one: (-one[1], one[0]))
    )
