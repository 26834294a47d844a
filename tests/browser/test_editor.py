"""Sources in a browser: numbered lines, what is wrong beside them, and a template as it is written."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import faults_of
from tests.browser.test_marketing import NARROW, WIDE, enter, site  # noqa: F401 - a fixture
from tests.web.marketing.conftest import desktop, sqlite_only  # noqa: F401 - fixtures

pytestmark = pytest.mark.browser


@pytest.fixture
def database_url(sqlite_only):
    return sqlite_only


def test_a_rule_shows_what_is_wrong_beside_its_line_and_leads_there(desktop, site, open_page):
    page = open_page(viewport=WIDE)
    enter(page, desktop, site)
    page.goto("/segments/new")
    numbers = page.locator(".editor-lines span")
    expect(numbers).to_have_count(6)
    page.fill("[name=rule]", '{"version": 1,\n"rule":\n{"field": "contact.contry",\n"is": "="}}\n')
    expect(numbers).to_have_count(5)
    expect(page.locator(".editor-lines .bad").first).to_contain_text("contact.contry")
    assert page.locator(".editor-lines .bad").first.inner_text().startswith("3")
    page.click("#counted a[data-line]")
    assert page.evaluate("document.activeElement.name") == "rule"
    assert page.evaluate("document.activeElement.selectionStart") == 23
    page.fill("[name=rule]", '{"version": 1, "rule": {"everyone": true}}')
    expect(page.locator("#counted .sentence")).to_have_text("All contacts.")
    expect(page.locator(".editor-lines .bad")).to_have_count(0)


@pytest.mark.parametrize(("theme", "size"), [("light", WIDE), ("dark", NARROW)])
def test_a_template_is_shown_as_it_is_written(desktop, site, open_page, theme, size):
    page = open_page(viewport=size, color_scheme=theme)
    enter(page, desktop, site)
    page.goto(f"/content/{desktop.template}/edit")
    expect(page.locator("#tried .inbox-line")).to_contain_text("Hello")
    page.fill("[name=subject]", "Autumn, {{ contact.given_name|default('friend') }}")
    expect(page.locator("#tried .inbox-line")).to_contain_text("Autumn,")
    frame = page.locator("#tried iframe").get_attribute("src")
    assert frame.startswith("/content/tried/")
    assert page.request.get(frame).headers["content-security-policy"].startswith("default-src 'none'")
    expect(page.frame_locator("#tried iframe").locator("body")).to_contain_text("Hello")
    body = page.input_value("[name=body]")
    page.fill("[name=body]", body + "\n{% if contact.given_name %}")
    expect(page.locator("#tried .finding-bad")).to_have_count(1)
    expect(page.locator(".editor-lines .bad")).to_have_count(1)
    assert faults_of(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_without_scripts_a_template_is_tried_by_a_button(desktop, site, open_page):
    page = open_page(viewport=WIDE, java_script_enabled=False)
    enter(page, desktop, site)
    page.goto(f"/content/{desktop.template}/edit")
    page.fill("[name=subject]", "Winter")
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("#tried .inbox-line")).to_contain_text("Winter")
    assert page.input_value("[name=subject]") == "Winter"
