"""Erasure: nothing that names the person is left in any table, and what others count on is still true."""

import json
import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from campaigns.cli import persons
from campaigns.errors import NotFound
from campaigns.flows import erasing
from campaigns.model import metadata
from campaigns.model.accounts import accounts
from campaigns.model.commerce import orders
from campaigns.model.consent import consents, suppressions
from campaigns.model.customers import addresses, attribute_facts, contacts, customers, roles
from campaigns.model.events import events, hits
from campaigns.model.forms import forms, sign_ups
from campaigns.model.mail import campaign_log, campaigns, chunks, messages, runs, segment_versions, segments
from campaigns.model.service import cases, tasks
from campaigns.model.surveys import answers, responses, survey_versions, surveys
from campaigns.model.webhooks import webhook_calls
from campaigns.records import consent, gates, history, outbox, person_file
from campaigns.records import suppressions as never
from campaigns.records.consent import Provenance
from campaigns.records.customers import acting, search
from campaigns.records.outbox.chunks import Chunk
from campaigns.values import ContactId, EventKind, Fact, Gate, TopicClass
from tests.factories import NOW, SECRET, a_campaign, a_contact, a_customer, a_run, a_topic

LATER = NOW + timedelta(hours=1)
REP = "rep@shop.example"
MAIL, SECOND, PHONE = "wilhelmina@mail.example", "w.second+x@mail.example", "+4915795221159"
GIVEN, FAMILY = "Wilhelmina", "Oberländer"
#: What must be found nowhere afterwards, in small letters.
WORDS = (MAIL, SECOND, "wilhelmina", "oberländer", PHONE, "15795221159", "w.second", "erdbeerhof")
SAID = f"{GIVEN} {FAMILY} <{MAIL}>, {SECOND}, {PHONE}, also 01579 522-1159"
OTHER = "colleague@mail.example"


def everything(session) -> dict[str, str]:
    """Every row of every table as text, by table; bytes too."""
    found = {}
    for table in metadata.tables.values():
        if not table.info.get("view"):
            only = table.info.get("only")
            if only and only != session.get_bind().dialect.name:
                continue
            rows = session.execute(sa.select(table)).all()
            found[table.name] = "\n".join(_text(value) for row in rows for value in row).lower()
    return found


def _text(value) -> str:
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", "replace")
    return json.dumps(value, ensure_ascii=False, default=str)


def traces(session) -> list[tuple[str, str]]:
    return [(name, word) for name, text in everything(session).items() for word in WORDS if word in text]


def insert(session, table, **values):
    key = next(iter(table.primary_key.columns))
    return session.execute(sa.insert(table).values(**values).returning(key)).scalar_one()


@pytest.fixture
def person(session):
    return lived(session)


def lived(session, customer=None):
    """A contact with something in every place that can hold something personal; gives what tests ask for."""
    topic = a_topic(session)
    customer = customer or a_customer(
        session, name=f"{GIVEN} {FAMILY}", city="Erdbeerhof", external_id="K-erdbeerhof",
        attributes={"nick": GIVEN},
    )  # fmt: skip
    whom = a_contact(
        session, customer_id=customer, email=MAIL, phone=PHONE, given_name=GIVEN, family_name=FAMILY,
        external_id="P-erdbeerhof", city="Erdbeerhof", attributes={"nick": GIVEN}, salutation=f"Frau {FAMILY}",
    )  # fmt: skip
    about = {"contact_id": whom, "created_at": NOW}
    insert(session, addresses, kind="email", value=SECOND, **about)
    insert(session, addresses, kind="phone", value="+493012345678", **about)
    session.execute(sa.insert(roles).values(contact_id=whom, customer_id=customer, role="x", since=NOW))
    insert(session, attribute_facts, contact_id=whom, key="nick", value=GIVEN, at=NOW, source="staff")
    consent.grant(session, ContactId(whom), topic, Provenance(NOW, "form", SAID, actor=MAIL), now=NOW)
    never.add(session, never.address_hash(SECRET, MAIL), "import", now=NOW, evidence={"line": SAID})
    campaign = a_campaign(session, topic=topic)
    sent, waiting, held = (a_run(session, campaign, occurrence=str(n)) for n in range(3))
    session.execute(sa.update(runs).values(frozen_at=NOW, state="running", audience=1, mailable=1))
    row = {"seq": 1, "contact_id": whom, "address": MAIL}
    session.execute(sa.insert(messages).values(run_id=sent, state="sent", at=NOW, reply=f"250 {SAID}", **row))
    for run, state in ((waiting, "ready"), (held, "claimed")):
        session.execute(sa.insert(messages).values(run_id=run, state="queued", **row))
        chunk = {"number": 1, "first_seq": 1, "last_seq": 1, "state": state}
        session.execute(sa.insert(chunks).values(run_id=run, **chunk))
    for number, kind in enumerate(EventKind):
        detail = {"text": SAID, "by": REP, "how": SAID, "reason": SAID, "scores": {"q": 1}, "name": SAID}
        detail |= {"hard": True, "class": "dead", "diagnostic": SAID, "link": 1, "topic": topic}
        fact = Fact(kind, NOW, f"one:{number}", whom, customer, sent, 1, detail=detail)
        history.record_many(session, [fact])
    acting.note(session, customer, f"Frau {FAMILY} rief an: {PHONE}", actor=REP, now=NOW)
    hit = {"kind": "open", "run_id": sent, "seq": 1, "method": "GET", "agent": f"x {MAIL}", "headers": ""}
    for judged in (True, False):
        insert(session, hits, at=NOW, contact_id=whom, address="192.0.2.1", judged=judged, **hit)
    work(session, customer, whom)
    asked(session, whom)
    outside(session, campaign)
    return {"contact": whom, "customer": customer, "topic": topic, "runs": (sent, waiting, held)}


def work(session, customer, whom):
    for contact in (whom, None):
        insert(
            session,
            cases,
            customer_id=customer,
            contact_id=contact,
            kind="request",
            subject=SAID,
            opened_at=NOW,
        )
        insert(
            session, tasks, customer_id=customer, contact_id=contact, title=SAID, reason=SAID, created_at=NOW
        )
    insert(
        session, orders, external_id="B-1", customer_id=customer, contact_id=whom, status="paid",
        placed_at=NOW, total_minor=1, updated_at=NOW,
    )  # fmt: skip


def asked(session, whom):
    survey = insert(session, surveys, key="s", name="S", created_at=NOW)
    version = insert(session, survey_versions, survey_id=survey, version=1, form={}, created_at=NOW)
    response = insert(
        session, responses, survey_id=survey, version_id=version, contact_id=whom, posted=True,
        started_at=NOW, posted_at=NOW,
    )  # fmt: skip
    for given in ({"text": SAID}, {"number": 7.0}):
        insert(
            session, answers, response_id=response, survey_id=survey, contact_id=whom, question="q", at=NOW,
            **given,
        )  # fmt: skip


def outside(session, campaign):
    """Texts that name the person, in rows that are not theirs."""
    insert(session, campaign_log, campaign_id=campaign, at=NOW, actor=REP, what=f"refused: {MAIL.upper()}")
    session.execute(sa.insert(accounts).values(name="main", sample=f"no such user {SECOND}", changed_at=NOW))
    segment = insert(session, segments, key="one", name="One", created_at=NOW)
    rule = {"all": [{"field": "contact.email", "is": MAIL}]}
    insert(session, segment_versions, segment_id=segment, version=1, rule=rule, created_at=NOW)
    bodies = (
        b'[{"to": "%b"}, {"to": "%b"}]' % (MAIL.upper().encode(), OTHER.encode()),
        b"recipient=w.second%2Bx%40mail.example&other=1",
        b'{"to": "wilhelmina\\u0040mail.example"}',
        OTHER.encode(),
    )
    for number, body in enumerate(bodies):
        insert(
            session, webhook_calls, account="main", kind="ses", at=NOW, name=str(number), digest="d", body=body,
            state="waiting", due_at=NOW,
        )  # fmt: skip


def erase(session, person, now=LATER):
    return erasing.erase(session, person["contact"], SECRET, actor=REP, now=now)


def test_no_column_of_any_table_names_an_erased_person(session, person):
    before = {name for name, _word in traces(session)}
    assert {"contacts", "customers", "events", "messages", "answers", "cases", "webhook_calls"} <= before
    assert erase(session, person)
    assert traces(session) == []


def test_a_person_at_a_company_is_gone_from_it_and_the_company_stays(session):
    company = a_customer(session, name="Hafen GmbH", kind="organisation")
    colleague = a_contact(session, customer_id=company, email=OTHER, given_name="Ole")
    told = Fact(EventKind.NOTE, NOW, "told", colleague, company, detail={"text": f"Ole is with {GIVEN} now"})
    history.record(session, told)
    person = lived(session, company)
    assert erase(session, person)
    assert traces(session) == []
    assert session.scalar(sa.select(customers.c.name).where(customers.c.id == company)) == "Hafen GmbH"
    kept = history.timeline(session, contact=colleague)[0].detail
    assert kept == {"text": "Ole is with … now"}


def test_what_is_counted_stays_true(session, person):
    def counts():
        kinds = session.execute(sa.select(events.c.kind, sa.func.count()).group_by(events.c.kind)).all()
        return sorted(map(tuple, kinds)), [
            session.scalar(sa.select(sa.func.count()).select_from(table))
            for table in (messages, answers, responses, cases, tasks, orders, consents, webhook_calls)
        ]

    kinds, others = counts()
    erase(session, person)
    after, same = counts()
    assert same == others
    assert dict(after) == dict(kinds) | {"erased": dict(kinds)["erased"] + 1}
    bounced = sa.select(events.c.detail).where(events.c.kind == "bounced")
    assert session.scalar(bounced) == {
        "hard": True, "class": "dead", "link": 1, "by": REP, "scores": {"q": 1}, "topic": person["topic"],
    }  # fmt: skip
    assert session.scalar(sa.select(answers.c.number).where(answers.c.number.is_not(None))) == 7
    others_words = sa.select(webhook_calls.c.body).where(webhook_calls.c.name.in_(["0", "3"]))
    assert all(OTHER in bytes(body).decode() for body in session.scalars(others_words))


def test_the_history_says_who_erased_and_when_and_a_second_time_changes_nothing(session, person):
    assert erase(session, person)
    once = everything(session)
    assert not erase(session, person, LATER + timedelta(days=1))
    twice = everything(session)
    moved = {name for name in once if once[name] != twice[name]}
    assert moved <= {"contacts"}  # updated_at
    told = history.timeline(session, contact=person["contact"], kinds=["erased"])[0]
    assert (told.at, told.detail, told.customer) == (LATER, {"by": REP}, person["customer"])


def test_the_words_of_consent_stay_without_their_proof(session, person):
    erase(session, person)
    said = consent.ledger(session, ContactId(person["contact"]))[0]
    assert (said.state, said.at, said.source, said.proof, said.actor) == (
        "granted", NOW, "form", "", "contact",
    )  # fmt: skip


def test_both_addresses_are_never_mailed_again_and_the_list_names_nobody(session, person):
    erase(session, person)
    listed = never.listed(session, [never.address_hash(SECRET, one) for one in (MAIL, SECOND)])
    assert sorted(one.reason for found in listed.values() for one in found) == [
        "erasure",
        "erasure",
        "import",
    ]
    assert all(one.evidence == {} for found in listed.values() for one in found)
    assert session.scalar(sa.select(sa.func.count()).select_from(suppressions)) == 3


def test_waiting_messages_are_skipped_and_counted_and_one_in_a_senders_hands_meets_the_gate(session, person):
    erase(session, person)
    sent, waiting, held = person["runs"]
    states = sa.select(messages.c.run_id, messages.c.state, messages.c.gate)
    assert {tuple(row) for row in session.execute(states)} == {
        (sent, "sent", None), (waiting, "skipped", "erased"), (held, "queued", None),
    }  # fmt: skip
    assert session.scalar(sa.select(runs.c.skipped).where(runs.c.id == waiting)) == 1
    chunk = Chunk(held, 1, 1, 1, 1)
    for asks in (gates.Gates(person["topic"], TopicClass.SERVICE, None, NOW), None):
        assert outbox.load(session, chunk, asks) == ([], {1: Gate.ERASED})


def test_an_erased_person_is_found_by_nothing(session, person):
    erase(session, person)
    for typed in (MAIL, FAMILY, GIVEN, PHONE, "P-erdbeerhof", SECOND):
        assert search(session, typed).rows == ()


def test_nobody_is_erased_who_is_not_there(session):
    with pytest.raises(NotFound, match="no contact 4711"):
        erasing.erase(session, 4711, SECRET, actor=REP, now=NOW)


def test_an_open_sign_up_can_be_confirmed_no_more(session, person):
    made = session.execute(sa.select(campaigns.c.sender_id, campaigns.c.template_id)).first()
    common = {"created_at": NOW, "updated_at": NOW}
    form = insert(session, forms, key="f", name="F", version=1, spec={}, **made._mapping, **common)
    insert(
        session, sign_ups, form_id=form, version=1, state="posted", address=MAIL, masked="w…@mail.example",
        address_hash=never.address_hash(SECRET, MAIL), topics={}, fields={"given_name": GIVEN}, language="de",
        network="192.0.2.0/24", posted_at=NOW,
    )  # fmt: skip
    erase(session, person)
    assert session.scalar(sa.select(sign_ups.c.state)) == "expired"
    assert traces(session) == []


def test_the_file_of_a_person_holds_all_that_an_erasure_would_take(session, person):
    found = person_file.collect(session, person["contact"], now=NOW)
    text = json.dumps(found, ensure_ascii=False)
    assert all(word in text.lower() for word in (MAIL, SECOND, FAMILY.lower(), "erdbeerhof"))
    assert found["contact"]["given_name"] == GIVEN
    assert found["consents"][0]["topic"].startswith("Topic")
    assert [one["answers"][0]["text"] for one in found["survey_responses"]] == [SAID]
    assert [len(found[name]) for name in ("messages", "orders", "cases", "tasks")] == [3, 1, 1, 1]
    assert len(found["history"]) == len(EventKind)
    assert len(found["requests_for_tracked_addresses"]) == 2
    assert "email_hash" not in text
    erase(session, person)
    after = json.dumps(person_file.collect(session, person["contact"], now=NOW), ensure_ascii=False).lower()
    assert [word for word in WORDS if word in after] == []


@pytest.fixture
def shell(stores, monkeypatch, tmp_path):
    monkeypatch.setenv("POSTROOM_DATABASE_URL", stores.engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("POSTROOM_SECRET", SECRET.decode())
    monkeypatch.setenv("POSTROOM_DATA", str(tmp_path / "data"))

    def run(command, *arguments, **given):
        return CliRunner().invoke(command, arguments, **given)

    return run


def test_the_commands_show_what_goes_ask_and_write_a_file_only_its_owner_reads(stores, shell, tmp_path):
    with stores.sessions.begin() as session:
        whom = lived(session)["contact"]
    file = tmp_path / "person.json"
    assert shell(persons.export_person, str(whom), "--to", str(file)).exit_code == 0
    assert json.loads(file.read_text())["contact"]["email"] == MAIL
    assert file.stat().st_mode & 0o077 == 0
    shown = shell(persons.erase, str(whom), "--dry-run").output
    assert "1 messages sent or skipped, 2 messages that wait" in shown
    assert "3 raw calls of providers" in shown
    assert "loses its name" in shown
    asked = shell(persons.erase, str(whom), input="n\n")
    assert asked.exit_code == 1
    assert re.search(rf"Forget contact {whom} \(\w.+, {MAIL}\)\? It cannot be brought back", asked.output)
    with stores.readers() as session:
        assert traces(session) != []
    assert "is forgotten" in shell(persons.erase, str(whom), "--yes", "--by", REP).output
    assert "was forgotten before" in shell(persons.erase, str(whom), "--yes").output
    with stores.readers() as session:
        assert traces(session) == []
        assert session.scalar(sa.select(contacts.c.erased_at)) is not None
