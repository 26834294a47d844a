"""The worker's ticks: what fails is told and passed over, and keeps nothing else waiting."""

import os
import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from campaigns.config import from_environment
from campaigns.delivery.dkim import Algorithm
from campaigns.delivery.dkim_keys import Vault, record_name, record_text
from campaigns.flows import intake, keying, schedule
from campaigns.model.events import events
from campaigns.model.mail import chunks
from campaigns.model.mail import messages as messages_table
from campaigns.model.returned import returned_mails as kept
from campaigns.records import campaigns, dkim_keys, history, messages, outbox, partitions, returned_mails
from campaigns.records.returned_mails import Judged
from campaigns.values import CampaignState, EventKind, Fact
from campaigns.worker import Worker
from tests.factories import NOW, a_contact
from tests.flows.test_schedule import a_ready_campaign, scheduled, send_all, state, tick
from tests.name_server import NameServer, text_record


@pytest.fixture
def maildir(tmp_path):
    (tmp_path / "bounces" / "new").mkdir(parents=True)
    return tmp_path / "bounces"


@pytest.fixture
def worker(stores, tmp_path, maildir):
    settings = from_environment(
        {"POSTROOM_DATA": str(tmp_path / "var"), "POSTROOM_BOUNCE_MAILDIR": str(maildir)}
    )
    return Worker(stores, settings, clock=lambda: NOW)


@pytest.fixture
def campaign(stores):
    with stores.sessions.begin() as session:
        return a_ready_campaign(session)


def test_a_returned_mail_that_cannot_be_read_is_moved_on_and_the_next_are_read(worker, maildir, monkeypatch):
    for number, raw in enumerate([b"poison", b"fine", b"fine"]):
        path = maildir / "new" / f"{number}"
        path.write_bytes(raw)
        os.utime(path, (number, number))
    read = []

    def receive(session, raw, *rest, **named):
        if raw == b"poison":
            raise RuntimeError("a mistake of ours")
        read.append(raw)
        return "stray"

    monkeypatch.setattr(intake, "receive_mail", receive)
    worker.tick_returns()
    assert read == [b"fine", b"fine"]
    assert list((maildir / "new").iterdir()) == []
    assert len(list((maildir / "cur").iterdir())) == 3


def test_a_step_that_fails_keeps_no_run_from_being_finished(stores, worker, campaign, monkeypatch):
    scheduled(stores, campaign)
    tick(stores, NOW)
    send_all(stores)

    def broken(session, now):
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(schedule, "open_runs", broken)
    worker.tick_runs()
    assert state(stores, campaign) is CampaignState.FINISHED


def test_what_a_lost_sender_left_is_in_doubt_in_the_history_too_except_tests(stores, worker, campaign):
    scheduled(stores, campaign)
    tick(stores, NOW)
    with stores.sessions.begin() as session:
        run = campaigns.runs_of(session, campaign)[0]
        pinned = campaigns.Pinned(run.topic_id, run.sender_id, run.template_version_id, None, None)
        test = campaigns.open_run(
            session, campaigns.get(session, campaign), pinned, occurrence="test-1", kind="test", now=NOW
        )
        messages.add_test(session, test, a_contact(session), "me@example.com", now=NOW)
        assert outbox.claim(session, "lost").run == test  # a person waits for it
        assert outbox.claim(session, "lost").run == run.id
        session.execute(sa.update(chunks).values(lease_until=NOW - timedelta(days=400)))
    worker.tick_leases()
    worker.tick_leases()
    with stores.readers() as session:
        rows = session.execute(
            sa.select(events.c.kind, events.c.run_id, events.c.seq).order_by(events.c.seq)
        ).all()
        assert [tuple(row) for row in rows] == [("unknown", run.id, seq) for seq in (1, 2, 3)]
        assert campaigns.get_run(session, test).unknown == 1


def test_a_waiting_key_signs_once_its_record_is_there(worker, stores, monkeypatch):
    vault = Vault(b"a secret of the tests")
    with stores.sessions.begin() as session:
        key = keying.make(session, vault, "shop.example", Algorithm.RSA, now=NOW)
    with NameServer({}) as server:
        monkeypatch.setattr("campaigns.worker.open_resolver", server.resolver)
        worker.tick_keys()
        with stores.readers() as session:
            assert dkim_keys.waiting(session) == [key]
        text = text_record(record_text(key.algorithm, key.public))
        server.table[record_name(key.selector, key.domain), "TXT"] = [text]
        worker.tick_keys()
    with stores.readers() as session:
        assert dkim_keys.waiting(session) == []
        assert [one.selector for one in dkim_keys.signing(session, "shop.example")] == [key.selector]


def test_partitions_are_there_before_the_first_tick(stores, worker):
    if stores.engine.dialect.name == "sqlite":
        pytest.skip("SQLite divides nothing")
    worker.start()
    worker.stop()
    with stores.readers() as session:
        assert NOW.date().replace(day=1) in partitions.months(session)


@pytest.mark.timed
def test_who_read_messages_before_events_is_in_no_deadlock_with_new_partitions(stores, worker):
    if stores.engine.dialect.name == "sqlite":
        pytest.skip("SQLite divides nothing")
    with stores.sessions.begin() as session:
        history.record(session, Fact(EventKind.NOTE, NOW, "before"))  # stands in the default partition
        campaigns.get(session, a_ready_campaign(session))
    making = threading.Thread(target=worker.tick_partitions)
    with stores.sessions.begin() as session:
        session.execute(sa.select(sa.func.count()).select_from(messages_table)).scalar_one()
        making.start()
        making.join(0.2)  # it has made those of events, and waits for this transaction
        assert session.scalar(sa.select(sa.func.count()).select_from(events)) >= 1
    making.join(120)
    assert not making.is_alive()
    worker.tick_partitions()  # what it gave way to is over
    with stores.readers() as session:
        assert partitions.make_ahead(session, NOW) == []


def test_returned_mails_whose_time_is_over_go_without_another_one_coming(stores, worker, monkeypatch):
    monkeypatch.setattr(returned_mails, "LET_GO_AT_ONCE", 2)
    at = [NOW - returned_mails.KEPT - timedelta(days=1)] * 5 + [NOW - timedelta(days=1)]
    with stores.sessions.begin() as session:
        for number, came in enumerate(at):
            judged = Judged("full", hard=False, rules=1)
            returned_mails.keep(session, b"x", judged, digest=str(number), whom=(1, 1, 1), now=came)
    {name: tick for name, _, tick in worker.ticks()}["old returned mail"]()
    with stores.sessions() as session:
        assert session.scalars(sa.select(kept.c.digest)).all() == ["5"]
