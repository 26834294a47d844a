"""What is planned for a few people: the next campaigns, and what stops each as far as can be known now.

The campaign's own segment and gates are asked, for these people alone and for the moment the campaign is due.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.errors import BadRule, NotFound
from campaigns.model.consent import topics
from campaigns.model.mail import campaigns as table
from campaigns.records import audience, campaigns, gates, segments
from campaigns.records.campaigns import Campaign
from campaigns.values import CampaignState

SHOWN = 8
OUTSIDE = "not in its segment"  #: where a gate's name would stand
UNREADABLE = "segment unreadable"  #: nobody can be told in or out


@dataclass(frozen=True, slots=True)
class Planned:
    """A campaign whose next run is set, and how each of the people asked about stands with it."""

    campaign: int
    name: str
    topic: str
    due_at: datetime
    stopped: tuple[tuple[int, str | None], ...]  #: contact and the gate, or `OUTSIDE`; None: is mailed

    @property
    def reached(self) -> tuple[int, ...]:
        """The contacts that it would mail."""
        return tuple(contact for contact, why in self.stopped if why is None)


def planned(session: Session, contacts: Sequence[int], now: datetime) -> list[Planned]:
    """The next campaigns on the schedule, the soonest first, each asked about these contacts."""
    active = (CampaignState.SCHEDULED.value, CampaignState.RUNNING.value)
    query = (
        sa.select(table.c.id, topics.c.name)
        .join(topics, topics.c.id == table.c.topic_id)
        .where(table.c.due_at.is_not(None), table.c.state.in_(active), table.c.deleted_at.is_(None))
        .order_by(table.c.due_at, table.c.id)
        .limit(SHOWN)
    )
    found = [(campaigns.get(session, row.id), row.name) for row in session.execute(query).all()]
    return [_planned(session, campaign, topic, contacts, now) for campaign, topic in found]


def _planned(
    session: Session, campaign: Campaign, topic: str, contacts: Sequence[int], now: datetime
) -> Planned:
    assert campaign.due_at is not None
    try:
        standing = _standing(session, campaign, contacts, max(now, campaign.due_at))
    except (BadRule, NotFound):
        standing = dict.fromkeys(contacts, UNREADABLE)
    stopped = tuple((contact, standing.get(contact, OUTSIDE)) for contact in contacts)
    return Planned(campaign.id, campaign.name, topic, campaign.due_at, stopped)


def _standing(
    session: Session, campaign: Campaign, contacts: Sequence[int], at: datetime
) -> dict[int, str | None]:
    """The gate, or None, of those contacts that are in the segment."""
    if campaign.segment_id is None or campaign.topic_id is None or not contacts:
        return {}
    version = segments.newest_version(session, campaign.segment_id)
    members = segments.members_of_version(session, version, now=at, only=contacts)
    inside = [row.id for row in session.execute(members)]
    if not inside:
        return {}  # the gates, which are more to ask, need not be
    asked = gates.of_campaign(session, campaign, campaign.topic_id, now=at)
    return audience.standing(
        session, inside, asked, hold_out_percent=campaign.hold_out_percent, salt=campaign.id
    )
