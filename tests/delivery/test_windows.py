"""Hours and days of sending, by clocks on walls, across their changes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.delivery.windows import EVERY_DAY, WHOLE_DAY, Window, window_between, zone_of

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia"]


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "opens", "closes"),
    [
        ("2026-03-28T10:00", "2026-03-28T08:00", "2026-03-28T17:00"),  # winter: 9 to 18 is 8 to 17 UTC
        ("2026-03-28T18:00", "2026-03-29T07:00", "2026-03-29T16:00"),  # clocks went on in the night
        ("2026-10-24T18:00", "2026-10-25T08:00", "2026-10-25T17:00"),  # clocks went back in the night
        ("2026-10-25T08:00", "2026-10-25T08:00", "2026-10-25T17:00"),
        ("2026-10-25T17:00", "2026-10-26T08:00", "2026-10-26T17:00"),
    ],
)
def test_office_hours_follow_the_wall_clock(now, opens, closes):
    assert Window(9 * 60, 18 * 60).opening(utc(now), BERLIN) == (utc(opens), utc(closes))


def test_an_hour_that_spring_skips_and_one_that_autumn_repeats():
    night = Window(2 * 60 + 30, 4 * 60)
    assert night.opening(utc("2026-03-28T12:00"), BERLIN) == (
        utc("2026-03-29T01:30"),
        utc("2026-03-29T02:00"),
    )
    assert night.opening(utc("2026-10-24T12:00"), BERLIN) == (
        utc("2026-10-25T00:30"),
        utc("2026-10-25T03:00"),
    )


def test_days_of_the_week_and_a_window_over_midnight():
    weekdays = window_between(8 * 60, 20 * 60, "12345")
    assert weekdays.opening(utc("2026-11-20T20:00"), ZoneInfo("UTC"))[0] == utc("2026-11-23T08:00")
    late = window_between(22 * 60, 2 * 60, "5")  # Friday night, into Saturday
    assert late.opening(utc("2026-11-21T01:00"), ZoneInfo("UTC")) == (
        utc("2026-11-20T22:00"),
        utc("2026-11-21T02:00"),
    )


def test_whole_days_that_follow_each_other_are_one_stretch():
    working = window_between(None, None, "12345")
    assert working.opening(utc("2026-11-23T12:00"), ZoneInfo("UTC")) == (
        utc("2026-11-23T00:00"),
        utc("2026-11-28T00:00"),
    )
    assert window_between(None, None, "1234567").is_always_open
    assert not working.is_always_open


def test_a_zone_that_is_unknown_gives_way_to_the_next():
    assert zone_of("Mars/Olympus", "Europe/Berlin") == BERLIN
    assert zone_of(None, "", "../etc/passwd") == ZoneInfo("UTC")


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, WHOLE_DAY - 1),
    st.integers(0, WHOLE_DAY),
    st.sets(st.integers(1, 7), min_size=1),
    st.sampled_from(ZONES),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
)
def test_open_is_what_the_clock_on_the_wall_says(start, end, days, name, moment):
    """Against a look at the wall clock alone; within the hours of a change of clocks it may say another thing."""
    zone, now = ZoneInfo(name), moment.replace(tzinfo=UTC)
    window = Window(start, end, frozenset(days))
    opens, closes = window.opening(now, zone)
    assert opens < closes
    assert closes > now
    offsets = {(now + timedelta(hours=h)).astimezone(zone).utcoffset() for h in range(-30, 31)}
    if len(offsets) > 1:
        return
    wall = now.astimezone(zone)
    minute = wall.hour * 60 + wall.minute + wall.second / 60 + wall.microsecond / 6e7
    length = (end - start) % WHOLE_DAY or WHOLE_DAY
    today = wall.isoweekday() in days and start <= minute < start + length
    yesterday = (wall - timedelta(days=1)).isoweekday() in days and minute + WHOLE_DAY < start + length
    assert (opens <= now) == (today or yesterday)


def test_every_day_has_seven():
    assert frozenset("1234567") == {str(day) for day in EVERY_DAY}
