"""`postroom webhooks` tells where providers call and what they told; `postroom retain` lets old calls go."""

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from campaigns.cli import retaining, webhooks
from campaigns.clock import utc_now
from campaigns.model.webhooks import webhook_calls, webhook_events
from campaigns.records import webhooks as records
from campaigns.records.webhooks import NewCall
from tests.factories import SECRET

ACCOUNTS = """
[accounts.main]
kind = "smtp"
url = "smtp://127.0.0.1:1"
[accounts.eu]
kind = "ses"
region = "eu-central-1"
[accounts.pm]
kind = "postmark"
token = "very-secret-token"
webhook_secret = "a-path-that-nobody-guesses"
[[routes]]
accounts = { main = 1 }
failover = ["eu", "pm"]
"""


@pytest.fixture
def ask(stores, tmp_path: Path, monkeypatch):
    (tmp_path / "accounts.toml").write_text(ACCOUNTS)
    monkeypatch.setenv("POSTROOM_DATA", str(tmp_path))
    monkeypatch.setenv("POSTROOM_SECRET", SECRET.decode())
    monkeypatch.setenv("POSTROOM_ACCOUNTS", str(tmp_path / "accounts.toml"))
    monkeypatch.setenv("POSTROOM_DATABASE_URL", stores.engine.url.render_as_string(hide_password=False))

    def run(command, *arguments):
        result = CliRunner().invoke(command, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    return run


def call(stores, name="1", *, account="pm", body=b"{}", at=None, state="waiting", problem=None):
    at = at or utc_now()
    with stores.sessions.begin() as session:
        records.keep(session, NewCall(account, "postmark", at, name, body))
        (number,) = session.scalars(
            sa.select(webhook_calls.c.id).order_by(webhook_calls.c.id.desc()).limit(1)
        )
        session.execute(
            sa.update(webhook_calls).where(webhook_calls.c.id == number).values(state=state, problem=problem)
        )
        records.take(session, {records.event_key(account, name): number})
    return number


def rows(stores, table):
    with stores.readers() as session:
        return session.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_each_account_is_told_with_its_address_and_what_it_lacks(ask):
    said = ask(webhooks.webhooks)
    assert "/hooks/pm/a-path-that-nobody-guesses" in said
    assert "main (smtp)" in said
    assert "makes no calls" in said
    assert "missing   webhook_topics" in said
    assert "last call never" in said
    assert "very-secret-token" not in said


def test_where_returned_mail_is_read_is_said_only_where_it_is_set(ask, monkeypatch, tmp_path):
    for name in ("MAILDIR", "IMAP_URL", "POP3_URL"):
        monkeypatch.delenv(f"POSTROOM_BOUNCE_{name}", raising=False)
    said = ask(webhooks.webhooks)
    assert "main (smtp): makes no calls; no mailbox is set" in said
    assert "is read from" not in said
    monkeypatch.setenv("POSTROOM_BOUNCE_MAILDIR", str(tmp_path / "returned"))
    monkeypatch.setenv("POSTROOM_BOUNCE_IMAP_URL", "imaps://ada:hidden@mail.example")
    said = ask(webhooks.webhooks)
    assert "returned mail is read from a Maildir and a mailbox by IMAP" in said
    assert "hidden" not in said


def test_the_address_stays_the_same_and_is_another_for_each_account_and_installation(ask, monkeypatch):
    def address():
        return next(line for line in ask(webhooks.webhooks).splitlines() if "/hooks/eu/" in line)

    first = address()
    assert address() == first
    assert len(first.rpartition("/")[2]) == 40
    monkeypatch.setenv("POSTROOM_SECRET", "another secret of another installation")
    assert address() != first


def test_what_came_is_counted_by_what_became_of_it(ask, stores):
    call(stores)
    with stores.sessions.begin() as session:
        records.count(
            session, "pm", {"call": 1, "delivered": 1234, "bounced": 2, "refused": 3}, now=utc_now()
        )
        records.count(session, "gone", {"call": 1}, now=utc_now())
    said = ask(webhooks.webhooks)
    assert "1,234 delivered, 2 bounced" in said
    assert "3 refused, 1 call" in said
    assert "gone (no longer in the accounts file)" in said


def test_what_cannot_be_read_is_shown_cut_and_harmless_and_read_again(ask, stores):
    body = b"\x1b[31m\x00<script>\xff" + b"x" * 100_000
    number = call(stores, body=body, state="unreadable", problem="no JSON")
    said = ask(webhooks.webhooks)
    assert f"{number} pm" in said
    assert f"{len(body):,} bytes: no JSON" in said
    assert "\x1b" not in said
    assert "\x00" not in said
    assert "x" * 200 not in said
    assert "1 call is read again" in ask(webhooks.webhooks, "--again")
    with stores.readers() as session:
        assert [one.id for one in records.waiting(session, now=utc_now())] == [number]


def test_old_calls_go_with_the_memory_of_their_events_and_those_that_wait_stay(ask, stores):
    long_ago = utc_now() - timedelta(days=31)
    call(stores, "old", at=long_ago, state="read")
    call(stores, "junk", at=long_ago, state="unreadable")
    call(stores, "waits", at=long_ago)
    call(stores, "young", state="read")
    assert "Older than 30 days: 2 webhooks." in ask(retaining.retain, "--events", "13", "--dry-run")
    assert rows(stores, webhook_calls) == 4
    assert "2 webhooks deleted." in ask(retaining.retain, "--events", "13", "--yes")
    assert rows(stores, webhook_calls) == rows(stores, webhook_events) == 2


def test_calls_are_kept_longer_than_repeats_come(ask):
    result = CliRunner().invoke(retaining.retain, ["--events", "13", "--webhooks", "2"])
    assert result.exit_code == 2
    assert "not in the range" in result.output
