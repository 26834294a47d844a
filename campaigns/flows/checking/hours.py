"""Whether a campaign's hours, spread and pace fit into the time after which its mail is worth nothing."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from campaigns.delivery.windows import Window, zone_of
from campaigns.errors import BadForm
from campaigns.flows.checking.findings import Finding, blocker, hint, warning
from campaigns.records.campaigns import Campaign, window_of
from campaigns.recurrence import next_occurrence

#: Clocks all around the world, where the hours are each recipient's own.
EVERYWHERE = tuple(f"Etc/GMT{hours:+d}" for hours in range(-14, 13))
MINUTE = timedelta(minutes=1)
MANY = 1000  #: mails that a provider notices


def check(campaign: Campaign, mailable: int, now: datetime) -> Iterator[Finding]:
    """What speaks against its hours; nothing where it is not said when it begins."""
    begins = _begins(campaign, now)
    if begins is None:
        return
    ends = begins + timedelta(hours=campaign.send_within_hours)
    yield from _at_the_full_hour(campaign, mailable, begins)
    window, zone = window_of(campaign), zone_of(campaign.time_zone)
    own = campaign.window_zone == "recipient"
    opens = [window.opening(begins, zone_of(one))[0] for one in (EVERYWHERE if own else [campaign.time_zone])]
    if min(opens) >= ends:
        what = (
            "The hours in which it may leave begin at %(opens)s, and after %(hours)s hours the mail expires: "
            "nobody would be mailed."
        )
        yield blocker("when", what, CURE, opens=_told(min(opens), zone), hours=campaign.send_within_hours)
        return
    if max(opens) >= ends:
        what = (
            "Where recipients’ clocks differ from yours, the hours in which it may leave begin only after "
            "the %(hours)s hours in which the mail expires: they would not be mailed."
        )
        yield warning("when", what, CURE, hours=campaign.send_within_hours)
    yield from _too_short(campaign, mailable, _open_for(window, begins, ends, zone))


def _at_the_full_hour(campaign: Campaign, mailable: int, begins: datetime) -> Iterator[Finding]:
    """Whether it joins the crowd: most campaigns of the world begin then, and providers slow all of them."""
    is_chosen = campaign.schedule != "now" and not campaign.spread_minutes and not campaign.per_minute
    if is_chosen and mailable >= MANY and begins.minute == 0:
        what = (
            "It begins at the full hour, as most campaigns do: providers are slower then, "
            "and Yahoo asks not to."
        )
        yield hint("when", what, "Let it begin some minutes later, or spread it.")


CURE = "Give it more time, or let it begin within its hours."


def _too_short(campaign: Campaign, mailable: int, length: timedelta) -> Iterator[Finding]:
    """Whether the time that is open until the mail expires is too short."""
    values = {"hours": f"{length / timedelta(hours=1):.3g}"}
    if campaign.spread_minutes and campaign.spread_minutes * MINUTE > length:
        what = (
            "It is spread over %(minutes)s minutes, and %(hours)s hours are open until the mail expires: "
            "it goes closer together."
        )
        cure = "Spread it over less, or give it more time."
        yield warning("when", what, cure, minutes=campaign.spread_minutes, **values)
    all_day = campaign.send_within_hours * timedelta(hours=1)
    if campaign.per_minute and length < all_day and mailable > campaign.per_minute * (length / MINUTE):
        what = (
            "At %(rate)s a minute it takes longer than the %(hours)s hours that are open until "
            "the mail expires."
        )
        yield blocker("when", what, "Send faster, or give it more time.", rate=campaign.per_minute, **values)


def _begins(campaign: Campaign, now: datetime) -> datetime | None:
    if campaign.schedule == "recurring":
        try:
            found = next_occurrence(campaign.cron or "", campaign.time_zone, now)
        except BadForm:
            return None
        return None if found is None else found.at
    return campaign.starts_at if campaign.schedule == "at" else now


def _open_for(window: Window, begins: datetime, ends: datetime, zone: ZoneInfo) -> timedelta:
    """How long it is open between two moments."""
    total, at = timedelta(0), begins
    while at < ends:
        opens, closes = window.opening(at, zone)
        total += max(timedelta(0), min(closes, ends) - max(opens, at))
        at = max(closes, at + MINUTE)
    return total


def _told(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"
