"""A no that comes from a mailbox holds for every contact at its address, whichever way it was said."""

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from campaigns import receiving
from campaigns.flows import intake, preferring
from campaigns.flows.preferring import Shown
from campaigns.model.customers import contacts
from campaigns.model.events import events
from campaigns.model.mail import messages
from campaigns.records import addressees, consent
from campaigns.records.customers import grant_consent, withdraw_consent
from campaigns.tracking.tokens import Keyring, Purpose
from campaigns.values import ConsentState, ContactId, TopicClass
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
    assert said.proof.startswith(f"said by contact {ada} at the same address")
    told = sa.select(events.c.detail).where(events.c.contact_id == ben, events.c.kind == "consent withdrawn")
    assert session.scalars(told).all() == [{"topic": topic, "how": "shared address", "contact": ada}]


def test_a_topic_that_was_never_on_is_not_left_by_saving_the_page(session, home):
    _, _, ben, _, token = home
    other = a_topic(session)
    consent.grant(session, ContactId(ben), other, consent.Provenance(NOW, "form"), now=NOW)
    untick(session, token, other)
    assert consent.state(session, ContactId(ben), other) is ConsentState.GRANTED


def said_at(session, contact, topic, said, at, source="form"):
    consent.append(session, ContactId(contact), topic, said, consent.Provenance(at, source), now=at)


def mailed_now(session, topic):
    """Whom a new run of the topic would mail."""
    run = a_run(session, a_campaign(session, topic=topic))
    frozen(session, run)
    reached = sa.select(messages.c.contact_id).where(messages.c.run_id == run, messages.c.gate.is_(None))
    return set(session.scalars(reached))


def take_back(session, token, after=9):
    whom = addressees.find(session, token)
    return preferring.take_back(session, whom, SHOWN, now=LATER + timedelta(seconds=after))


@pytest.mark.parametrize("leave", [unsubscribe, untick])
def test_taking_a_no_back_gives_everybody_their_word_back_that_it_took(session, home, leave):
    topic, ada, ben, elsewhere, token = home
    leave(session, token, topic)
    assert mailed_now(session, topic) == {elsewhere}
    assert take_back(session, token)
    assert not take_back(session, token, after=10)
    for one in (ada, ben):
        assert consent.state(session, ContactId(one), topic) is ConsentState.GRANTED
    assert consent.ledger(session, ContactId(ben))[0].proof == (
        f"taken back by contact {ada} at the same address; message {token.run}.{token.seq}, page"
    )
    told = sa.select(events.c.detail).where(events.c.contact_id == ben, events.c.kind == "consent granted")
    assert session.scalars(told).all() == [{"topic": topic, "how": "shared address", "contact": ada}]


def test_taking_a_no_back_changes_nothing_that_somebody_else_said(session, home):
    topic, ada, ben, _, token = home
    cid, dan = (a_contact(session, email=SHARED, topic=topic) for _ in range(2))
    said_at(session, cid, topic, ConsentState.WITHDRAWN, NOW + timedelta(seconds=1))  # before, and alone
    unsubscribe(session, token, topic)
    said_at(session, dan, topic, ConsentState.WITHDRAWN, LATER + timedelta(seconds=2))  # after it, and anew
    assert take_back(session, token)
    assert {one: consent.state(session, ContactId(one), topic) for one in (ada, ben, cid, dan)} == {
        ada: ConsentState.GRANTED,
        ben: ConsentState.GRANTED,
        cid: ConsentState.WITHDRAWN,
        dan: ConsentState.WITHDRAWN,
    }


@pytest.mark.parametrize("leave", [unsubscribe, untick, leave_everything, tell_a_colleague])
def test_who_said_no_too_is_not_brought_back_when_the_first_takes_theirs_back(session, home, leave):
    topic, ada, ben, elsewhere, token = home
    (seq,) = session.scalars(sa.select(messages.c.seq).where(messages.c.contact_id == ben))
    bens = KEYRING.read(Purpose.UNSUBSCRIBE, KEYRING.sign(Purpose.UNSUBSCRIBE, token.run, seq, ben))
    unsubscribe(session, token, topic)
    leave(session, bens, topic)
    leave(session, bens, topic)
    assert len(consent.ledger(session, ContactId(ben))) == 3  # their yes, ada's no, and their own, once
    assert take_back(session, token)
    assert consent.state(session, ContactId(ben), topic) is ConsentState.WITHDRAWN
    assert mailed_now(session, topic) == {ada, elsewhere}


def test_taking_back_a_later_no_leaves_what_an_earlier_one_took(session, home):
    topic, ada, ben, _, token = home
    unsubscribe(session, token, topic)
    said_at(session, ada, topic, ConsentState.GRANTED, LATER + timedelta(seconds=1), "staff")
    intake.unsubscribe(session, token, how="page", now=LATER + timedelta(seconds=2))
    assert take_back(session, token)
    assert consent.state(session, ContactId(ada), topic) is ConsentState.GRANTED
    assert consent.state(session, ContactId(ben), topic) is ConsentState.WITHDRAWN


def test_a_question_put_to_somebody_stays_a_question_when_a_no_is_taken_back(session):
    topic = a_topic(session, TopicClass.SERVICE)
    ada, ben = (a_contact(session, email=SHARED) for _ in range(2))
    said_at(session, ben, topic, ConsentState.PENDING, NOW)
    run = a_run(session, a_campaign(session, topic=topic))
    frozen(session, run)
    token = KEYRING.read(Purpose.UNSUBSCRIBE, KEYRING.sign(Purpose.UNSUBSCRIBE, run, 1, ada))
    unsubscribe(session, token, topic)
    assert consent.state(session, ContactId(ben), topic) is ConsentState.WITHDRAWN
    assert take_back(session, token)
    assert consent.state(session, ContactId(ben), topic) is ConsentState.PENDING


@pytest.mark.parametrize("leave", [unsubscribe, untick, leave_everything])
def test_a_no_holds_at_the_mailbox_that_the_mail_went_to(session, home, leave):
    topic, ada, cid, ben, token = home  # cid reads the old mailbox, ben the one ada has moved to
    moved = sa.select(contacts.c.email).where(contacts.c.id == ben).scalar_subquery()
    session.execute(sa.update(contacts).where(contacts.c.id == ada).values(email=moved))
    leave(session, token, topic)
    assert {one: consent.state(session, ContactId(one), topic) for one in (ada, ben, cid)} == {
        ada: ConsentState.WITHDRAWN,
        ben: ConsentState.GRANTED,
        cid: ConsentState.WITHDRAWN,
    }
    take_back(session, token)
    assert consent.state(session, ContactId(cid), topic) is ConsentState.GRANTED


def tick(session, token, topic):
    whom = addressees.find(session, token)
    preferring.choose(session, whom, {topic}, Shown("en", {topic: "News"}), now=LATER)


def tell_a_colleague_yes(session, token, topic):
    customer = session.scalar(sa.select(contacts.c.customer_id).where(contacts.c.id == token.contact))
    said = {"actor": "Sofía", "reason": "by phone", "now": LATER}
    grant_consent(session, customer, token.contact, topic, **said)


@pytest.mark.parametrize("topic_class", [TopicClass.MARKETING, TopicClass.SERVICE])
@pytest.mark.parametrize("agree", [tick, tell_a_colleague_yes])
def test_who_is_stopped_by_anothers_no_sees_so_and_may_say_yes_anew(session, topic_class, agree):
    topic = a_topic(session, topic_class)
    agreed = topic if topic_class is TopicClass.MARKETING else None
    ada, ben = (a_contact(session, email=SHARED, topic=agreed) for _ in range(2))
    run = a_run(session, a_campaign(session, topic=topic))
    frozen(session, run)
    (seq,) = session.scalars(sa.select(messages.c.seq).where(messages.c.contact_id == ben))
    token = KEYRING.read(Purpose.UNSUBSCRIBE, KEYRING.sign(Purpose.UNSUBSCRIBE, run, seq, ben))

    def is_on():
        (choice,) = preferring.choices(session, addressees.find(session, token))
        return choice.on

    assert is_on()
    said_at(session, ada, topic, ConsentState.WITHDRAWN, LATER + timedelta(minutes=1), "import")
    assert (is_on(), mailed_now(session, topic)) == (False, set())
    agree(session, token, topic)
    agree(session, token, topic)
    assert (is_on(), mailed_now(session, topic)) == (True, {ben})
    assert len(consent.ledger(session, ContactId(ben))) == (2 if agreed else 1)


def test_a_no_goes_with_its_contact_to_the_mailbox_that_they_read_now(session, home):
    topic, ada, _, ben, token = home
    moved = sa.select(contacts.c.email).where(contacts.c.id == ben).scalar_subquery()
    session.execute(sa.update(contacts).where(contacts.c.id == ada).values(email=moved))
    unsubscribe(session, token, topic)
    assert mailed_now(session, topic) == set()
    said_at(session, ben, topic, ConsentState.GRANTED, LATER + timedelta(seconds=1))
    assert mailed_now(session, topic) == {ben}


def test_a_no_told_late_leaves_a_yes_that_somebody_else_said_after_it(session, home):
    topic, ada, ben, elsewhere, token = home
    said_at(session, ben, topic, ConsentState.GRANTED, NOW + timedelta(hours=5))
    receiving.left(session, token, how="webhook", now=NOW + timedelta(hours=1), source="webhook")
    assert consent.state(session, ContactId(ada), topic) is ConsentState.WITHDRAWN
    assert consent.state(session, ContactId(ben), topic) is ConsentState.GRANTED
    assert mailed_now(session, topic) == {ben, elsewhere}


@pytest.mark.parametrize(("source", "stays"), [("webhook", True), ("web", False)])
def test_a_no_that_a_provider_tells_late_leaves_a_later_yes_of_the_same_person(session, home, source, stays):
    """What they press themselves holds, whatever some clock has said of a yes."""
    topic, ada, ben, elsewhere, token = home
    said_at(session, ada, topic, ConsentState.GRANTED, NOW + timedelta(hours=5))
    for _ in range(2):
        receiving.left(session, token, how=source, now=NOW + timedelta(hours=1), source=source)
    assert (consent.state(session, ContactId(ada), topic) is ConsentState.GRANTED) is stays
    assert consent.state(session, ContactId(ben), topic) is ConsentState.WITHDRAWN
    assert mailed_now(session, topic) == ({ada, elsewhere} if stays else {elsewhere})
    noes = [word for word in consent.ledger(session, ContactId(ada)) if word.state is ConsentState.WITHDRAWN]
    assert len(noes) == 1


@pytest.mark.parametrize("leave", [unsubscribe, leave_everything, tell_a_colleague])
def test_a_no_said_again_is_as_old_as_it_is(session, home, leave):
    topic, ada, ben, _, token = home
    cid = a_contact(session, email=SHARED)
    said_at(session, ada, topic, ConsentState.WITHDRAWN, NOW + timedelta(minutes=2), "import")
    said_at(session, cid, topic, ConsentState.GRANTED, NOW + timedelta(minutes=3))
    leave(session, token, topic)
    assert consent.state(session, ContactId(cid), topic) is ConsentState.GRANTED
    assert consent.state(session, ContactId(ben), topic) is ConsentState.WITHDRAWN  # whose yes is older


def test_what_one_of_us_wrote_about_a_person_stays_with_that_person(session, home):
    topic, ada, ben, _, token = home
    tell_a_colleague(session, token, topic)
    assert consent.ledger(session, ContactId(ada))[0].proof == "said so by phone"
    assert consent.ledger(session, ContactId(ben))[0].proof == f"said by contact {ada} at the same address"


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
        # the second says it for good, beside what the first said for both
        assert sorted(len(consent.ledger(session, ContactId(one))) for one in both) == [2, 3]
