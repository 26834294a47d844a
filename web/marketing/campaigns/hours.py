"""The hours and days at which a campaign sends, and how far it is spread: from the card, and in words."""

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext as _

from campaigns.delivery.windows import EVERY_DAY, WHOLE_DAY
from campaigns.records.campaigns import Campaign, window_of
from web.language import hour_words
from web.marketing.campaigns.fields import Fields
from web.marketing.campaigns.words import WEEKDAYS

DAYS = tuple((day or 7, words) for day, words in WEEKDAYS)  #: as ISO counts them, from Monday
LONGEST_SPREAD = 7 * WHOLE_DAY


def read_hours(fields: Fields) -> dict[str, Any]:
    """Read when mails may leave; no day chosen means every day."""
    start, end = fields.clock("window_from"), fields.clock("window_to")
    if (start is None) != (end is None) and not fields.problems:
        missing = "window_from" if start is None else "window_to"
        fields.add(missing, _("is missing."), _("Fill both hours, or none."))
    if start is not None and start == end:
        fields.add("window_to", _("is the same as the first hour."), _("Leave both empty for any hour."))
    days = "".join(str(day) for day, _words in DAYS if f"day_{day}" in fields.form)
    zone = fields.text("window_zone") or "campaign"
    if zone not in {"campaign", "recipient"}:
        fields.add("window_zone", _("is not one of those offered."), _("Choose one of the list."))
    return {
        "window_from": start,
        "window_to": end,
        "window_days": days or "1234567",
        "window_zone": zone,
        "spread_minutes": fields.whole("spread_minutes", 1, LONGEST_SPREAD),
    }


def stored_hours(campaign: Campaign) -> dict[str, Any]:
    """Give a campaign's hours as the card's fields hold them."""
    return {
        "window_from": clock_of(campaign.window_from),
        "window_to": clock_of(campaign.window_to),
        "window_zone": campaign.window_zone,
        "spread_minutes": "" if campaign.spread_minutes is None else campaign.spread_minutes,
        **{f"day_{day}": str(day) in campaign.window_days for day in EVERY_DAY},
    }


def typed_days(form: Mapping[str, str]) -> dict[str, bool]:
    """Give the days that a form that does not hold has ticked."""
    return {f"day_{day}": f"day_{day}" in form for day in EVERY_DAY}


def clock_of(minutes: int | None) -> str:
    """Write minutes after midnight as a time of day."""
    return "" if minutes is None else f"{minutes // 60 % 24:02}:{minutes % 60:02}"


def hours_words(campaign: Campaign) -> str:
    """Say when a campaign's mails may leave; empty: at any time."""
    window = window_of(campaign)
    if window.is_always_open:
        return ""
    days = ", ".join(str(words) for day, words in DAYS if day in window.days)
    told = [_("every day") if window.days == EVERY_DAY else days]
    if campaign.window_from is not None:
        start, end = (hour_words(clock_of(at)) for at in (campaign.window_from, campaign.window_to))
        told.append(_("from %(start)s to %(end)s", start=start, end=end))
    theirs = campaign.window_zone == "recipient"
    told.append(_("by each recipient’s own clock") if theirs else campaign.time_zone)
    return ", ".join(told)
