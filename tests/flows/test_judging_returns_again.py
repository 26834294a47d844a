"""Returned mails are kept for a while, and read again when the rules improve; nothing is done twice."""

import zlib

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from campaigns.cli import _root
from campaigns.delivery.returns import RULES_VERSION, BounceClass
from campaigns.flows import erasing, intake
from campaigns.model.returned import returned_mails as table
from campaigns.records import returned_mails
from campaigns.records.returned_mails import Judged
from tests.factories import NOW, SECRET
from tests.flows.test_returned_mail import DAY, KEYRING, Sent

UNKNOWN_USER = "550 5.1.1 <ada@example.com>: user unknown"
FULL = "452 4.2.2 mailbox full"


@pytest.fixture
def sent(session):
    return Sent(session)


def kept(session):
    return session.execute(sa.select(table.c.sort, table.c.hard, table.c.rules, table.c.run_id)).all()


def by_older_rules(session, kind, *, hard):
    """As if rules of before had said so."""
    session.execute(sa.update(table).values(sort=kind, hard=hard, rules=RULES_VERSION - 1))


def replace_raw(sent, said, status):
    """What today's rules read, where those of before read something else."""
    raw = zlib.compress(sent.notice(said, status=status).as_bytes())
    sent.session.execute(sa.update(table).values(raw=raw))


def again(session):
    found, after = intake.judge_again(session, KEYRING, SECRET)
    assert intake.judge_again(session, KEYRING, SECRET, after=after or 0) == ([], None)
    return [(one.was.kind, one.now.kind) for one in found]


def test_a_bounce_is_kept_once_and_other_mail_is_not(sent):
    notice = sent.notice(UNKNOWN_USER, status="5.1.1")
    assert sent.receive(notice) == sent.receive(notice) == "bounce"
    assert sent.receive(sent.notice(FULL, status="4.2.2", action="delayed", number=2)) == "delay"
    assert kept(sent.session) == [("hard.address", True, RULES_VERSION, sent.run)]


def test_a_mail_that_newer_rules_take_for_something_else_is_acted_upon_once(sent):
    sent.receive(sent.notice(FULL, status="4.2.2"))
    assert not sent.suppressed
    replace_raw(sent, UNKNOWN_USER, "5.1.1")
    by_older_rules(sent.session, BounceClass.FULL.value, hard=False)
    assert again(sent.session) == [("full", "hard.address")]
    assert sent.suppressed
    assert kept(sent.session) == [("hard.address", True, RULES_VERSION, sent.run)]
    assert again(sent.session) == []


def test_what_is_judged_as_before_changes_nothing(sent):
    sent.receive(sent.notice(FULL, status="4.2.2"))
    by_older_rules(sent.session, "full", hard=False)
    before = sent.kinds()
    assert again(sent.session) == []
    assert sent.kinds() == before
    assert kept(sent.session)[0].rules == RULES_VERSION


def test_an_address_that_is_dead_no_more_stays_on_the_list_and_is_told(sent):
    sent.receive(sent.notice(UNKNOWN_USER, status="5.1.1"))
    replace_raw(sent, FULL, "4.2.2")
    by_older_rules(sent.session, "hard.address", hard=True)
    assert again(sent.session) == [("hard.address", "full")]
    assert sent.suppressed


def test_old_ones_are_let_go_and_a_forgotten_persons_at_once(sent):
    sent.receive(sent.notice(FULL, status="4.2.2"))
    later = sent.send(NOW + 40 * DAY)
    sent.receive(sent.notice(FULL, run=later, status="4.2.2", number=7), at=NOW + 41 * DAY)
    assert [one.run_id for one in kept(sent.session)] == [later]
    erasing.erase(sent.session, sent.contact, secret=SECRET, actor="ada", now=NOW + 42 * DAY)
    assert kept(sent.session) == []


def test_of_a_huge_mail_the_beginning_is_kept(session):
    judged = Judged("unknown", False, RULES_VERSION)
    returned_mails.keep(session, b"x" * 3_000_000, judged, digest="d", whom=(1, 2, 3), now=NOW)
    by_older_rules(session, "unknown", hard=False)
    [one] = returned_mails.older(session, RULES_VERSION)
    assert one.raw == b"x" * returned_mails.MOST
    assert (one.contact, one.run, one.seq, one.at) == (1, 2, 3, NOW)


def test_the_command_says_what_is_judged_otherwise(sqlite_pattern, tmp_path, monkeypatch):
    store = tmp_path / "data" / "postroom.db"
    store.parent.mkdir()
    store.write_bytes(sqlite_pattern.read_bytes())
    monkeypatch.setenv("POSTROOM_DATA", str(store.parent))
    monkeypatch.delenv("POSTROOM_DATABASE_URL", raising=False)
    said = CliRunner().invoke(_root, ["receive", "--again"], catch_exceptions=False)
    assert (said.exit_code, said.output) == (
        0,
        "0 of the kept mails are judged otherwise by today's rules.\n",
    )
