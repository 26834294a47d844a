"""The marketer's pages of sign-up forms by browser: made, switched on, looked at; light and dark, wide and narrow."""

import shutil
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from campaigns.clock import utc_now
from campaigns.config import from_environment
from campaigns.records import forms, staff
from campaigns.records.staff import Desk
from campaigns.wiring import open_stores
from tests.browser.conftest import faults_of
from tests.forms.scene import FormScene, a_form_scene
from tests.web.sales.conftest import NO_PASSWORD, enlist
from web.app import create_app

pytestmark = pytest.mark.browser
LOOKS = [("light", {"width": 1280, "height": 900}, "en-GB"), ("dark", {"width": 390, "height": 800}, "de-DE")]


@pytest.fixture
def scene(sqlite_pattern: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FormScene]:
    shutil.copy(sqlite_pattern, tmp_path / "desk.db")
    stores = open_stores(f"sqlite:///{tmp_path / 'desk.db'}")
    made = a_form_scene(stores, tmp_path, monkeypatch, topics=2)
    made.now = utc_now()
    for n in range(3):
        made.sign_up(f"p{n}@example.com", client=f"198.51.{n}.1")
    made.sign_up("info@yopmail.com", client="192.0.2.1")
    made.sign_up("p0@example.com", client="192.0.2.2")
    made.work()
    made.confirm(made.mails()[0])
    with stores.sessions.begin() as session:
        forms.halt(session, made.form, until=utc_now() + timedelta(hours=1))
    yield made
    stores.engine.dispose()


@pytest.fixture
def desk(scene: FormScene, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The desks' address, and a cookie of somebody at the marketing desk."""
    app = create_app(scene.stores, from_environment({"POSTROOM_DATA": str(tmp_path / "data")}))
    with scene.stores.sessions.begin() as session:
        number = enlist(session, Desk.MARKETING)
    signer = app.session_interface.get_signing_serializer(app)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield (
        f"http://127.0.0.1:{server.server_port}",
        signer.dumps({"staff": number, "seal": staff.seal_of(NO_PASSWORD)}),
    )
    server.shutdown()
    thread.join()
    server.server_close()


def check(page: Page, where: str) -> None:
    assert faults_of(page) == [], where
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), where


@pytest.mark.parametrize(("scheme", "size", "language"), LOOKS)
def test_a_form_is_made_and_switched_on_and_axe_finds_nothing(
    browser: Browser,
    desk: tuple[str, str],
    scene: FormScene,
    scheme: str,
    size: dict[str, int],
    language: str,
) -> None:
    site, cookie = desk
    context = browser.new_context(base_url=site, color_scheme=scheme, viewport=size, locale=language)
    context.add_cookies([{"name": "postroom", "value": cookie, "url": site}])
    page = context.new_page()
    page.goto("/forms/")
    check(page, "list")
    page.goto(f"/forms/{scene.form}")
    check(page, "a halted form")
    page.goto("/forms/new")
    check(page, "new")
    page.locator("#field-name").fill("Newsletter")
    page.locator("input[name=topic]").first.check()
    page.locator("#field-sender").select_option(index=1)
    page.locator("main .form-foot button").click()
    expect(page.locator("h1")).to_have_text("Newsletter")
    page.locator("button", has_text="Switch on" if language == "en-GB" else "Einschalten").click()
    check(page, "on")
    with scene.stores.readers() as session:
        assert {form.key: form.is_on for form in forms.listing(session)} == {
            "letter": True,
            "newsletter": True,
        }
    context.close()
