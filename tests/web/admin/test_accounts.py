"""The page of accounts: states, queues, routes, and a try that sends nothing; nothing secret is on it."""

import os
from datetime import timedelta

import pytest

from campaigns.clock import utc_now
from campaigns.config import from_environment
from campaigns.delivery.accounts import read_accounts
from campaigns.errors import BackendError
from campaigns.records import accounts, serving, staff
from campaigns.records.serving import Alive
from campaigns.records.staff import Desk
from campaigns.values import AccountState, Outcome, OutcomeKind
from tests.delivery.peers import Peer
from tests.records.test_routes import a_running_run
from tests.web.admin.conftest import Office
from tests.web.sales.conftest import NO_PASSWORD, enlist
from web.app import create_app

FILE = """
[accounts.main]
kind = "smtp"
url = "$RELAY_URL"
rate = 2.5
[accounts.backup]
kind = "postmark"
token = "$TOKEN"
[[routes]]
class = "marketing"
sender = "news@shop.example"
lane = ["google", "yahoo"]
accounts = { main = 3, backup = 1 }
[[routes]]
accounts = "main"
failover = "backup"
"""
TOKEN = "3f1c6f2e-0000-4000-8000-89abcdef0123"


@pytest.fixture
def peer():
    with Peer() as made:
        yield made


@pytest.fixture
def office(stores, tmp_path, monkeypatch, peer):
    file = tmp_path / "accounts.toml"
    file.write_text(FILE)
    monkeypatch.setenv("RELAY_URL", f"smtp://127.0.0.1:{peer.port}")
    monkeypatch.setenv("TOKEN", TOKEN)
    given = {"POSTROOM_DATA": str(tmp_path / "data"), "POSTROOM_ACCOUNTS": str(file)}
    app = create_app(stores, from_environment(given))
    with stores.sessions.begin() as session:
        numbers = {desk: enlist(session, desk) for desk in Desk}

    def at(desk):
        client = app.test_client()
        with client.session_transaction() as cookie:
            cookie.update(staff=numbers[desk], seal=staff.seal_of(NO_PASSWORD))
        return client

    return Office(stores, numbers, at, at(Desk.ADMIN))


def words_of(page):
    return " ".join(page.split())


def test_states_queues_and_routes_are_shown_and_no_secret(office, peer):
    now = utc_now()
    with office.stores.sessions.begin() as session:
        a_running_run(session, {"google": 3})
        a_running_run(session, {"google": 1}, account="of old")
        accounts.failed(session, "main", BackendError("421 <b>too</b> busy"), now - timedelta(hours=1))
        sent = dict.fromkeys(range(1234), Outcome(OutcomeKind.SENT))
        accounts.used(session, "backup", sent, {}, now)
    page = words_of(office.get("/accounts/"))
    for said in ("broken", "421 &lt;b&gt;too&lt;/b&gt; busy", "1,234", "not in the file", "2.5", "Postmark"):
        assert said in page, said
    for said in (
        "from news@shop.example",
        "to google, yahoo",
        "75%",
        "25%",
        "at the moment:",
        "all other mail",
    ):
        assert said in page, said
    assert TOKEN not in page
    assert str(peer.port) not in page


def test_a_try_opens_an_account_that_takes_mail_again_and_sends_none(office, peer):
    with office.stores.sessions.begin() as session:
        accounts.failed(session, "main", BackendError("421 busy"), utc_now())
    assert "would take mail. No mail was sent." in office.post("/accounts/main/check")
    with office.stores.readers() as session:
        assert accounts.standing(session, "main").state is AccountState.OPEN
    assert peer.taken == []


def test_a_try_of_one_that_takes_none_says_what_it_said(office, peer):
    peer.__exit__()
    assert "main would take no mail" in office.post("/accounts/main/check")


def test_an_account_that_is_none_is_not_found(office):
    office.post("/accounts/none/check", status=404)


@pytest.mark.parametrize("desk", [Desk.MARKETING, Desk.SALES, Desk.SERVICE])
def test_only_administrators_see_accounts(office, desk):
    assert office.at(desk).get("/accounts/").status_code == 403


def test_without_a_file_the_one_account_is_shown(stores, tmp_path):
    app = create_app(stores, from_environment({"POSTROOM_DATA": str(tmp_path / "data")}))
    with stores.sessions.begin() as session:
        number = enlist(session, Desk.ADMIN)
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie.update(staff=number, seal=staff.seal_of(NO_PASSWORD))
    page = words_of(client.get("/accounts/").get_data(as_text=True))
    assert "all goes to the catcher" in page
    assert "all mail" in page


def test_accounts_that_nobody_serves_say_so_and_what_to_start(office):
    page = words_of(office.get("/accounts/"))
    assert "no sender" in page
    assert "postroom sender --account main" in page
    with office.stores.sessions.begin() as session:
        for name in ("main", "backup"):
            serving.attend(session, Alive(f"machine-{name}", serving.SENDER, name, "0"))
    assert "no sender" not in words_of(office.get("/accounts/"))


def test_a_file_that_was_changed_since_the_start_is_told(office, tmp_path):
    file = tmp_path / "accounts.toml"
    routing = read_accounts(file, os.environ)
    assert "was changed" not in office.get("/accounts/")
    secret = from_environment({"POSTROOM_DATA": str(tmp_path / "data")}).secret
    with office.stores.sessions.begin() as session:
        serving.attend(session, Alive("machine-1", serving.SENDER, "main", routing.digest(secret)))
    assert "was changed" not in office.get("/accounts/")
    file.write_text(FILE.replace("2.5", "3.5"))
    assert "was changed since Postroom was started" in words_of(office.get("/accounts/"))
    file.write_text(FILE.replace("2.5", "no number"))
    assert "does not hold as it is now" in words_of(office.get("/accounts/"))
    file.write_text(FILE)
    with office.stores.sessions.begin() as session:
        serving.attend(session, Alive("machine-1", serving.SENDER, "main", "0"))
    assert "since some processes were started: sender main." in words_of(office.get("/accounts/"))
