"""The accounts file: read whole, or told whole what is wrong; a secret is never told."""

from datetime import timedelta

import pytest

from campaigns.delivery.accounts import read_accounts
from campaigns.errors import BadSettings

RELAY = "smtps://me:a-long-password-of-mine@relay.example.com:465"
TOKEN = "3f1c6f2e-0000-4000-8000-89abcdef0123"
ENV = {"RELAY_URL": RELAY, "POSTMARK_TOKEN": TOKEN}
WHOLE = """
[accounts.main]
kind = "smtp"
url = "$RELAY_URL"
connections = 12
rate = 50
senders = 2

[accounts.spare]
kind = "postmark"
token = "$POSTMARK_TOKEN"

[[routes]]
class = "transactional"
accounts = "spare"
failover = ["main"]
failover_after = "30s"

[[routes]]
class = ["marketing", "service"]
sender = ["News@Example.org", "@example.net"]
lane = "google"
accounts = { main = 3, spare = 1 }

[[routes]]
accounts = ["main"]
"""


@pytest.fixture
def read(tmp_path):
    def made(text, env=ENV):
        path = tmp_path / "accounts.toml"
        path.write_text(text)
        return read_accounts(path, env)

    return made


@pytest.fixture
def wrong(read):
    def told(text, env=ENV):
        with pytest.raises(BadSettings) as raised:
            read(text, env)
        return {one.where.removeprefix("accounts.toml: "): one for one in raised.value.problems}

    return told


def test_accounts_and_routes_are_read(read):
    routing = read(WHOLE)
    main, spare = routing.accounts["main"], routing.accounts["spare"]
    assert (main.kind, main.options, main.rate) == ("smtp", {"url": RELAY, "connections": "12"}, 50.0)
    assert (spare.options, spare.rate, routing.senders) == ({"token": TOKEN}, None, {"main": 2})
    first, second, last = routing.routes
    assert (first.classes, first.accounts, first.failover) == ({"transactional"}, {"spare": 1.0}, ("main",))
    assert (first.failover_after, second.failover_after) == (timedelta(seconds=30), timedelta(minutes=5))
    assert (second.senders, second.lanes) == ({"news@example.org", "example.net"}, {"google"})
    assert second.accounts == {"main": 3.0, "spare": 1.0}
    assert last.is_last()
    assert routing.route_of("marketing", "news@example.org", "google") is second
    assert routing.route_of("marketing", "a@example.net", "google") is second
    assert routing.route_of("marketing", "help@example.org", "google") is last


def test_one_account_needs_no_route(read):
    routing = read('[accounts.relay]\nkind = "smtp"\nurl = "smtp://127.0.0.1:25"\n')
    assert routing.routes[0].accounts == {"relay": 1.0}
    assert not routing.is_plain()


def test_all_that_is_wrong_is_told_at_once_with_where_and_a_cure(wrong):
    told = wrong(
        """
        colour = "red"
        [accounts.main]
        kind = "smtp"
        url = "smtp://relay.example.com/inbox"
        rate = -1
        senders = 0
        [accounts."Two Words"]
        kind = "postmrk"
        [accounts.api]
        kind = "postmark"
        token = "$NO_SUCH_TOKEN"
        tokn = 5
        [[routes]]
        class = "promotion"
        lane = "gogle"
        accounts = { main = 0, mian = 1 }
        failover = ["main"]
        failover_after = "soon"
        """
    )
    assert set(told) == {
        "colour",
        "accounts.main.url",
        "accounts.main.rate",
        "accounts.main.senders",
        "accounts.Two Words",
        "accounts.Two Words.kind",
        "accounts.api.token",
        "accounts.api.tokn",
        "routes[1].class",
        "routes[1].lane",
        "routes[1].accounts",
        "routes[1].accounts.main",
        "routes[1].failover",
        "routes[1].failover_after",
    }
    assert all(one.what and one.cure for one in told.values())
    assert "NO_SUCH_TOKEN" in told["accounts.api.token"].what
    assert told["accounts.Two Words.kind"].cure == "Did you mean postmark?"
    assert told["routes[1].lane"].cure == "Did you mean google?"
    assert told["routes[1].accounts"].cure == "Did you mean main?"


def test_a_last_route_for_all_is_required_and_one_that_nothing_reaches_is_told(wrong):
    accounts = '[accounts.main]\nkind = "smtp"\nurl = "smtp://127.0.0.1:25"\n'
    some = accounts + '[[routes]]\nclass = "marketing"\naccounts = "main"\n'
    assert "fit none" in wrong(some)["routes"].what
    dead = some + '[[routes]]\naccounts = "main"\n[[routes]]\nlane = "google"\naccounts = "main"\n'
    assert set(wrong(dead)) == {"routes[3]"}
    covered = accounts + "".join(
        f'[[routes]]\nclass = "{one}"\naccounts = "main"\n'
        for one in ("marketing", "service", "transactional")
    )
    assert set(wrong(covered + '[[routes]]\naccounts = "main"\n')) == {"routes[4]"}


def test_several_accounts_need_routes(wrong):
    two = "".join(f'[accounts.{one}]\nkind = "smtp"\nurl = "smtp://127.0.0.1:25"\n' for one in "ab")
    assert set(wrong(two)) == {"routes"}


@pytest.mark.parametrize("text", ["", "routes = []", "accounts = 5", "accounts = { main = 5 }", "[accounts]"])
def test_a_file_without_accounts_says_what_to_write(wrong, text):
    assert all("[accounts.main]" in one.cure for one in wrong(text).values())


def test_what_is_no_toml_says_where(wrong):
    [problem] = wrong("[accounts.main\nkind = 5").values()
    assert "line 1" in problem.what


def test_a_file_that_is_away_says_so(tmp_path):
    with pytest.raises(BadSettings, match="cannot be read"):
        read_accounts(tmp_path / "none.toml", {})


@pytest.mark.parametrize(
    "secret",
    [
        "smtp://me:a-long-password-of-mine@relay.example.com:465",
        "smtps://me:a-long-password-of-mine@relay.example.com:465/path" + "x" * 200,
        "a-long-password-of-mine",
        'quoted " and \\ back "a-long-password-of-mine',
    ],
)
@pytest.mark.parametrize("key", ["url", "cafile", "connections", "per_connection"])
def test_no_error_shows_what_came_from_the_environment(read, key, secret):
    text = f'[accounts.main]\nkind = "smtp"\n{key} = "$RELAY_URL"\n'
    with pytest.raises(BadSettings) as raised:
        read(text, {"RELAY_URL": secret})
    assert "a-long-password" not in str(raised.value)
    assert "password-of-mine" not in repr(raised.value)


def test_no_repr_shows_what_came_from_the_environment(read):
    assert "password" not in repr(read(WHOLE))
    assert TOKEN not in repr(read(WHOLE))


@pytest.mark.parametrize(("given", "rate"), [("2.5", 2.5), ("fast", None), ("", None), ("nan", None)])
def test_a_rate_too_may_come_from_the_environment(read, given, rate):
    text = '[accounts.main]\nkind = "smtp"\nurl = "smtp://127.0.0.1:25"\nrate = "$RATE"\n'
    if rate is not None:
        assert read(text, {"RATE": given}).accounts["main"].rate == rate
        return
    with pytest.raises(BadSettings, match=r"accounts\.main\.rate"):
        read(text, {"RATE": given})
