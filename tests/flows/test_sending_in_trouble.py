"""When something goes wrong in the middle: slow servers, lost leases, our own mistakes, changed addresses."""

import threading
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.delivery import caught
from campaigns.delivery.backend import open_backend
from campaigns.delivery.catcher import Catcher
from campaigns.flows import sending
from campaigns.flows.sending import Postbox, drain
from campaigns.mailing import Mailing, Signing
from campaigns.model.customers import contacts
from campaigns.model.mail import chunks, messages
from campaigns.records import audience, campaigns, gates, outbox
from campaigns.tracking.tokens import Keyring
from tests.factories import NOW, SECRET, a_campaign, a_contact, a_run, a_topic


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
def post(stores, catcher):
    backend = open_backend(f"smtp://127.0.0.1:{catcher.port}", connections=1)
    yield Postbox(
        stores.sessions,
        stores.readers,
        backend,
        Signing(Keyring(SECRET), "https://t.shop.example"),
        SECRET,
        "test",
        utc_now,
    )
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
        audience.freeze(
            session, run, everybody, asked, hold_out_percent=0, salt=1, per_minute=None, now=utc_now()
        )
    return run


def the_states(stores, run):
    with stores.readers() as session:
        rows = session.execute(
            sa.select(messages.c.address, messages.c.state).where(messages.c.run_id == run)
        )
        return dict(rows.all())


def arrived(catcher):
    return sorted(line.envelope.rcpt_to[0] for line in caught.mails(catcher.folder, limit=1000))


def test_a_chunk_that_takes_longer_than_its_lease_stays_with_its_sender(stores, catcher, post, monkeypatch):
    monkeypatch.setattr(outbox, "LEASE", timedelta(seconds=1))
    monkeypatch.setattr(sending, "RENEW_EVERY", 0.3, raising=False)
    run = a_frozen_run(stores, *[f"slow{n}@example.com" for n in range(20)])
    thread = threading.Thread(target=drain, args=(post,))
    thread.start()
    while thread.is_alive():
        with stores.sessions.begin() as session:
            assert outbox.expire_leases(session, now=NOW) == []
        thread.join(0.1)
    assert set(the_states(stores, run).values()) == {"sent"}


def test_a_sender_that_lost_its_chunk_starts_no_further_message(stores, catcher, post):
    a_frozen_run(stores, *[f"slow{n}@example.com" for n in range(40)])
    thread = threading.Thread(target=drain, args=(post,))
    thread.start()
    time.sleep(0.8)
    with stores.sessions.begin() as session:
        session.execute(sa.update(chunks).values(lease_until=NOW - timedelta(days=400)))
    with stores.sessions.begin() as session:
        outbox.expire_leases(session, now=NOW)
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


class Failing:
    """A backend that breaks its promise: it raises with a message on the wire."""

    name = "failing"

    def __init__(self, error, told=()):
        self.error, self.told = error, dict(told)

    def send(self, batch, watch):
        for mail in batch:
            if mail.rcpt_to in self.told:
                watch.started(mail.key)
                if self.told[mail.rcpt_to]:
                    watch.answered(mail.key, self.told[mail.rcpt_to])
        raise self.error
