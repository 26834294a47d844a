"""The marketing desk in a browser: cards that save themselves, axe, a phone's width, no scripts."""

import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from werkzeug.serving import make_server

from campaigns.values import Verdict
from tests.browser.conftest import faults_of
from tests.records.test_reports import One, bounced, clicked, opened, play, sent
from tests.web.conftest import token
from tests.web.marketing.conftest import desktop, sqlite_only  # noqa: F401 - fixtures

pytestmark = pytest.mark.browser
WIDE, NARROW = {"width": 1400, "height": 900}, {"width": 390, "height": 760}


@pytest.fixture
def database_url(sqlite_only):
    return sqlite_only


@pytest.fixture
def site(desktop) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, desktop.client.application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def enter(page: Page, desktop, site: str) -> None:
    """Take over the marketer's login."""
    token(desktop.client, "/campaigns/new")  # the cookie that the browser gets holds this token
    cookie = desktop.client.get_cookie("postroom")
    page.context.add_cookies([{"name": "postroom", "value": cookie.value, "url": site}])


def test_the_cards_save_themselves_and_what_depends_on_them_follows(desktop, site, open_page):
    number = desktop.create()
    page = open_page(viewport=WIDE)
    enter(page, desktop, site)
    page.goto(f"/campaigns/{number}")
    page.select_option("[name=topic_id]", str(desktop.topic))
    expect(page.locator("#saved-who")).to_contain_text("Saved.")
    page.select_option("[name=segment_id]", str(desktop.segment))
    expect(page.locator("#reach strong")).to_have_text("3")
    expect(page.locator("#mark-who")).to_have_class("quarter-mark done")
    page.select_option("[name=template_id]", str(desktop.template))
    expect(page.locator("#preview .inbox-line")).to_contain_text("Hello you")
    page.select_option("[name=sender_id]", str(desktop.sender))
    page.check("[name=schedule][value=recurring]")
    expect(page.locator("#dates .coming li")).to_have_count(5)
    expect(page.locator("#checks")).to_contain_text("It can go out.")
    page.click("#preview a[rel=next]")
    expect(page.locator(".preview-steps")).to_contain_text("2 of 4")
    page.get_by_text("Plain text").click()
    expect(page.locator(".mail-text")).to_be_visible()
    expect(page.locator(".mail-frame")).to_be_hidden()
    assert desktop.campaign(number).sender_id == desktop.sender


@pytest.mark.parametrize(("theme", "size"), [("light", WIDE), ("dark", NARROW)])
def test_axe_finds_nothing_and_nothing_is_wider_than_a_phone(desktop, site, open_page, theme, size):
    number, empty = desktop.create(), desktop.create("Empty")
    desktop.fill(number)
    people = [
        sent(opened(Verdict.HUMAN), clicked(Verdict.HUMAN)),
        sent(bounced(hard=True)),
        One("unknown"),
        One("skipped", "no consent"),
    ]
    with desktop.stores.sessions.begin() as session:
        run = play(session, people)
    page = open_page(viewport=size, color_scheme=theme)
    enter(page, desktop, site)
    paths = (
        "/campaigns/", f"/campaigns/{number}", f"/campaigns/{empty}", f"/campaigns/{number}/review", f"/campaigns/{number}/delete",
        f"/reports/{run}", f"/reports/{run}/people/bounced", "/reports/", "/segments/", f"/segments/{desktop.segment}",
        "/content/", f"/content/{desktop.template}", f"/content/{desktop.template}/edit", "/caught/",
    )  # fmt: skip
    for path in paths:
        page.goto(path)
        expect(page.locator(".waiting")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], path
        assert [fault for fault in faults_of(page) if "iframe" not in fault] == [], path


def test_without_scripts_a_campaign_is_filled_and_scheduled(desktop, site, open_page):
    number = desktop.create()
    page = open_page(java_script_enabled=False)
    enter(page, desktop, site)
    page.goto(f"/campaigns/{number}")
    page.select_option("[name=topic_id]", str(desktop.topic))
    page.select_option("[name=segment_id]", str(desktop.segment))
    page.click("#who button")
    page.select_option("[name=template_id]", str(desktop.template))
    page.select_option("[name=sender_id]", str(desktop.sender))
    page.click("#what form button")
    page.goto(f"/campaigns/{number}/review")
    expect(page.locator("h1")).to_have_text("Send it to 3 people?")
    page.click(".send-form .btn-primary")
    expect(page.locator("main")).to_contain_text("It goes out now.")
