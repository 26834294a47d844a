"""Whom a campaign would mail: nobody, too many, the same people again."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.flows.checking.findings import Finding, blocker, warning
from campaigns.records import audience, gates, samples, segments
from campaigns.records.campaigns import Campaign

LARGER = 2  #: times the largest of the last sends is remarkable
FEW = 1000  #: so small an audience is never remarkable


def check(session: Session, campaign: Campaign, reach: Mapping[str, int], now: datetime) -> Iterator[Finding]:
    """Look at the audience."""
    if campaign.segment_id is None or campaign.topic_id is None:
        return
    mailable = reach.get("mailable", 0)
    if not mailable and campaign.schedule != "recurring":
        yield blocker(
            "who", "It would reach nobody.", "Look at what excludes people, or choose another segment."
        )
    elif not mailable:
        yield warning("who", "It would reach nobody now.", "Each run looks afresh; make sure that is meant.")
    lately = samples.mailed_since(session, recipients(session, campaign, now), now - timedelta(hours=24))
    if lately:
        cure = "Wait a day, or set a frequency cap."
        yield warning(
            "who", "%(count)s of these people had a mail from us in the last 24 hours.", cure, count=lately
        )
    earlier, largest = samples.usual_size(session, but=campaign.id, now=now)
    if earlier and mailable > max(FEW, LARGER * largest):
        what = "It is large: %(count)s recipients; the largest of the last %(earlier)s sends had %(largest)s."
        cure = "Make sure that the segment is the right one."
        yield warning("who", what, cure, count=mailable, earlier=earlier, largest=largest)


def recipients(session: Session, campaign: Campaign, now: datetime) -> sa.Select[Any]:
    """Whom the campaign would mail; the whole segment while no topic says whose consent counts."""
    assert campaign.segment_id is not None
    version = segments.newest_version(session, campaign.segment_id)
    members = segments.members_of_version(session, version, now=now)
    if campaign.topic_id is None:
        return members
    return audience.mailable(members, gates.of_campaign(session, campaign, campaign.topic_id, now=now))
