"""Finding the lanes of recipients' domains before their campaigns go out; the DNS is asked with no lock held.

gather (read) → want (write) → due (read) → ask (the network) → hear (write)
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from dns.resolver import Resolver
from sqlalchemy.orm import Session

from campaigns.delivery import mx
from campaigns.delivery.mx import Heard
from campaigns.records import campaigns, domains, segments
from campaigns.records.domains import Asked
from campaigns.values import CampaignState, RunState

AHEAD = timedelta(hours=24)  #: before a run is due its domains are asked about
GATHERED = timedelta(hours=1)  #: for which a segment is not looked through again

Gathered = dict[tuple[int, bool], datetime]  #: when a segment's version, or its newest, was looked through


def gather(session: Session, now: datetime, gathered: Gathered) -> list[str]:
    """The domains to ask about of one campaign that sends or soon will; later calls look at others."""
    for key in _wanted(session, now):
        if key not in gathered or now - gathered[key] >= GATHERED:
            gathered[key] = now
            number, is_version = key
            version = number if is_version else segments.newest_version(session, number)
            members = segments.members_of_version(session, version, now=now)
            return domains.unknown(session, members, now=now)
    return []


def _wanted(session: Session, now: datetime) -> Iterator[tuple[int, bool]]:
    """Versions of segments that runs hold on to, and segments of which the newest will be taken."""
    for run in campaigns.runs_in(session, RunState.OPEN, RunState.RUNNING):
        if run.segment_version_id is not None:
            yield run.segment_version_id, True
    for campaign in campaigns.listing(session, state=CampaignState.SCHEDULED):
        if campaign.segment_id is not None and campaign.due_at and campaign.due_at - now <= AHEAD:
            yield campaign.segment_id, False


def ask(asked: list[Asked], resolver: Resolver) -> list[Heard]:
    """Ask about some domains, many at a time."""
    return mx.ask_all([one.domain for one in asked], resolver)
