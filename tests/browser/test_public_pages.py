"""The pages that mails lead to, by browser: without scripts, on a phone, light and dark, axe and keyboard."""

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from werkzeug.serving import make_server

from campaigns.tracking.instrument import instrument
from campaigns.wiring import open_stores
from tests.browser.conftest import faults_of
from tests.web.public.scene import Scene, a_scene

pytestmark = pytest.mark.browser
WIDE, NARROW = {"width": 1200, "height": 800}, {"width": 390, "height": 760}
PICTURE = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
LOOKS = [("light", NARROW, "en"), ("dark", NARROW, "de"), ("dark", WIDE, "en")]


@pytest.fixture
def scene(sqlite_pattern: Path, tmp_path: Path) -> Iterator[Scene]:
    shutil.copy(sqlite_pattern, tmp_path / "public.db")
    stores = open_stores(f"sqlite:///{tmp_path / 'public.db'}")
    yield a_scene(stores, tmp_path)
    stores.engine.dispose()


@pytest.fixture
def site(scene: Scene) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, scene.client.application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def check(page: Page, where: str) -> None:
    assert faults_of(page) == [], where
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), where


@pytest.mark.parametrize(("scheme", "size", "language"), LOOKS)
def test_axe_finds_nothing_and_nothing_overflows(
    open_page: Callable[..., Page], scene: Scene, scheme: str, size: dict[str, int], language: str
) -> None:
    page = open_page(color_scheme=scheme, viewport=size, locale=language)
    page.goto(scene.path("u"))
    check(page, "leave?")
    page.locator("button").click()
    check(page, "left")
    page.locator("button").click()
    check(page, "back")
    page.goto(scene.path("p"))
    page.locator("button[value=save]").click()
    check(page, "preferences")
    page.locator("[name=level][value=aggregate]").check()
    page.locator("button[value=track]").click()
    expect(page.locator("[name=level][value=aggregate]")).to_be_checked()
    check(page, "how closely we may look")
    page.goto(scene.path("c") + "/0")
    check(page, "what the hidden link leads to")
    page.goto(scene.path("s") + "?score=4")
    check(page, "survey with a score")
    page.locator("[name=how][value=foot]").check()
    page.locator("form button").click()
    check(page, "thanks")
    page.goto(scene.path("s"))
    check(page, "survey again")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_hidden_link_is_seen_heard_and_reached_by_nobody(
    open_page: Callable[..., Page], scheme: str
) -> None:
    page = open_page(color_scheme=scheme, viewport=NARROW)
    body = '<body><main><h1>A mail</h1><p><a href="https://shop.example/">Shop</a></p></main></body>'
    html = instrument(f'<html lang="en"><head><title>A mail</title></head>{body}</html>').html
    html = html.replace("{{ links.click }}", "/c/x").replace("{{ links.open }}", PICTURE)
    page.set_content(html)
    hidden = page.locator("a[href='/c/x/0']")
    expect(hidden).to_be_hidden()
    assert hidden.bounding_box() is None
    assert [link.get_attribute("href") for link in page.get_by_role("link").all()] == ["/c/x/1"]
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") != "/c/x/0"
    assert faults_of(page) == []


def test_a_survey_is_answered_without_scripts_and_by_keyboard(
    open_page: Callable[..., Page], scene: Scene
) -> None:
    page = open_page(java_script_enabled=False, viewport=NARROW)
    page.goto(scene.path("s"))
    page.locator("[name=nps][value='0']").focus()
    for _ in range(9):
        page.keyboard.press("ArrowRight")
    expect(page.locator("[name=nps][value='9']")).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.get_by_label("Kind of Blue").check()
    page.get_by_label("Anything else?").fill("Lovely.\nThank you!")
    page.get_by_role("button", name="Send my answers").click()
    expect(page.get_by_role("heading", name="Thank you!")).to_be_visible()
    page.goto(scene.path("s"))
    expect(page.locator("[name=nps][value='9']")).to_be_checked()
    expect(page.get_by_label("On foot")).to_be_checked()
    expect(page.get_by_label("Kind of Blue")).to_be_checked()
    expect(page.get_by_label("Anything else?")).to_have_value("Lovely.\nThank you!")


def test_topics_are_chosen_without_scripts(open_page: Callable[..., Page], scene: Scene) -> None:
    page = open_page(java_script_enabled=False, viewport=NARROW)
    page.goto(scene.path("p"))
    page.get_by_label("Events").check()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_label("Events")).to_be_checked()
    expect(page.get_by_role("status")).to_be_visible()
    page.get_by_role("button", name="Unsubscribe from everything").click()
    expect(page.get_by_label("Events")).not_to_be_checked()


def test_a_message_in_the_browser_leads_out_of_its_sandbox(
    open_page: Callable[..., Page], scene: Scene
) -> None:
    page = open_page(viewport=WIDE)
    page.goto(scene.path("v"))
    expect(page.get_by_text("Hello Ada")).to_be_visible()
    leave = page.get_by_role("link", name="Leave").get_attribute("href")
    assert leave is not None
    assert leave.endswith(scene.path("u"))
