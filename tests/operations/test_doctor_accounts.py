"""The doctor looks at every account: the file, the server behind it, and what senders found; no mail is sent."""

import pytest

from campaigns.clock import utc_now
from campaigns.config import from_environment
from campaigns.doctor.accounts import examine_accounts
from campaigns.doctor.findings import Level
from campaigns.doctor.round import examine
from campaigns.errors import BackendError
from campaigns.records import accounts
from tests.delivery.peers import Peer, Say
from tests.records.test_routes import a_running_run


@pytest.fixture
def peer():
    with Peer() as made:
        yield made


@pytest.fixture
def look(tmp_path, database_url):
    def found(text, mode=0o600, **more):
        file = tmp_path / "accounts.toml"
        file.write_text(text)
        file.chmod(mode)
        env = {
            "POSTROOM_DATA": str(tmp_path),
            "POSTROOM_ACCOUNTS": str(file),
            "POSTROOM_DATABASE_URL": database_url,
            **more,
        }
        findings = list(examine_accounts(from_environment(env), env, utc_now()))
        assert all(one.cure for one in findings if one.level is not Level.OK)
        return {one.check: one for one in findings}

    return found


def two(peer, routes='[[routes]]\naccounts = ["main", "spare"]\n'):
    url = f"smtp://127.0.0.1:{peer.port}"
    return "".join(f'[accounts.{one}]\nkind = "smtp"\nurl = "{url}"\n' for one in ("main", "spare")) + routes


def levels(found):
    return {check: one.level.value for check, one in found.items()}


def test_accounts_that_answer_are_well_and_get_no_mail(look, peer):
    assert levels(look(two(peer))) == {"accounts": "ok", "account main": "ok", "account spare": "ok"}
    assert peer.taken == []


def test_a_server_that_refuses_is_bad_and_says_why(look):
    with Peer(lambda stage, seen: Say(b"554 not you\r\n", cut=True) if stage == "greeting" else None) as rude:
        found = look(two(rude))
    assert levels(found)["account main"] == "bad"
    assert "not you" in found["account main"].found


def test_what_senders_found_is_told_and_what_waits_for_whom(look, peer, stores):
    with stores.sessions.begin() as session:
        a_running_run(session, {"google": 3})
        a_running_run(session, {"google": 2}, account="of old")
        accounts.failed(session, "main", BackendError("421 busy"), utc_now())
    found = look(two(peer))
    assert "30 mails wait: 421 busy" in found["account main: senders"].found
    assert "20 mails wait" in found["account of old: senders"].found
    assert (found["account main: senders"].level, found["account of old: senders"].level) == (
        Level.BAD,
        Level.WARN,
    )


def test_an_account_that_no_route_leads_to_is_told(look, peer):
    found = look(two(peer, '[[routes]]\naccounts = "main"\n'))
    assert "account spare" in {check for check, one in found.items() if one.level is Level.WARN}


def test_keys_in_a_file_that_others_read_are_told_and_those_of_the_environment_are_not(look, peer):
    text = two(peer) + '[accounts.api]\nkind = "postmark"\nurl = "http://127.0.0.1:9"\ntoken = "KEY"\n'
    routes = '[[routes]]\naccounts = ["main", "spare", "api"]\n'
    text = text.replace('[[routes]]\naccounts = ["main", "spare"]\n', "") + routes
    assert "accounts: file" in look(text.replace("KEY", "a-key-of-ours"), 0o644)
    assert "accounts: file" not in look(text.replace("KEY", "a-key-of-ours"), 0o600)
    url = f'"smtp://127.0.0.1:{peer.port}"'
    hidden = text.replace("KEY", "$KEY").replace(url, '"$RELAY"')
    given = {"KEY": "a-key-of-ours", "RELAY": url.strip('"')}
    found = look(hidden, 0o644, **given)
    assert "accounts: file" not in found
    assert "a-key-of-ours" not in str(found)


def test_all_that_is_wrong_with_the_file_is_told(tmp_path):
    file = tmp_path / "accounts.toml"
    file.write_text('[accounts.main]\nkind = "smpt"\n[[routes]]\naccounts = "mian"\n')
    env = {"POSTROOM_DATA": str(tmp_path), "POSTROOM_ACCOUNTS": str(file)}
    found = {one.check: one for one in examine(env, utc_now())}
    assert found["accounts.toml: accounts.main.kind"].level is Level.BAD
    assert found["accounts.toml: routes[1].accounts"].cure == "Did you mean main?"
