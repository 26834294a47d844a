"""The way in: the same work for all, a session that cannot be given or kept (ASVS 3.3, 6.3, 7.2; facts 6.1)."""

import pytest

from campaigns.records import staff
from campaigns.records.staff import Desk
from tests.web.conftest import PASSWORD, app, client, desk_settings, desk_stores, enlist, log_in, token  # noqa: F401


@pytest.fixture
def works(monkeypatch):
    """Every hash that a login computes: the whole of what takes time."""
    done: list[str] = []
    verify = staff.HASHER.verify

    class Counting:
        def verify(self, hashed, password):
            done.append(hashed.split("$")[3] if hashed.startswith("$argon2") else hashed)
            return verify(hashed, password)

        def __getattr__(self, name):
            return getattr(hasher, name)

    hasher = staff.HASHER
    monkeypatch.setattr(staff, "HASHER", Counting())
    return done


def test_a_login_does_the_same_work_whether_or_not_the_address_is_known(client, desk_stores, works):  # noqa: F811
    enlist(desk_stores, "ada@x.example", Desk.MARKETING)
    pages = [log_in(client, email, "a wrong password").get_data(as_text=True)
             for email in ("ada@x.example", "nobody@x.example", "x" * 300 + "@x.example", "")]  # fmt: skip
    assert len(works) == 4
    assert len(set(works)) == 1, "the costs of the hashes differ"
    plain = [
        page.replace("ada@x.example", "")
        .replace("nobody@x.example", "")
        .replace("x" * 300 + "@x.example", "")
        for page in pages
    ]
    shapes = {page.split("csrf")[0][:500] for page in plain}
    assert len(shapes) == 1
    assert all("The address or the password is wrong." in page for page in pages)


def test_a_throttle_holds_though_a_stranger_says_who_asks(client, desk_stores, works):  # noqa: F811
    enlist(desk_stores, "ada@x.example", Desk.MARKETING)
    csrf = token(client)
    codes = [
        client.post("/login", data={"email": "ada@x.example", "password": "wrong", "csrf_token": csrf},
                    headers={"Referer": "http://localhost/login", "X-Forwarded-For": f"10.0.0.{n}", "Forwarded": f"for=10.0.0.{n}",
                             "X-Real-IP": f"10.0.0.{n}"}).status_code
        for n in range(15)
    ]  # fmt: skip
    assert codes[-1] == 429
    assert len(works) < 15


@pytest.mark.parametrize("secure", [False, True])
def test_the_cookie_of_a_session_is_shut_to_scripts_other_sites_and_plain_http(client, desk_stores, secure):  # noqa: F811
    enlist(desk_stores, "ada@x.example", Desk.MARKETING)
    base = {"base_url": "https://localhost"} if secure else {}
    page = client.get("/login", **base).get_data(as_text=True)
    form = {
        "email": "ada@x.example",
        "password": PASSWORD,
        "csrf_token": page.split('name="csrf-token" content="')[1].split('"')[0],
    }
    scheme = "https" if secure else "http"
    answer = client.post("/login", data=form, headers={"Referer": f"{scheme}://localhost/login"}, **base)
    assert answer.status_code == 302
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert ("Secure" in cookie) is secure
    assert "Domain=" not in cookie


def test_a_session_that_was_planted_is_not_the_one_that_logs_in(client, desk_stores):  # noqa: F811
    enlist(desk_stores, "ada@x.example", Desk.MARKETING)
    with client.session_transaction() as planted:
        planted["planted"] = "by mallory"
    log_in(client, "ada@x.example")
    with client.session_transaction() as held:
        assert "planted" not in held
        assert "staff" in held


@pytest.mark.parametrize(
    "cookie", ["", "x", "e30.x.y", "eyJzdGFmZiI6MX0.aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb", "." * 100]
)
def test_a_forged_cookie_is_nobodys(app, cookie):  # noqa: F811
    stranger = app.test_client()
    stranger.set_cookie("postroom", cookie)
    answer = stranger.get("/")
    assert "/login" in answer.headers.get("Location", "") or "/first" in answer.headers.get("Location", "")


def test_a_new_password_ends_every_other_session(client, desk_stores, app):  # noqa: F811
    enlist(desk_stores, "ada@x.example", Desk.MARKETING)
    other = app.test_client()
    log_in(client, "ada@x.example")
    log_in(other, "ada@x.example")
    form = {
        "csrf_token": token(client, "/account/password"),
        "present": PASSWORD,
        "password": "another few words",
        "again": "another few words",
    }
    client.post("/account/password", data=form, headers={"Referer": "http://localhost/"})
    with desk_stores.readers() as session:
        found = staff.credentials(session, "ada@x.example")
    assert found is not None
    assert staff.matches(found[1], "another few words")
    assert "/login" in other.get("/").headers.get("Location", "")


def test_a_password_is_kept_as_argon2id_and_nothing_else(desk_stores):  # noqa: F811
    enlist(desk_stores, "ada@x.example", Desk.MARKETING)
    with desk_stores.readers() as session:
        found = staff.credentials(session, "ada@x.example")
    assert found is not None
    assert found[1].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
