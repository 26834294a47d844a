"""On a phone: no page is wider than it, whichever a person may come to; the menu hides none of its own."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from flask import Flask
from playwright.sync_api import Page, expect
from werkzeug.exceptions import HTTPException

from campaigns.records import surveys
from campaigns.records import templates as records
from campaigns.records.staff import Desk
from campaigns.surveys.form import parse_form
from campaigns.values import Attachment
from tests.browser.test_marketing import database_url, enter, site  # noqa: F401 - fixtures
from tests.factories import NOW
from tests.records.test_reports import One, play, sent
from tests.web.marketing.conftest import desktop, sqlite_only  # noqa: F401 - fixtures
from web.marketing.surveys import EXAMPLE

pytestmark = pytest.mark.browser
PHONE = {"width": 390, "height": 844}
#: A word that breaks nowhere by itself, as file names and addresses are.
LONG = "wolfeschlegelsteinhausenbergerdorffwelchevoralternwarengewissenhaft"
#: Shown alone they would be files, other people's mails in frames, or the way out.
NO_PAGES = re.compile(r"static|/mail$|/export|\.csv|\.json|log_out|/metrics|starters")


@pytest.fixture
def furnished(desktop):
    """Something on each desk, its names as long as they come."""
    number = desktop.create(f"{LONG} {LONG}")
    desktop.fill(number)
    with desktop.stores.sessions.begin() as session:
        play(session, [sent(), One("unknown"), One("skipped", "no consent")])
        surveys.save(session, "s", LONG, parse_form(EXAMPLE), author="x", now=NOW)
        bodies = list(zip(records.sources(session, 1), records.compiled(session, 1), strict=True))
        files = [
            Attachment(f"{LONG}.pdf", "application/pdf", b"%PDF"),
            Attachment(f"{LONG}.png", "image/png", b"x", content_id=f"{LONG}.png"),
        ]
        records.save(session, "filed", "Filed", bodies, author="x", now=NOW, files=files)
        session.flush()
        filed = records.find(session, "filed")
    return desktop, filed


def test_no_page_is_wider_than_a_phone(furnished, site, open_page):
    desktop, filed = furnished
    page = open_page(viewport=PHONE)
    enter_as_admin(page, desktop, site)
    app = desktop.client.application
    seen, wide = set(), []
    waiting = ["/", f"/content/{filed}"]
    while waiting:
        path = waiting.pop(0)
        endpoint = endpoint_of(app, path)
        if endpoint is None or (endpoint in seen and path != f"/content/{filed}"):
            continue
        seen.add(endpoint)
        page.goto(path)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > PHONE["width"]:
            wide.append(f"{path} is {width} px wide")
        waiting += page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.href)")
    assert wide == []
    assert {"templates.show", "settings.sender_dns", "campaigns.show", "reports.show", "staff.index"} <= seen


def endpoint_of(app: Flask, address: str) -> str | None:
    path = urlsplit(address).path
    if NO_PAGES.search(path):
        return None
    try:
        return app.url_map.bind("localhost").match(path, method="GET")[0]
    except HTTPException:
        return None


def enter_as_admin(page: Page, desktop, site: str) -> None:
    client = desktop.at(Desk.ADMIN)
    client.get("/campaigns/new")
    cookie = client.get_cookie("postroom")
    page.context.add_cookies([{"name": "postroom", "value": cookie.value, "url": site}])


def test_a_file_of_a_template_can_be_removed_on_a_phone(furnished, site, open_page):
    desktop, filed = furnished
    page = open_page(viewport=PHONE)
    enter_as_admin(page, desktop, site)
    page.goto(f"/content/{filed}")
    for button in page.get_by_role("button", name="Remove").all():
        box = button.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]


def test_a_dns_record_has_the_width_of_the_phone(furnished, site, open_page):
    desktop, _filed = furnished
    page = open_page(viewport=PHONE)
    enter_as_admin(page, desktop, site)
    page.goto(f"/settings/senders/{desktop.sender}/dns")
    said = page.locator(".dns-said").first
    assert said.bounding_box()["width"] > PHONE["width"] * 0.7


def test_the_menu_hides_none_of_its_entries(furnished, site, open_page: Callable[..., Page]):
    desktop, _filed = furnished
    page = open_page(viewport=PHONE)
    enter_as_admin(page, desktop, site)
    page.goto("/settings/")
    page.get_by_role("button", name="Menu").click()
    last = page.locator(".desk a").last
    person = page.locator(".person")
    expect(person).to_be_visible()
    page.wait_for_timeout(300)  # it slides in
    for link in page.locator(".desk a").all():
        box = link.bounding_box()
        assert box["y"] + box["height"] <= person.bounding_box()["y"] + 0.5, link.inner_text()
    last.scroll_into_view_if_needed()
    expect(last).to_be_in_viewport(ratio=1)
