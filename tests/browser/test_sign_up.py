"""Signing up as a person does: form, mail in the catcher, link, button, yes; with a script and without."""

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from campaigns.clock import utc_now
from campaigns.delivery import caught
from campaigns.delivery.backend import open_backend
from campaigns.delivery.catcher import Catcher
from campaigns.flows import asking
from campaigns.flows.sending import drain
from campaigns.forms.spec import Asked
from campaigns.model.customers import contacts
from campaigns.model.events import events
from campaigns.records import attributes
from campaigns.values import ConsentState
from campaigns.wiring import open_stores
from tests.browser.conftest import faults_of
from tests.factories import a_postbox
from tests.forms.scene import FormScene, a_form_scene

pytestmark = pytest.mark.browser
WIDE, NARROW = {"width": 1200, "height": 800}, {"width": 390, "height": 760}
LOOKS = [("light", NARROW, "de"), ("dark", NARROW, "en"), ("dark", WIDE, "de")]


@pytest.fixture
def scene(sqlite_pattern: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FormScene]:
    shutil.copy(sqlite_pattern, tmp_path / "public.db")
    stores = open_stores(f"sqlite:///{tmp_path / 'public.db'}")
    made = a_form_scene(stores, tmp_path, monkeypatch, topics=2)
    monkeypatch.setattr("web.public.forms.utc_now", utc_now)
    monkeypatch.setattr("web.public.confirmation.utc_now", utc_now)
    monkeypatch.setattr("campaigns.forms.puzzle.ROUNDS", 5000)  # as people's browsers have it
    with stores.sessions.begin() as session:
        attributes.define(session, {"size": "text"}, now=made.now)
    asked = (Asked("given_name"), Asked("country", required=True), Asked("attributes.size"))
    made.edit(fields=asked)
    yield made
    stores.engine.dispose()


@pytest.fixture
def site(scene: FormScene) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, scene.client.application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def catcher(tmp_path: Path) -> Iterator[Catcher]:
    made = Catcher(tmp_path / "caught", "127.0.0.1", 0)
    made.start()
    yield made
    made.stop()


def send_and_catch(scene: FormScene, catcher: Catcher, folder: Path) -> str:
    """The worker's and the sender's part; gives the link of the one mail that was caught."""
    with scene.stores.sessions.begin() as session:
        asking.write_mails(session, utc_now())
    sender = threading.Thread(
        target=send, args=(scene, catcher, folder)
    )  # playwright's loop runs in this one
    sender.start()
    sender.join()
    (line,) = caught.mails(catcher.folder)
    text = caught.read(catcher.folder, line.name).text
    return re.search(r"http://t\.shop\.example(/y/\S{36})", text)[1]


def send(scene: FormScene, catcher: Catcher, folder: Path) -> None:
    backend = open_backend(f"smtp://127.0.0.1:{catcher.port}", connections=1)
    drain(a_postbox(scene.stores, backend, folder, signing=scene.signing))
    backend.close()


def fill(page: Page, scene: FormScene, language: str) -> None:
    page.goto(f"/f/{scene.key}?lang={language}")
    page.locator("#f-address").fill("ada@example.com")
    page.locator("#f-given_name").fill("Ada")
    page.locator("#f-country").select_option("DE")
    page.locator("input[name=topic]").first.check()


def wait_until_solved(page: Page) -> None:
    expect(page.locator("altcha-widget input[name=altcha]")).to_have_value(re.compile("."))


def check(page: Page, where: str) -> None:
    assert faults_of(page) == [], where
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), where


def confirm(page: Page, scene: FormScene, link: str) -> None:
    page.goto(link)
    assert scene.state(scene.rows(contacts)[0].id) is ConsentState.PENDING
    page.locator("button[value=confirm]").click()
    expect(page.locator("h1")).to_have_text("Sie sind angemeldet")
    (contact,) = scene.rows(contacts)
    assert (contact.email, contact.given_name, contact.country) == ("ada@example.com", "Ada", "DE")
    assert scene.state(contact.id) is ConsentState.GRANTED
    assert scene.state(contact.id, scene.topics[1]) is None
    assert [row.kind for row in scene.rows(events)] == ["sent", "consent granted"]


def test_with_a_script_one_page_is_enough(
    open_page: Callable[..., Page], scene: FormScene, catcher: Catcher, tmp_path: Path
) -> None:
    page = open_page(viewport=NARROW, locale="de-DE")
    fill(page, scene, "de")
    wait_until_solved(page)
    page.wait_for_timeout(2000)  # as long as a person takes at least
    page.locator("button", has_text="Anmelden").click()
    expect(page.locator("h1")).to_have_text("Schauen Sie jetzt in Ihr Postfach")
    assert scene.newest().flags == ""
    confirm(page, scene, send_and_catch(scene, catcher, tmp_path))


def test_without_a_script_the_second_page_asks_to_look_once_more(
    open_page: Callable[..., Page], scene: FormScene, catcher: Catcher, tmp_path: Path
) -> None:
    page = open_page(viewport=WIDE, locale="de-DE", java_script_enabled=False)
    fill(page, scene, "de")
    page.locator("button", has_text="Anmelden").click()
    expect(page.locator("h1")).to_have_text("Bitte prüfen, dann absenden")
    assert page.locator("#f-given_name").input_value() == "Ada"
    assert page.locator("input[name=topic]").first.is_checked()
    page.wait_for_timeout(3000)
    page.locator("button", has_text="Anmelden").click()
    expect(page.locator("h1")).to_have_text("Schauen Sie jetzt in Ihr Postfach")
    assert scene.newest().flags == "plain"
    confirm(page, scene, send_and_catch(scene, catcher, tmp_path))


@pytest.mark.parametrize(("scheme", "size", "language"), LOOKS)
def test_axe_finds_nothing_and_nothing_overflows(
    open_page: Callable[..., Page],
    scene: FormScene,
    catcher: Catcher,
    tmp_path: Path,
    scheme: str,
    size: dict[str, int],
    language: str,
) -> None:
    page = open_page(color_scheme=scheme, viewport=size, locale=language)
    fill(page, scene, language)
    wait_until_solved(page)
    check(page, "form")
    shoot(page, f"form-{scheme}-{size['width']}-{language}")
    page.wait_for_timeout(1500)
    page.locator("form.sign-up button:not([type])").click()
    expect(page.locator("form.sign-up")).to_have_count(0)
    check(page, "received")
    shoot(page, f"received-{scheme}-{size['width']}-{language}")
    link = send_and_catch(scene, catcher, tmp_path)
    page.goto(link)
    check(page, "sign up?")
    shoot(page, f"confirm-{scheme}-{size['width']}-{language}")
    page.locator("button[value=confirm]").click()
    expect(page.locator("button[value=confirm]")).to_have_count(0)
    check(page, "signed up")
    shoot(page, f"done-{scheme}-{size['width']}-{language}")


@pytest.mark.parametrize(("scheme", "language"), [("light", "de"), ("dark", "en")])
def test_what_is_wrong_stands_beside_its_field(
    browser: Browser, site: str, scene: FormScene, scheme: str, language: str
) -> None:
    # a context of its own: that a page answers 422 is a complaint elsewhere
    page = browser.new_page(base_url=site, color_scheme=scheme, viewport=NARROW, locale=language)
    fill(page, scene, language)
    page.locator("form.sign-up").evaluate("form => { form.noValidate = true; form.address.value = 'ada@'; }")
    page.locator("#f-given_name").fill("win at casino.example")
    wait_until_solved(page)
    page.locator("form.sign-up button:not([type])").click()
    expect(page.locator(".problem")).to_have_count(2)
    wait_until_solved(page)
    check(page, "with problems")
    shoot(page, f"bad-{scheme}-{language}")
    page.close()


def shoot(page: Page, name: str) -> None:
    import os

    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)
