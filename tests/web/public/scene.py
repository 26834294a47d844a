"""A company, a contact and one message that was sent to her, as far as the public pages need them."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import Client

from campaigns.clock import utc_now
from campaigns.config import Settings
from campaigns.mailing import number_links
from campaigns.model.commerce import products
from campaigns.model.events import events, hits, strays
from campaigns.model.mail import messages
from campaigns.records import campaigns, consent, senders, surveys, templates
from campaigns.records.campaigns import Pinned
from campaigns.records.consent import Provenance
from campaigns.surveys.form import parse_form
from campaigns.templates.render import compile_source
from campaigns.tracking.tokens import Keyring, Purpose
from campaigns.values import BodyKind, ConsentState, ContactId, Sender, Source, TopicClass
from campaigns.wiring import Stores
from tests.factories import NOW, SECRET, a_contact, a_customer
from web.hits import application

PUBLIC = "http://t.shop.example"
#: For a test of many inputs that the database has no part in.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SENDER = Sender(
    "Harbour & Vine <b>", "hello@shop.example", "bounce.shop.example", None, "14 Quay Street, Bristol"
)
BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36",
    "Accept-Language": "en",
    "Sec-Fetch-Mode": "navigate",
}
HTML = """<html><body><p>Hello {{ contact.given_name }}</p>
<a href="https://shop.example/a?x=1&amp;y=2">A</a> <a href="https://bücher.example/straße?q=ä#ö">B</a>
<a href="{{ links.unsubscribe }}">Leave</a> <a href="{{ links.view }}">View</a> {{ sender.postal_address }}</body></html>"""
FORM = {
    "version": 1,
    "title": {"en": "Your visit <i>", "de": "Ihr Besuch"},
    "intro": {"en": "Five questions, one minute.", "de": "Fünf Fragen, eine Minute."},
    "thanks": {"en": "We read every word.", "de": "Wir lesen jedes Wort."},
    "questions": [
        {"key": "nps", "type": "scale", "required": True, "attribute": "nps",
         "text": {"en": "Would you recommend us?", "de": "Würden Sie uns empfehlen?"},
         "low_text": {"en": "not at all", "de": "gar nicht"}, "high_text": {"en": "certainly", "de": "sicher"}},
        {"key": "how", "type": "single", "required": True, "text": {"en": "How did you come?", "de": "Wie kamen Sie?"},
         "choices": [{"key": "foot", "text": {"en": "On foot", "de": "Zu Fuß"}}, {"key": "car", "text": "Car"}]},
        {"key": "liked", "type": "multiple", "attribute": "liked", "text": {"en": "What did you like?", "de": "Was gefiel?"},
         "choices": [{"key": "advice", "text": "The advice"}, {"key": "music", "text": "The music"}]},
        {"key": "next", "type": "product", "attribute": "wishes", "category": "Vinyl",
         "text": {"en": "What would you like next?", "de": "Was als Nächstes?"}},
        {"key": "why", "type": "text", "text": {"en": "Anything else?", "de": "Noch etwas?"}},
    ],
}  # fmt: skip


@dataclass
class Scene:
    """Ids, and a client that asks as a browser does."""

    stores: Stores
    client: Client
    contact: int
    customer: int
    topic: int
    other_topic: int
    campaign: int
    run: int
    survey: int
    seq: int = 1

    def token(self, purpose: Purpose, **over: int) -> str:
        ids = {"run": self.run, "seq": self.seq, "contact": self.contact, **over}
        return Keyring(SECRET).sign(purpose, **ids)

    def path(self, page: str) -> str:
        purposes = {"o": Purpose.OPEN, "c": Purpose.CLICK, "u": Purpose.UNSUBSCRIBE, "v": Purpose.VIEW,
                    "p": Purpose.PREFERENCES, "s": Purpose.SURVEY}  # fmt: skip
        return f"/{page}/{self.token(purposes[page])}"

    def get(self, path: str, **more: Any) -> Any:
        return self.client.get(path, headers={**BROWSER, **more.pop("headers", {})}, **more)

    def post(self, path: str, data: Any = None, **more: Any) -> Any:
        return self.client.post(path, data=data, headers={**BROWSER, **more.pop("headers", {})}, **more)

    def rows(self, table: sa.Table) -> list[Any]:
        with self.stores.readers() as session:
            return list(session.execute(sa.select(table).order_by(*table.primary_key)))

    def hits(self) -> list[Any]:
        return self.rows(hits)

    def strays(self) -> dict[str, int]:
        return {row.what: row.count for row in self.rows(strays)}

    def events(self, kind: str = "") -> list[Any]:
        return [row for row in self.rows(events) if not kind or row.kind == kind]

    def state(self, topic: int | None = None) -> ConsentState | None:
        with self.stores.readers() as session:
            return consent.state(session, ContactId(self.contact), topic or self.topic)

    def ledger(self) -> list[Any]:
        with self.stores.readers() as session:
            return consent.ledger(session, ContactId(self.contact))


def settings(data: Path, database_url: str = "", **over: Any) -> Settings:
    values: dict[str, Any] = {
        "data": data, "database_url": database_url, "secret": SECRET, "public_url": PUBLIC, "web_port": 1,
        "hits_port": 1, "smtp_url": "smtp://127.0.0.1:1", "bounce_maildir": None, "senders": 1,
    }  # fmt: skip
    return Settings(**{**values, **over})


def a_scene(stores: Stores, data: Path, *, test: bool = False, survey: bool = True, tracking: bool = True,
            topic_class: TopicClass = TopicClass.MARKETING, **contact: Any) -> Scene:  # fmt: skip
    with stores.sessions.begin() as session:
        topic = consent.add_topic(session, "news", "News & <offers>", topic_class, now=NOW).id
        other = consent.add_topic(
            session, "events", "Events", TopicClass.MARKETING, now=NOW, description="Concerts."
        ).id
        customer = a_customer(session, owner_id=77)
        who = a_contact(session, customer_id=customer, email="ada@example.com", **contact)
        before = utc_now() - timedelta(days=1)
        consent.grant(session, ContactId(who), topic, Provenance(before, "form", "the shop"), now=before)
        session.execute(sa.insert(products), [
            {"sku": "LP-1", "name": "Blue <Train>", "category": "Vinyl", "price_minor": 1900},
            {"sku": "LP-2", "name": "Kind of Blue", "category": "Vinyl", "price_minor": 2100},
        ])  # fmt: skip
        version = surveys.save(session, "visit", "Visit", parse_form(FORM), author="mia", now=NOW)
        source = Source(BodyKind.HTML, "Hello {{ contact.given_name }}", HTML, "A few words")
        mail = templates.save(
            session, "mail", "Mail", [(source, compile_source(source))], author="mia", now=NOW
        )
        campaign = campaigns.create(
            session, "Spring", actor="mia", now=NOW, topic_id=topic, tracking=tracking,
            sender_id=senders.add(session, SENDER, now=NOW),
        )  # fmt: skip
        chosen = campaigns.get(session, campaign)
        pinned = Pinned(topic, chosen.sender_id or 0, mail, None, version if survey else None)
        run = campaigns.open_run(
            session, chosen, pinned, occurrence="x", kind="test" if test else "campaign", now=NOW
        )
        number_links(session, run)
        sent_at = utc_now() - timedelta(hours=1)
        session.execute(sa.insert(messages).values(
            run_id=run, seq=1, contact_id=who, address="ada@example.com", state="sent", at=sent_at,
        ))  # fmt: skip
        survey_id = surveys.edition(session, version).survey
    front = application(stores, settings(data))
    return Scene(stores, Client(front), who, customer, topic, other, campaign, run, survey_id)
