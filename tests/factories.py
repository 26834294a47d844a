"""Real rows for tests: plain functions that write what a test needs and give its id."""

from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from campaigns.clock import utc_now
from campaigns.delivery.journal import Journal
from campaigns.flows.sending import Postbox
from campaigns.mailing import Signing
from campaigns.model.customers import contacts, customers
from campaigns.records import campaigns, consent, lanes, senders, suppressions, templates
from campaigns.records.campaigns import Pinned
from campaigns.records.consent import Provenance
from campaigns.templates.render import compile_source
from campaigns.tracking.tokens import Keyring
from campaigns.values import BodyKind, ContactId, Sender, Source, TopicClass

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
SECRET = b"a secret for tests only"
SENDER = Sender(
    "Harbour & Vine", "hello@shop.example", "bounce.shop.example", None, "14 Quay Street, Bristol"
)
HTML = """<html><body><p>Hello {{ contact.given_name|default('friend') }}</p>
<p><a href="https://shop.example/a">One</a> <a href="https://shop.example/b?x=1&amp;y=2">Two</a></p>
<p>{{ sender.postal_address }} <a href="{{ links.unsubscribe }}">Unsubscribe</a></p></body></html>"""

_numbers = count(1)


def a_customer(session: Session, **over: Any) -> int:
    values = {"name": "Ada Lovelace", "created_at": NOW, "updated_at": NOW, **over}
    return session.execute(sa.insert(customers).values(values).returning(customers.c.id)).scalar_one()


def a_contact(session: Session, *, email: str | None = "", topic: int | None = None, **over: Any) -> int:
    """A contact with a customer of its own unless one is given; with a yes to `topic` if that is given."""
    if email == "":
        email = f"person{next(_numbers)}@example.com"
    customer = over.pop("customer_id", None) or a_customer(session)
    values = {
        "customer_id": customer,
        "email": email,
        "email_hash": suppressions.address_hash(SECRET, email) if email else None,
        "given_name": "Ada",
        "created_at": NOW,
        "updated_at": NOW,
        **over,
    }
    made = session.execute(sa.insert(contacts).values(values).returning(contacts.c.id)).scalar_one()
    if topic is not None:
        consent.grant(session, ContactId(made), topic, Provenance(NOW, "form", "test"), now=NOW)
    return made


def a_topic(session: Session, topic_class: TopicClass = TopicClass.MARKETING) -> int:
    number = next(_numbers)
    return consent.add_topic(session, f"topic{number}", f"Topic {number}", topic_class, now=NOW).id


def a_template(
    session: Session, *, html: str = HTML, subject: str = "Hello {{ contact.given_name|default('you') }}"
) -> int:
    """A template of one English HTML body; gives the id of its version."""
    source = Source(BodyKind.HTML, subject, html, "A few words before")
    key = f"template{next(_numbers)}"
    return templates.save(session, key, key, [(source, compile_source(source))], author="test", now=NOW)


def a_campaign(session: Session, *, topic: int, **over: Any) -> int:
    """A draft with a topic, a template and a sender."""
    version = a_template(session)
    values = {
        "topic_id": topic,
        "template_id": template_of(session, version),
        "sender_id": senders.add(session, SENDER, now=NOW),
        **over,
    }
    return campaigns.create(session, f"Campaign {next(_numbers)}", actor="test", now=NOW, **values)


def template_of(session: Session, version: int) -> int:
    from campaigns.model.mail import template_versions

    return session.execute(
        sa.select(template_versions.c.template_id).where(template_versions.c.id == version)
    ).scalar_one()


def a_run(
    session: Session, campaign_id: int, *, occurrence: str = "2026-11-22T09:00", now: datetime = NOW
) -> int:
    """An open run of a campaign, its audience not frozen yet."""
    campaign = campaigns.get(session, campaign_id)
    assert campaign.topic_id is not None
    assert campaign.sender_id is not None
    assert campaign.template_id is not None
    version = templates.newest_version(session, campaign.template_id)
    pinned = Pinned(campaign.topic_id, campaign.sender_id, version, None, None)
    return campaigns.open_run(session, campaign, pinned, occurrence=occurrence, kind="campaign", now=now)


def a_postbox(stores, backend, folder, **over):
    """What a sender works with; its journal is in `folder`."""
    given = {
        "sessions": stores.sessions,
        "readers": stores.readers,
        "backend": backend,
        "signing": Signing(Keyring(SECRET), "https://t.shop.example"),
        "secret": SECRET,
        "journal": Journal(folder / "journal", f"test-{uuid4().hex[:8]}"),
        "clock": utc_now,
    }
    return Postbox(**{**given, **over})


def step_all(session: Session, now: datetime) -> int:
    """Let every warm-up take its step that is due, as the worker does; gives how many did."""
    return sum(lanes.warm_up(session, now, due=one) for one in lanes.warm_ups_due(session, now))
