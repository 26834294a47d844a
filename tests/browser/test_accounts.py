"""The page of accounts in a browser: axe finds nothing, and nothing overflows, with or without trouble."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Page

from campaigns.clock import utc_now
from campaigns.config import from_environment
from campaigns.errors import BackendError
from campaigns.records import accounts
from campaigns.values import Outcome, OutcomeKind
from campaigns.wiring import Stores
from tests.browser.conftest import faults_of
from tests.browser.test_sales_and_service import LONG, NARROW, WIDE, enter
from tests.records.test_routes import a_running_run
from web.app import create_app

pytestmark = pytest.mark.browser

FILE = """
[accounts.main]
kind = "smtp"
url = "smtp://127.0.0.1:9"
rate = 50
[accounts.ses-eu]
kind = "smtp"
url = "smtp://127.0.0.1:9"
[accounts.an-account-with-quite-a-long-name-in-it]
kind = "postmark"
token = "one-two-three"
rate = 0.5
[[routes]]
class = ["marketing", "service"]
sender = ["news@shop.example", "offers-and-more-of-them@a-long-domain-of-ours.example"]
lane = ["google", "yahoo", "microsoft"]
accounts = { main = 3, ses-eu = 1 }
failover = ["an-account-with-quite-a-long-name-in-it"]
[[routes]]
class = "transactional"
accounts = "main"
[[routes]]
accounts = { ses-eu = 1 }
failover = "main"
failover_after = "1h"
"""


@pytest.fixture
def app(desk_stores: Stores, tmp_path: Path) -> Flask:
    file = tmp_path / "accounts.toml"
    file.write_text(FILE)
    given = {"POSTROOM_DATA": str(tmp_path / "data"), "POSTROOM_ACCOUNTS": str(file)}
    return create_app(desk_stores, from_environment(given))


def trouble(stores: Stores) -> None:
    now = utc_now()
    with stores.sessions.begin() as session:
        a_running_run(session, {"google": 30, "other": 4}, size=1000)
        a_running_run(session, {"google": 2}, account="of-old")
        accounts.failed(session, "main", BackendError(f"421 4.7.0 {LONG}"), now - timedelta(minutes=30))
        busy = BackendError("454 rate exceeded", retry_after=timedelta(minutes=9), busy=True)
        some = dict.fromkeys(range(1234), Outcome(OutcomeKind.SENT)) | {5000: Outcome(OutcomeKind.FAILED)}
        accounts.used(session, "ses-eu", some, {}, now)
        accounts.failed(session, "ses-eu", busy, now)


@pytest.mark.parametrize(
    ("scheme", "size", "locale"),
    [("light", WIDE, "en-GB"), ("dark", NARROW, "de-DE")],
    ids=["wide", "narrow"],
)
def test_axe_finds_nothing_and_nothing_overflows(
    open_page: Callable[..., Page], desk_stores: Stores, scheme, size, locale
):
    page = open_page(color_scheme=scheme, viewport=size, locale=locale)
    enter(page, desk_stores)
    for what in ("well", "trouble"):
        if what == "trouble":
            trouble(desk_stores)
        page.goto("/accounts/")
        assert faults_of(page) == [], what
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], what
