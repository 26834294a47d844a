"""A recurring campaign that a person's reply ends for them, and for nobody else."""

from datetime import timedelta
from email.message import EmailMessage

import pytest
import sqlalchemy as sa

from campaigns.flows import audience, intake, schedule
from campaigns.model.events import events
from campaigns.model.mail import messages, run_gates
from campaigns.records import campaign_desk, campaigns, gates, outbox, segments
from campaigns.records.outbox import Chunk
from campaigns.tracking.tokens import Keyring, Purpose
from campaigns.values import EventKind, Gate, Outcome, OutcomeKind, TopicClass
from tests.factories import NOW, SECRET, a_campaign, a_contact, a_run, a_topic

KEYRING = Keyring(SECRET)
DAY = timedelta(days=1)
EVERYBODY = {"version": 1, "rule": {"everyone": True}}


class Sequence:
    """A daily campaign, which a reply ends if so chosen, and Ada and Bob, who get it."""

    def __init__(self, session, topic_class=TopicClass.MARKETING, **chosen):
        self.session = session
        topic = a_topic(session, topic_class)
        self.ada, self.bob = (a_contact(session, topic=topic) for _ in range(2))
        segments.save(session, "all", "All", EVERYBODY, author="test", now=NOW)
        daily = {"schedule": "recurring", "cron": "0 9 * * *", "segment_id": segments.find(session, "all")}
        self.campaign = a_campaign(session, topic=topic, **daily, **chosen)
        schedule.schedule(session, self.campaign, actor="ada", now=NOW)

    def open(self, day):
        """The run of a day, frozen."""
        schedule.open_runs(self.session, NOW + day * DAY)
        [run] = audience.freeze_open_runs(self.session, NOW + day * DAY)
        return run

    def send(self, day):
        """Send the run of a day, as a sender does; gives it and whom a gate stopped at last."""
        run = self.open(day)
        stopped = self.let_go(day)
        schedule.finish_runs(self.session, NOW + day * DAY)
        return run, stopped

    def let_go(self, day):
        chunk = outbox.claim(self.session, "me")
        ready, stopped = self.load(chunk, day)
        sent = {one.seq: Outcome(OutcomeKind.SENT, 250) for one in ready}
        skipped = {seq: (gate, "") for seq, gate in stopped.items()}
        outbox.settle(self.session, chunk, sent, skipped=skipped, retry_at=None, now=NOW + day * DAY)
        return stopped

    def load(self, chunk: Chunk, day):
        campaign = campaigns.get(self.session, self.campaign)
        asked = gates.of_campaign(self.session, campaign, campaign.topic_id, now=NOW + day * DAY)
        return outbox.load(self.session, chunk, asked)

    def write_back(self, contact, run, day, **headers):
        """What comes of a mail with which a contact answers a run's."""
        place = sa.select(messages.c.seq).where(messages.c.run_id == run, messages.c.contact_id == contact)
        token = KEYRING.sign(Purpose.RETURN, run, self.session.scalar(place), contact)
        mail = EmailMessage()
        mail["From"], mail["To"] = "them@example.com", "post@shop.example"
        mail["Subject"], mail["Message-ID"] = "Re: Day one", f"<{run}.{contact}.{day}@example.com>"
        mail["In-Reply-To"] = f"<{token}@shop.example>"
        for name, value in headers.items():
            mail[name.replace("_", "-")] = value
        mail.set_content("Please call me.")
        return intake.receive_mail(self.session, mail.as_bytes(), KEYRING, SECRET, now=NOW + day * DAY)

    def of(self, run):
        """What became of each contact's message."""
        c = messages.c
        query = sa.select(c.contact_id, c.state, c.gate).where(c.run_id == run)
        return {contact: (state, gate) for contact, state, gate in self.session.execute(query)}


SENT, ENDED = ("sent", None), ("skipped", "replied")


@pytest.mark.parametrize("topic_class", TopicClass)
def test_whoever_replied_gets_no_more_of_it_and_others_do(session, topic_class):
    sequence = Sequence(session, topic_class, until_reply=True)
    first, _ = sequence.send(1)
    assert sequence.of(first) == {sequence.ada: SENT, sequence.bob: SENT}
    assert sequence.write_back(sequence.ada, first, 1) == "reply"
    campaign = campaigns.get(session, sequence.campaign)
    assert audience.reach(session, campaign, NOW + 2 * DAY) == {"replied": 1, "mailable": 1}
    for day in (2, 3):
        run, _ = sequence.send(day)
        assert sequence.of(run) == {sequence.ada: ENDED, sequence.bob: SENT}
        kept = session.execute(
            sa.select(run_gates.c.gate, run_gates.c.count).where(run_gates.c.run_id == run)
        )
        assert kept.all() == [("replied", 1)]


def test_a_reply_after_the_freeze_stops_the_mail_that_waits(session):
    sequence = Sequence(session, until_reply=True)
    first, _ = sequence.send(1)
    second = sequence.open(2)
    assert sequence.of(second)[sequence.ada] == ("queued", None)
    sequence.write_back(sequence.ada, first, 2)
    assert list(sequence.let_go(2).values()) == [Gate.REPLIED]
    assert sequence.of(second) == {sequence.ada: ENDED, sequence.bob: SENT}
    assert campaigns.get_run(session, second).skipped == 1


def test_a_robots_answer_ends_nothing(session):
    sequence = Sequence(session, until_reply=True)
    first, _ = sequence.send(1)
    assert sequence.write_back(sequence.ada, first, 1, Auto_Submitted="auto-replied") == "auto-reply"
    second, _ = sequence.send(2)
    assert sequence.of(second) == {sequence.ada: SENT, sequence.bob: SENT}


def test_unless_it_was_said_a_reply_ends_nothing(session):
    sequence = Sequence(session)
    assert campaigns.get(session, sequence.campaign).until_reply is False
    first, _ = sequence.send(1)
    assert sequence.write_back(sequence.ada, first, 1) == "reply"
    second, _ = sequence.send(2)
    assert sequence.of(second) == {sequence.ada: SENT, sequence.bob: SENT}


def test_a_reply_to_another_campaign_or_to_a_test_mail_ends_nothing(session):
    sequence = Sequence(session, until_reply=True)
    another = a_run(session, a_campaign(session, topic=campaigns.get(session, sequence.campaign).topic_id))
    test = a_run(session, sequence.campaign, occurrence="test-1")
    session.execute(sa.update(campaigns.runs).where(campaigns.runs.c.id == test).values(kind="test"))
    for run in (another, test):
        where = {"contact_id": sequence.ada, "run_id": run, "seq": 1, "dedupe": f"replied:{run}"}
        session.execute(sa.insert(events).values(kind=EventKind.REPLIED.value, at=NOW, **where))
    run, _ = sequence.send(1)
    assert sequence.of(run) == {sequence.ada: SENT, sequence.bob: SENT}


def test_a_copy_ends_by_replies_to_its_own_mails_alone(session):
    sequence = Sequence(session, until_reply=True)
    first, _ = sequence.send(1)
    sequence.write_back(sequence.ada, first, 1)
    copy = campaigns.get(
        session, campaign_desk.copy(session, sequence.campaign, "Again", actor="ada", now=NOW)
    )
    assert copy.until_reply
    assert audience.reach(session, copy, NOW + 2 * DAY) == {"mailable": 2}
