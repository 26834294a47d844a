from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from campaigns.records.staff import Desk
from campaigns.wiring import Stores
from tests.browser.conftest import faults_of
from tests.web.conftest import PASSWORD, enlist

pytestmark = pytest.mark.browser
WIDE, NARROW = {"width": 1400, "height": 900}, {"width": 390, "height": 844}
PAGES = ["list", "empty", "form", "record", "public"]


def enter(page: Page, stores: Stores) -> None:
    enlist(stores, "ada@example.com", Desk.ADMIN)
    page.goto("/login")
    page.fill("[name=email]", "ada@example.com")
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/gallery/home")


@pytest.mark.parametrize(("scheme", "size"), [("light", WIDE), ("dark", NARROW)], ids=["wide", "narrow"])
def test_axe_finds_nothing_and_nothing_overflows(
    open_page: Callable[..., Page], desk_stores: Stores, scheme: str, size: dict[str, int]
) -> None:
    page = open_page(color_scheme=scheme, viewport=size)
    page.goto("/first")
    assert faults_of(page) == []
    enter(page, desk_stores)
    for name in PAGES:
        page.goto(f"/gallery/{name}")
        assert faults_of(page) == [], name
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], name


def test_colours_follow_the_system_until_a_person_chooses(
    open_page: Callable[..., Page], desk_stores: Stores
) -> None:
    page = open_page(color_scheme="dark", viewport=WIDE)
    enter(page, desk_stores)
    page.goto("/gallery/empty")
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(paper)
    page.click(".person summary")
    page.click("[data-theme-choice=light]")
    light = page.evaluate(paper)
    assert light != dark
    page.reload()
    assert page.evaluate(paper) == light
    page.click(".person summary")
    expect(page.locator("[data-theme-choice=light]")).to_have_attribute("aria-pressed", "true")
    page.click("[data-theme-choice=auto]")
    assert page.evaluate(paper) == dark


def test_without_scripts_the_desks_open_on_a_phone_and_colours_follow_the_system(
    open_page: Callable[..., Page], desk_stores: Stores
) -> None:
    page = open_page(java_script_enabled=False, viewport=NARROW, color_scheme="dark")
    enter(page, desk_stores)
    page.goto("/gallery/empty")
    link = page.locator("#desks").get_by_role("link", name="Customers")
    expect(link).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    expect(link).to_be_visible()
    expect(page.locator("body")).to_have_css("background-color", "rgb(15, 23, 29)")


def test_the_keyboard_reaches_content_menus_and_dialogs(
    open_page: Callable[..., Page], desk_stores: Stores
) -> None:
    page = open_page(viewport=WIDE)
    enter(page, desk_stores)
    page.goto("/gallery/empty")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.goto("/gallery/form")
    expect(page.locator("[data-focus]")).to_be_focused()
    opener = page.get_by_role("button", name="Schedule").first
    opener.focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog")).to_be_visible()
    assert faults_of(page) == []
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()
    expect(opener).to_be_focused()


def test_a_partial_update_carries_its_token_and_swaps_in_place(
    open_page: Callable[..., Page], desk_stores: Stores
) -> None:
    page = open_page(viewport=WIDE)
    enter(page, desk_stores)
    page.goto("/gallery/live")
    page.get_by_role("button", name="Count").click()
    expect(page.locator("#count")).to_have_text("counted")


def test_times_turn_to_the_readers_zone_from_the_second_page_on(
    open_page: Callable[..., Page], desk_stores: Stores
) -> None:
    page = open_page(viewport=WIDE)
    enter(page, desk_stores)
    page.goto("/gallery/record")
    expect(page.locator(".stream time").first).to_contain_text("10:00")
