"""The Check card in a browser: findings full and empty, wide and narrow, light and dark; axe finds nothing."""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import faults_of
from tests.browser.test_marketing import NARROW, WIDE, database_url, desktop, enter, site, sqlite_only  # noqa: F401
from tests.delivery.fetching.web_server import WebServer
from tests.web.marketing.outsiders import BODY, leading_outside, outsiders, rspamd

pytestmark = pytest.mark.browser
#: A preview fetches no picture, and the browser says so of each.
PLAIN = re.sub(r"<img[^>]*>", "<i></i>", BODY)
FULL = PLAIN.replace(' lang="en"', "").replace("</p>", '</p><p style="color:#999">Faint</p>', 1).replace(
    "<i>", "".join(f'<a href="http://shop.example/{at}">Shop {at}</a> ' for at in range(9)) + '<a href="#">Soon</a>'
    '<div style="display:flex;background-image:url(data:image/png;base64,iVBORw0KGgo=)"><video></video></div><i>', 1
)  # fmt: skip


def keep(page, name: str) -> None:
    """Keep a picture of the page for whoever wants to look, and says where."""
    if folder := os.environ.get("PICTURES"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_a_card_full_of_findings_is_readable_by_everybody(desktop, site, open_page, size, colours):
    number = leading_outside(desktop, FULL)
    app = desktop.client.application
    page = open_page(viewport=size, color_scheme=colours)
    enter(page, desktop, site)
    with outsiders(app), WebServer(rspamd) as filter_:
        url = f"http://127.0.0.1:{filter_.port}"
        app.extensions["settings"] = replace(app.extensions["settings"], spam_url=url)
        page.goto(f"/campaigns/{number}")
        expect(page.locator("#checks")).to_contain_text("must be mended first")
        page.click("#outside button")
        expect(page.locator("#outside")).to_contain_text("answers with 404")
    page.click("#checks .finding-hints summary")
    page.locator("#checks .finding-more summary").first.click()
    page.mouse.move(0, 0)
    keep(page, f"full-{size['width']}-{colours}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert faults_of(page) == []


def test_a_card_without_findings_says_so(desktop, site, open_page):
    number = leading_outside(desktop, PLAIN)
    page = open_page(viewport=WIDE)
    enter(page, desktop, site)
    with outsiders(desktop.client.application) as server:
        page.goto(f"/campaigns/{number}/review")
        expect(page.locator("#outside")).to_contain_text("Ask them")
        keep(page, "review")
        assert faults_of(page) == []
        assert server.asked == []


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_a_templates_own_page_shows_what_the_template_tells_in_german_too(desktop, site, open_page, size):
    leading_outside(desktop, FULL)
    page = open_page(viewport=size, locale="de-DE")
    enter(page, desktop, site)
    page.goto(f"/content/{desktop.template + 1}")
    expect(page.locator(".findings").first).to_contain_text("Der Link # führt nirgends hin.")
    expect(page.locator("body")).to_contain_text(
        "Nicht gezeigt in Outlook für Windows: Hintergrundbild, bewegliche Spalten"
    )
    keep(page, f"template-{size['width']}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert faults_of(page) == []
