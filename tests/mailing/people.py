"""Mailings and recipients without a store."""

from datetime import UTC, datetime
from decimal import Decimal

from campaigns.mailing import Mailing, Signing, Topic, editions
from campaigns.records.names import Common
from campaigns.records.outbox import Recipient
from campaigns.tracking.tokens import Keyring
from campaigns.values import Compiled, Sender, TopicClass

NOW = datetime(2026, 11, 22, 9, 30, 15, 250_000, tzinfo=UTC)
SENDER = Sender(
    "Hafen & Rebe", "hallo@rebe.example", "bounce.rebe.example", "antwort@rebe.example", "Am Kai 14, Köln"
)
OFFERS = (
    {"name": "Becher <grün>", "price": Decimal("18.50"), "url": "https://shop.example.com/p/1"},
    {"name": ".Tücher", "price": None, "url": None},
    {"name": "板 =3D", "price": Decimal(42), "url": "https://shop.example.com/p/3"},
)


def mailing(*bodies, topic_class=TopicClass.MARKETING, offers=OFFERS, sender=SENDER, tracking=True, **more):
    """A mailing of compiled bodies."""
    empty = {"currency": "EUR", "image": None, "description": None}
    shared = Common("Novemberbrief", sender, tuple({**empty, **offer} for offer in offers), {1: "Miriam"})
    signing = Signing(Keyring(b"a secret of ours"), "https://t.rebe.example")
    return Mailing(
        run=7,
        campaign=3,
        topic=Topic("news", "Neues", topic_class),
        shared=shared,
        signing=signing,
        editions=editions(bodies, tracking=tracking),
        **more,
    )


def letter(html="<p>Hi</p>\n", text="Hi\n", subject="Hi", language="en"):
    """A body that is compiled already."""
    return Compiled(subject, html, text, language)


def recipient(seq=1, address="ada@kunde.example", customer=None, **contact):
    """Somebody of whom nothing is known but what is given."""
    columns = ("given_name", "family_name", "salutation", "locale", "country", "region", "city", "attributes")
    person = {**dict.fromkeys(columns), "email": address, **contact}
    company = {"name": None, "stage": None, "owner_id": None, **(customer or {})}
    return Recipient(seq, 0, address, 1000 + seq, seq, person, company)
