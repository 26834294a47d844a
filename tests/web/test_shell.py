import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from campaigns.config import Settings
from campaigns.records.staff import Desk
from campaigns.wiring import Stores
from tests.web.conftest import enlist, log_in, token
from web.app import create_app, create_public_app
from web.language import WEB

TEMPLATES = sorted(WEB.rglob("templates/**/*.html"))


def text_of(response) -> str:
    return response.get_data(as_text=True)


@pytest.fixture
def ada(client: FlaskClient, desk_stores: Stores) -> FlaskClient:
    enlist(desk_stores, "ada@example.com", Desk.ADMIN)
    log_in(client, "ada@example.com")
    return client


@pytest.mark.parametrize("path", ["/first", "/nowhere", "/static/shell.js"])
def test_every_answer_carries_the_strict_policy(client: FlaskClient, path: str) -> None:
    with client.get(path, follow_redirects=True) as answer:
        headers = answer.headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["script-src"] == "'self'"
    assert policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_pages_of_people_are_not_kept_by_browsers(ada: FlaskClient) -> None:
    assert ada.get("/gallery/record").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(WEB)))
def test_no_template_has_anything_that_the_policy_would_shut_off(path) -> None:
    text = re.sub(r"\{#.*?#\}", "", path.read_text(), flags=re.DOTALL)
    assert not re.search(r"\sstyle=|\son[a-z]+=\"|<style|javascript:|hx-on|hx-vals=[\"']js:", text)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", text)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(WEB)))
def test_every_form_that_posts_carries_its_token(path) -> None:
    if path.name.startswith("public") or "/public/" in str(path):
        return  # customers' forms prove themselves by the token in their address
    for form in re.findall(r"<form\b.*?</form>", path.read_text(), re.DOTALL):
        if 'method="post"' in form:
            assert "csrf" in form, f"{path.name}: {form[:80]}"


def test_only_pages_that_exist_are_offered(desk_stores: Stores, desk_settings: Settings) -> None:
    bare = create_app(desk_stores, desk_settings).test_client()
    enlist(desk_stores, "ada@example.com", Desk.ADMIN)
    log_in(bare, "ada@example.com")
    page = text_of(bare.get("/", follow_redirects=True))
    for address in re.findall(r'<a href="([^"#]+)"', page):
        assert bare.get(address, follow_redirects=True).status_code == 200, address


def test_each_desk_is_shown_its_own_pages_with_the_present_one_marked(
    client: FlaskClient, desk_stores: Stores
) -> None:
    enlist(desk_stores, "sam@example.com", Desk.SALES)
    log_in(client, "sam@example.com")
    page = text_of(client.get("/gallery/record"))
    nav = page.split('id="desks"')[1].split("</nav>")[0]
    assert "Customers" in nav
    assert "Campaigns" not in nav
    assert re.search(r'href="/gallery/record" aria-current="page"', nav)


def test_who_has_no_page_yet_is_told_so(desk_stores: Stores, desk_settings: Settings) -> None:
    bare = create_app(desk_stores, desk_settings).test_client()
    enlist(desk_stores, "new@example.com")
    log_in(bare, "new@example.com")
    assert "No desk is open to you yet" in text_of(bare.get("/"))


def test_a_failure_shows_a_number_and_nothing_of_the_inside(ada: FlaskClient, caplog) -> None:
    answer = ada.get("/gallery/fail")
    number = answer.headers["X-Request-ID"]
    assert answer.status_code == 500
    assert number in text_of(answer)
    assert "secret of the inside" not in text_of(answer)
    assert any(number in record.getMessage() and record.exc_info for record in caplog.records)


def test_a_failure_of_a_partial_update_is_a_part_of_a_page(ada: FlaskClient) -> None:
    answer = ada.get("/gallery/fail", headers={"HX-Request": "true"})
    assert answer.status_code == 500
    assert "<html" not in text_of(answer)
    assert 'role="alert"' in text_of(answer)


@pytest.mark.parametrize("given", ["x y z w v u", "<script>", "a" * 65, "short"])
def test_a_request_id_that_is_not_plain_is_replaced(client: FlaskClient, given: str) -> None:
    answer = client.get("/first", headers={"X-Request-ID": given})
    assert re.fullmatch("[0-9a-f]{16}", answer.headers["X-Request-ID"])


def test_a_plain_request_id_is_kept(client: FlaskClient) -> None:
    assert (
        client.get("/first", headers={"X-Request-ID": "abc-123_45.6"}).headers["X-Request-ID"]
        == "abc-123_45.6"
    )


def test_hostile_text_stays_text_in_every_part(app: Flask) -> None:
    evil = '"><script>alert(1)</script>{{ 7*7 }} 100%(x)s'
    with app.test_request_context():
        ui = app.jinja_env.get_template("ui.html").module
        parts = [
            ui.text(evil, evil, evil, [], evil, attrs={"placeholder": evil}),
            ui.area("a", evil, evil),
            ui.select("a", evil, [(evil, evil)], evil),
            ui.check("a", evil),
            ui.radios("a", evil, [(evil, evil, evil)], evil),
            ui.alert(evil, "danger", evil),
            ui.empty(evil, evil, evil, evil),
            ui.badge(evil),
            ui.campaign_state(evil),
            ui.stat(evil, evil, evil),
            ui.post(evil, evil, fields={evil: evil}),
            ui.tabs([(evil, evil, None, False)], evil),
        ]
    for part in parts:
        assert "<script" not in part
        assert "{{ 7*7 }}" in part


def test_a_problem_is_tied_to_its_field(ada: FlaskClient) -> None:
    page = text_of(ada.get("/gallery/form"))
    field = re.search(r"<input[^>]*id=\"field-subject\"[^>]*>", page)[0]
    assert 'aria-invalid="true"' in field
    assert 'aria-describedby="problem-subject help-subject"' in field
    assert 'id="problem-subject"' in page
    assert 'id="help-subject"' in page
    assert 'href="#field-subject"' in page


def test_the_public_app_sets_no_cookie_and_shows_nothing_of_the_desks(
    desk_stores: Stores, desk_settings: Settings
) -> None:
    answer = create_public_app(desk_stores, desk_settings).test_client().get("/login")
    assert answer.status_code == 404
    assert "Set-Cookie" not in answer.headers
    assert "Log in" not in text_of(answer)
    assert "There is nothing here" in text_of(answer)


def test_the_language_follows_the_person_then_the_browser(ada: FlaskClient, app: Flask) -> None:
    german = {"Accept-Language": "de-AT,en;q=0.5"}
    assert "Kampagnen" in text_of(ada.get("/gallery/empty", headers=german))
    form = {"locale": "de", "next": "/gallery/empty", "csrf_token": token(ada, "/gallery/empty")}
    assert ada.post("/language", data=form).location == "/gallery/empty"
    assert '<html lang="de">' in text_of(ada.get("/gallery/empty"))
    again = app.test_client()
    log_in(again, "ada@example.com")
    assert "Kampagnen" in text_of(again.get("/gallery/empty"))
    assert ada.post("/language", data=form | {"locale": "xx"}).status_code == 400
