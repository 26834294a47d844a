"""The desks' own pages on a store of each kind, with somebody at every desk and one customer who has lived."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from campaigns.config import from_environment
from campaigns.model.customers import contacts
from campaigns.model.mail import messages, runs
from campaigns.model.staff import staff as staff_table
from campaigns.records import consent, history, staff, suppressions
from campaigns.records.consent import Provenance
from campaigns.records.staff import Desk
from campaigns.values import ContactId, EventKind, Fact, TopicClass, Verdict
from campaigns.wiring import Stores
from tests.factories import NOW, a_campaign, a_contact, a_customer, a_run
from tests.web.conftest import token
from web.app import create_app

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
DESKS = tuple(Desk)
NO_PASSWORD = "no hash at all"


@dataclass
class Lived:
    """A customer with a mail that went out and one that did not."""

    customer: int
    contact: int
    topic: int
    run: int
    unsent: int
    elsewhere: int  #: another customer


@dataclass
class Shop:
    """The app, its store, and a way in for each desk."""

    app: Flask
    stores: Stores
    lived: Lived
    at: Callable[[Desk], FlaskClient]


@pytest.fixture
def shop(stores: Stores, tmp_path: Path) -> Shop:
    settings = from_environment({"POSTROOM_DATA": str(tmp_path / "data")})
    app = create_app(stores, settings)
    with stores.sessions.begin() as session:
        lived = live(session, settings.secret)
        numbers = {desk: enlist(session, desk) for desk in DESKS}

    def at(desk: Desk) -> FlaskClient:
        client = app.test_client()
        with client.session_transaction() as cookie:
            cookie.update(staff=numbers[desk], seal=staff.seal_of(NO_PASSWORD))
        return client

    return Shop(app, stores, lived, at)


def enlist(session, desk: Desk) -> int:
    """Somebody at a desk, logged in by the cookie alone: hashing passwords is tested elsewhere, and slow."""
    row = {
        "email": f"{desk}@x.example",
        "name": desk.title(),
        "password_hash": NO_PASSWORD,
        "roles": [desk],
        "created_at": NOW,
    }
    return session.execute(sa.insert(staff_table).values(row).returning(staff_table.c.id)).scalar_one()


def live(session, secret: bytes) -> Lived:
    topic = consent.add_topic(session, "news", f"News {HOSTILE}", TopicClass.MARKETING, now=NOW).id
    customer = a_customer(session, name=HOSTILE, city=HOSTILE, country="DE", stage=HOSTILE[:30])
    contact = a_contact(
        session, customer_id=customer, email="person@example.com", given_name=HOSTILE, family_name="محمد",
        attributes={HOSTILE: HOSTILE}, time_zone="Nowhere/Land", locale="xx-" + "y" * 8,
    )  # fmt: skip
    hashed = suppressions.address_hash(secret, "person@example.com")
    session.execute(sa.update(contacts).where(contacts.c.id == contact).values(email_hash=hashed))
    consent.grant(session, ContactId(contact), topic, Provenance(NOW, "form"), now=NOW)
    campaign = a_campaign(session, topic=topic)
    session.execute(sa.text("update campaigns set name = :n"), {"n": f"Sale {HOSTILE}"})
    sent, unsent = a_run(session, campaign), a_run(session, campaign, occurrence="later")
    session.execute(sa.update(runs).values(frozen_at=NOW, state="finished"))
    common = {"seq": 1, "contact_id": contact}
    session.execute(
        sa.insert(messages).values(run_id=sent, address="person@example.com", state="sent", at=NOW, **common)
    )
    session.execute(sa.insert(messages).values(run_id=unsent, state="skipped", gate="no consent", **common))
    history.record_many(session, happened(customer, contact, sent))
    return Lived(customer, contact, topic, sent, unsent, a_customer(session, name="Elsewhere"))


def happened(customer: int, contact: int, run: int) -> list[Fact]:
    """One event of every kind, all with hostile words."""
    detail = {
        "by": HOSTILE,
        "text": HOSTILE,
        "subject": HOSTILE,
        "title": HOSTILE,
        "name": HOSTILE,
        "file": HOSTILE,
    }
    detail |= {
        "diagnostic": HOSTILE,
        "status": HOSTILE,
        "how": HOSTILE,
        "reason": HOSTILE,
        "reasons": [HOSTILE],
    }
    detail |= {
        "order": HOSTILE,
        "total_minor": 1,
        "currency": HOSTILE,
        "topic": HOSTILE,
        "kind": HOSTILE,
        "link": 1,
    }
    detail |= {
        "until": HOSTILE,
        "score": HOSTILE,
        "response": HOSTILE,
        "outcome": HOSTILE,
        "channel": HOSTILE,
    }
    return [
        Fact(kind, NOW, f"all:{kind}", contact, customer, run, 1, verdict=Verdict.PRIVACY, detail=detail)
        for kind in EventKind
    ]


def text_of(response) -> str:
    return response.get_data(as_text=True)


def press(client: FlaskClient, path: str, **form: str):
    """Send a form as a page of ours does."""
    form = {"csrf_token": token(client, "/a/page/that/is/not/there"), **form}
    return client.post(path, data=form, headers={"Referer": "http://localhost/"})
