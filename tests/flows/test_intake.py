"""What comes back: hits become events with verdicts, returned mail is believed only with our token."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from campaigns.flows import intake, judging
from campaigns.model.customers import activity, contacts
from campaigns.model.events import events, strays
from campaigns.model.mail import messages
from campaigns.records import audience, campaigns, consent, gates, hits, links, outbox, suppressions
from campaigns.tracking.tokens import Keyring, Purpose
from campaigns.values import ConsentState, ContactId, Hit, Outcome, OutcomeKind
from tests.factories import NOW, SECRET, a_campaign, a_contact, a_run, a_topic

KEYRING = Keyring(SECRET)
LATER = NOW + timedelta(minutes=5)
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
OF_PEOPLE = ("accept-language", "sec-fetch-mode", "sec-fetch-dest", "sec-fetch-site")


@pytest.fixture
def sent(session):
    """One contact who was sent one message: (run, contact, topic)."""
    topic = a_topic(session)
    contact = a_contact(session, email="ada@example.com", topic=topic)
    campaign = a_campaign(session, topic=topic)
    run = a_run(session, campaign)
    asked = gates.of_campaign(session, campaigns.get(session, campaign), topic, now=NOW)
    audience.freeze(session, run, sa.select(contacts.c.id), asked, hold_out_percent=0, salt=1, now=NOW)
    outbox.settle(
        session,
        outbox.claim(session, "me"),
        {1: Outcome(OutcomeKind.SENT, 250)},
        skipped={},
        retry_at=None,
        now=NOW,
    )
    return run, contact, topic


def a_hit(
    run, contact, *, kind="open", agent=CHROME, seconds=60.0, link=None, address="127.0.0.9", method="GET"
):
    at = NOW + timedelta(seconds=seconds)
    return Hit(at, kind, run, 1, contact, link, method, agent, address, OF_PEOPLE if agent == CHROME else ())


def verdicts(session):
    return session.execute(
        sa.select(events.c.kind, events.c.verdict)
        .where(events.c.source == "web")
        .order_by(events.c.at, events.c.id)
    ).all()


def test_a_persons_and_a_proxys_open_are_told_apart_once(session, sent):
    run, contact, _ = sent
    hits.store(session, [a_hit(run, contact, agent="Mozilla/5.0", seconds=30), a_hit(run, contact)])
    assert judging.judge_hits(session, LATER) == 2
    assert judging.judge_hits(session, LATER) == 0
    assert [tuple(row) for row in verdicts(session)] == [("opened", "privacy"), ("opened", "human")]
    newest = session.execute(
        sa.select(activity.c.last_opened_at).where(activity.c.contact_id == contact)
    ).scalar_one()
    assert newest == NOW + timedelta(seconds=60)


def test_a_hit_waits_until_what_follows_it_can_tell_of_it(session, sent):
    run, contact, _ = sent
    hits.store(session, [a_hit(run, contact, seconds=60)])
    assert judging.judge_hits(session, NOW + timedelta(seconds=61)) == 0
    assert judging.judge_hits(session, NOW + timedelta(seconds=64)) == 1


def test_later_hits_correct_an_earlier_verdict(session, sent):
    run, contact, _ = sent
    links.add(session, run, "en", [])
    hits.store(session, [a_hit(run, contact, kind="click", link=1, seconds=60)])
    judging.judge_hits(session, NOW + timedelta(seconds=63.1))
    assert [row.verdict for row in verdicts(session)] == ["human"]
    hits.store(
        session, [a_hit(run, contact, kind="click", link=link, seconds=60 + link) for link in (2, 3, 4)]
    )
    judging.judge_hits(session, LATER)
    assert [row.verdict for row in verdicts(session)] == ["machine"] * 4


def test_a_hit_of_a_message_that_never_was_makes_no_event(session, sent):
    run, contact, _ = sent
    hits.store(session, [Hit(NOW, "open", run, 99, contact, None, "GET", CHROME, "127.0.0.1")])
    assert judging.judge_hits(session, LATER) == 0
    assert hits.unjudged(session, until=LATER, limit=10).messages == []


def returned(
    run, contact, *, status="5.1.1", action="failed", prefix="b", token=None, address="ada@example.com"
):
    token = token or KEYRING.sign(Purpose.RETURN, run, 1, contact)
    return f"""From: MAILER-DAEMON@mx.example
To: {prefix}+{token}@bounce.shop.example
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

It did not work.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; {address}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 {status} of ours

--b--
""".encode()


def receive(session, raw):
    return intake.receive_mail(session, raw, KEYRING, SECRET, now=LATER)


def test_a_hard_bounce_is_recorded_and_suppresses_the_address_with_its_evidence(session, sent):
    run, contact, _ = sent
    assert receive(session, returned(run, contact)) == "bounce"
    assert receive(session, returned(run, contact)) == "bounce"
    kinds = session.scalars(sa.select(events.c.kind).order_by(events.c.id)).all()
    assert kinds == ["bounced", "suppressed"]
    assert suppressions.is_suppressed(session, suppressions.address_hash(SECRET, "ada@example.com"))


@pytest.mark.parametrize("status", ["4.2.2", "5.2.2", "5.7.1", "4.7.28"])
def test_a_full_mailbox_or_a_block_never_suppresses(session, sent, status):
    run, contact, _ = sent
    assert receive(session, returned(run, contact, status=status)) == "bounce"
    assert not suppressions.is_suppressed(session, suppressions.address_hash(SECRET, "ada@example.com"))
    assert session.scalars(sa.select(events.c.kind)).all() == ["bounced"]


def test_a_soft_bounce_does_not_hide_the_hard_one_that_follows(session, sent):
    run, contact, _ = sent
    receive(session, returned(run, contact, status="4.2.2"))
    receive(session, returned(run, contact, status="5.1.1"))
    assert suppressions.is_suppressed(session, suppressions.address_hash(SECRET, "ada@example.com"))


def test_a_forged_return_is_counted_and_believed_by_nobody(session, sent):
    run, contact, _ = sent
    assert receive(session, returned(run, contact, token="a" * 44)) == "stray"
    assert receive(session, b"\xff\x00 not a mail at all") == "stray"
    assert session.scalars(sa.select(events.c.kind)).all() == []
    assert session.scalar(sa.select(strays.c.count)) == 2


def test_an_address_folded_to_capitals_is_still_ours(session, sent):
    run, contact, _ = sent
    token = KEYRING.sign(Purpose.RETURN, run, 1, contact).upper()
    assert receive(session, returned(run, contact, token=token)) == "bounce"


def test_a_mail_to_the_unsubscribe_address_withdraws_the_consent(session, sent):
    run, contact, topic = sent
    token = KEYRING.sign(Purpose.RETURN, run, 1, contact)
    raw = f"From: ada@example.com\nTo: unsub+{token}@bounce.shop.example\nSubject: unsubscribe\n\n"
    assert receive(session, raw.encode()) == "unsubscribe"
    assert consent.state(session, ContactId(contact), topic) is ConsentState.WITHDRAWN


def test_a_complaint_withdraws_the_consent_and_suppresses(session, sent):
    run, contact, topic = sent
    token = KEYRING.sign(Purpose.RETURN, run, 1, contact)
    raw = f"""From: fbl@mx.example
To: b+{token}@bounce.shop.example
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b
Content-Type: text/plain

Spam.
--b
Content-Type: message/feedback-report

Feedback-Type: abuse
Version: 1
User-Agent: x

--b--
""".encode()
    assert receive(session, raw) == "complaint"
    assert consent.state(session, ContactId(contact), topic) is ConsentState.WITHDRAWN
    assert suppressions.is_suppressed(session, suppressions.address_hash(SECRET, "ada@example.com"))
    assert session.scalar(sa.select(messages.c.state)) == "sent"


def test_unsubscribing_works_after_the_campaign_is_deleted_and_twice(session, sent):
    run, contact, topic = sent
    campaign = campaigns.get_run(session, run).campaign_id
    session.execute(
        sa.update(campaigns.campaigns).where(campaigns.campaigns.c.id == campaign).values(deleted_at=NOW)
    )
    token = KEYRING.read(Purpose.UNSUBSCRIBE, KEYRING.sign(Purpose.UNSUBSCRIBE, run, 1, contact))
    for _ in range(2):
        intake.unsubscribe(session, token, how="page", now=LATER)
    assert consent.state(session, ContactId(contact), topic) is ConsentState.WITHDRAWN
    assert session.scalars(sa.select(events.c.kind)).all() == ["unsubscribed"]
