"""A no that comes from a mailbox holds for every contact at its address, whichever way it was said."""

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from campaigns.flows import intake, preferring
from campaigns.flows.preferring import Shown
from campaigns.model.customers import contacts
from campaigns.model.events import events
from campaigns.model.mail import messages
from campaigns.records import addressees, consent
from campaigns.records.customers import withdraw_consent
from campaigns.tracking.tokens import Keyring, Purpose
from campaigns.values import ConsentState, ContactId
from tests.factories import NOW, SECRET, a_campaign, a_contact, a_run, a_topic
from tests.records.test_audience import frozen

KEYRING = Keyring(SECRET)
SHARED = "home@example.com"
LATER = NOW + timedelta(minutes=5)
SHOWN = Shown("en", {})


@pytest.fixture
def home(session):
    """Two who share an address, the first of whom was mailed, and one who lives elsewhere."""
    topic = a_topic(session)
    ada, ben = (a_contact(session, email=SHARED, topic=topic) for _ in range(2))
    elsewhere = a_contact(session, topic=topic)
    run = a_run(session, a_campaign(session, topic=topic))
    frozen(session, run)
    seq = session.scalar(sa.select(messages.c.seq).where(messages.c.contact_id == ada))
    token = KEYRING.read(Purpose.UNSUBSCRIBE, KEYRING.sign(Purpose.UNSUBSCRIBE, run, seq, ada))
    return topic, ada, ben, elsewhere, token


def unsubscribe(session, token, topic):
    intake.unsubscribe(session, token, how="one-click post", now=LATER)


def untick(session, token, topic):
    whom = addressees.find(session, token)
    preferring.choose(session, whom, set(), Shown("en", {topic: "News"}), now=LATER)


def leave_everything(session, token, topic):
    preferring.leave_everything(session, addressees.find(session, token), SHOWN, now=LATER)


def tell_a_colleague(session, token, topic):
    customer = session.scalar(sa.select(contacts.c.customer_id).where(contacts.c.id == token.contact))
    withdraw_consent(
        session, customer, token.contact, topic, actor="Sofía", reason="said so by phone", now=LATER
    )


@pytest.mark.parametrize("leave", [unsubscribe, untick, leave_everything, tell_a_colleague])
def test_who_leaves_leaves_for_everybody_at_the_address(session, home, leave):
    topic, ada, ben, elsewhere, token = home
    leave(session, token, topic)
    leave(session, token, topic)
    assert {one: consent.state(session, ContactId(one), topic) for one in (ada, ben, elsewhere)} == {
        ada: ConsentState.WITHDRAWN,
        ben: ConsentState.WITHDRAWN,
        elsewhere: ConsentState.GRANTED,
    }
    (said, _) = consent.ledger(session, ContactId(ben))
    assert said.proof.startswith(f"said by contact {ada} at the same address; ")
    told = sa.select(events.c.detail).where(events.c.contact_id == ben, events.c.kind == "consent withdrawn")
    assert session.scalars(told).all() == [{"topic": topic, "how": "shared address", "contact": ada}]


def test_a_topic_that_was_never_on_is_not_left_by_saving_the_page(session, home):
    _, _, ben, _, token = home
    other = a_topic(session)
    consent.grant(session, ContactId(ben), other, consent.Provenance(NOW, "form"), now=NOW)
    untick(session, token, other)
    assert consent.state(session, ContactId(ben), other) is ConsentState.GRANTED


def test_taking_it_back_is_a_yes_of_ones_own(session, home):
    topic, ada, ben, _, token = home
    unsubscribe(session, token, topic)
    whom = addressees.find(session, token)
    assert preferring.take_back(session, whom, SHOWN, now=LATER + timedelta(seconds=9))
    run = a_run(session, a_campaign(session, topic=topic))
    frozen(session, run)
    gates = sa.select(messages.c.contact_id, messages.c.gate).where(messages.c.run_id == run)
    assert dict(session.execute(gates).all()) | {ada: None, ben: "no consent"} == dict(
        session.execute(gates).all()
    )


def test_two_who_leave_one_address_at_once_both_have_left(stores):
    with stores.sessions.begin() as session:
        topic = a_topic(session)
        both = [a_contact(session, email=SHARED, topic=topic) for _ in range(2)]
        run = a_run(session, a_campaign(session, topic=topic))
        seq_of = {one: number for number, one in enumerate(both, start=1)}
        frozen(session, run)
    ready = threading.Barrier(2)
    faults = []

    def leave(contact):
        token = KEYRING.read(
            Purpose.UNSUBSCRIBE, KEYRING.sign(Purpose.UNSUBSCRIBE, run, seq_of[contact], contact)
        )
        ready.wait()
        try:
            with stores.sessions.begin() as session:
                intake.unsubscribe(session, token, how="page", now=LATER)
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=leave, args=(one,)) for one in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    with stores.readers() as session:
        assert {consent.state(session, ContactId(one), topic) for one in both} == {ConsentState.WITHDRAWN}
        assert all(len(consent.ledger(session, ContactId(one))) == 2 for one in both)
