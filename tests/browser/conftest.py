"""A Chromium of the system, and the desks' app on a loopback port.

The browser may ask nobody but this machine; a page that tries fails its test.
"""

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright
from werkzeug.serving import make_server

from tests.web.conftest import app, desk_settings, desk_stores  # noqa: F401 - fixtures

AXE = (Path(__file__).parent / "axe/axe.min.js").read_text()
PATIENCE = 90_000.0  #: milliseconds for whatever is waited for
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not found:
        pytest.skip("no Chromium here (Debian: apt-get install chromium)")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def site(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def open_page(browser: Browser, site: str) -> Iterator[Callable[..., Page]]:
    """Opens a page with its own cookies; whatever it complains of, or asks of others, fails the test."""
    complaints: list[str] = []
    contexts = []

    def watch(route: Route) -> None:
        if route.request.url.startswith((site, "data:")):
            route.continue_()
        else:
            complaints.append(f"asked for {route.request.url}")
            route.abort()

    def open_one(**options: object) -> Page:
        context = browser.new_context(
            base_url=site, timezone_id="Europe/Berlin", **{"locale": "en-GB"} | options
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        context.route("**/*", watch)
        page = context.new_page()
        page.on(
            "console",
            lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None,
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


def faults_of(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2 AA and its best practices."""
    page.evaluate(AXE)
    page.wait_for_load_state("load")  # colours without their style sheet are nobody's
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {one['help']} at {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
