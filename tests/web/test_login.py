from urllib.parse import urljoin, urlsplit

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.model.staff import staff as table
from campaigns.records.staff import Desk, listing
from campaigns.wiring import Stores
from tests.web.conftest import PASSWORD, enlist, log_in, token
from web.auth import safe_next


def text_of(response) -> str:
    return response.get_data(as_text=True)


def test_an_empty_installation_leads_to_the_page_that_makes_the_administrator(client: FlaskClient) -> None:
    assert client.get("/login").location == "/first"
    assert "Make the administrator" in text_of(client.get("/first"))


def test_the_first_page_makes_the_administrator_once_and_logs_them_in(
    client: FlaskClient, app: Flask, desk_stores: Stores
) -> None:
    late = app.test_client()
    form = {"email": "ada@example.com", "name": "Ada", "password": PASSWORD, "again": PASSWORD}
    late_token = token(late, "/first")
    made = client.post("/first", data=form | {"csrf_token": token(client, "/first")})
    assert made.status_code == 302
    assert "ada@example.com" in text_of(client.get("/gallery/empty"))
    refused = late.post("/first", data=form | {"email": "eve@example.com", "csrf_token": late_token})
    assert refused.location == "/login"
    with desk_stores.readers() as session:
        assert [(one.email, one.desks) for one in listing(session)] == [
            ("ada@example.com", frozenset({Desk.ADMIN}))
        ]
    assert late.get("/first").location == "/login"


def test_the_first_page_tells_everything_wrong_at_once_and_keeps_what_was_typed(client: FlaskClient) -> None:
    form = {"email": "no", "name": "<b>Ada", "password": "short", "again": "other"}
    answer = client.post("/first", data=form | {"csrf_token": token(client, "/first")})
    page = text_of(answer)
    assert answer.status_code == 422
    assert "3 things to put right" in page
    assert '<a href="#field-again">Password again</a>' in page
    assert "&lt;b&gt;Ada" in page
    assert "short" not in page


def test_the_right_password_opens_the_desks(client: FlaskClient, desk_stores: Stores) -> None:
    enlist(desk_stores, "ada@example.com", Desk.MARKETING)
    assert log_in(client, " ADA@example.com").location == "/"
    assert client.get("/").location == "/gallery/home"


def test_a_refusal_never_says_whether_the_address_is_known(client: FlaskClient, desk_stores: Stores) -> None:
    enlist(desk_stores, "ada@example.com", Desk.MARKETING)
    pages = []
    for email in ("ada@example.com", "eve@example.com"):
        answer = log_in(client, email, "wrong password")
        assert answer.status_code == 401
        page = text_of(answer).replace(email, "")
        pages.append(page.split("<main")[1].split("csrf_token")[0])
    assert pages[0] == pages[1]


def test_nothing_of_the_session_before_survives_a_login(client: FlaskClient, desk_stores: Stores) -> None:
    enlist(desk_stores, "ada@example.com", Desk.MARKETING)
    with client.session_transaction() as session:
        session["planted"] = "by somebody else"
    log_in(client, "ada@example.com")
    with client.session_transaction() as session:
        assert "planted" not in session
        assert "staff" in session


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(
    client: FlaskClient, desk_stores: Stores
) -> None:
    enlist(desk_stores, "ada@example.com", Desk.MARKETING)
    cookie = log_in(client, "ada@example.com").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    assert "Secure" in client.get("/login", base_url="https://localhost").headers["Set-Cookie"]


def test_logging_out_takes_a_post_and_ends_the_login(client: FlaskClient, desk_stores: Stores) -> None:
    enlist(desk_stores, "ada@example.com", Desk.MARKETING)
    log_in(client, "ada@example.com")
    assert client.get("/logout").status_code == 405
    assert client.post("/logout").status_code == 400
    assert client.get("/gallery/list").status_code == 200
    assert client.post("/logout", data={"csrf_token": token(client, "/gallery/list")}).location == "/login"
    assert client.get("/gallery/list").location.startswith("/login")


@pytest.mark.parametrize("path", ["/login", "/logout", "/first", "/language"])
def test_no_post_is_taken_without_its_token(client: FlaskClient, path: str) -> None:
    answer = client.post(path, data={"email": "a@b.example", "password": "x", "locale": "de"})
    assert answer.status_code == 400
    assert "request" in text_of(answer)


def test_a_page_with_no_mark_asks_for_a_login_and_leads_back(
    client: FlaskClient, desk_stores: Stores
) -> None:
    enlist(desk_stores, "ada@example.com", Desk.MARKETING)
    asked = client.get("/gallery/list?state=draft")
    assert asked.location == "/login?next=/gallery/list?state%3Ddraft"
    page = text_of(client.get(asked.location))
    assert 'name="next" value="/gallery/list?state=draft"' in page
    assert (
        log_in(client, "ada@example.com", next="/gallery/list?state=draft").location
        == "/gallery/list?state=draft"
    )


def test_a_partial_update_without_login_moves_the_whole_page(client: FlaskClient) -> None:
    answer = client.get("/gallery/list", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"], text_of(answer)) == (401, "/login", "")


def test_a_page_of_another_desk_is_refused(client: FlaskClient, desk_stores: Stores) -> None:
    enlist(desk_stores, "sam@example.com", Desk.SALES)
    log_in(client, "sam@example.com")
    answer = client.get("/gallery/marketing-only")
    assert answer.status_code == 403
    assert "belongs to another desk" in text_of(answer)


def test_an_administrator_may_see_every_desk(client: FlaskClient, desk_stores: Stores) -> None:
    enlist(desk_stores, "ada@example.com", Desk.ADMIN)
    log_in(client, "ada@example.com")
    assert client.get("/gallery/marketing-only").status_code == 200


@pytest.mark.parametrize("change", [{"active": False}, {"password_hash": "$argon2id$other"}])
def test_a_login_ends_when_the_person_is_shut_out_or_the_password_changes(
    client: FlaskClient, desk_stores: Stores, change: dict
) -> None:
    enlist(desk_stores, "ada@example.com", Desk.MARKETING)
    log_in(client, "ada@example.com")
    assert client.get("/gallery/list").status_code == 200
    with desk_stores.sessions.begin() as session:
        session.execute(sa.update(table).values(**change))
    assert client.get("/gallery/list").status_code == 302


def test_guessing_at_an_address_must_wait_and_a_wait_ends(client: FlaskClient, desk_stores: Stores) -> None:
    enlist(desk_stores, "ada@example.com", Desk.MARKETING)
    with time_machine.travel("2026-11-22T09:00:00Z", tick=False) as clock:
        assert [log_in(client, "ada@example.com", "wrong").status_code for _ in range(5)] == [401] * 5
        stopped = log_in(client, "ada@example.com")
        assert stopped.status_code == 429
        assert stopped.headers["Retry-After"] == "901"
        assert "15 minutes" in text_of(stopped)
        clock.shift(901)
        assert log_in(client, "ada@example.com").status_code == 302


def test_guessing_from_one_place_at_many_addresses_must_wait(
    client: FlaskClient, desk_stores: Stores
) -> None:
    enlist(desk_stores, "ada@example.com", Desk.MARKETING)
    for number in range(30):
        assert log_in(client, f"{number}@example.com", "wrong").status_code == 401
    assert log_in(client, "ada@example.com").status_code == 429


def test_a_stranger_elsewhere_does_not_lock_a_person_out(app: Flask, desk_stores: Stores) -> None:
    enlist(desk_stores, "ada@example.com", Desk.MARKETING)
    stranger, ada = app.test_client(), app.test_client()
    stranger.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    for _ in range(6):
        log_in(stranger, "ada@example.com", "wrong")
    assert log_in(ada, "ada@example.com").status_code == 302


HOSTILE = [
    "//evil.example",
    "/\\evil.example",
    "https://evil.example",
    "/\t/evil.example",
    "javascript:alert(1)",
    "",
    "evil",
]


@pytest.mark.parametrize("target", HOSTILE)
def test_a_hostile_next_leads_home(app: Flask, target: str) -> None:
    with app.test_request_context():
        assert safe_next(target) == "/"


def test_no_next_ever_leaves_this_site() -> None:
    app = Flask("empty")
    app.add_url_rule("/", "shell.home")

    @settings(deadline=None, max_examples=300)
    @given(st.text(alphabet="/\\.:@?#ev\t\n\r %e", max_size=12) | st.text(max_size=20))
    def check(target: str) -> None:
        with app.test_request_context():
            goal = urlsplit(urljoin("http://us.example/login", safe_next(target)))
        assert (goal.scheme, goal.netloc) == ("http", "us.example")

    check()
