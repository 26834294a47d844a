"""When something goes wrong in the middle: slow servers, lost leases, our own mistakes, changed addresses."""

import os
import signal
import threading
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from campaigns.cli.running import Stopping
from campaigns.clock import utc_now
from campaigns.delivery import caught
from campaigns.delivery.backend import open_backend
from campaigns.delivery.catcher import Catcher
from campaigns.delivery.contract import Capabilities
from campaigns.errors import BackendError
from campaigns.flows.recovery import recover
from campaigns.flows.sending import clerk, drain
from campaigns.flows.sending.flight import Flight
from campaigns.mailing import Mailing
from campaigns.model.customers import contacts
from campaigns.model.events import events
from campaigns.model.mail import chunks, messages, runs
from campaigns.records import audience, campaigns, gates, outbox, suppressions
from campaigns.values import Outcome, OutcomeKind
from tests.delivery.peers import Peer, Say
from tests.factories import NOW, SECRET, a_campaign, a_contact, a_postbox, a_run, a_topic
from tests.timed import until


@pytest.fixture
def catcher(tmp_path):
    made = Catcher(
        tmp_path / "caught",
        "127.0.0.1",
        0,
        lambda recipient: time.sleep(0.1 if recipient.startswith("slow") else 0),
    )
    made.start()
    yield made
    made.stop()


@pytest.fixture
def post(stores, catcher, tmp_path):
    backend = open_backend(f"smtp://127.0.0.1:{catcher.port}", connections=1)
    yield a_postbox(stores, backend, tmp_path)
    backend.close()


def a_frozen_run(stores, *addresses):
    with stores.sessions.begin() as session:
        topic = a_topic(session)
        made = [a_contact(session, topic=topic, email=address) for address in addresses]
        run = a_run(session, a_campaign(session, topic=topic), now=utc_now())
        asked = gates.of_campaign(
            session, campaigns.get(session, campaigns.get_run(session, run).campaign_id), topic, now=NOW
        )
        everybody = sa.select(contacts.c.id).where(contacts.c.id.in_(made))
        audience.freeze(session, run, everybody, asked, hold_out_percent=0, salt=1, now=utc_now())
    return run


def the_states(stores, run):
    with stores.readers() as session:
        rows = session.execute(
            sa.select(messages.c.address, messages.c.state).where(messages.c.run_id == run)
        )
        return dict(rows.all())


def arrived(catcher):
    return sorted(line.envelope.rcpt_to[0] for line in caught.mails(catcher.folder, limit=1000))


@pytest.mark.timed
def test_a_chunk_that_takes_longer_than_its_lease_stays_with_its_sender(stores, catcher, post, monkeypatch):
    monkeypatch.setattr(outbox.chunks, "LEASE", timedelta(seconds=1))
    monkeypatch.setattr(clerk, "RENEW_EVERY", 0.3)
    run = a_frozen_run(stores, *[f"slow{n}@example.com" for n in range(20)])
    thread = threading.Thread(target=drain, args=(post,))
    thread.start()
    while thread.is_alive():
        assert not recover(stores.sessions, post.journal.folder, SECRET, utc_now)
        thread.join(0.1)
    assert set(the_states(stores, run).values()) == {"sent"}


def test_what_is_answered_for_is_settled_before_more_is_claimed(post):
    def claim(_session, _is_free):
        raise AssertionError("claimed, with so many answered and not settled")

    flight = Flight(post.allowance)
    flight.done.extend([None] * (clerk.BEHIND + 1))
    assert not clerk.Clerk(post, flight, claim)._load_one()
    flight.done.pop()
    with pytest.raises(AssertionError, match="claimed"):
        clerk.Clerk(post, flight, claim)._load_one()


@pytest.mark.timed
def test_a_sender_that_lost_its_chunk_starts_no_further_message(stores, catcher, post):
    a_frozen_run(stores, *[f"slow{n}@example.com" for n in range(40)])
    thread = threading.Thread(target=drain, args=(post,))
    thread.start()
    until(lambda: len(arrived(catcher)) >= 3)
    with stores.sessions.begin() as session:
        session.execute(sa.update(chunks).values(lease_until=NOW - timedelta(days=400)))
    assert recover(stores.sessions, post.journal.folder, SECRET, utc_now)
    lost = time.monotonic()
    thread.join()
    assert time.monotonic() - lost < 1.5
    assert len(arrived(catcher)) < 30


def broken_for(address, monkeypatch):
    whole = Mailing.mail

    def mail(self, recipient, **named):
        if recipient.address == address:
            raise AttributeError("a mistake of ours")
        return whole(self, recipient, **named)

    monkeypatch.setattr(Mailing, "mail", mail)


def test_our_own_mistake_with_one_contact_keeps_nobody_else_from_their_mail(
    stores, catcher, post, monkeypatch
):
    broken_for("b@example.com", monkeypatch)
    run = a_frozen_run(stores, "a@example.com", "b@example.com", "c@example.com")
    drain(post)
    assert the_states(stores, run) == {
        "a@example.com": "sent",
        "b@example.com": "skipped",
        "c@example.com": "sent",
    }
    with stores.readers() as session:
        row = session.execute(
            sa.select(messages.c.gate, messages.c.reply).where(messages.c.address == "b@example.com")
        ).one()
        assert (row.gate, "AttributeError" in row.reply) == ("render error", True)


def test_our_mistake_with_most_contacts_puts_the_run_off_and_skips_nobody(stores, catcher, post, monkeypatch):
    def mail(self, recipient, **named):
        raise AttributeError("a mistake of ours")

    run = a_frozen_run(stores, *[f"p{n}@example.com" for n in range(12)])
    with monkeypatch.context() as patched:
        patched.setattr(Mailing, "mail", mail)
        drain(post)
    assert set(the_states(stores, run).values()) == {"queued"}
    with stores.sessions.begin() as session:
        assert session.scalar(sa.select(chunks.c.not_before)) > utc_now()
        session.execute(sa.update(chunks).values(not_before=None))
    drain(post)
    assert set(the_states(stores, run).values()) == {"sent"}


def test_a_run_whose_mail_cannot_be_prepared_waits_and_holds_up_no_other(stores, catcher, post, monkeypatch):
    monkeypatch.setattr(audience, "CHUNK", 1)
    broken = a_frozen_run(stores, "a@example.com", "b@example.com")
    fine = a_frozen_run(stores, "c@example.com")
    with stores.sessions.begin() as session:
        session.execute(sa.update(runs).where(runs.c.id == broken).values(sender_id=99))
    assert drain(post) == 1
    assert arrived(catcher) == ["c@example.com"]
    assert set(the_states(stores, broken).values()) == {"queued"}
    assert set(the_states(stores, fine).values()) == {"sent"}
    with stores.readers() as session:
        rows = session.execute(sa.select(chunks).where(chunks.c.run_id == broken)).all()
        assert [(row.state, row.owner) for row in rows] == [("ready", None)] * 2
        assert all(row.not_before > utc_now() for row in rows)


def test_a_message_whose_contact_is_gone_is_skipped_and_the_chunk_ends(stores, catcher, post):
    run = a_frozen_run(stores, "a@example.com", "b@example.com")
    with stores.sessions.begin() as session:
        session.execute(
            sa.update(messages).where(messages.c.address == "b@example.com").values(contact_id=10**6)
        )
    claimed = []

    def claim(session, owner, *rest, whole=outbox.claim, **named):
        claimed.append(owner)
        assert len(claimed) < 5, "the chunk is claimed again and again"
        return whole(session, owner, *rest, **named)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(outbox, "claim", claim)
        drain(post)
    assert the_states(stores, run) == {"a@example.com": "sent", "b@example.com": "skipped"}


def test_an_old_address_that_was_suppressed_after_the_freeze_is_not_mailed(stores, catcher, post):
    run = a_frozen_run(stores, "old@example.com", "other@example.com")
    with stores.sessions.begin() as session:
        suppressions.add(session, suppressions.address_hash(SECRET, "old@example.com"), "complaint", now=NOW)
        session.execute(
            sa.update(contacts)
            .where(contacts.c.email == "old@example.com")
            .values(email="new@example.com", email_hash=suppressions.address_hash(SECRET, "new@example.com"))
        )
    drain(post)
    assert the_states(stores, run) == {"old@example.com": "skipped", "other@example.com": "sent"}
    assert arrived(catcher) == ["other@example.com"]


def test_outcomes_survive_a_store_that_is_away_for_a_moment(stores, catcher, post, monkeypatch):
    run = a_frozen_run(stores, "a@example.com")
    failures = [1, 2]

    def settle(*args, whole=outbox.settle, **named):
        whole(*args, **named)
        if failures:
            failures.pop()
            raise OperationalError("settle", {}, Exception("deadlock, or locked, or restarted"))

    monkeypatch.setattr(outbox, "settle", settle)
    monkeypatch.setattr(clerk, "STORE_REST", 0.05)
    assert drain(post) == 1
    assert the_states(stores, run) == {"a@example.com": "sent"}
    with stores.readers() as session:
        assert campaigns.get_run(session, run).sent == 1
        assert session.scalars(sa.select(events.c.kind)).all() == ["sent"]


class Failing:
    """A backend that breaks its promise: it raises with a message on the wire."""

    name = "failing"
    capabilities = Capabilities()

    def __init__(self, error, told=()):
        self.error, self.told = error, dict(told)

    def send(self, batch, watch):
        left = dict(self.told)
        for mail in batch:
            if mail is not None and mail.rcpt_to in left:
                outcome = left.pop(mail.rcpt_to)
                watch.started(mail.key)
                if outcome:
                    watch.answered(mail.key, outcome)
            if not left:
                raise self.error


def test_what_was_started_and_never_answered_is_in_doubt_even_if_the_backend_broke(stores, post):
    run = a_frozen_run(stores, "a@example.com", "b@example.com", "c@example.com")
    post.backend.close()
    post.backend = Failing(
        RuntimeError("no idea"), {"a@example.com": Outcome(OutcomeKind.SENT, 250), "b@example.com": None}
    )
    post.backend.close = lambda: None
    with pytest.raises(RuntimeError):
        drain(post)
    assert the_states(stores, run) == {
        "a@example.com": "sent",
        "b@example.com": "unknown",
        "c@example.com": "queued",
    }


def test_doubts_are_told_to_the_log_once_a_chunk_with_their_number(stores, post):
    run = a_frozen_run(stores, "a@example.com", "b@example.com", "c@example.com")
    post.backend.close()
    post.backend = Failing(
        BackendError("it hung up"),
        {"a@example.com": Outcome(OutcomeKind.UNKNOWN), "b@example.com": Outcome(OutcomeKind.UNKNOWN)},
    )
    post.backend.close = lambda: None
    with capture_logs() as lines, pytest.raises(BackendError):
        drain(post)
    told = [line for line in lines if "in doubt" in line["event"]]
    assert [(line["log_level"], line["run"], line["count"]) for line in told] == [("warning", run, 2)]


def test_a_backend_that_comes_and_goes_does_not_use_up_the_tries_of_deferred_mail(stores, post):
    a_frozen_run(stores, "a@example.com", "b@example.com")
    post.backend.close()
    post.backend = Failing(BackendError("gone"), {"a@example.com": Outcome(OutcomeKind.DEFERRED, 451)})
    post.backend.close = lambda: None
    with pytest.raises(BackendError):
        drain(post)
    with stores.readers() as session:
        due = dict(session.execute(sa.select(messages.c.address, messages.c.not_before)).all())
        assert due["a@example.com"] > utc_now() + timedelta(minutes=3)
        assert due["b@example.com"] is None
        assert session.scalar(sa.select(chunks.c.not_before)) < utc_now() + timedelta(minutes=1)


@pytest.fixture
def handlers():
    """The process's signal handlers, put back afterwards."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)}
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
def test_a_sender_asked_to_end_leaves_in_doubt_only_what_its_server_does_not_answer(stores, post):
    def script(stage, seen):
        if stage == "body" and seen.recipient.startswith("b@"):
            threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
            over.wait(120)
            return Say(b"250 late\r\n")
        return None

    over = threading.Event()
    run = a_frozen_run(stores, "a@example.com", "b@example.com", "c@example.com")
    with Peer(script) as peer:
        post.backend.close()
        post.backend = open_backend(f"smtp://127.0.0.1:{peer.port}", connections=1)
        post.stopped = stopping = Stopping(patience=0.5)
        with pytest.raises(KeyboardInterrupt):
            drain(post)
        stopping.done()
        over.set()
        expected = {"a@example.com": "sent", "b@example.com": "unknown", "c@example.com": "queued"}
        assert the_states(stores, run) == expected
