"""The outbox: claimed once, settled once, never twice, never lost."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy as sa

from campaigns.model.customers import contacts
from campaigns.model.dialect import database_now
from campaigns.model.mail import chunks, messages
from campaigns.records import audience, campaigns, consent, gates, outbox
from campaigns.records.consent import Provenance
from campaigns.values import ContactId, Gate, Outcome, OutcomeKind, RunState
from tests.factories import NOW, a_campaign, a_contact, a_run, a_topic

SENT = Outcome(OutcomeKind.SENT, 250, "2.0.0", "ok")
DEFERRED = Outcome(OutcomeKind.DEFERRED, 451, "4.3.0", "later")


@pytest.fixture
def run(stores, monkeypatch):
    """A frozen run of 10 messages in chunks of 4, committed."""
    monkeypatch.setattr(audience, "CHUNK", 4)
    with stores.sessions.begin() as session:
        topic = a_topic(session)
        for _ in range(10):
            a_contact(session, topic=topic)
        campaign = a_campaign(session, topic=topic)
        made = a_run(session, campaign)
        audience.freeze(
            session,
            made,
            sa.select(contacts.c.id),
            asked(session, made),
            hold_out_percent=0,
            salt=1,
            now=NOW,
        )
    return made


def asked(session, run):
    kept = campaigns.get_run(session, run)
    return gates.of_campaign(session, campaigns.get(session, kept.campaign_id), kept.topic_id, now=NOW)


def settle(session, chunk, outcomes, skipped=None, retry_at=None):
    outbox.settle(session, chunk, outcomes, skipped=skipped or {}, retry_at=retry_at, now=NOW)


def states(session, run):
    rows = session.execute(
        sa.select(messages.c.seq, messages.c.state).where(messages.c.run_id == run).order_by(messages.c.seq)
    )
    return [row.state for row in rows]


def test_two_senders_at_once_never_hold_the_same_chunk(stores, run):
    held, errors = [], []

    def take():
        try:
            while True:
                with stores.sessions.begin() as session:
                    chunk = outbox.claim(session, "me")
                if chunk is None:
                    return
                held.append((chunk.number, chunk.fence))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(held) == [(1, 1), (2, 1), (3, 1)]


def test_what_is_settled_is_counted_and_the_chunk_is_done(stores, run):
    with stores.sessions.begin() as session:
        chunk = outbox.claim(session, "me")
        ready, stopped = outbox.load(session, chunk, asked(session, run))
        assert ([one.seq for one in ready], stopped) == ([1, 2, 3, 4], {})
        settle(
            session,
            chunk,
            {1: SENT, 2: Outcome(OutcomeKind.FAILED, 550), 3: Outcome(OutcomeKind.UNKNOWN)},
            {4: (Gate.RENDER_ERROR, "why")},
        )
        assert states(session, run)[:4] == ["sent", "failed", "unknown", "skipped"]
        kept = campaigns.get_run(session, run)
        assert (kept.sent, kept.failed, kept.unknown, kept.skipped) == (1, 1, 1, 1)
        assert session.scalar(sa.select(chunks.c.state).where(chunks.c.number == 1)) == "done"


def test_a_no_at_the_address_after_the_freeze_stops_everybody_there(stores, run):
    """As an import's, which is written down for its own contact alone; a later yes is heard."""
    with stores.sessions.begin() as session:
        topic = campaigns.get_run(session, run).topic_id
        rows = session.execute(sa.select(messages.c.address).order_by(messages.c.seq).limit(3))
        first, second, third = (row.address for row in rows)
        for address, at in ((first, NOW), (second, NOW - timedelta(seconds=1)), (third, NOW)):
            twin = a_contact(session, email=address)
            consent.withdraw(session, ContactId(twin), topic, Provenance(at, "import"), now=NOW)
        # the third has moved since; the mail goes to the old address
        moved = sa.update(contacts).where(contacts.c.id == messages.c.contact_id, messages.c.seq == 3)
        session.execute(moved.values(email="moved@example.com"))
        chunk = outbox.claim(session, "me")
        ready, stopped = outbox.load(session, chunk, asked(session, run))
        assert ([one.seq for one in ready], stopped) == ([2, 4], {1: Gate.NO_CONSENT, 3: Gate.NO_CONSENT})


def test_what_was_not_started_or_was_deferred_is_sent_later_and_nothing_else(stores, run):
    with stores.sessions.begin() as session:
        chunk = outbox.claim(session, "me")
        settle(session, chunk, {1: SENT, 2: DEFERRED}, retry_at=NOW - timedelta(days=1))
    with stores.sessions.begin() as session:
        again = outbox.claim(session, "you")
        assert (again.number, again.fence) == (1, 2)
        ready, _ = outbox.load(session, again, asked(session, run))
        assert [(one.seq, one.attempts) for one in ready] == [(2, 1), (3, 0), (4, 0)]


def test_a_deferred_chunk_waits_until_it_is_due(stores, run):
    with stores.sessions.begin() as session:
        for _ in range(3):
            settle(
                session,
                outbox.claim(session, "me"),
                {},
                retry_at=database_now(session) + timedelta(hours=1),
            )
        assert outbox.claim(session, "me") is None
        assert not outbox.has_work(session)
        assert not outbox.is_drained(session, run)


def test_consent_withdrawn_after_the_freeze_stops_the_message(stores, run):
    with stores.sessions.begin() as session:
        kept = campaigns.get_run(session, run)
        third = session.scalar(sa.select(messages.c.contact_id).where(messages.c.seq == 3))
        consent.withdraw(
            session, ContactId(third), kept.topic_id, Provenance(NOW + timedelta(seconds=1), "page"), now=NOW
        )
        ready, stopped = outbox.load(session, outbox.claim(session, "me"), asked(session, run))
        assert ([one.seq for one in ready], stopped) == ([1, 2, 4], {3: Gate.NO_CONSENT})


def test_a_paused_run_gives_out_nothing(stores, run):
    with stores.sessions.begin() as session:
        campaigns.move_runs(
            session, campaigns.get_run(session, run).campaign_id, RunState.PAUSED, expected=[RunState.RUNNING]
        )
        assert outbox.claim(session, "me") is None


def test_a_chunk_whose_lease_ran_out_is_taken_over_and_its_owner_can_write_nothing_more(stores, run):
    with stores.sessions.begin() as session:
        chunk = outbox.claim(session, "lost")
        outbox.claim(session, "alive")
        session.execute(
            sa.update(chunks).where(chunks.c.number == 1).values(lease_until=NOW - timedelta(days=400))
        )
    with stores.sessions.begin() as session:
        assert outbox.expired(session) == [(chunk, "lost")]
        taken = outbox.take_over(session, chunk, "heir")
        assert (taken.number, taken.fence) == (1, chunk.fence + 1)
        assert outbox.expired(session) == []
    with pytest.raises(outbox.Fenced), stores.sessions.begin() as session:
        settle(session, chunk, {1: SENT})
    with pytest.raises(outbox.Fenced), stores.sessions.begin() as session:
        outbox.take_over(session, chunk, "another heir")
    with stores.sessions.begin() as session:
        settle(session, taken, {1: SENT})
        assert states(session, run)[:4] == ["sent"] + ["queued"] * 3


def test_recalled_messages_are_skipped_except_those_that_a_sender_holds(stores, run):
    with stores.sessions.begin() as session:
        chunk = outbox.claim(session, "me")
        assert outbox.recall(session, run, Gate.RECALLED, now=NOW) == 6
        assert not outbox.is_drained(session, run)
        settle(session, chunk, {1: SENT})
        assert outbox.recall(session, run, Gate.RECALLED, now=NOW) == 3
        assert outbox.is_drained(session, run)
        assert states(session, run) == ["sent"] + ["skipped"] * 9
        assert campaigns.get_run(session, run).skipped == 9


@pytest.mark.parametrize("what", ["given back", "claimed"])
def test_recalling_while_a_chunk_is_given_back_or_claimed_loses_and_doubles_nothing(
    stores, run, monkeypatch, what
):
    """On PostgreSQL others write between the statements of a recall; SQLite's writers are alone."""
    if stores.engine.dialect.name == "sqlite":
        pytest.skip("writers are alone")
    with stores.sessions.begin() as session:
        held = outbox.claim(session, "me")
    claimed, met = [], []

    def meanwhile(session, statement, whole=outbox.outcomes.changed):
        if not met:
            met.append(True)
            with stores.sessions.begin() as other:
                if what == "given back":
                    settle(other, held, {1: SENT})
                elif (chunk := outbox.claim(other, "you")) is not None:
                    claimed.append((chunk, outbox.load(other, chunk, asked(other, run))[0]))
        return whole(session, statement)

    with monkeypatch.context() as patched:
        patched.setattr(outbox.outcomes, "changed", meanwhile)
        with stores.sessions.begin() as session:
            outbox.recall(session, run, Gate.EXPIRED, now=NOW)
    with stores.sessions.begin() as session:
        if what == "claimed":
            settle(session, held, {1: SENT})
        for chunk, ready in claimed:
            settle(session, chunk, {one.seq: SENT for one in ready})
        outbox.recall(session, run, Gate.EXPIRED, now=NOW)
        kept, counted = campaigns.get_run(session, run), Counter(states(session, run))
        assert (kept.sent, kept.skipped) == (counted["sent"], counted["skipped"])
        assert counted["queued"] == 0
