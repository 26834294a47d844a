"""Providers' calls at the door: proven, stored before they are answered, and nothing told to anybody else."""

import json
import socket
import threading
import time
from base64 import b64encode
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import Client

from campaigns.clock import utc_now
from campaigns.delivery.webhooks import hook_url
from campaigns.listening import Listening
from campaigns.model.webhooks import webhook_calls
from campaigns.records import webhooks
from campaigns.tracking.tokens import Purpose
from campaigns.wiring import Stores, routing_of
from tests.delivery.webhooks import signing
from tests.factories import SECRET
from tests.web.public.scene import PUBLIC, Scene, a_scene, on_sqlite, settings
from tests.web.public.test_killed import exchange, kill_all, wait_until
from web.hits import application
from web.public import hooks

SECRET_KEY = "whsec_" + b64encode(b"s" * 32).decode()
ACCOUNTS = f"""
[accounts.main]
kind = "smtp"
url = "smtp://127.0.0.1:1"
[accounts.pm]
kind = "postmark"
token = "x"
[accounts.own]
kind = "http"
url = "https://relay.example/"
secret = "{SECRET_KEY}"
[accounts.mg]
kind = "mailgun"
key = "x"
domain = "mg.shop.example"
webhook_key = "{signing.MAILGUN_KEY}"
[accounts.relay]
kind = "smtp"
url = "smtp://127.0.0.1:1"
webhooks = "mailgun"
webhook_key = "{signing.MAILGUN_KEY}"
[[routes]]
accounts = {{ main = 1 }}
failover = ["pm", "own", "mg", "relay"]
"""
MB = 1024 * 1024


@dataclass
class House:
    """The door of an installation with accounts, and the worker behind it."""

    scene: Scene
    settings: Any
    client: Client

    def path(self, account: str) -> str:
        accounts = routing_of(self.settings).accounts
        return hook_url(accounts[account], SECRET, PUBLIC).removeprefix(PUBLIC)

    def post(self, account: str, told: object, **more: Any) -> int:
        data = told if isinstance(told, bytes) else json.dumps(told).encode()
        return self.client.post(self.path(account), data=data, **more).status_code

    def send(self, account: str, call: Any) -> int:
        return self.client.post(self.path(account), data=call.body, headers=dict(call.headers)).status_code

    def calls(self) -> list[Any]:
        return self.scene.rows(webhook_calls)

    def work(self) -> int:
        return Listening(self.scene.stores, self.settings).tick()

    def counted(self) -> dict[str, int]:
        with self.scene.stores.readers() as session:
            return {
                f"{one.account} {one.what}": one.count for one in webhooks.counts(session, since=utc_now())
            }

    def delivery(self, number: int = 1) -> dict[str, object]:
        token = self.scene.token(Purpose.RETURN)
        return {"RecordType": "Delivery", "MessageID": f"m{number}", "Recipient": "ada@example.com",
                "DeliveredAt": utc_now().isoformat(), "Metadata": {"postroom": token}}  # fmt: skip


def a_house(stores: Stores, folder: Path, url: str = "") -> House:
    (folder / "accounts.toml").write_text(ACCOUNTS)
    own = settings(folder, url, accounts_file=folder / "accounts.toml")
    return House(a_scene(stores, folder), own, Client(application(stores, own)))


@pytest.fixture
def house(stores: Stores, tmp_path: Path, database_url: str) -> House:
    return a_house(stores, tmp_path, database_url)


def test_a_call_is_stored_and_the_worker_acts_on_it(house: House) -> None:
    assert house.post("pm", house.delivery()) == 200
    (call,) = house.calls()
    assert (call.account, call.kind, call.state) == ("pm", "postmark", "waiting")
    assert json.loads(call.body)["RecordType"] == "Delivery"
    assert house.work() == 1
    (event,) = house.scene.events("delivered")
    assert event.detail["account"] == "pm"
    assert house.calls()[0].state == "read"
    assert house.work() == 0


def test_the_same_call_again_is_answered_and_stored_once(house: House) -> None:
    told = house.delivery()
    assert [house.post("pm", told) for _ in range(3)] == [200, 200, 200]
    assert len(house.calls()) == 1


def test_a_signed_call_is_stored_and_a_forged_one_is_not(house: House) -> None:
    good = signing.standard({"kind": "delivered"}, at=utc_now(), key=b"s" * 32)
    assert house.send("own", good) == 200
    assert house.send("own", signing.standard({"kind": "delivered"}, at=utc_now())) == 401
    assert len(house.calls()) == 1
    house.work()
    assert house.counted() == {"own call": 1, "own refused": 1, "own stray": 1}
    assert house.scene.strays() == {"webhook": 1}


def test_a_token_of_mailguns_serves_once_with_whatever_event(house: House) -> None:
    first = signing.mailgun({"event": "delivered", "id": "1"}, at=utc_now())
    again = json.loads(first.body) | {"event-data": {"event": "complained", "id": "2"}}
    assert house.send("mg", first) == 200
    assert house.send("mg", first) == 200
    assert house.post("mg", again) == 401
    assert len(house.calls()) == 1


@on_sqlite
@pytest.mark.parametrize("path", ["/hooks/pm/wrong", "/hooks/nobody/{}", "/hooks/main/{}", "/hooks/pm/{}x",
                                  "/hooks/own/{}", "/hooks/pm/", "/hooks/pm", "/hooks/%00/%ff%fe", "/hooks/" + "a" * 5000 + "/x",
                                  "/hooks/<script>/x"])  # fmt: skip
def test_who_does_not_know_the_address_is_told_nothing(house: House, path: str) -> None:
    secret = house.path("pm").rpartition("/")[2]
    answer = house.client.post(path.format(secret), data=b"{}")
    assert answer.status_code == 404
    assert b"pm" not in answer.data
    assert b"secret" not in answer.data.lower()
    assert house.calls() == []


def test_refusals_for_an_unknown_account_and_a_wrong_secret_are_alike(house: House) -> None:
    answers = [house.client.post(f"/hooks/{name}/wrong", data=b"{}") for name in ("pm", "nobody", "main")]
    same = {(one.status_code, one.data, tuple(k for k, _ in one.headers)) for one in answers}
    assert len(same) == 1
    assert house.scene.strays() == {"webhook": 3}


@on_sqlite
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_nothing_but_a_post_is_a_call(house: House, method: str) -> None:
    assert house.client.open(house.path("pm"), method=method).status_code == 405
    assert house.calls() == []


@on_sqlite
def test_a_relay_of_a_providers_calls_as_the_provider_does(house: House) -> None:
    """Our Message-ID is the reference: what goes by SMTP carries no other."""
    headers = {"message-id": f"{house.scene.token(Purpose.RETURN)}@shop.example"}
    told = {"event": "delivered", "id": "1", "recipient": "ada@example.com", "message": {"headers": headers}}
    assert house.send("relay", signing.mailgun(told, at=utc_now())) == 200
    assert house.calls()[0].kind == "mailgun"
    house.work()
    assert len(house.scene.events("delivered")) == 1


@on_sqlite
def test_no_session_begins_and_no_token_against_forgery_is_asked_for(house: House) -> None:
    answer = house.client.post(house.path("pm"), data=b"{}", headers={"Cookie": "postroom=x"})
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert answer.data == b""


@on_sqlite
def test_five_megabytes_are_taken_and_more_are_not(house: House) -> None:
    assert house.post("pm", b" " * (5 * MB)) == 200
    assert house.post("pm", b" " * (5 * MB + 1)) == 413
    assert len(house.calls()) == 1


@on_sqlite
def test_bytes_are_kept_as_they_came(house: House) -> None:
    raw = bytes(range(256)) * 10
    assert house.post("pm", raw, content_type="application/x-www-form-urlencoded") == 200
    assert bytes(house.calls()[0].body) == raw
    house.work()
    assert house.calls()[0].state == "unreadable"


def test_a_store_that_is_away_is_said_and_nothing_is_lost_silently(house: House) -> None:
    with house.scene.stores.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE webhook_calls RENAME TO gone"))
    assert house.post("pm", house.delivery()) == 503
    with house.scene.stores.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE gone RENAME TO webhook_calls"))
    assert house.post("pm", house.delivery()) == 200


@on_sqlite
def test_a_certificate_that_cannot_be_had_lets_the_provider_try_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from campaigns.errors import BackendError
    from campaigns.values import Account

    def away(*_given: object) -> str:
        raise BackendError("away")

    places = house.client.application.pages.__self__.extensions["hooks"]
    row = places["pm"].webhooks
    from dataclasses import replace

    monkeypatch.setitem(
        places,
        "pm",
        hooks.Place(Account("pm", "postmark"), "postmark", places["pm"].secret, replace(row, check=away)),
    )
    assert house.post("pm", b"{}") == 503
    assert house.calls() == []


@on_sqlite
def test_an_accounts_file_that_does_not_hold_shuts_no_other_page(house: House, tmp_path: Path) -> None:
    path, leave = house.path("pm"), house.scene.path("u")
    (tmp_path / "accounts.toml").write_text("nonsense")
    client = Client(application(house.scene.stores, house.settings))
    assert client.post(path, data=b"{}").status_code == 503
    assert client.post("/hooks/x/y", data=b"{}").status_code == 503
    assert client.get(leave).status_code == 200


# ---- the worker


def test_a_poisoned_call_stops_no_other(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from campaigns.flows import hooking

    for number in range(3):
        assert house.post("pm", house.delivery(number)) == 200
    plain = hooking.act

    def act(session: Any, heard: Any, *rest: Any, **more: Any) -> Any:
        done = plain(session, heard, *rest, **more)
        if any(b'"m1"' in one.call.body for one in heard):
            raise RuntimeError("poisoned")
        return done

    monkeypatch.setattr(hooking, "act", act)
    assert house.work() == 3
    assert [row.state for row in house.calls()] == ["read", "unreadable", "read"]
    assert house.calls()[1].problem == "could not be acted on (RuntimeError)"
    assert len(house.scene.events("delivered")) == 2
    assert house.work() == 0


def test_a_subscription_is_confirmed_once_and_waits_while_amazon_is_away(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from campaigns import listening
    from campaigns.errors import BackendError

    url = "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&Token=x"
    body = signing.sns("", kind="SubscriptionConfirmation", SubscribeURL=url, Token="x").body
    asked: list[str] = []

    def visit(address: str) -> None:
        asked.append(address)
        if len(asked) == 1:
            raise BackendError("away")

    monkeypatch.setitem(listening.HOOKS, "ses", replace(listening.HOOKS["ses"], visit=visit))
    with house.scene.stores.sessions.begin() as session:
        webhooks.keep(session, webhooks.NewCall("eu", "ses", utc_now(), "1", body))
    house.work()
    (call,) = house.calls()
    assert (call.state, call.tries, call.problem) == ("waiting", 1, "away")
    with house.scene.stores.sessions.begin() as session:
        session.execute(sa.update(webhook_calls).values(due_at=utc_now()))
    house.work()
    assert house.work() == 0
    assert asked == [url, url]
    assert house.calls()[0].state == "read"
    assert house.counted()["eu subscription"] == 1


@on_sqlite
def test_a_subscription_that_cannot_be_asked_for_stops_no_other_call(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from campaigns import listening

    def visit(_address: str) -> None:
        raise RuntimeError("broken")

    url = "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&Token=x"
    body = signing.sns("", kind="SubscriptionConfirmation", SubscribeURL=url, Token="x").body
    monkeypatch.setitem(listening.HOOKS, "ses", replace(listening.HOOKS["ses"], visit=visit))
    with house.scene.stores.sessions.begin() as session:
        webhooks.keep(session, webhooks.NewCall("eu", "ses", utc_now(), "1", body))
    assert house.post("pm", house.delivery()) == 200
    house.work()
    assert [row.state for row in house.calls()] == ["unreadable", "read"]


# ---- through the real server

SERVE = """
import sys
from pathlib import Path
from campaigns.wiring import open_stores
from tests.web.public.scene import settings
from web.hits import serve
url, port, data = sys.argv[1:]
serve(open_stores(url), settings(Path(data), url, hits_port=int(port), accounts_file=Path(data) / "accounts.toml"))
"""


class Provider:
    """Calls until nobody answers; each call is known by its number."""

    def __init__(self, port: int, path: str, clients: int = 6) -> None:
        self.answered: set[str] = set()
        self.wrong: list[int] = []
        self.threads = [threading.Thread(target=self._call, args=(port, path, n)) for n in range(clients)]
        for thread in self.threads:
            thread.start()

    def _call(self, port: int, path: str, client: int) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=120)
        try:
            for turn in range(1_000_000):
                name = f"{client}.{turn}"
                connection.request("POST", path, json.dumps({"RecordType": "Open", "MessageID": name}))
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    self.answered.add(name)
                else:
                    self.wrong.append(answer.status)
        except (OSError, HTTPException):
            return
        finally:
            connection.close()

    def join(self) -> None:
        for thread in self.threads:
            thread.join(120)


@pytest.fixture
def server(house: House, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    from tests.web.public import test_killed

    monkeypatch.setattr(test_killed, "SERVE", SERVE)
    with test_killed.served(database_url, tmp_path) as (process, port):
        yield process, port


def test_kill_9_under_load_loses_no_answered_call(house: House, server: Any) -> None:
    process, port = server
    provider = Provider(port, house.path("pm"))
    wait_until(lambda: len(provider.answered) > 100 or bool(provider.wrong))
    kill_all(process)
    provider.join()
    stored = {json.loads(row.body)["MessageID"] for row in house.calls()}
    assert provider.wrong == []
    assert provider.answered <= stored
    assert len(stored) - len(provider.answered) <= 6


@on_sqlite
def test_lying_and_endless_bodies_are_cut_by_the_server(house: House, server: Any) -> None:
    _process, port = server
    start = f"POST {house.path('pm')} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n".encode()
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    assert (
        b" 413 "
        in exchange(port, start + b"Content-Length: 6000000\r\n\r\n" + b" " * 100).partition(b"\r\n")[0]
    )
    chunked = start + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 3 + b"0\r\n\r\n"
    assert b" 200 " in exchange(port, chunked).partition(b"\r\n")[0]
    endless = start + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 90
    first = exchange(port, endless).partition(b"\r\n")[0]
    assert b" 413 " in first or first == b""  # the answer may be lost to who still sends
    assert [len(row.body) for row in house.calls()] == [3 * 0x10000]


@on_sqlite
def test_a_call_that_breaks_off_is_none(house: House, server: Any) -> None:
    _process, port = server
    start = f"POST {house.path('pm')} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{}}"
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as peer:
            peer.sendall(start.encode())
            time.sleep(0.1)
    time.sleep(0.3)
    assert house.calls() == []


@pytest.mark.timed
@on_sqlite
def test_a_slow_body_holds_up_no_other_call(house: House, server: Any) -> None:
    _process, port = server
    slow = []
    for _ in range(40):
        peer = socket.create_connection(("127.0.0.1", port), timeout=60)
        peer.sendall(f"POST {house.path('pm')} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{".encode())
        slow.append(peer)
    began = time.monotonic()
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("POST", house.path("pm"), json.dumps(house.delivery()))
        assert connection.getresponse().status == 200
    assert time.monotonic() - began < 25  # less than the server waits for the slow
    for peer in slow:
        peer.close()
    assert len(house.calls()) == 1


def test_the_real_server_passes_headers_on(house: House, server: Any) -> None:
    _process, port = server
    call = signing.standard({"kind": "delivered", "id": "1"}, at=utc_now(), key=b"s" * 32)
    headers = {name.title(): value for name, value in call.headers.items()}
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("POST", house.path("own"), call.body, headers)
        assert connection.getresponse().status == 200
    assert len(house.calls()) == 1
