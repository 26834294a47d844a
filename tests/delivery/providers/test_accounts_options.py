"""What an account says of itself: every problem at once, and no secret in any of them."""

import pytest

from campaigns.delivery.backend import PROVIDERS, open_account
from campaigns.errors import BadSettings
from campaigns.values import Account
from tests.delivery.providers.desks import DESKS, SECRET, name_of

KEY = "sk-very-secret-key"


@pytest.mark.parametrize("desk", DESKS, ids=name_of)
def test_an_account_that_holds_opens_and_is_called_as_the_installation_calls_it(desk):
    backend = open_account(Account("eu", desk.kind, desk().options("https://api.example.com")))
    assert backend.name == "eu"
    assert backend.capabilities.max_bytes
    backend.close()


@pytest.mark.parametrize("kind", [kind for kind in PROVIDERS if kind not in ("smtp", "catcher", "direct")])
def test_what_is_missing_is_named_with_what_to_write(kind):
    with pytest.raises(BadSettings) as caught:
        open_account(Account("eu", kind))
    missing = {option.name for option in PROVIDERS[kind].options if option.required}
    assert {problem.where for problem in caught.value.problems} == {f"accounts.eu.{name}" for name in missing}
    assert all(problem.cure for problem in caught.value.problems)


def test_all_problems_are_told_at_once():
    options = {
        "tokn": KEY,
        "token": "has a blank " + KEY,
        "url": "http://api.example.com",
        "connections": "0",
        "timeout": "soon",
    }
    with pytest.raises(BadSettings) as caught:
        open_account(Account("eu", "postmark", options))
    told = {problem.where: str(problem) for problem in caught.value.problems}
    assert set(told) == {f"accounts.eu.{name}" for name in options}
    assert "Did you mean token?" in told["accounts.eu.tokn"]
    assert "https://" in told["accounts.eu.url"]
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("sendgrid", {"key": KEY + " x"}),
        ("http", {"secret": KEY, "url": "https://x.example"}),
        ("http", {"secret": "whsec_c2hvcnQ=", "url": "https://x.example"}),
        ("smtp", {"url": f"smtp://anna:{KEY}@mail.example.com"}),
        ("ses", {"region": "eu-west-1", "access_key": "A", "secret_key": KEY + "\x07"}),
        ("brevo", {"key": KEY, "url": f"https://u:{KEY}@api.brevo.com"}),
    ],
)
def test_no_problem_shows_a_secret(kind, options):
    with pytest.raises(BadSettings) as caught:
        open_account(Account("eu", kind, options))
    assert KEY not in str(caught.value)
    assert "c2hvcnQ" not in str(caught.value)


def test_an_account_never_shows_its_options():
    assert KEY not in repr(Account("eu", "brevo", {"key": KEY}))


def test_a_kind_that_nobody_knows_is_refused_with_those_that_there_are():
    with pytest.raises(
        BadSettings, match=r"'pigeon' is unknown\. Use one of smtp, catcher, direct, ses, sendgrid"
    ):
        open_account(Account("eu", "pigeon"))


def test_keys_are_sent_over_tls_or_to_this_machine_only():
    for url in ("https://api.example.com", "http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"):
        open_account(Account("eu", "brevo", {"key": KEY, "url": url})).close()
    for url in ("http://api.example.com", "ftp://x", "https://", "https://x/?key=1", "http://127.0.0.1:port"):
        with pytest.raises(BadSettings, match=r"accounts\.eu\.url"):
            open_account(Account("eu", "brevo", {"key": KEY, "url": url}))


def test_an_smtp_account_has_its_own_name_and_limits():
    backend = open_account(
        Account("relay", "smtp", {"url": "smtps://anna:word@mail.example.com", "connections": "9"}),
        connections=2,
        per_connection=50,
    )
    assert backend.name == "relay"
    assert (backend._limits.connections, backend._limits.per_connection) == (9, 50)
    backend.close()


def test_a_catcher_is_on_this_machine():
    open_account(Account("dev", "catcher", {"url": "smtp://127.0.0.1:2525"})).close()
    with pytest.raises(BadSettings, match="not on this machine"):
        open_account(Account("dev", "catcher", {"url": "smtps://mail.example.com"}))


def test_every_provider_says_what_its_options_mean():
    for name, provider in PROVIDERS.items():
        assert provider.name == name
        assert provider.title
        names = [option.name for option in provider.options]
        assert len(names) == len(set(names))
        assert all(option.means and not option.means.endswith(".") for option in provider.options)
        secrets = {"key", "secret", "secret_key", "token", "session_token"} & set(names)
        told = {option.name for option in provider.options if option.secret}
        assert secrets - told <= {"key"}, f"{name} would show a secret"


def test_a_secret_is_what_standard_webhooks_writes():
    from campaigns.delivery.providers.generic import secret_of, signature

    assert secret_of(SECRET) == b"s" * 32
    # the example of the specification
    secret = secret_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    identity, at = "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330"
    assert signature(secret, identity, at, body) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
