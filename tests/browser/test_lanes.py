"""The lanes' page in a browser: axe finds nothing, nothing overflows, and a lane is held by its dialog."""

from datetime import timedelta

import pytest
from flask import Flask
from playwright.sync_api import expect

from campaigns.clock import utc_now
from campaigns.config import Settings
from campaigns.delivery.warmup import Plan
from campaigns.records import lanes
from campaigns.records.lanes import Limits
from campaigns.values import Outcome, OutcomeKind
from campaigns.wiring import Stores
from tests.browser.test_sales_and_service import NARROW, WIDE, enter
from tests.browser.test_settings import check
from web.app import create_app

pytestmark = pytest.mark.browser


@pytest.fixture
def app(desk_stores: Stores, desk_settings: Settings) -> Flask:
    """The desks' own pages, not the gallery's."""
    return create_app(desk_stores, desk_settings)


def some_lanes(stores):
    now = utc_now()
    with stores.sessions.begin() as session:
        for lane in ("google", "yahoo"):
            lanes.count_day(session, "main", lane, [Outcome(OutcomeKind.SENT)] * 12345, hard=0, now=now)
        lanes.set_limits(
            session, "*", "google", Limits(3000, 50_000, Plan(100, 1.5, 50_000)), actor="a", now=now
        )
        lanes.start(session, {"main": True}, now=now)
        lanes.set_plan(session, "*", "shop.example", Plan(100, 1.5, 50_000), actor="a", now=now)
        warming = lanes.Warming("main", "shop.example", "yahoo japan", Plan(100, 1.5, 50_000))
        lanes.give_warm(session, warming, 12, now=now)
        lanes.hold(
            session, "main", "apple", "W" * 200, until=now + timedelta(hours=1), actor="a@b.example", now=now
        )


@pytest.mark.parametrize(("scheme", "size"), [("light", WIDE), ("dark", NARROW)], ids=["wide", "narrow"])
def test_axe_finds_nothing_and_nothing_overflows(open_page, desk_stores, scheme, size):
    page = open_page(color_scheme=scheme, viewport=size)
    enter(page, desk_stores)
    check(page, ["/lanes/"], size)
    some_lanes(desk_stores)
    check(page, ["/lanes/", "/lanes/main/google", "/lanes/*/google", "/lanes/warm-ups/"], size)


def test_a_lane_is_held_and_opened_from_the_list(open_page, desk_stores):
    some_lanes(desk_stores)
    page = open_page(viewport=WIDE)
    enter(page, desk_stores)
    page.goto("/lanes/")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="yahoo"))
    row.get_by_role("button", name="Hold …").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("How long").select_option("open")
    dialog.get_by_label("Why").fill("they asked us")
    dialog.get_by_role("button", name="Hold it").click()
    expect(row).to_contain_text("they asked us")
    expect(row).to_contain_text("until somebody opens it")
    row.get_by_role("button", name="Reopen").click()
    expect(row).to_contain_text("open")
    expect(row).not_to_contain_text("they asked us")
