"""Moments in a campaign's own time zone, schedules in words, and how long a run takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from babel import dates
from flask_babel import get_locale
from flask_babel import gettext as _

from campaigns.errors import BadForm
from campaigns.records.campaigns import Campaign, LogLine, Run
from campaigns.recurrence import next_occurrence
from campaigns.values import CampaignState
from web.language import hour_words
from web.marketing.campaigns.cards import rhythm_of
from web.marketing.campaigns.words import WEEKDAYS

SHOWN = 5  #: occurrences ahead
SOON = timedelta(minutes=1)  #: what goes out by then is waited for


def in_zone(moment: datetime, zone: str) -> str:
    """Write a moment as the clocks of a zone show it, with the zone."""
    locale, local = get_locale(), moment.astimezone(ZoneInfo(zone))
    day = dates.format_skeleton("yMMMEd", local.date(), locale=locale)
    return f"{day}, {hour_words(f'{local:%H:%M}')} ({zone})"


def local_input(moment: datetime | None, zone: str) -> str:
    """Write a moment for a datetime-local field in a zone."""
    if moment is None:
        return ""
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None).isoformat(timespec="minutes")


def schedule_words(campaign: Campaign) -> str:
    """Say when a campaign goes out."""
    if campaign.schedule == "at" and campaign.starts_at is not None:
        return in_zone(campaign.starts_at, campaign.time_zone)
    if campaign.schedule == "recurring" and campaign.cron:
        return f"{_rhythm_words(campaign.cron)} ({campaign.time_zone})"
    return _("As soon as it is scheduled") if campaign.schedule == "now" else _("Not said yet")


def _rhythm_words(cron: str) -> str:
    rhythm = rhythm_of(cron)
    at = hour_words(rhythm.at_time)
    if rhythm.every == "day":
        return _("Every day at %(time)s", time=at)
    if rhythm.every == "week":
        day = str(dict(WEEKDAYS)[rhythm.weekday])
        return _("Every %(day)s at %(time)s", day=day, time=at)
    if rhythm.every == "month":
        return _("On day %(day)s of each month at %(time)s", day=rhythm.month_day, time=at)
    return _("By the cron fields %(cron)s", cron=cron)


def coming(campaign: Campaign, now: datetime) -> list[datetime]:
    """The next times at which a recurring campaign opens a run."""
    if campaign.schedule != "recurring" or not campaign.cron:
        return []
    found: list[datetime] = []
    after = now
    while len(found) < SHOWN:
        try:
            following = next_occurrence(campaign.cron, campaign.time_zone, after)
        except BadForm:
            break
        if following is None or (campaign.ends_at is not None and following.at > campaign.ends_at):
            break
        found.append(following.at)
        after = following.at
    return found


def shortest_gap(times: list[datetime]) -> timedelta | None:
    """The shortest time between two runs, if there are two."""
    return min((later - earlier for earlier, later in pairwise(times)), default=None)


def throttled(mailable: int, per_minute: int | None) -> timedelta | None:
    """How long a throttled run takes for so many mails."""
    return timedelta(minutes=mailable / per_minute) if per_minute and mailable else None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    done: int
    total: int
    per_minute: float | None  #: while it went; None: too early to say
    left: timedelta | None  #: None: too early to say


def progress(run: Run, now: datetime, log: Sequence[LogLine] = ()) -> Progress:
    """Say how far a run is, how fast it goes, and how long it will take still.

    `log` is its campaign's, newest first: while it was paused it went at no pace.
    """
    done = run.sent + run.failed + run.skipped + run.unknown
    if run.frozen_at is None or not done:
        return Progress(done, run.mailable, None, None)
    going = now - run.frozen_at - paused(log, run.frozen_at, now)
    pace = done / (max(going.total_seconds(), 1.0) / 60)
    if run.per_minute:
        pace = min(pace, run.per_minute)  # what goes at once at the start tells nothing of the rest
    return Progress(done, run.mailable, pace, timedelta(minutes=(run.mailable - done) / pace))


def paused(log: Sequence[LogLine], since: datetime, now: datetime) -> timedelta:
    """How long a campaign has been paused since a moment, by its log, newest first."""
    rest, until = timedelta(), now
    for line in log:
        if line.what == "paused" or line.what.startswith("paused: "):
            rest += max(until - max(line.at, since), timedelta())
            until = line.at
        elif line.what in ("resumed", "cancelled"):
            until = line.at
        if line.at <= since:
            break
    return rest


def is_soon(campaign: Campaign, now: datetime) -> bool:
    """Whether a scheduled campaign goes out within a minute."""
    due = campaign.due_at
    return campaign.state is CampaignState.SCHEDULED and due is not None and due <= now + SOON
