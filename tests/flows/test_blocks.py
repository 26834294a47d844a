"""Blocks told after the fact, by webhooks and notices, slow the lane that the messages went to."""

import json
from datetime import timedelta
from email.utils import format_datetime

import pytest
import sqlalchemy as sa

from campaigns.flows import hooking, intake
from campaigns.flows.hooking import Keys
from campaigns.model.customers import contacts
from campaigns.model.lanes import lane_log
from campaigns.model.mail import messages
from campaigns.records import audience, campaigns, gates, lanes, outbox, webhooks
from campaigns.records.webhooks import NewCall
from campaigns.tracking.tokens import Keyring, Purpose
from campaigns.values import Outcome, OutcomeKind
from tests.factories import NOW, SECRET, a_campaign, a_contact, a_run, a_topic
from tests.flows.test_hooking import HOOKS
from tests.flows.test_returned_mail import Sent

KEYRING = Keyring(SECRET)
KEYS = Keys(KEYRING, SECRET, "https://t.shop.example")
LATER = NOW + timedelta(minutes=5)
LISTED = "554 5.7.1 Service unavailable; client blocked using zen.spamhaus.org"
UNUSUAL = "421-4.7.28 our system has detected an unusual rate of mail from you"


class Mailed:
    """A run to some people at two providers, all of it taken by a relay."""

    calls = 0

    def __init__(self, session):
        self.session = session
        topic = a_topic(session)
        for n in range(30):
            a_contact(session, email=f"p{n}@{'gmail.com' if n < 24 else 'icloud.com'}", topic=topic)
        campaign = a_campaign(session, topic=topic)
        self.run = a_run(session, campaign, occurrence="once", now=NOW)
        asked = gates.of_campaign(session, campaigns.get(session, campaign), topic, now=NOW)
        audience.freeze(
            session, self.run, sa.select(contacts.c.id), asked, hold_out_percent=0, salt=1, now=NOW
        )
        while (chunk := outbox.claim(session, "me")) is not None:
            sent = {seq: Outcome(OutcomeKind.SENT, 250) for seq in range(chunk.first, chunk.last + 1)}
            outbox.settle(session, chunk, sent, skipped={}, retry_at=None, now=NOW)
        rows = session.execute(sa.select(messages.c.seq, messages.c.contact_id, messages.c.address)).all()
        self.at = {
            domain: [row for row in rows if row.address.endswith(domain)]
            for domain in ("gmail.com", "icloud.com")
        }

    def event(self, row, kind, said, at, number=1):
        token = KEYRING.sign(Purpose.RETURN, self.run, row.seq, row.contact_id)
        told = {"kind": kind, "id": f"{kind}.{row.seq}.{number}", "at": at.isoformat(), "text": said}
        return told | {"postroom": token, "recipient": row.address}

    def tell(self, rows, said, kind="bounced", *, at=LATER, now=None, number=1):
        """Let a provider tell the same of some messages, in one call."""
        now = now or at
        Mailed.calls += 1
        told = [self.event(row, kind, said, at, number) for row in rows]
        body = json.dumps({"events": told}).encode()
        webhooks.keep(self.session, NewCall("main", "http", now, f"block {Mailed.calls}", body))
        for call in webhooks.waiting(self.session, now=now):
            reading = hooking.read(call, HOOKS)
            heard = [hooking.Heard(call, signal) for signal in reading.signals]
            hooking.act(self.session, heard, KEYS, now=now)
            hooking.finish(self.session, [(call, reading)], {}, KEYS, now)

    def held(self, now=LATER):
        return lanes.held(self.session, "main", now)


@pytest.fixture
def mailed(session):
    return Mailed(session)


def test_a_block_told_by_webhooks_holds_the_lane_that_the_messages_went_to(mailed):
    mailed.tell(mailed.at["gmail.com"][:4], LISTED)
    assert mailed.held() == frozenset()
    mailed.tell(mailed.at["gmail.com"][4:5], LISTED)
    assert mailed.held() == {"google"}
    assert mailed.held(LATER + timedelta(hours=1, minutes=59)) == {"google"}
    [line] = [one for one in lanes.lane_lines(mailed.session, LATER) if one.lane == "google"]
    assert line.rule == "on a block list"
    assert "spamhaus" in line.sample
    assert line.reopens_at - LATER >= timedelta(hours=2)
    [told] = mailed.session.scalars(sa.select(lane_log.c.what))
    assert told.startswith("held until")


def test_delays_told_by_webhooks_hold_the_lane_and_dead_addresses_do_not(mailed):
    mailed.tell(mailed.at["gmail.com"][:10], "550 5.1.1 no such user")
    assert mailed.held() == frozenset()
    mailed.tell(mailed.at["gmail.com"][10:13], UNUSUAL, "delayed")
    assert mailed.held() == {"google"}


@pytest.mark.parametrize("kind", ["bounced", "delayed"])
def test_one_message_counts_once_however_much_is_told_of_it(mailed, kind):
    for number in range(5):
        mailed.tell(mailed.at["gmail.com"][:1], UNUSUAL, kind, number=number)
    mailed.tell(mailed.at["gmail.com"][1:2], UNUSUAL, kind)
    assert mailed.held() == frozenset()
    mailed.tell(mailed.at["gmail.com"][2:3], UNUSUAL, kind)
    assert mailed.held() == {"google"}


def test_what_happened_long_ago_holds_nothing(mailed):
    mailed.tell(mailed.at["gmail.com"][:20], LISTED, at=LATER, now=LATER + timedelta(hours=2))
    assert mailed.held(LATER + timedelta(hours=2)) == frozenset()


def test_forged_events_hold_nothing(mailed, monkeypatch):
    monkeypatch.setattr("tests.flows.test_blocks.KEYRING", Keyring(b"of somebody else" * 2))
    mailed.tell(mailed.at["gmail.com"], LISTED)
    assert mailed.held() == frozenset()


def test_genuine_notices_of_a_relay_hold_the_lane_too(mailed):
    sent = Sent.__new__(Sent)
    for number, row in enumerate(mailed.at["icloud.com"][:5]):
        token = KEYRING.sign(Purpose.RETURN, mailed.run, row.seq, row.contact_id)
        sent.run, sent.token = mailed.run, lambda _run, token=token: token
        notice = sent.notice(LISTED, status="5.7.1", about=row.address, number=number)
        notice["Date"] = LATER
        for again in range(3):
            at = LATER + timedelta(seconds=again)
            word = intake.receive_mail(mailed.session, notice.as_bytes(), KEYRING, SECRET, now=at)
            assert word == "bounce"
        assert mailed.held() == (frozenset() if number < 4 else {"apple"})


def noticed(mailed, dates, report=""):
    """Let a relay's notices come back for five messages, with what stands in the place of their dates."""
    sent = Sent.__new__(Sent)
    for row, date in zip(mailed.at["icloud.com"], dates, strict=False):
        token = KEYRING.sign(Purpose.RETURN, mailed.run, row.seq, row.contact_id)
        sent.run, sent.token = mailed.run, lambda _run, token=token: token
        raw = sent.notice(LISTED, status="5.7.1", about=row.address, number=row.seq).as_bytes()
        head = b"" if date is None else b"Date: " + date.encode() + b"\n"
        raw = head + raw.replace(b"Reporting-MTA:", report.encode() + b"Reporting-MTA:")
        assert intake.receive_mail(mailed.session, raw, KEYRING, SECRET, now=LATER) == "bounce"


def test_notices_that_lay_unread_for_hours_hold_nothing(mailed):
    noticed(mailed, [format_datetime(LATER - timedelta(hours=2))] * 5)
    assert mailed.held() == frozenset()


def test_notices_of_no_known_moment_hold_nothing(mailed):
    ahead = format_datetime(LATER + timedelta(hours=3))
    noticed(mailed, [None, "yesterday", "Mon, 99 Foo 2026 31:99:00 +9999", ahead, "\U0001f600" * 9])
    assert mailed.held() == frozenset()


@pytest.mark.parametrize(("hours", "lanes_held"), [(0.3, {"apple"}), (3, set())])
def test_a_notice_without_a_date_is_as_old_as_the_message_in_its_report(mailed, hours, lanes_held):
    arrived = format_datetime(LATER - timedelta(hours=hours))
    noticed(mailed, [None] * 5, f"Arrival-Date: {arrived}\n")
    assert mailed.held() == lanes_held


def test_words_of_reputation_that_no_rule_of_back_off_knows_hold_the_lane(mailed):
    mailed.tell(mailed.at["gmail.com"][:5], "550 5.7.1 insufficient reputation of your network")
    assert mailed.held() == {"google"}
