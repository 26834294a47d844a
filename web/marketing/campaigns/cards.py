"""The cards' forms become settings of a campaign, or fail with all problems at once."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from flask_babel import gettext as _

from campaigns.errors import BadForm
from campaigns.recurrence import next_occurrence
from web.marketing.campaigns.fields import Fields
from web.marketing.campaigns.hours import read_hours

LONGEST_NAME = 200
MOST_PER_MINUTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Offered:
    """The ids that each list of the cards offers."""

    topics: Collection[int]
    segments: Collection[int]
    templates: Collection[int]
    senders: Collection[int]
    surveys: Collection[int]


def read_name(form: Mapping[str, str]) -> dict[str, Any]:
    """Read what a campaign is called, and its goal.

    Raises:
        BadForm: the name is empty or too long.
    """
    fields = Fields(form)
    name = " ".join(fields.text("name").split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        cure = _("Use 1 to %(most)s characters.", most=LONGEST_NAME)
        fields.add("name", _("is empty or too long."), cure)
    fields.done()
    return {"name": name, "goal": fields.text("goal")[:2000]}


def read_who(form: Mapping[str, str], offered: Offered) -> dict[str, Any]:
    """Read the card that says who is meant.

    Raises:
        BadForm: with every problem.
    """
    fields = Fields(form)
    chosen = {
        "topic_id": fields.choice("topic_id", offered.topics),
        "segment_id": fields.choice("segment_id", offered.segments),
        "hold_out_percent": fields.whole("hold_out_percent", 0, 90) or 0,
        "cap_count": fields.whole("cap_count", 1, 1000),
        "cap_days": fields.whole("cap_days", 1, 365),
    }
    if bool(fields.text("cap_count")) != bool(fields.text("cap_days")):
        missing = "cap_days" if fields.text("cap_count") else "cap_count"
        cure = _("Fill both fields of the frequency cap, or none.")
        fields.add(missing, _("is missing."), cure)
    fields.done()
    return chosen


def read_what(form: Mapping[str, str], offered: Offered) -> dict[str, Any]:
    """Read the card that says what is said.

    Raises:
        BadForm: with every problem.
    """
    fields = Fields(form)
    chosen = {
        "template_id": fields.choice("template_id", offered.templates),
        "sender_id": fields.choice("sender_id", offered.senders),
        "survey_id": fields.choice("survey_id", offered.surveys),
        "tracking": "tracking" in form,
    }
    fields.done()
    return chosen


def read_when(form: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """Read the card that says when; only what its choice shows is asked for.

    Raises:
        BadForm: with every problem.
    """
    fields = Fields(form)
    zone = _zone(fields)
    schedule = fields.text("schedule") or "now"
    if schedule not in {"now", "at", "recurring"}:
        fields.add("schedule", _("is not one of those offered."), _("Choose one of the list."))
    chosen: dict[str, Any] = {
        "schedule": schedule,
        "time_zone": str(zone),
        "starts_at": None,
        "cron": None,
        "ends_at": None,
        "until_reply": schedule == "recurring" and "until_reply" in form,
        "per_minute": fields.whole("per_minute", 1, MOST_PER_MINUTE),
        "send_within_hours": fields.whole("send_within_hours", 1, 24 * 30) or 72,
        **read_hours(fields),
    }
    if schedule == "at":
        chosen["starts_at"] = _starts_at(fields, zone, now)
    elif schedule == "recurring":
        chosen |= {"cron": _cron(fields, zone, now), "ends_at": _ends_at(fields, zone, now)}
    fields.done()
    return chosen


@cache
def zones() -> tuple[str, ...]:
    """The time zones that are offered: places, and UTC."""
    return (
        "UTC",
        *sorted(name for name in available_timezones() if "/" in name and not name.startswith("Etc/")),
    )


def _zone(fields: Fields) -> ZoneInfo:
    name = fields.text("time_zone") or "UTC"
    if name not in available_timezones():
        fields.add("time_zone", _("is not known."), _("Use a name such as Europe/Berlin."))
        return ZoneInfo("UTC")
    return ZoneInfo(name)


def _starts_at(fields: Fields, zone: ZoneInfo, now: datetime) -> datetime | None:
    local = fields.moment("starts_at")
    if local is None:
        if not fields.text("starts_at"):
            fields.add("starts_at", _("is missing."), _("Say when, or choose “Now”."))
        return None
    at = local.replace(tzinfo=zone).astimezone(UTC)
    if at < now:
        fields.add("starts_at", _("is past."), _("Choose a later moment."))
    elif at > now + timedelta(days=3660):
        fields.add("starts_at", _("is more than ten years away."), _("Choose an earlier moment."))
    return at


def _ends_at(fields: Fields, zone: ZoneInfo, now: datetime) -> datetime | None:
    """The end of the last day on which a run may open."""
    local = fields.moment("ends_at")
    if local is None:
        return None
    at = (local + timedelta(days=1)).replace(tzinfo=zone).astimezone(UTC)
    if at < now:
        fields.add("ends_at", _("is past."), _("Choose a later day, or leave it empty."))
    return at


def _cron(fields: Fields, zone: ZoneInfo, now: datetime) -> str | None:
    cron = fields.text("cron") if fields.text("every") == "custom" else _plain_cron(fields)
    if not cron:
        if fields.text("every") == "custom":
            fields.add(
                "cron", _("is missing."), _("Five fields: minute hour day month weekday, as in 30 9 * * 1.")
            )
        return None
    try:
        found = next_occurrence(cron, str(zone), now) if len(cron) <= 100 else None
    except BadForm as bad:
        fields.problems.extend(bad.problems)
        return None
    if found is None:
        fields.add("cron", _("never comes due."), _("Check its fields."))
    return cron


def _plain_cron(fields: Fields) -> str | None:
    """Daily, weekly or monthly, at a time of day."""
    clock = fields.clock("at_time")
    if clock is None:
        if not fields.text("at_time"):
            fields.add("at_time", _("is not a time of day."), _("Write it like 09:30."))
        return None
    hour, minute = divmod(clock, 60)
    every = fields.text("every") or "day"
    if every == "week":
        weekday = fields.whole("weekday", 0, 6)
        return f"{minute} {hour} * * {1 if weekday is None else weekday}"
    if every == "month":
        return f"{minute} {hour} {fields.whole('month_day', 1, 31) or 1} * *"
    return f"{minute} {hour} * * *"


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Cron fields as the card's plain choices."""

    every: str = "week"  #: day, week, month or custom
    at_time: str = "09:00"
    weekday: int = 1
    month_day: int = 1


def rhythm_of(cron: str | None) -> Rhythm:
    """Find the plain choice that says the same as cron fields; custom if none does."""
    if not cron:
        return Rhythm()
    found = re.fullmatch(r"(\d{1,2}) (\d{1,2}) (\*|\d{1,2}) \* (\*|[0-7])", cron)
    if found is None or (found[3] != "*" and found[4] != "*"):
        return Rhythm("custom")
    at_time = f"{int(found[2]):02}:{int(found[1]):02}"
    if found[4] != "*":
        return Rhythm("week", at_time, int(found[4]) % 7)
    if found[3] != "*":
        return Rhythm("month", at_time, month_day=int(found[3]))
    return Rhythm("day", at_time)
