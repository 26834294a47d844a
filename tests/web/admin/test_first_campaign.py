"""A campaign of an empty installation leads to where each of its choices is made."""

import re

import pytest

from campaigns.records.staff import Desk


@pytest.fixture
def database_url(sqlite_only):
    return sqlite_only


def first_campaign(office):
    page = office.post("/campaigns/", name="First letter")
    return page, int(re.search(r"/campaigns/(\d+)/who", page)[1])


def test_an_administrator_is_led_to_each_page_where_a_choice_is_made(office):
    page, _ = first_campaign(office)
    for path in (
        "/settings/topics/new",
        "/segments/new",
        "/content/new",
        "/settings/senders/new",
        "/surveys/new",
    ):
        assert f'href="{path}"' in page
        office.get(path)


def test_a_marketer_is_told_who_makes_what_they_cannot(office):
    _, number = first_campaign(office)
    page = office.at(Desk.MARKETING).get(f"/campaigns/{number}").get_data(as_text=True)
    assert "An administrator adds topics in the settings." in page
    assert "/settings/" not in page
    assert 'href="/surveys/new"' in page
