"""Who left by a message: by its own link, or by the preferences page that it leads to.

Whoever takes it back from the same message, by "Please keep sending me" or on the preferences page, has not
left. A topic's last word decides, and a contact has left who said a last no to at least one topic.
"""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.model.events import events
from campaigns.values import EventKind

WENT = (EventKind.UNSUBSCRIBED.value, EventKind.CONSENT_WITHDRAWN.value)
SAID = (*WENT, EventKind.CONSENT_GRANTED.value)


def leavers(run: int) -> sa.Subquery:
    """One row for each contact who left: when, in how many topics, and how."""
    # as text: events of one run may have details of other sorts, which no database need read as numbers
    topic = events.c.detail["topic"].as_string()
    went = events.c.kind.in_(WENT)
    left, back = sa.func.max(sa.case((went, events.c.id))), sa.func.max(sa.case((~went, events.c.id)))
    each = (
        sa.select(
            events.c.contact_id,
            sa.func.min(events.c.seq).label("seq"),
            sa.func.max(sa.case((went, events.c.at))).label("at"),
            sa.func.max(sa.case((went, events.c.detail["how"].as_string()))).label("why"),
        )
        .where(
            events.c.run_id == run,
            events.c.kind.in_(SAID),
            # a choice of how closely we may look is a consent too, and about no topic
            sa.or_(events.c.kind == EventKind.UNSUBSCRIBED.value, topic.is_not(None)),
        )
        .group_by(events.c.contact_id, topic)
        .having(left > sa.func.coalesce(back, 0))
        .subquery()
    )
    return (
        sa.select(
            each.c.contact_id,
            sa.func.min(each.c.seq).label("seq"),
            sa.func.max(each.c.at).label("at"),
            sa.func.count().label("times"),
            sa.func.max(each.c.why).label("why"),
        )
        .group_by(each.c.contact_id)
        .subquery()
    )


def left_by(session: Session, run: int) -> int:
    """Count the contacts who left by a run's messages."""
    return session.scalar(sa.select(sa.func.count()).select_from(leavers(run))) or 0
