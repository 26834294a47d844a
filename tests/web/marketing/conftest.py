"""The marketing desk on a store of each kind: people, a segment, a template, a sender, and a way in."""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from campaigns.clock import utc_now
from campaigns.config import Settings, from_environment
from campaigns.flows import audience, schedule
from campaigns.records import campaigns, outbox, segments, senders, staff
from campaigns.records.staff import Desk
from campaigns.values import Outcome, OutcomeKind
from campaigns.wiring import Stores
from tests.factories import NOW, SENDER, a_contact, a_template, a_topic, template_of
from tests.web.conftest import token
from tests.web.sales.conftest import NO_PASSWORD, enlist
from web.app import create_app

HOSTILE = "<script>alert(1)</script>\"'{{ 7 * 7 }}%(x)s"
EVERYBODY = {"version": 1, "rule": {"everyone": True}}


@dataclass
class Desktop:
    """A marketer at the desk, with what a campaign needs."""

    stores: Stores
    settings: Settings
    client: FlaskClient
    at: Callable[[Desk], FlaskClient]
    topic: int
    segment: int
    template: int
    sender: int
    csrf: str = ""

    def get(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path)
        assert answer.status_code == status, answer.get_data(as_text=True)[:3000]
        return answer.get_data(as_text=True)

    def post(self, path: str, status: int = 302, *, part: bool = False, **form: Any) -> str:
        """Post a form as a browser does: with its token; gives the page that follows."""
        headers = {"Referer": "http://localhost/"} | ({"HX-Request": "true"} if part else {})
        self.csrf = form["csrf_token"] = self.csrf or token(self.client, "/campaigns/new")
        answer = self.client.post(path, data=form, headers=headers)
        assert answer.status_code == status, answer.get_data(as_text=True)[:3000]
        return self.get(answer.headers["Location"]) if status == 302 else answer.get_data(as_text=True)

    def create(self, name: str = "Spring letter") -> int:
        page = self.post("/campaigns/", name=name)
        return int(re.search(r"/campaigns/(\d+)/who", page)[1])

    def fill(self, campaign: int, **over: Any) -> None:
        chosen = {
            "segment_id": self.segment,
            "template_id": self.template,
            "topic_id": self.topic,
            "sender_id": self.sender,
        } | over
        with self.stores.sessions.begin() as session:
            campaigns.edit(session, campaign, now=NOW, **chosen)

    def campaign(self, number: int) -> campaigns.Campaign:
        with self.stores.readers() as session:
            return campaigns.get(session, number)

    def tick(self) -> None:
        """One tick of the worker, now."""
        for act in (schedule.open_runs, audience.freeze_open_runs, schedule.finish_runs):
            with self.stores.sessions.begin() as session:
                act(session, utc_now())

    def send(self, most: int = 1000) -> None:
        with self.stores.sessions.begin() as session:
            for _ in range(most):
                chunk = outbox.claim(session, "test")
                if chunk is None:
                    return
                outcomes = {seq: Outcome(OutcomeKind.SENT, 250) for seq in range(chunk.first, chunk.last + 1)}
                outbox.settle(session, chunk, outcomes, skipped={}, retry_at=None, now=utc_now())


@pytest.fixture
def sqlite_only(sqlite_pattern: Path, tmp_path: Path) -> str:
    """For pages that add no SQL of their own: one database does."""
    shutil.copy(sqlite_pattern, tmp_path / "store.db")
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def desktop(stores: Stores, tmp_path: Path) -> Desktop:
    settings = from_environment({"POSTROOM_DATA": str(tmp_path / "data")})
    app = create_app(stores, settings)
    with stores.sessions.begin() as session:
        numbers = {desk: enlist(session, desk) for desk in Desk}
        topic = a_topic(session)
        for n in range(4):
            a_contact(
                session,
                topic=topic if n else None,
                given_name=HOSTILE if n == 1 else None,
                family_name="محمد",
            )
        segments.save(session, "everybody", f"Everybody {HOSTILE}", EVERYBODY, author="test", now=NOW)
        segment = segments.find(session, "everybody")
        template = template_of(session, a_template(session))
        sender = senders.add(session, SENDER, now=NOW)

    def at(desk: Desk) -> FlaskClient:
        client = app.test_client()
        with client.session_transaction() as cookie:
            cookie.update(staff=numbers[desk], seal=staff.seal_of(NO_PASSWORD))
        return client

    return Desktop(stores, settings, at(Desk.MARKETING), at, topic, segment, template, sender)
