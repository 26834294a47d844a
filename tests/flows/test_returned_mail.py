"""What follows from returned mail: dead addresses at once, sleepy ones after a while, blocks for nobody."""

from datetime import timedelta
from email.message import EmailMessage

import pytest
import sqlalchemy as sa

from campaigns.flows import intake
from campaigns.model.consent import suppressions as table
from campaigns.model.customers import contacts, customers
from campaigns.model.events import events, strays
from campaigns.model.mail import messages
from campaigns.model.service import tasks
from campaigns.records import audience, campaigns, consent, gates, history, outbox, suppressions
from campaigns.tracking.tokens import Keyring, Purpose
from campaigns.values import ConsentState, ContactId, EventKind, Fact, Outcome, OutcomeKind, Verdict
from tests.factories import NOW, SECRET, a_campaign, a_contact, a_run, a_topic

KEYRING = Keyring(SECRET)
ADA = "ada@example.com"
DAY = timedelta(days=1)


class Sent:
    """One contact who can be sent many messages, and what comes back of them."""

    def __init__(self, session):
        self.session = session
        self.topic = a_topic(session)
        self.contact = a_contact(session, email=ADA, topic=self.topic)
        self.campaign = a_campaign(session, topic=self.topic)
        self.run = self.send(NOW)

    def send(self, at):
        session = self.session
        run = a_run(session, self.campaign, occurrence=at.isoformat()[:16], now=at)
        asked = gates.of_campaign(session, campaigns.get(session, self.campaign), self.topic, now=at)
        members = sa.select(contacts.c.id)
        audience.freeze(session, run, members, asked, hold_out_percent=0, salt=1, now=at)
        sent = {1: Outcome(OutcomeKind.SENT, 250)}
        outbox.settle(session, outbox.claim(session, "me"), sent, skipped={}, retry_at=None, now=at)
        fact = Fact(EventKind.SENT, at, f"sent:{run}:1", self.contact, None, run, 1, "sender")
        history.record(session, fact)
        return run

    def token(self, run=None):
        return KEYRING.sign(Purpose.RETURN, run or self.run, 1, self.contact)

    def receive(self, mail, at=NOW + DAY):
        raw = mail if isinstance(mail, bytes) else mail.as_bytes()
        return intake.receive_mail(self.session, raw, KEYRING, SECRET, now=at)

    def notice(self, said, *, run=None, status="", action="failed", about=ADA, number=0):
        mail = EmailMessage()
        mail["From"] = "MAILER-DAEMON@mx.example.com"
        mail["To"] = f"b+{self.token(run)}@bounce.shop.example"
        mail["Subject"] = "Undelivered Mail Returned to Sender"
        mail["Message-ID"] = f"<{run or self.run}.{number}.{abs(hash(said))}@mx.example.com>"
        mail["Content-Type"] = 'multipart/report; report-type=delivery-status; boundary="b"'
        mail.set_payload(
            "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.com\n\n"
            f"Final-Recipient: rfc822; {about}\nAction: {action}\nStatus: {status or '5.0.0'}\n"
            f"Diagnostic-Code: smtp; {said}\n\n--b--\n"
        )
        return mail

    def answer(self, text="Do you have it in red?", **headers):
        mail = EmailMessage()
        mail["From"], mail["To"] = f"Ada <{ADA}>", "post@shop.example"
        mail["Subject"] = "Re: May offer"
        mail["Message-ID"] = f"<{abs(hash(text))}@example.com>"
        for name, value in headers.items():
            del mail[name.replace("_", "-")]
            mail[name.replace("_", "-")] = value
        mail.set_content(text)
        return mail

    def kinds(self):
        query = sa.select(events.c.kind).where(events.c.kind != "sent").order_by(events.c.id)
        return self.session.scalars(query).all()

    def detail(self, kind):
        query = sa.select(events.c.detail).where(events.c.kind == kind).order_by(events.c.id.desc()).limit(1)
        return self.session.scalar(query)

    @property
    def suppressed(self):
        return suppressions.is_suppressed(self.session, suppressions.address_hash(SECRET, ADA))


@pytest.fixture
def sent(session):
    return Sent(session)


def test_a_dead_address_is_suppressed_with_all_that_was_said_and_no_address_in_it(sent):
    assert sent.receive(sent.notice(f"550 5.1.1 <{ADA}>: User unknown")) == "bounce"
    told = sent.detail("bounced")
    assert (told["class"], told["hard"], told["status"]) == ("hard.address", True, "5.1.1")
    assert (told["rule"], told["named by"]) == ("no such mailbox", "return path")
    evidence, reason = sent.session.execute(sa.select(table.c.evidence, table.c.reason)).one()
    assert reason == "hard bounce"
    assert evidence["class"] == "hard.address"
    assert "User unknown" in evidence["diagnostic"]
    assert ADA not in str(evidence)


def test_a_suppression_is_lifted_with_a_reason_and_the_next_notice_suppresses_again(sent):
    sent.receive(sent.notice("550 5.1.1 User unknown"))
    hashed = suppressions.address_hash(SECRET, ADA)
    suppressions.lift(sent.session, hashed, by="rep@shop.example", why="typed anew", now=NOW + 2 * DAY)
    assert not sent.suppressed
    sent.receive(sent.notice("550 5.1.1 User unknown"), at=NOW + 3 * DAY)
    assert not sent.suppressed  # the same mail again
    sent.receive(sent.notice("550 5.1.1 User unknown", number=1), at=NOW + 3 * DAY)
    assert sent.suppressed


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("554 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org", "block.reputation"),
        ("550 5.7.26 This message does not pass SPF and DKIM checks", "block.auth"),
        ("554 5.7.1 Message rejected as spam", "block.content"),
        ("552 5.3.4 Message size exceeds fixed limit", "size"),
    ],
)
def test_a_block_is_never_the_contacts_fault_however_often_and_stands_in_the_campaigns_log_once(
    sent, said, kind
):
    for number in range(7):
        run = sent.run if number == 0 else sent.send(NOW + number * 10 * DAY)
        sent.receive(sent.notice(said, run=run), at=NOW + (number * 10 + 1) * DAY)
        sent.receive(sent.notice(said, run=run, number=1), at=NOW + (number * 10 + 1) * DAY)
    assert set(sent.kinds()) == {"bounced"}
    assert sent.detail("bounced")["class"] == kind
    assert not sent.suppressed
    blocked = [line for line in campaigns.log_lines(sent.session, sent.campaign) if kind in line.what]
    assert len(blocked) == 7  # one for each run


@pytest.mark.parametrize(
    ("said", "days", "enough"),
    [
        ("550 5.2.1 The mailbox is disabled", (0, 3), False),
        ("550 5.2.1 The mailbox is disabled", (0, 8), True),
        ("552 5.2.2 Mailbox full", (0, 30), False),
        ("552 5.2.2 Mailbox full", (0, 10, 15), False),
        ("552 5.2.2 Mailbox full", (0, 10, 22), True),
        ("451 4.4.1 Connection timed out", (0, 10, 20, 40), False),
        ("451 4.4.1 Connection timed out", (0, 7, 14, 21, 28), False),
        ("451 4.4.1 Connection timed out", (0, 10, 20, 30, 40), True),
    ],
)
def test_an_address_that_seems_dead_is_given_time(sent, said, days, enough):
    for day in days:
        run = sent.run if day == 0 else sent.send(NOW + day * DAY)
        sent.receive(sent.notice(said, run=run), at=NOW + day * DAY + timedelta(hours=1))
    assert sent.suppressed is enough
    if enough:
        assert sent.session.scalar(sa.select(table.c.reason)) == "kept bouncing"
        assert sent.session.scalar(sa.select(table.c.evidence))["messages"] == len(days)


def test_two_notices_about_one_message_count_once(sent):
    for number, day in enumerate((1, 9)):
        sent.receive(sent.notice("550 5.2.1 disabled", number=number), at=NOW + day * DAY)
    assert not sent.suppressed


@pytest.mark.parametrize("life", ["arrived", "clicked", "replied"])
def test_a_sign_of_life_begins_the_count_anew(sent, life):
    sent.receive(sent.notice("550 5.2.1 The mailbox is disabled"), at=NOW + DAY)
    between = sent.send(NOW + 10 * DAY)
    if life == "clicked":
        where = (sent.contact, None, between, 1, "web")
        fact = Fact(EventKind.CLICKED, NOW + 11 * DAY, "c", *where, verdict=Verdict.HUMAN)
        history.record(sent.session, fact)
    elif life == "replied":
        assert sent.receive(sent.answer(In_Reply_To=f"<{sent.token(between)}@shop.example>"), NOW + 11 * DAY)
    last = sent.send(NOW + 20 * DAY)
    sent.receive(sent.notice("550 5.2.1 The mailbox is disabled", run=last), at=NOW + 21 * DAY)
    assert not sent.suppressed


def test_a_message_on_its_way_is_no_sign_of_life(sent):
    sent.receive(sent.notice("550 5.2.1 The mailbox is disabled"), at=NOW + DAY)
    sent.send(NOW + 9 * DAY)
    last = sent.send(NOW + 10 * DAY)
    sent.receive(sent.notice("550 5.2.1 The mailbox is disabled", run=last), at=NOW + 11 * DAY)
    assert sent.suppressed


def test_a_dead_address_behind_the_one_that_was_mailed_is_not_that_address(sent):
    sent.receive(sent.notice("550 5.1.1 User unknown", about="old@elsewhere.example"))
    told = sent.detail("bounced")
    assert (told["class"], told["hard"]) == ("refused", False)
    assert not sent.suppressed


def test_a_delay_and_a_receipt_are_told_and_nothing_follows(sent):
    assert sent.receive(sent.notice("451 4.4.1 timeout", action="delayed", status="4.4.1")) == "delay"
    assert sent.receive(sent.notice("250 2.0.0 ok", action="delivered", status="2.0.0")) == "receipt"
    assert sent.kinds() == ["delayed", "delivered"]
    assert not sent.suppressed


def test_a_complaint_withdraws_and_suppresses_and_its_report_may_hide_the_address(sent):
    raw = f"""From: fbl@provider.example
To: fbl@shop.example
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: x/1

--b
Content-Type: message/rfc822

From: post@shop.example
To: <redacted>
Message-ID: <{sent.token()}@shop.example>

Buy
--b--
"""
    assert sent.receive(raw.encode()) == "complaint"
    assert sent.receive(raw.encode()) == "complaint"
    assert sent.kinds() == ["complained", "suppressed"]
    assert sent.detail("complained")["named by"] == "message id"
    assert consent.state(sent.session, ContactId(sent.contact), sent.topic) is ConsentState.WITHDRAWN
    assert sent.suppressed


@pytest.mark.parametrize(
    ("feedback", "kinds", "suppressed"),
    [("not-spam", [], False), ("auth-failure", [], False), ("opt-out", ["unsubscribed"], False)],
)
def test_a_report_that_is_no_complaint_suppresses_nobody(sent, feedback, kinds, suppressed):
    raw = f"""From: fbl@provider.example
To: b+{sent.token()}@bounce.shop.example
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: message/feedback-report

Feedback-Type: {feedback}

--b--
"""
    sent.receive(raw.encode())
    assert sent.kinds() == kinds
    assert sent.suppressed is suppressed


def test_a_persons_answer_is_told_and_becomes_a_task_of_the_customers_rep_once(sent):
    rep = sent.session.scalar(sa.select(customers.c.owner_id))
    mail = sent.answer(References=f"<x@y> <{sent.token()}@shop.example>")
    assert sent.receive(mail) == "reply"
    assert sent.receive(mail) == "reply"
    assert sent.kinds() == ["replied", "task created"]
    told = sent.detail("replied")
    assert (told["text"], told["named by"]) == ("Do you have it in red?", "reference")
    task = sent.session.execute(sa.select(tasks)).one()
    assert (task.contact_id, task.owner_id) == (sent.contact, rep)
    assert "in red" in task.reason


def test_answers_of_one_day_are_one_task(sent):
    for text in ("One.", "Two."):
        sent.receive(sent.answer(text, In_Reply_To=f"<{sent.token()}@shop.example>"))
    assert sent.kinds() == ["replied", "task created", "replied"]


def test_a_robots_answer_is_told_and_nothing_follows(sent):
    mail = sent.answer("Away until Monday.", In_Reply_To=f"<{sent.token()}@s>", Auto_Submitted="auto-replied")
    assert sent.receive(mail) == "auto-reply"
    assert sent.kinds() == ["auto-replied"]
    assert sent.session.scalar(sa.select(sa.func.count()).select_from(tasks)) == 0


def test_a_mail_that_only_says_unsubscribe_is_one_wherever_it_came(sent):
    mail = sent.answer("unsubscribe", In_Reply_To=f"<{sent.token()}@s>", Subject="Unsubscribe")
    assert sent.receive(mail) == "unsubscribe"
    assert consent.state(sent.session, ContactId(sent.contact), sent.topic) is ConsentState.WITHDRAWN
    assert not sent.suppressed


def test_our_envelope_id_names_the_message_where_nothing_else_does(sent):
    raw = sent.notice("550 5.1.1 User unknown").as_bytes()
    raw = raw.replace(f"To: b+{sent.token()}@bounce".encode(), b"To: bounces@bounce")
    assert sent.receive(raw) == "stray"
    kept = f"Original-Envelope-Id: b+2B{sent.token()}\nReporting-MTA".encode()
    assert sent.receive(raw.replace(b"Reporting-MTA", kept)) == "bounce"
    assert sent.detail("bounced")["named by"] == "envelope id"


@pytest.mark.parametrize("field", ["To", "In-Reply-To", "References"])
def test_a_token_that_we_did_not_sign_is_counted_and_believed_by_nobody(sent, field):
    token = sent.token()
    forged = token[:-1] + ("a" if token[-1] != "a" else "i")
    mail = sent.answer(**{field: f"<b+{forged}@bounce.shop.example>" if field == "To" else f"<{forged}@s>"})
    assert sent.receive(mail) == "stray"
    assert sent.kinds() == []
    assert sent.session.scalar(sa.select(strays.c.count)) == 1


def test_a_notice_that_comes_months_late_is_not_believed(sent):
    assert sent.receive(sent.notice("550 5.1.1 User unknown"), at=NOW + 100 * DAY) == "late"
    assert not sent.suppressed


def test_a_mailbox_that_sends_without_end_fills_no_history(sent):
    for number in range(40):
        sent.receive(sent.notice("451 4.4.1 timed out", number=number))
    assert len(sent.kinds()) <= 30


def test_an_erased_contacts_words_are_not_kept(sent):
    sent.session.execute(sa.update(contacts).values(erased_at=NOW))
    sent.receive(sent.answer("My secret.", In_Reply_To=f"<{sent.token()}@s>"))
    assert "secret" not in str(sent.session.scalars(sa.select(events.c.detail)).all())


def test_returned_mail_changes_no_message(sent):
    sent.receive(sent.notice("550 5.1.1 User unknown"))
    assert sent.session.scalar(sa.select(messages.c.state)) == "sent"
