"""The record and the desks around it in a browser: axe finds nothing, nothing overflows, the stream reads on."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from campaigns.config import Settings
from campaigns.records import cases, customers, suppressions, tasks
from campaigns.records.staff import Desk
from campaigns.wiring import Stores
from tests.browser.conftest import faults_of
from tests.factories import NOW, a_contact, a_customer
from tests.web.conftest import PASSWORD, enlist
from tests.web.sales.conftest import live
from web.app import create_app

pytestmark = pytest.mark.browser
WIDE, NARROW = {"width": 1400, "height": 900}, {"width": 390, "height": 844}
LONG = "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwarengewissenhaftschaferswessenschafe"


@pytest.fixture
def app(desk_stores: Stores, desk_settings: Settings) -> Flask:
    """The desks' own pages, not the gallery's."""
    return create_app(desk_stores, desk_settings)


@pytest.fixture
def lived(desk_stores: Stores, desk_settings: Settings) -> int:
    with desk_stores.sessions.begin() as session:
        customer = live(session, desk_settings.secret).customer
        hashed = suppressions.address_hash(desk_settings.secret, "person@example.com")
        suppressions.add(session, hashed, "hard bounce", now=NOW)
        a_contact(session, customer_id=customer, given_name=LONG, family_name=LONG)
        a_contact(session, customer_id=a_customer(session, name=LONG))
        for kind in cases.KINDS:
            cases.open_case(session, cases.NewCase(customer, kind, LONG), actor="x", now=NOW)
        tasks.create(session, tasks.NewTask(customer, None, LONG, LONG, None, NOW), actor="x", now=NOW)
        for number in range(60):
            customers.note(
                session,
                customer,
                f"note {number:02}.",
                actor="x",
                now=NOW - timedelta(hours=number),
                once=f"n{number}",
            )
    return customer


def enter(page: Page, stores: Stores) -> None:
    enlist(stores, "ada@example.com", Desk.ADMIN)
    page.goto("/login")
    page.fill("[name=email]", "ada@example.com")
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "login" not in url)


@pytest.mark.parametrize(("scheme", "size"), [("light", WIDE), ("dark", NARROW)], ids=["wide", "narrow"])
def test_axe_finds_nothing_and_nothing_overflows(
    open_page: Callable[..., Page], desk_stores: Stores, lived: int, scheme, size
):
    page = open_page(color_scheme=scheme, viewport=size)
    enter(page, desk_stores)
    paths = [f"/customers/{lived}", "/customers", "/tasks?view=unowned", "/cases", "/lookup?q=nobody"]
    for path in paths:
        page.goto(path)
        assert faults_of(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], path
    page.goto(paths[0])
    for dialog in (
        "ask-note",
        "ask-task",
        "ask-case",
        "ask-owner",
        "ask-hold",
        "ask-consent",
        "ask-role",
        "erase-1",
    ):
        page.click(f"[commandfor={dialog}][command=show-modal]")
        assert faults_of(page) == [], dialog
        page.keyboard.press("Escape")


def test_the_stream_reads_on_in_place(open_page: Callable[..., Page], desk_stores: Stores, lived: int):
    page = open_page(viewport=WIDE)
    enter(page, desk_stores)
    page.goto(f"/customers/{lived}?show=service")
    expect(page.locator(".stream > li")).to_have_count(40)
    address = page.url
    page.click(".stream-more a")
    expect(page.locator(".stream-end")).to_be_visible()
    texts = page.locator(".stream-quote").all_inner_texts()
    notes = [text for text in texts if text.startswith("note ")]
    assert notes == [f"note {number:02}." for number in range(60)]
    days = page.locator(".stream-day").all_inner_texts()
    assert len(days) == len(set(days))
    assert page.url == address


def test_a_note_is_written_by_keyboard_alone(open_page: Callable[..., Page], desk_stores: Stores, lived: int):
    page = open_page(viewport=WIDE)
    enter(page, desk_stores)
    page.goto(f"/customers/{lived}")
    page.focus("[commandfor=ask-note][command=show-modal]")
    page.keyboard.press("Enter")
    page.focus("[name=note-text]")
    page.keyboard.type("Rang back.")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".alert-success")).to_contain_text("in the history")
    expect(page.locator(".stream-quote").filter(has_text="Rang back.")).to_have_count(1)
