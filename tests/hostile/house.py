"""A house in which every text is hostile: one row of all that pages show, with a payload wherever words go."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from campaigns.config import Settings, from_environment
from campaigns.delivery.caught import Envelope, store
from campaigns.forms.spec import Asked, Spec, Words
from campaigns.model import metadata
from campaigns.model.mail import messages, runs
from campaigns.model.surveys import answers, responses
from campaigns.records import campaigns, cases, forms, orders, segments, sign_ups, staff, surveys, tasks
from campaigns.records.cases import NewCase
from campaigns.records.sign_ups import Posted
from campaigns.records.staff import Desk
from campaigns.records.tasks import NewTask
from campaigns.surveys.form import parse_form
from campaigns.values import CampaignState
from campaigns.wiring import Stores, open_stores
from tests.factories import NOW, SENDER, a_template, template_of
from tests.web.sales.conftest import NO_PASSWORD, Lived, enlist, live
from web.app import create_app, create_public_app

#: Breaks out of text, of attributes in either quotes, of script, style, title, textarea and comments.
MARK = "hostilemark"
PAYLOAD = (
    f"</title></textarea></style></script>--><{MARK}><img src=x onerror=alert(1) id={MARK}>"
    f"\"'><svg/onload=alert(2)>{{{{ 7*7*7 }}}}${{7*7*7}}<a href=javascript:alert(3)>"
)
#: Columns that hold the house's own words, never anybody's text: states, kinds, keys, moments, hashes.
OUR_WORDS = {
    "*": {"key", "kind", "state", "schedule", "cron", "language", "topic_class", "time_zone", "gate", "verdict",
          "dedupe", "digest", "entity", "type", "day", "locale", "currency", "roles", "password_hash", "lane",
          "account", "status", "sku", "content_id", "rule", "warm_date", "warm_word", "level", "role", "tracking",
          "changed", "mapping", "counts", "figures", "sha256", "occurrence", "window_zone", "window_days", "zone",
          "flags", "reason", "algorithm", "selector", "domain", "email", "url"},
    "forms": {"spec"}, "segment_versions": {"rule"}, "survey_versions": {"form"}, "accounts": {"name"},
    "template_bodies": {"subject", "preheader", "body", "text", "compiled_html", "compiled_text", "compiled_subject"},
    "senders": {"address", "reply_to", "bounce_domain"}, "messages": {"address"}, "addresses": {"kind"},
    "runs": {"kind"}, "sign_ups": {"topics"}, "suppressions": {"evidence"}, "ticks": {"name"}, "strays": {"what"},
    "paces": {"name"}, "workers": {"name"}, "form_counts": {"what"}, "webhook_counts": {"what"},
    "events": {"source"}, "consents": set(), "lanes": {"tallies"},
}  # fmt: skip


@dataclass
class House:
    """Both apps on one store, with somebody at every desk."""

    app: Flask
    public: Flask
    stores: Stores
    settings: Settings
    lived: Lived
    ids: dict[str, Any]
    at: Callable[[Desk], FlaskClient]

    def rules(self) -> list[Rule]:
        return [rule for rule in self.app.url_map.iter_rules() if rule.endpoint != "static"]

    def path(self, rule: Rule) -> str:
        """The address of a page about something that is there."""
        values = {name: self.ids.get(name, 1) for name in rule.arguments}
        return self.app.url_map.bind("localhost").build(rule.endpoint, values)


@contextmanager
def a_house(url: str, folder: Path) -> Iterator[House]:
    """Build it in an empty, migrated store."""
    settings = from_environment({"POSTROOM_DATA": str(folder / "data"), "POSTROOM_DATABASE_URL": url})
    stores = open_stores(url)
    app, public = create_app(stores, settings), create_public_app(stores, settings)
    with stores.sessions.begin() as session:
        lived = live(session, settings.secret)
        numbers = {desk: enlist(session, desk) for desk in Desk}
        ids = furnish(session, lived) | {"number": numbers[Desk.SALES]}
        poison(session)
    ids["name"] = catch(settings)

    def at(desk: Desk) -> FlaskClient:
        client = app.test_client()
        with client.session_transaction() as cookie:
            cookie.update(staff=numbers[desk], seal=staff.seal_of(NO_PASSWORD))
        return client

    yield House(app, public, stores, settings, lived, ids, at)
    stores.engine.dispose()


def furnish(session: Any, lived: Lived) -> dict[str, Any]:
    """One of each thing that a page shows; gives their ids by the names that addresses have for them."""
    run = campaigns.get_run(session, lived.run)
    segments.save(session, "all", "All", {"version": 1, "rule": {"everyone": True}}, author="x", now=NOW)
    segment, template = segments.find(session, "all"), template_of(session, a_template(session))
    survey = a_survey(session, lived)
    draft = campaigns.create(
        session, "Draft", actor="x", now=NOW, topic_id=lived.topic, segment_id=segment, template_id=template,
        sender_id=run.sender_id, survey_id=survey,
    )  # fmt: skip
    campaigns.move(session, run.campaign_id, CampaignState.FINISHED, expected=list(CampaignState), actor="x",
                   what="x", now=NOW)  # fmt: skip
    session.execute(sa.update(runs).values(frozen_at=NOW, finished_at=NOW, unknown=1, mailable=2, sent=1))
    session.execute(sa.insert(messages).values(run_id=lived.run, seq=2, contact_id=lived.contact + 900,
                                               address="x@example.com", state="unknown", at=NOW, reply="x"))  # fmt: skip
    case = cases.open_case(
        session, NewCase(lived.customer, "complaint", "x", lived.contact), actor="x", now=NOW
    )
    tasks.add(session, NewTask(lived.customer, lived.contact, "x", "x", None), now=NOW)
    form = a_form(session, lived, run.sender_id, template)
    assert SENDER.name
    assert orders
    return {
        "campaign_id": draft, "contact": lived.contact, "template_id": template, "language": "en", "customer": lived.customer,
        "run": lived.run, "seq": 1, "run_id": lived.run, "which": "sent", "segment_id": segment, "sender_id": run.sender_id,
        "topic_id": lived.topic, "survey_id": survey, "form_id": form, "case": case, "task": 1, "account": "main", "lane": "google",
    }  # fmt: skip


def a_survey(session: Any, lived: Lived) -> int:
    form = {
        "version": 1, "title": {"en": PAYLOAD[:200]}, "intro": {"en": PAYLOAD}, "thanks": {"en": PAYLOAD},
        "questions": [{"key": "why", "type": "text", "text": {"en": PAYLOAD}},
                      {"key": "nps", "type": "scale", "text": {"en": PAYLOAD}, "low_text": {"en": PAYLOAD[:60]}}],
    }  # fmt: skip
    version = surveys.save(session, "why", "Why", parse_form(json.dumps(form)), author="x", now=NOW)
    survey = surveys.find(session, "why")
    session.execute(sa.update(runs).where(runs.c.id == lived.run).values(survey_version_id=version))
    place = {"survey_id": survey, "version_id": version, "contact_id": lived.contact}
    row = {**place, "run_id": lived.run, "seq": 1, "language": "en", "posted": True,
           "started_at": NOW, "posted_at": NOW}  # fmt: skip
    response = session.execute(sa.insert(responses).values(row).returning(responses.c.id)).scalar_one()
    answer = {"survey_id": survey, "contact_id": lived.contact, "response_id": response}
    session.execute(sa.insert(answers).values(**answer, question="why", text=PAYLOAD, at=NOW))
    return survey


def a_form(session: Any, lived: Lived, sender: int, template: int) -> int:
    words = Words(PAYLOAD[:110], PAYLOAD, PAYLOAD[:60], PAYLOAD, PAYLOAD)
    spec = Spec((lived.topic,), {"en": words}, (Asked("given_name"), Asked(f"attributes.{MARK}")))
    form = forms.add(session, "form", "Form", spec, sender=sender, template=template, actor="x", now=NOW)
    forms.switch(session, form, on=True, now=NOW)
    posted = Posted(form, 1, "x@example.com", PAYLOAD[:300], b"0" * 16, "role plain", {lived.topic: PAYLOAD},
                    {"given_name": PAYLOAD}, "en", PAYLOAD, PAYLOAD[:50], PAYLOAD)  # fmt: skip
    sign_ups.refuse(session, sign_ups.add(session, posted, now=NOW), "suppressed")
    sign_ups.add(session, posted, now=NOW)
    return form


def poison(session: Any) -> None:
    """Put the payload into every column of every row that holds somebody's words."""
    for table in metadata.sorted_tables:
        if "view" in table.info or table.name == "alembic_version":
            continue
        ours = OUR_WORDS["*"] | OUR_WORDS.get(table.name, set())
        primary = {column.name for column in table.primary_key}
        values = {
            column.name: PAYLOAD[: column.type.length or len(PAYLOAD)]
            for column in table.columns
            if isinstance(column.type, sa.String) and column.name not in ours | primary and not column.unique
            and not any(column.name in index.columns for index in table.indexes if index.unique)
        }  # fmt: skip
        if values:
            session.execute(sa.update(table).values(values))


def catch(settings: Settings) -> str:
    """A mail in the catcher, hostile in each of its parts; gives its name."""
    from email.message import EmailMessage

    from campaigns.delivery import caught

    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = PAYLOAD, "Mallory <m@example.com>", "ada@example.com"
    mail.set_content(PAYLOAD)
    mail.add_alternative(f"<p>{PAYLOAD}</p><script>alert(4)</script>", subtype="html")
    caught.prepare(settings.data / "caught")
    (settings.data / "caught" / caught.PORT).write_text(
        "2525"
    )  # where the settings send, unless told otherwise
    store(settings.data / "caught", [(Envelope(PAYLOAD, (PAYLOAD,), NOW), mail.as_bytes())])
    return caught.mails(settings.data / "caught")[0].name


class Seen(HTMLParser):
    """What a browser would make of a page: every element, with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def faults(self) -> list[str]:
        """Everything that a hostile text would have made."""
        found = []
        for tag, given in self.elements:
            if tag == MARK or given.get("id") == MARK:
                found.append(f"<{tag}> came out of a text")
            found += [f"<{tag} {name}>" for name in given if name.startswith("on")]
            found += [
                f"<{tag} {name}={value[:30]!r}>"
                for name, value in given.items()
                if value and name in {"href", "src", "action", "formaction"}
                and value.strip().lower().startswith(("javascript:", "vbscript:", "data:text"))
            ]  # fmt: skip
            if tag == "script" and not str(given.get("src", "")).startswith("/static/"):
                found.append("an inline script")
        return found
