"""Messages in doubt in a browser: decided without scripts, axe, a phone's width."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from campaigns.clock import utc_now
from campaigns.flows import schedule
from campaigns.records import audience
from tests.browser.conftest import faults_of
from tests.browser.test_marketing import NARROW, WIDE, database_url, enter, site  # noqa: F401 - fixtures
from tests.flows.test_doubting import send, states
from tests.web.marketing.conftest import desktop, sqlite_only  # noqa: F401 - fixtures
from tests.web.marketing.test_doubts_page import frozen

pytestmark = pytest.mark.browser


@pytest.fixture
def run(desktop, monkeypatch):
    monkeypatch.setattr(audience, "CHUNK", 4)
    with desktop.stores.sessions.begin() as session:
        made = frozen(session)
        send(session, made, doubtful=(2, 3, 7), now=utc_now() - timedelta(hours=1))
        schedule.finish_runs(session, utc_now())
    return made


@pytest.mark.parametrize(("theme", "size"), [("light", WIDE), ("dark", NARROW)])
def test_axe_finds_nothing_and_nothing_is_wider_than_a_phone(desktop, run, site, open_page, theme, size):
    page = open_page(viewport=size, color_scheme=theme)
    enter(page, desktop, site)

    def look(what):
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], what
        assert faults_of(page) == [], what

    page.goto("/doubts/")
    look("list")
    for decision in ("arrived", "send-again"):
        page.goto("/doubts/")
        page.check("[name=all]")
        page.click(f"[name=decision][value={decision}]")
        expect(page.locator("h1")).to_contain_text("3 messages")
        look(decision)
    page.click(".form-foot .btn-danger")
    expect(page.locator("main")).to_contain_text("3 messages are sent again.")
    expect(page.locator("h2").filter(has_text="Nothing is in doubt")).to_be_visible()
    look("empty")


def test_without_scripts_some_are_chosen_and_decided(desktop, run, site, open_page):
    page = open_page(java_script_enabled=False)
    enter(page, desktop, site)
    page.goto("/doubts/")
    page.locator("[name=m]").nth(0).check()
    page.locator("tbody label").nth(2).click()
    page.click("[name=decision][value=arrived]")
    expect(page.locator("h1")).to_have_text("Count 2 messages as arrived?")
    page.click(".form-foot .btn-primary")
    expect(page.locator("main")).to_contain_text("2 messages count as arrived.")
    expect(page.locator(".desk-count")).to_have_text("1")
    with desktop.stores.readers() as session:
        assert states(session, run).count("unknown") == 1
