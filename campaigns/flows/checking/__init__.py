"""What speaks against sending a campaign as it is: blockers, then warnings, then hints, with what to do.

Sentences hold %(name)s in place of numbers and names, so that a page can say them in its reader's language.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from campaigns.delivery.routes import Routing
from campaigns.flows.checking import hours, what, who
from campaigns.flows.checking.findings import Finding, blocker, warning
from campaigns.flows.checking.people import named_of
from campaigns.mailing import Signing
from campaigns.records.campaigns import Campaign
from campaigns.recurrence import times_a_day
from campaigns.templates.preflight.findings import RANK

__all__ = ["Finding", "check", "named_of", "times_uncapped"]


def check(
    session: Session,
    campaign: Campaign,
    *,
    reach: Mapping[str, int],
    signing: Signing,
    now: datetime,
    routing: Routing | None = None,
) -> list[Finding]:
    """List what speaks against sending, blockers first; `reach` is what flows/audience.reach counted.

    Without `routing` nothing is said of the accounts that it may go through.

    What is not chosen yet is no finding here: flows/schedule.first_due tells it.
    """
    found = [*who.check(session, campaign, reach, now), *what.check(session, campaign, signing, routing, now)]
    mailable = reach.get("mailable", 0)
    found += [*_when(campaign, mailable, signing), *_too_often(campaign, now)]
    found += hours.check(campaign, mailable, now)
    return sorted(dict.fromkeys(found), key=lambda one: RANK[one.level])


def times_uncapped(campaign: Campaign, now: datetime) -> int:
    """How often a day a recurring campaign would mail the same people; 0: once at most, or a cap holds."""
    if campaign.schedule != "recurring" or not campaign.cron or campaign.cap_count is not None:
        return 0
    times = times_a_day(campaign.cron, campaign.time_zone, now)
    return times if times > 1 else 0


def _too_often(campaign: Campaign, now: datetime) -> Iterator[Finding]:
    if times := times_uncapped(campaign, now):
        what = (
            "It goes out up to %(times)s times a day, each time to all of these people: "
            "no frequency cap holds."
        )
        cure = "Set a frequency cap under Who, or let it go out once a day at most."
        yield warning("when", what, cure, times=times)


def _when(campaign: Campaign, mailable: int, signing: Signing) -> Iterator[Finding]:
    if campaign.per_minute and mailable > campaign.per_minute * 60 * campaign.send_within_hours:
        what = "At %(rate)s a minute it takes longer than the %(hours)s hours after which the rest expires."
        cure = "Send faster, or give it more time."
        yield blocker("when", what, cure, rate=campaign.per_minute, hours=campaign.send_within_hours)
    public = urlsplit(signing.public_url)
    if public.scheme != "https":
        what = "Links in the mail lead to %(url)s, which is not encrypted."
        cure = "Set POSTROOM_PUBLIC_URL to an https address before you mail real people."
        yield warning("when", what, cure, url=signing.public_url)
