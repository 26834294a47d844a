"""The doctor says which accounts' webhooks cannot be believed, do not come, or are not understood."""

from pathlib import Path

import pytest

from campaigns.config import from_environment
from campaigns.doctor.findings import Level
from campaigns.doctor.webhooks import examine_webhooks
from campaigns.records import webhooks
from tests.factories import NOW

ACCOUNTS = """
[accounts.main]
kind = "smtp"
url = "smtp://127.0.0.1:1"
[accounts.eu]
kind = "ses"
region = "eu-central-1"
[accounts.pm]
kind = "postmark"
token = "x"
[[routes]]
accounts = { main = 1 }
failover = ["eu", "pm"]
"""


@pytest.fixture
def look(stores, tmp_path: Path):
    (tmp_path / "accounts.toml").write_text(ACCOUNTS)
    url = stores.engine.url.render_as_string(hide_password=False)
    env = {"POSTROOM_DATA": str(tmp_path), "POSTROOM_ACCOUNTS": str(tmp_path / "accounts.toml"),
           "POSTROOM_DATABASE_URL": url}  # fmt: skip

    def run(**counts):
        with stores.sessions.begin() as session:
            webhooks.count(session, "pm", counts, now=NOW)
        return {one.check: one for one in examine_webhooks(from_environment(env), env, NOW)}

    return run


def test_an_account_without_its_key_believes_nothing(look):
    found = look()
    assert set(found) == {"webhooks of eu", "webhooks of pm"}
    assert found["webhooks of eu"].level is Level.BAD
    assert "no webhook_topics" in found["webhooks of eu"].found


@pytest.mark.parametrize(
    ("counts", "level", "said"),
    [
        ({}, Level.WARN, "no call came in 7 days"),
        ({"refused": 7}, Level.WARN, "7 were refused"),
        ({"call": 3, "unreadable": 1, "unknown": 2}, Level.WARN, "1 calls and 2 events not understood"),
        ({"call": 3, "delivered": 1200}, Level.OK, "3 calls and 1,200 events"),
    ],
)
def test_what_came_is_weighed(look, counts, level, said):
    found = look(**counts)["webhooks of pm"]
    assert found.level is level
    assert said in found.found
    assert (found.cure == "") == (level is Level.OK)
