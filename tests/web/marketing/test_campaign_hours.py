"""The hours and days of a campaign, set on its card and told again."""

from campaigns.delivery.windows import Window
from campaigns.records import campaigns as records

WHEN = {"schedule": "now", "time_zone": "Europe/Berlin"}
OFFICE = {"window_from": "09:00", "window_to": "17:30", **{f"day_{day}": "1" for day in range(1, 6)}}


def test_hours_days_and_spread_are_kept_and_told(desktop):
    number = desktop.create()
    desktop.fill(number)
    desktop.post(f"/campaigns/{number}/when", **WHEN, **OFFICE, spread_minutes="120")
    campaign = desktop.campaign(number)
    assert records.window_of(campaign) == Window(540, 1050, frozenset(range(1, 6)))
    assert (campaign.window_zone, campaign.spread_minutes) == ("campaign", 120)
    page = desktop.get(f"/campaigns/{number}")
    assert 'value="09:00"' in page
    assert 'value="17:30"' in page
    assert page.count('name="day_6"') == 1
    told = "Monday, Tuesday, Wednesday, Thursday, Friday, from 09:00 to 17:30, Europe/Berlin"
    assert told in desktop.get(f"/campaigns/{number}/review")
    desktop.post(f"/campaigns/{number}/schedule", counted="3")
    page = desktop.get(f"/campaigns/{number}")
    assert told in page
    assert "120 minutes" in page


def test_no_day_ticked_is_every_day_and_the_recipients_clock_can_be_asked(desktop):
    number = desktop.create()
    desktop.fill(number)
    desktop.post(
        f"/campaigns/{number}/when", **WHEN, window_from="8:00", window_to="20:00", window_zone="recipient"
    )
    assert records.window_of(desktop.campaign(number)) == Window(480, 1200)
    page = desktop.get(f"/campaigns/{number}/review")
    assert "every day, from 08:00 to 20:00, by each recipient’s own clock" in page


def test_what_makes_no_sense_is_told_and_what_was_typed_stays(desktop):
    number = desktop.create()
    wrong = {**WHEN, "window_from": "25:00", "window_zone": "mars", "spread_minutes": "0", "day_3": "1"}
    page = desktop.post(f"/campaigns/{number}/when", 422, **wrong)
    for told in ("Is not a time of day.", "Is not one of those offered.", "whole number from 1 to 10080"):
        assert told in page
    assert 'value="25:00"' in page
    page = desktop.post(f"/campaigns/{number}/when", 422, **WHEN, window_from="09:00")
    assert "Fill both hours, or none." in page
    page = desktop.post(f"/campaigns/{number}/when", 422, **WHEN, window_from="09:00", window_to="09:00")
    assert "Is the same as the first hour." in page
    assert desktop.campaign(number).window_from is None
