"""Returned mails are kept for a while, and read again when the rules improve; nothing is done twice."""

import json
import zlib

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from campaigns.cli import _root
from campaigns.delivery.returns import RULES_VERSION, BounceClass
from campaigns.flows import erasing, intake
from campaigns.model.mail import runs
from campaigns.model.returned import returned_mails as table
from campaigns.records import campaigns, consent, history, person_file, returned_mails, suppressions
from campaigns.records.reports import counts
from campaigns.records.returned_mails import Judged
from campaigns.values import ConsentState, ContactId, EventKind, Fact, Verdict
from tests.factories import NOW, SECRET, a_contact
from tests.flows.test_returned_mail import ADA, DAY, KEYRING, Sent

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
    replace_mail(sent, sent.notice(said, status=status))


def replace_mail(sent, mail):
    sent.session.execute(sa.update(table).values(raw=zlib.compress(mail.as_bytes())))


def again(session, now=NOW + 20 * DAY):
    return [(one.was.kind, one.now.kind) for one in all_again(session, now)]


def all_again(session, now=NOW + 20 * DAY):
    found, after = intake.judge_again(session, KEYRING, SECRET, now=now)
    assert intake.judge_again(session, KEYRING, SECRET, now=now, after=after or 0) == ([], None)
    return found


def was_full_and_is_dead(sent):
    """A notice of the first day, which rules of before took for a full mailbox."""
    sent.receive(sent.notice(FULL, status="4.2.2"))
    replace_raw(sent, UNKNOWN_USER, "5.1.1")
    by_older_rules(sent.session, "full", hard=False)


def hashed():
    return suppressions.address_hash(SECRET, ADA)


def counted(sent):
    found = counts.count(sent.session, campaigns.get_run(sent.session, sent.run))
    return found.bounced, found.bounced_hard, found.blocked


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


@pytest.mark.parametrize(
    ("kind", "verdict", "neighbour"),
    [
        (EventKind.CLICKED, Verdict.HUMAN, False),
        (EventKind.CLICKED, Verdict.HUMAN, True),
        (EventKind.REPLIED, Verdict.HUMAN, False),
        (EventKind.SENT, Verdict.UNKNOWN, False),
    ],
)
def test_an_address_that_has_been_alive_since_is_not_suppressed_by_an_old_notice(
    sent, kind, verdict, neighbour
):
    was_full_and_is_dead(sent)
    later = sent.send(NOW + 9 * DAY)
    whom = a_contact(sent.session, email=ADA, external_id="other") if neighbour else sent.contact
    sent.session.execute(sa.text("DELETE FROM events WHERE run_id = :run"), {"run": later})
    fact = Fact(kind, NOW + 12 * DAY, "life", whom, None, later, 1, "web", verdict)
    history.record(sent.session, fact)
    [one] = all_again(sent.session)
    assert (one.was.kind, one.now.kind, one.listed) == ("full", "hard.address", False)
    assert not sent.suppressed
    assert sent.detail("bounced")["class"] == "hard.address"


def test_what_machines_did_and_what_came_back_too_is_no_life(sent):
    was_full_and_is_dead(sent)
    later = sent.send(NOW + 9 * DAY)
    scan = Fact(
        EventKind.CLICKED, NOW + 9 * DAY, "scan", sent.contact, None, later, 1, "web", Verdict.MACHINE
    )
    history.record(sent.session, scan)
    back = Fact(EventKind.BOUNCED, NOW + 10 * DAY, "back", sent.contact, None, later, 1, "returned mail")
    history.record(sent.session, back)
    assert all_again(sent.session)[0].listed
    [listing] = suppressions.listed(sent.session, [hashed()])[hashed()]
    assert (listing.reason, listing.at) == ("hard bounce", NOW + 20 * DAY)


def test_what_a_person_took_off_the_list_stays_off(sent):
    sent.receive(sent.notice(UNKNOWN_USER, status="5.1.1"))
    suppressions.lift(sent.session, hashed(), by="ada", why="asked her", now=NOW + 3 * DAY)
    by_older_rules(sent.session, "hard.domain", hard=True)
    assert again(sent.session) == [("hard.domain", "hard.address")]
    by_older_rules(sent.session, "full", hard=False)
    assert again(sent.session) == [("full", "hard.address")]
    assert not sent.suppressed


def test_a_mail_that_is_no_bounce_any_more_is_named_and_counted_as_what_it_is(sent):
    sent.receive(sent.notice(UNKNOWN_USER, status="5.1.1"))
    assert counted(sent) == (1, 1, 0)
    answer = sent.answer()
    del answer["To"]
    answer["To"] = f"b+{sent.token()}@bounce.shop.example"
    replace_mail(sent, answer)
    by_older_rules(sent.session, "hard.address", hard=True)
    [one] = all_again(sent.session)
    assert (one.was.kind, one.now.kind, one.listed) == ("hard.address", "reply", True)
    assert counted(sent) == (0, 0, 0)
    assert "bounced" not in sent.kinds()
    assert "replied" in sent.kinds()
    assert all_again(sent.session) == []


@pytest.mark.parametrize("anew", [False, True])
def test_a_wish_to_leave_that_was_taken_for_a_bounce_is_heard_unless_there_was_a_yes_since(sent, anew):
    def state():
        return consent.state(sent.session, ContactId(sent.contact), sent.topic)

    sent.receive(sent.notice(FULL, status="4.2.2"))
    wish = sent.answer("Stop, please.")
    del wish["To"]
    wish["To"] = f"unsub+{sent.token()}@bounce.shop.example"
    replace_mail(sent, wish)
    by_older_rules(sent.session, "full", hard=False)
    if anew:
        how = consent.Provenance(NOW + 5 * DAY, "form")
        consent.grant(sent.session, ContactId(sent.contact), sent.topic, how, now=NOW + 5 * DAY)
    assert state() is ConsentState.GRANTED
    assert len(all_again(sent.session)) == 1
    assert state() is (ConsentState.GRANTED if anew else ConsentState.WITHDRAWN)
    assert "replied" not in sent.kinds()


def test_of_a_mail_that_was_cut_only_what_it_still_says_is_believed(sent):
    sent.receive(sent.notice(UNKNOWN_USER, status="5.1.1"))
    mail = sent.notice(UNKNOWN_USER, status="5.1.1")
    mail.set_payload("x" * returned_mails.MOST)
    replaced = zlib.compress(mail.as_bytes()[: returned_mails.MOST])
    sent.session.execute(sa.update(table).values(raw=replaced))
    by_older_rules(sent.session, "hard.address", hard=True)
    assert again(sent.session) == []
    assert counted(sent) == (1, 1, 0)


def test_reports_count_the_newer_judgement_in_place_of_the_older(sent):
    sent.receive(sent.notice(UNKNOWN_USER, status="5.1.1"))
    replace_raw(sent, FULL, "4.2.2")
    by_older_rules(sent.session, "hard.address", hard=True)
    again(sent.session)
    assert counted(sent) == (1, 0, 0)
    assert sent.kinds().count("bounced") == 1
    told = sent.detail("bounced")
    assert (told["class"], told["hard"], told["before"]) == ("full", False, "hard.address")


def test_kept_counts_of_a_large_run_are_renewed_after_a_correction(sent):
    counts.note_news(sent.session)
    run = campaigns.get_run(sent.session, sent.run)
    counts.keep(sent.session, [counts.Counted(run.id, 0, counts.count(sent.session, run))], now=NOW)
    sent.session.execute(sa.update(runs).values(mailable=counts.LARGE))
    was_full_and_is_dead(sent)
    assert counts.count_news(sent.session, NOW + DAY) == []
    again(sent.session)
    assert [one.run for one in counts.count_news(sent.session, NOW + DAY)] == [sent.run]


def test_a_mail_whose_time_is_over_is_read_no_more_and_deleted(sent):
    was_full_and_is_dead(sent)
    over = NOW + DAY + returned_mails.KEPT
    returned_mails.let_go(sent.session, over)
    assert returned_mails.how_many_over(sent.session, over) == 0
    assert len(returned_mails.older(sent.session, RULES_VERSION, now=over)) == 1
    assert again(sent.session, over + DAY) == []
    assert returned_mails.how_many_over(sent.session, over + DAY) == 1
    returned_mails.let_go(sent.session, over + DAY)
    assert kept(sent.session) == []


def test_the_file_of_a_person_tells_what_came_back_from_them(sent):
    sent.receive(sent.notice(UNKNOWN_USER, status="5.1.1"))
    found = person_file.collect(sent.session, sent.contact, now=NOW)
    [one] = json.loads(json.dumps(found))["returned_mails"]
    assert (one["sort"], one["run_id"]) == ("hard.address", sent.run)
    assert UNKNOWN_USER in one["raw"]


def test_a_forgotten_persons_are_let_go_at_once(sent):
    sent.receive(sent.notice(FULL, status="4.2.2"))
    assert len(kept(sent.session)) == 1
    erasing.erase(sent.session, sent.contact, secret=SECRET, actor="ada", now=NOW + 42 * DAY)
    assert kept(sent.session) == []


def test_of_a_huge_mail_the_beginning_is_kept(session):
    judged = Judged("unknown", False, RULES_VERSION)
    returned_mails.keep(session, b"x" * 3_000_000, judged, digest="d", whom=(1, 2, 3), now=NOW)
    by_older_rules(session, "unknown", hard=False)
    [one] = returned_mails.older(session, RULES_VERSION, now=NOW)
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
