"""Recurring times: right across the two days a year when the clock changes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.errors import BadForm
from campaigns.recurrence import next_occurrence, times_a_day


def series(cron, zone, start, count):
    found, after = [], start
    for _ in range(count):
        one = next_occurrence(cron, zone, after)
        found.append((one.name, one.at.strftime("%d %H:%M")))
        after = one.at
    return found


def test_the_hour_that_the_spring_change_leaves_out_is_sent_an_hour_later():
    found = series("30 2 * * *", "Europe/Berlin", datetime(2026, 3, 27, 12, tzinfo=UTC), 3)
    assert found == [
        ("2026-03-28T02:30", "28 01:30"),
        ("2026-03-29T02:30", "29 01:30"),  # 03:30 summer time
        ("2026-03-30T02:30", "30 00:30"),
    ]


def test_the_hour_that_the_autumn_change_brings_twice_is_sent_once():
    found = series("30 2 * * *", "Europe/Berlin", datetime(2026, 10, 24, 12, tzinfo=UTC), 2)
    assert found == [("2026-10-25T02:30", "25 00:30"), ("2026-10-26T02:30", "26 01:30")]


def test_an_hourly_campaign_never_runs_twice_at_one_moment():
    moments = [
        at for _, at in series("30 * * * *", "Europe/Berlin", datetime(2026, 3, 28, 22, tzinfo=UTC), 8)
    ]
    assert len(set(moments)) == len(moments)


@settings(max_examples=60, deadline=None)
@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1)),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
    st.integers(0, 59),
    st.integers(0, 23),
)
def test_a_daily_time_comes_once_for_each_local_date_and_always_moves_on(start, zone, minute, hour):
    start = start.replace(tzinfo=UTC)
    found = next_occurrence(f"{minute} {hour} * * *", zone, start)
    assert start < found.at <= start + timedelta(hours=49)
    local = found.at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    named = datetime.fromisoformat(found.name)
    assert (named.hour, named.minute) == (hour, minute)
    assert timedelta(0) <= local - named <= timedelta(hours=1)  # later only where the clock left it out


@pytest.mark.parametrize(
    ("cron", "zone", "where"),
    [("61 * * * *", "UTC", "cron"), ("", "UTC", "cron"), ("0 9 * * 1", "Mars/Base", "time zone")],
)
def test_what_cannot_be_read_is_told_with_a_cure(cron, zone, where):
    with pytest.raises(BadForm) as caught:
        next_occurrence(cron, zone, datetime(2026, 1, 1, tzinfo=UTC))
    assert caught.value.problems[0].where == where
    assert caught.value.problems[0].cure


@pytest.mark.parametrize(
    ("cron", "times"),
    [
        ("* * * * *", 1440),
        ("*/5 9-10 * * *", 24),
        ("0 9,17 * * 1", 2),
        ("30 9 * * *", 1),
        ("0 9 1 * *", 1),
        ("no", 0),
    ],
)
def test_the_times_a_day_are_those_of_the_busiest_day(cron, times):
    assert times_a_day(cron, "Europe/Berlin", datetime(2026, 11, 22, 15, 0, tzinfo=UTC)) == times
