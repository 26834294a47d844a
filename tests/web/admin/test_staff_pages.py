"""People of ours: let in, changed, shut out; and everybody's own password."""

import pytest

from campaigns.clock import utc_now
from campaigns.records import staff
from campaigns.records.staff import Desk, NewStaff
from tests.web.conftest import PASSWORD, log_in
from tests.web.marketing.conftest import HOSTILE

NEW = {"email": "New@shop.example", "name": HOSTILE, "password": PASSWORD, "desks": ["sales", "service"]}


@pytest.fixture
def database_url(sqlite_only):
    return sqlite_only


def person_of(office, email="new@shop.example"):
    with office.stores.readers() as session:
        return next((one for one in staff.listing(session) if one.email == email), None)


def browser(office):
    return office.client.application.test_client()


def get_in(office, password=PASSWORD):
    client = browser(office)
    return client, log_in(client, "new@shop.example", password).status_code


def test_somebody_let_in_logs_in_and_sees_their_desks(office):
    page = office.post("/staff/", **NEW)
    assert "<script>alert" not in page
    client, status = get_in(office)
    assert status == 302
    assert client.get("/cases").status_code == 200
    assert client.get("/campaigns/").status_code == 403


def test_the_ways_to_all_desks_stand_beside_every_form(office):
    for path in ("/staff/new", f"/staff/{office.numbers[Desk.SALES]}", "/settings/topics/new"):
        page = office.get(path)
        for way in ("/campaigns/", "/customers", "/cases", "/settings/"):
            assert f'href="{way}"' in page


def test_all_that_is_wrong_with_a_person_is_told_at_once(office):
    form = {"email": "x", "name": "", "password": "short", "desks": ["boss"]}
    page = office.post("/staff/", 422, **form)
    assert office.problems(page) == {"email", "name", "password", "desks"}
    assert "short" not in page
    office.post("/staff/", **NEW)
    assert office.problems(office.post("/staff/", 422, **NEW)) == {"email"}


def test_who_is_shut_out_is_out_at_once_and_may_come_back(office):
    office.post("/staff/", **NEW)
    client, _ = get_in(office)
    number = person_of(office).id
    office.post(f"/staff/{number}/active", active="0")
    assert client.get("/cases").status_code == 302
    assert get_in(office)[1] == 401
    assert "shut out" in office.get(f"/staff/{number}")
    office.post(f"/staff/{number}/active", active="1")
    assert get_in(office)[1] == 302


def test_the_last_administrator_stays(office):
    me = office.numbers[Desk.ADMIN]
    assert "active" in office.problems(office.post(f"/staff/{me}/active", 422, active="0"))
    assert "desks" in office.problems(office.post(f"/staff/{me}", 422, name="Me", desks="sales"))
    office.post("/staff/", **NEW | {"desks": ["admin"]})
    office.post(f"/staff/{person_of(office).id}/active", active="0")
    office.post(f"/staff/{me}/active", 422, active="0")
    office.post(f"/staff/{person_of(office).id}/active", active="1")
    office.post(f"/staff/{me}", name="Me", desks="sales")
    assert office.client.get("/staff/").status_code == 403


def test_an_administrator_gives_a_new_password_and_the_old_logins_end(office):
    office.post("/staff/", **NEW)
    client, _ = get_in(office)
    number = person_of(office).id
    assert "password" in office.problems(office.post(f"/staff/{number}/password", 422, password="short"))
    assert client.get("/cases").status_code == 200
    office.post(f"/staff/{number}/password", password="quite other words")
    assert client.get("/cases").status_code == 302
    assert get_in(office)[1] == 401
    assert get_in(office, "quite other words")[1] == 302


@pytest.fixture
def own(office):
    with office.stores.sessions.begin() as session:
        staff.add(
            session, NewStaff("new@shop.example", "New", PASSWORD, frozenset({Desk.SERVICE})), utc_now()
        )
    office.client, _ = get_in(office)
    return office


def test_everybody_changes_their_password_and_stays_logged_in_here_alone(own):
    elsewhere, _ = get_in(own)
    form = {"present": PASSWORD, "password": "quite other words", "again": "quite other words"}
    assert "Your password was changed" in own.post("/account/password", **form)
    assert own.client.get("/cases").status_code == 200
    assert elsewhere.get("/cases").status_code == 302
    assert get_in(own, "quite other words")[1] == 302


def test_a_password_is_changed_only_by_who_knows_the_present_one(own):
    form = {"present": "not this one", "password": "short", "again": "shorter"}
    page = own.post("/account/password", 422, **form)
    assert own.problems(page) == {"present", "password", "again"}
    assert get_in(own)[1] == 302


def test_who_finds_an_open_screen_may_not_try_many_passwords(own):
    wanted = {"password": "quite other words", "again": "quite other words"}
    for attempt in range(5):
        assert "is wrong" in own.post("/account/password", 422, present=f"guess {attempt}", **wanted)
    assert "was tried too often" in own.post("/account/password", 422, present=PASSWORD, **wanted)
