"""A form that is on, its public pages, a worker's ticks, and a sender that keeps what it would send."""

import base64
import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from altcha import Challenge, solve_challenge
from werkzeug.test import Client

from campaigns.flows import asking, confirming, signing_up
from campaigns.forms.spec import Asked, Spec, Words
from campaigns.loading import load
from campaigns.mailing import Signing
from campaigns.records import consent, forms, outbox, senders, sign_ups, templates
from campaigns.templates import starters
from campaigns.templates.render import compile_source
from campaigns.tracking.tokens import Keyring
from campaigns.values import ContactId, Outcome, OutcomeKind, Outgoing, Sender, TopicClass
from campaigns.wiring import Stores
from tests.factories import NOW, SECRET
from tests.web.public.scene import BROWSER, PUBLIC, settings
from web.hits import application

SHOP = "https://www.shop.example"
SENDER = Sender(
    "Harbour & Vine", "hello@shop.example", "bounce.shop.example", None, "14 Quay Street, Bristol"
)
WORDS = {
    "en": Words(
        "Hear from us", "Yes, Harbour & Vine may write to me about", "Sign up", "Once a month.", "Welcome!"
    ),
    "de": Words(
        "Von uns hören", "Ja, Harbour & Vine darf mir schreiben über", "Anmelden", "Einmal im Monat."
    ),
}


@dataclass
class FormScene:
    """Ids, a client that asks as a browser does, and a clock that stands until it is moved."""

    stores: Stores
    client: Client
    form: int
    key: str
    topics: list[int]
    now: datetime = NOW
    signing: Signing = field(default_factory=lambda: Signing(Keyring(SECRET), PUBLIC))

    def pass_(self, **span: float) -> None:
        self.now += timedelta(**span)

    def get(self, path: str, **more: Any) -> Any:
        return self.client.get(path, headers={**BROWSER, **more.pop("headers", {})}, **more)

    def page(self, query: str = "") -> str:
        return self.get(f"/f/{self.key}{query}").get_data(as_text=True)

    def send(self, data: Any, *, client: str = "203.0.113.7", **more: Any) -> Any:
        headers = {**BROWSER, "X-Forwarded-For": client, **more.pop("headers", {})}
        environ = {"REMOTE_ADDR": "127.0.0.1"}
        return self.client.post(
            f"/f/{self.key}", data=data, headers=headers, environ_overrides=environ, **more
        )

    def fill(
        self, address: str, *, solve: bool = True, page: str | None = None, **more: Any
    ) -> dict[str, Any]:
        """What a browser posts who saw the page some seconds ago."""
        page = page or self.page()
        self.pass_(seconds=5)
        data = {
            "address": address,
            "topic": [str(one) for one in self.topics],
            "stamp": stamp_of(page),
            **more,
        }
        return data | ({"altcha": solved(puzzle_of(page))} if solve else {})

    def sign_up(self, address: str, *, client: str = "203.0.113.7", **more: Any) -> Any:
        return self.send(self.fill(address, **more), client=client)

    def work(self) -> int:
        with self.stores.sessions.begin() as session:
            return asking.write_mails(session, self.now)

    def forget(self) -> int:
        with self.stores.sessions.begin() as session:
            return confirming.forget_unconfirmed(session, self.now)

    def mails(self) -> list[Outgoing]:
        """Send what waits in the outbox, and give it."""
        sent: list[Outgoing] = []
        with self.stores.sessions.begin() as session:
            while (chunk := outbox.claim(session, "test")) is not None:
                loaded = load(session, chunk, {}, signing=self.signing, secret=SECRET, now=self.now)
                sent += [
                    loaded.mailing.mail(one, bought=[], now=self.now) for one in loaded.recipients.values()
                ]
                outcomes = dict.fromkeys(loaded.recipients, Outcome(OutcomeKind.SENT, 250))
                outbox.settle(session, chunk, outcomes, skipped=loaded.skipped, retry_at=None, now=self.now)
        return sent

    def mail_to(self, address: str) -> Outgoing:
        self.sign_up(address)
        self.work()
        return next(mail for mail in self.mails() if mail.rcpt_to == address)

    def confirm(self, mail: Outgoing, **more: Any) -> Any:
        environ = {"REMOTE_ADDR": "198.51.100.9"}
        return self.client.post(link_of(mail), headers=BROWSER, environ_overrides=environ, **more)

    def state(self, contact: int, topic: int | None = None) -> Any:
        with self.stores.readers() as session:
            return consent.state(session, ContactId(contact), topic or self.topics[0])

    def rows(self, table: sa.Table) -> list[Any]:
        with self.stores.readers() as session:
            return list(session.execute(sa.select(table).order_by(*table.primary_key)))

    def newest(self) -> sign_ups.SignUp:
        with self.stores.readers() as session:
            return sign_ups.newest(session, self.form)[0]

    def counts(self) -> dict[str, int]:
        with self.stores.readers() as session:
            return forms.counts(session, [self.form], now=self.now).get(self.form, {})

    def edit(self, **over: Any) -> None:
        with self.stores.sessions.begin() as session:
            old = forms.get(session, self.form)
            spec = {name: getattr(old.spec, name) for name in Spec.__dataclass_fields__} | over
            forms.edit(session, self.form, name=old.name, spec=Spec(**spec), sender=old.sender_id,
                       template=old.template_id, now=self.now)  # fmt: skip


def stamp_of(page: str) -> str:
    return re.search(r'name="stamp" value="([^"]+)"', page)[1]


def puzzle_of(page: str) -> dict[str, Any]:
    from html import unescape

    return json.loads(unescape(re.search(r'data-puzzle="([^"]+)"', page)[1]))


def solved(challenge: dict[str, Any]) -> str:
    found = solve_challenge(Challenge.from_dict(challenge))
    assert found is not None
    told = {"challenge": challenge, "solution": found.to_dict()}
    return base64.b64encode(json.dumps(told).encode()).decode()


def link_of(mail: Outgoing) -> str:
    import email
    from email import policy

    parsed = email.message_from_bytes(mail.data, policy=policy.default)
    text = parsed.get_body(("plain",)).get_content()
    return re.search(rf"{re.escape(PUBLIC)}(/y/\S{{36}})", text)[1]


@cache
def bodies() -> list[Any]:
    sources = [starters.load("confirmation", tag) for tag in ("en", "de")]
    return [(one, compile_source(one)) for one in sources]


def a_template(session: Any) -> int:
    templates.save(session, "confirmation", "Confirmation", bodies(), author="test", now=NOW)
    return templates.find(session, "confirmation")


def a_form_scene(stores: Stores, data: Path, monkeypatch: Any, *, topics: int = 1, **over: Any) -> FormScene:
    with stores.sessions.begin() as session:
        made = [
            consent.add_topic(
                session, f"news{n}", f"News {n}", TopicClass.MARKETING, now=NOW, description="Letters"
            )
            for n in range(topics)
        ]
        spec = Spec(**{"topics": tuple(one.id for one in made), "words": WORDS} | over)
        form = forms.add(session, "letter", "Letter", spec, sender=senders.add(session, SENDER, now=NOW),
                         template=a_template(session), actor="test", now=NOW)  # fmt: skip
        forms.switch(session, form, on=True, now=NOW)
    client = Client(
        application(stores, settings(data, stores.engine.url.render_as_string(hide_password=False)))
    )
    scene = FormScene(stores, client, form, "letter", [one.id for one in made])
    monkeypatch.setattr("campaigns.forms.puzzle.ROUNDS", 20)  # the same work, less of it
    monkeypatch.setattr("web.public.forms.utc_now", lambda: scene.now)
    monkeypatch.setattr("web.public.confirmation.utc_now", lambda: scene.now)
    return scene


FIELDS = (Asked("given_name"), Asked("family_name"), Asked("country"), Asked("attributes.size"))
__all__ = ["FIELDS", "SHOP", "FormScene", "a_form_scene", "signing_up"]
