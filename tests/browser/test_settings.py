"""The settings and the surveys in a browser: axe finds nothing, nothing overflows, a form is checked as it is typed."""

from collections.abc import Callable

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from campaigns.config import Settings
from campaigns.records import consent, senders, surveys
from campaigns.records.staff import Desk
from campaigns.surveys.form import parse_form
from campaigns.values import TopicClass
from campaigns.wiring import Stores
from tests.browser.conftest import faults_of
from tests.browser.test_sales_and_service import LONG, NARROW, WIDE, enter
from tests.factories import NOW, SENDER
from tests.web.conftest import enlist
from web.app import create_app
from web.marketing.surveys import EXAMPLE

pytestmark = pytest.mark.browser


@pytest.fixture
def app(desk_stores: Stores, desk_settings: Settings) -> Flask:
    """The desks' own pages, not the gallery's."""
    return create_app(desk_stores, desk_settings)


@pytest.mark.parametrize(("scheme", "size"), [("light", WIDE), ("dark", NARROW)], ids=["wide", "narrow"])
def test_axe_finds_nothing_and_nothing_overflows(
    open_page: Callable[..., Page], desk_stores: Stores, scheme, size
):
    page = open_page(color_scheme=scheme, viewport=size)
    enter(page, desk_stores)
    other = enlist(desk_stores, f"{LONG[:50]}@example.com", Desk.SALES).id
    paths = ["/settings/", "/surveys/"]
    check(page, paths, size)
    with desk_stores.sessions.begin() as session:
        topic = consent.add_topic(session, "t", LONG, TopicClass.SERVICE, now=NOW, description=LONG).id
        sender = senders.add(session, SENDER, now=NOW)
        surveys.save(session, "s", LONG, parse_form(EXAMPLE), author="x", now=NOW)
        survey = surveys.find(session, "s")
    paths += [f"/settings/topics/{topic}", f"/settings/senders/{sender}", "/settings/topics/new"]
    paths += [f"/settings/senders/{sender}/dns"]
    paths += ["/staff/", "/staff/new", f"/staff/{other}", "/account/password"]
    paths += [f"/surveys/{survey}", f"/surveys/{survey}/edit", "/surveys/new"]
    check(page, paths, size)


def check(page: Page, paths: list[str], size: dict[str, int]) -> None:
    for path in paths:
        page.goto(path)
        assert faults_of(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], path


def test_a_survey_is_said_in_words_while_it_is_typed(open_page: Callable[..., Page], desk_stores: Stores):
    page = open_page(viewport=WIDE)
    enter(page, desk_stores)
    page.goto("/surveys/new")
    expect(page.locator("#asked")).to_contain_text("A number from 0 to 10")
    typed = page.input_value("[name=form]")
    page.fill("[name=form]", typed.replace('"type": "scale"', '"type": "scales"'))
    expect(page.locator("#asked .finding-bad").first).to_contain_text("questions[0].type")
    page.fill("[name=form]", typed.replace('"key": "better"', '"key": "nicer"'))
    expect(page.locator("#asked")).to_contain_text("Key nicer.")
