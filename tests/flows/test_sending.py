"""Sending through real SMTP: from a frozen run to mails in the catcher and lines in the history."""

import email
import threading
import time
from datetime import timedelta
from email.policy import default

import pytest
import sqlalchemy as sa

from campaigns.clock import utc_now
from campaigns.delivery import caught
from campaigns.delivery.backend import open_backend
from campaigns.delivery.catcher import Catcher
from campaigns.errors import BackendError
from campaigns.flows.sending import drain
from campaigns.model.customers import contacts
from campaigns.model.events import events
from campaigns.model.mail import chunks, messages
from campaigns.records import audience, campaigns, gates, suppressions
from campaigns.tracking.tokens import Keyring, Purpose
from campaigns.values import RunState
from tests.factories import NOW, SECRET, a_campaign, a_contact, a_postbox, a_run, a_topic
from tests.timed import until

PUBLIC = "https://t.shop.example"


@pytest.fixture
def catcher(tmp_path):
    made = Catcher(tmp_path / "caught", "127.0.0.1", 0, refuse)
    made.start()
    yield made
    made.stop()


def refuse(recipient):
    if recipient.startswith("dead"):
        return "550 5.1.1 No such person"
    if recipient.startswith("busy"):
        return "451 4.2.1 Come back later"
    return None


@pytest.fixture
def post(stores, catcher, tmp_path):
    backend = open_backend(f"smtp://127.0.0.1:{catcher.port}", connections=2)
    yield a_postbox(stores, backend, tmp_path)
    backend.close()


def a_frozen_run(stores, *people, **campaign_over):
    with stores.sessions.begin() as session:
        topic = a_topic(session)
        for one in people:
            a_contact(session, topic=topic, **one)
        campaign = a_campaign(session, topic=topic, **campaign_over)
        run = a_run(session, campaign, now=utc_now())
        asked = gates.of_campaign(session, campaigns.get(session, campaign), topic, now=NOW)
        audience.freeze(
            session,
            run,
            sa.select(contacts.c.id),
            asked,
            hold_out_percent=0,
            salt=1,
            now=utc_now(),
        )
    return run


def mails(catcher):
    found = [caught.read(catcher.folder, line.name) for line in caught.mails(catcher.folder, limit=1000)]
    return {mail.line.envelope.rcpt_to[0]: mail for mail in found}


def the_states(stores, run):
    with stores.readers() as session:
        rows = session.execute(
            sa.select(messages.c.address, messages.c.state).where(messages.c.run_id == run)
        )
        return dict(rows.all())


def test_each_contact_gets_a_mail_of_its_own_with_the_whole_header_contract(stores, catcher, post):
    run = a_frozen_run(
        stores,
        {
            "email": "jürgen@example.com".replace("ü", "ue"),
            "given_name": "Jürgen",
            "family_name": "O’Weiß, Dr.",
        },
        {"email": "li@example.com", "given_name": "李", "family_name": "小龍"},
        {"email": "nobody@example.com", "given_name": None},
    )
    assert drain(post) == 3
    received = mails(catcher)
    assert set(received) == {"juergen@example.com", "li@example.com", "nobody@example.com"}
    message = email.message_from_bytes(received["juergen@example.com"].raw, policy=default)
    assert message["Subject"] == "Hello Jürgen"
    assert message["To"].addresses[0].display_name == "Jürgen O’Weiß, Dr."
    assert "Hello 李" in message_html(received["li@example.com"])
    assert "Hello friend" in message_html(received["nobody@example.com"])
    assert message["Message-ID"].endswith("@shop.example>")
    assert message["Date"].endswith("+0000")
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link, mailto = message["List-Unsubscribe"].split(", ")
    assert link.startswith(f"<{PUBLIC}/u/")
    assert mailto.startswith("<mailto:unsub+")
    assert message["List-ID"].endswith(".shop.example>")
    assert message["Feedback-ID"].count(":") == 3
    keyring = Keyring(SECRET)
    token = keyring.read(Purpose.UNSUBSCRIBE, link.removeprefix(f"<{PUBLIC}/u/").rstrip(">"))
    assert token.run == run
    returning = received["juergen@example.com"].line.envelope.mail_from
    assert returning.endswith("@bounce.shop.example")
    assert keyring.read(Purpose.RETURN, returning.partition("+")[2].partition("@")[0]).seq == token.seq


def message_html(mail):
    return email.message_from_bytes(mail.raw, policy=default).get_body(("html",)).get_content()


def test_outcomes_are_in_the_ledger_and_in_the_history(stores, catcher, post):
    run = a_frozen_run(
        stores, {"email": "fine@example.com"}, {"email": "dead@example.com"}, {"email": "busy@example.com"}
    )
    assert drain(post) == 3
    assert the_states(stores, run) == {
        "fine@example.com": "sent",
        "dead@example.com": "failed",
        "busy@example.com": "queued",
    }
    with stores.readers() as session:
        kinds = session.scalars(sa.select(events.c.kind).order_by(events.c.kind)).all()
        assert kinds == ["failed", "sent"]
        assert suppressions.is_suppressed(session, suppressions.address_hash(SECRET, "dead@example.com"))
        assert not suppressions.is_suppressed(session, suppressions.address_hash(SECRET, "busy@example.com"))
        chunk = session.execute(sa.select(chunks)).one()
        assert (chunk.state, chunk.owner) == ("ready", None)
        assert timedelta(minutes=3) < chunk.not_before - utc_now() < timedelta(minutes=7)
        kept = campaigns.get_run(session, run)
        assert (kept.sent, kept.failed) == (1, 1)


def test_a_second_drain_sends_nothing_again(stores, catcher, post):
    a_frozen_run(stores, {"email": "one@example.com"})
    assert drain(post) == 1
    assert drain(post) == 0
    assert len(caught.mails(catcher.folder)) == 1


def test_a_contact_for_whom_the_template_fails_is_skipped_and_says_why(stores, catcher, post):
    from campaigns.records import templates
    from campaigns.templates.render import compile_source
    from campaigns.values import BodyKind, Source

    with stores.sessions.begin() as session:
        source = Source(
            BodyKind.TEXT, "To {{ contact.city }}", "Dear {{ contact.city }}\n{{ links.unsubscribe }}\n"
        )
        templates.save(
            session, "strict", "strict", [(source, compile_source(source))], author="test", now=NOW
        )
        strict = templates.find(session, "strict")
    run = a_frozen_run(
        stores,
        {"email": "a@example.com", "city": "Köln"},
        {"email": "b@example.com", "city": None},
        template_id=strict,
    )
    drain(post)
    assert the_states(stores, run) == {"a@example.com": "sent", "b@example.com": "skipped"}
    with stores.readers() as session:
        row = session.execute(sa.select(messages).where(messages.c.address == "b@example.com")).one()
        assert row.gate == "render error"
        assert "city" in row.reply


@pytest.mark.timed
def test_pausing_takes_effect_within_two_seconds(stores, tmp_path):
    """A slow server: every recipient takes a while, so the run would take many seconds."""

    over = threading.Event()

    def slow(_recipient):
        if not over.is_set():
            time.sleep(0.1)

    catcher = Catcher(tmp_path / "caught", "127.0.0.1", 0, slow)
    catcher.start()
    backend = open_backend(f"smtp://127.0.0.1:{catcher.port}", connections=1)
    post = a_postbox(stores, backend, tmp_path)
    run = a_frozen_run(stores, *[{"email": f"p{n}@example.com"} for n in range(90)])
    thread = threading.Thread(target=drain, args=(post,))
    thread.start()
    until(lambda: len(caught.mails(catcher.folder)) >= 5)
    with stores.sessions.begin() as session:
        campaigns.move_runs(
            session, campaigns.get_run(session, run).campaign_id, RunState.PAUSED, expected=[RunState.RUNNING]
        )
    paused = time.monotonic()
    thread.join()
    assert time.monotonic() - paused < 2
    over.set()
    arrived = len(caught.mails(catcher.folder, limit=1000))
    assert arrived < 85
    assert list(the_states(stores, run).values()).count("sent") == arrived
    with stores.sessions.begin() as session:
        campaigns.move_runs(
            session, campaigns.get_run(session, run).campaign_id, RunState.RUNNING, expected=[RunState.PAUSED]
        )
    drain(post)
    assert len(caught.mails(catcher.folder, limit=1000)) == 90
    assert set(the_states(stores, run).values()) == {"sent"}
    backend.close()
    catcher.stop()


def test_with_no_server_the_messages_wait_and_nothing_is_lost(stores, catcher, post):
    catcher.stop()
    run = a_frozen_run(stores, {"email": "one@example.com"})
    with pytest.raises(BackendError):
        drain(post)
    assert the_states(stores, run) == {"one@example.com": "queued"}
    with stores.readers() as session:
        assert session.scalar(sa.select(chunks.c.state)) == "ready"


def test_links_to_offered_products_are_numbered_and_lead_to_their_pages(stores, catcher, post):
    from campaigns import mailing
    from campaigns.records import catalog, links, templates
    from campaigns.records.catalog import Offer
    from campaigns.templates.render import compile_source
    from campaigns.values import BodyKind, Source

    page = "https://shop.example/mug?colour=green&size=2"
    html = """<html><body>{% for product in products %}<a href="{{ product.url }}">{{ product.name }}</a>{% endfor %}
    <p>{{ sender.postal_address }} <a href="{{ links.unsubscribe }}">Leave</a></p></body></html>"""
    with stores.sessions.begin() as session:
        catalog.put_on_sale(session, Offer("MUG", "A mug", "Kitchen", 1850, "EUR", page))
        source = Source(BodyKind.HTML, "An offer", html)
        templates.save(session, "offer", "Offer", [(source, compile_source(source))], author="test", now=NOW)
        offer = templates.find(session, "offer")
    run = a_frozen_run(stores, {"email": "ada@example.com"}, template_id=offer)
    with stores.sessions.begin() as session:
        mailing.number_links(session, run)
        assert links.destination(session, run, 1) == page
        assert links.count(session, run) == 1
    drain(post)
    body = message_html(mails(catcher)["ada@example.com"])
    assert f'href="{PUBLIC}/c/' in body
    assert '/1">A mug</a>' in body
    assert page not in body
