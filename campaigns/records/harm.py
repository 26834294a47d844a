"""What a run does to our name while it goes out: addresses that are dead, complaints, refusals of us."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.delivery.returns import HARD, OURS
from campaigns.model.events import events
from campaigns.model.mail import campaign_log
from campaigns.values import EventKind

BACK = (EventKind.BOUNCED.value, EventKind.FAILED.value)


@dataclass(frozen=True, slots=True)
class Harm:
    """Of one run, by message."""

    dead: int  #: refused for good, at once or later
    complaints: int
    refused: int  #: for what we are or wrote


def harm_of(session: Session, run: int) -> Harm:
    """Count what speaks against a run; each message once in each."""
    kind, detail = events.c.kind, events.c.detail
    said = detail["class"].as_string()
    back = kind.in_(BACK)
    failed = sa.and_(kind == EventKind.FAILED.value, said.in_(_words(HARD)))
    dead = sa.or_(sa.and_(back, detail["hard"].as_boolean()), failed)
    query = sa.select(
        _messages(dead),
        _messages(kind == EventKind.COMPLAINED.value),
        _messages(sa.and_(back, said.in_(_words(OURS)))),
    ).where(events.c.run_id == run, kind.in_((*BACK, EventKind.COMPLAINED.value)))
    return Harm(*session.execute(query).one())


def mailed(session: Session, run: int, *, up_to: int) -> int:
    """How many of a run's messages were given to a server, whatever it said; counted no further than told.

    By their events, which an index counts: of a message's state there is none.
    """
    given = (EventKind.SENT.value, EventKind.FAILED.value)
    some = sa.select(events.c.kind).where(events.c.run_id == run, events.c.kind.in_(given)).limit(up_to)
    return session.scalar(sa.select(sa.func.count()).select_from(some.subquery())) or 0


def was_told(session: Session, campaign: int, beginning: str, ending: str) -> bool:
    """Whether a campaign's log has a line that begins and ends so."""
    c = campaign_log.c
    fits = (c.what.startswith(beginning, autoescape=True), c.what.endswith(ending, autoescape=True))
    return session.scalar(sa.select(sa.exists().where(c.campaign_id == campaign, *fits))) or False


def _messages(which: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    return sa.func.count(sa.distinct(sa.case((which, events.c.seq))))


def _words(kinds: frozenset[Any]) -> list[str]:
    return sorted(kind.value for kind in kinds)
