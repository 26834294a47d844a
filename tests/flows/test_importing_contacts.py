"""Contacts from files: who is made, changed, left, refused; and that a file claims no consent it cannot show."""

import csv
import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from campaigns.errors import BadForm, BadImport, NotFound
from campaigns.flows import erasing, importing
from campaigns.flows.importing import Asked, Result
from campaigns.imports import parts as reading
from campaigns.imports.complaints import Complaints
from campaigns.imports.mapping import Attribute
from campaigns.model.consent import consents, suppressions
from campaigns.model.customers import attribute_facts, contacts, customers, roles
from campaigns.model.events import events, imports
from campaigns.records import bulk, consent, gates, staging
from campaigns.records import customers as customer_records
from campaigns.records import suppressions as listing
from campaigns.records.consent import Provenance
from campaigns.records.history import Event
from campaigns.records.shared_addresses import is_own
from campaigns.values import ConsentState, ContactId, TopicClass
from campaigns.wiring import Stores, migration_config

SECRET = b"only for tests"
LATER = timedelta(days=1)
#: What an import writes, each after what it refers to.
ADDED = (customers, contacts, consents, roles, events, attribute_facts)


class Importer:
    """Imports rows given as text, as a door would, and remembers what was refused."""

    def __init__(self, stores: Stores, folder: Path, now: datetime) -> None:
        self.stores, self.folder, self.now = stores, folder, now
        self.refused: list[dict[str, str]] = []

    def __call__(self, text: str, *, dry: bool = False, **asked: Any) -> Result:
        path = self.folder / "people.csv"
        path.write_text(text, encoding="utf-8")
        prepared = importing.prepare_contacts(Asked(path, **asked))
        listed = io.StringIO(newline="")
        with self.transaction(dry=dry) as (session, held):
            made = importing.register(session, "contacts", prepared, actor="ann", now=self.now)
            result = importing.import_contacts(
                session, held, prepared, made, secret=SECRET, now=self.now, complaints=Complaints(listed)
            )
        self.refused = list(csv.DictReader(io.StringIO(listed.getvalue())))
        self.now += LATER
        return result

    @contextmanager
    def transaction(self, *, dry: bool = False) -> Iterator[tuple[Session, staging.Staging]]:
        engine = self.stores.engine
        with engine.connect() as link, staging.staging(link) as held, Session(link) as session:
            yield session, held
            session.rollback() if dry else session.commit()

    def rows(self, table: sa.Table, *columns: str) -> list[tuple[Any, ...]]:
        with self.stores.readers() as session:
            query = sa.select(*(table.c[name] for name in columns)).order_by(*table.primary_key.columns)
            return [tuple(row) for row in session.execute(query)]

    def person(self, email: str) -> Mapping[str, Any]:
        with self.stores.readers() as session:
            return session.execute(sa.select(contacts).where(contacts.c.email == email)).mappings().one()

    def forget(self) -> None:
        """Empty the store, for the next example of a property."""
        with self.stores.sessions.begin() as session:
            for table in (*reversed(ADDED), imports):
                session.execute(sa.delete(table))

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        return {table.name: self.rows(table, *table.c.keys()) for table in ADDED}


@pytest.fixture
def importer(stores: Stores, tmp_path: Path, now: datetime) -> Importer:
    with stores.sessions.begin() as session:
        consent.add_topic(session, "news", "News", TopicClass.MARKETING, now=now)
    return Importer(stores, tmp_path, now)


@pytest.fixture(params=[(50_000, 50_000), (2, 2), (50_000, 2)], ids=["one part", "small parts", "stretches"])
def parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Cut files into parts of so many lines, and these into stretches."""
    lines, stretch = request.param
    monkeypatch.setattr(staging, "PART_LINES", lines)
    monkeypatch.setattr(staging, "LARGEST_PART", lines)
    monkeypatch.setattr(staging, "LEAST_LINES", min(lines, staging.LEAST_LINES))
    monkeypatch.setattr(reading, "STRETCH", stretch)
    monkeypatch.setattr(reading, "ROWS_AT_ONCE", min(stretch, reading.ROWS_AT_ONCE))
    return lines


def state_of(importer: Importer, email: str) -> ConsentState | None:
    contact = ContactId(importer.person(email)["id"])
    with importer.stores.readers() as session:
        return consent.state(session, contact, consent.topic(session, "news").id)


def test_a_row_becomes_a_contact_with_a_customer_and_a_line_in_the_stream(
    importer: Importer, now: datetime
) -> None:
    result = importer(
        "Kontakt-ID;E-Mail;Vorname;Nachname;Handy;Sprache;Zeitzone;Land;Ort;Geburtstag\n"
        "7;Ada@Müller.DE;Ada;Lovelace;0151 23456789;de_AT;europe/vienna;Österreich;Wien;10.12.1985\n",
        country="DE",
    )
    assert result.counts["new"] == 1
    person = importer.person("ada@xn--mller-kva.de")
    expected = {
        "external_id": "7", "given_name": "Ada", "family_name": "Lovelace", "phone": "+4915123456789",
        "locale": "de-AT", "time_zone": "Europe/Vienna", "country": "AT", "city": "Wien", "birthday": date(1985, 12, 10),
        "source": "import", "import_line": 2, "attributes": {}, "created_at": now, "updated_at": now,
        "email_hash": listing.address_hash(SECRET, "ada@xn--mller-kva.de"),
    }  # fmt: skip
    assert {name: person[name] for name in expected} == expected
    customer = (person["customer_id"], "person", "Ada Lovelace", "AT", "Wien")
    assert importer.rows(customers, "id", "kind", "name", "country", "city") == [customer]
    with importer.stores.readers() as session:
        (arrival,) = customer_records.stream(session, customer[0]).entries
    detail = {"import": person["import_id"], "line": 2, "change": "new"}
    assert isinstance(arrival, Event)
    assert (arrival.kind, arrival.at, arrival.contact, arrival.detail) == (
        "imported",
        now,
        person["id"],
        detail,
    )
    ((kind, counts, mapping, finished),) = importer.rows(imports, "kind", "counts", "mapping", "finished_at")
    assert (kind, counts["new"], mapping["Handy"], finished) == ("contacts", 1, "phone", now)


PEOPLE = (
    "id,email,first name,phone,consent,consent at,consent source,company,role,shoe size\n"
    "1,ada@example.com,Ada,+4915123456789,yes,2026-01-02,shop,,,38\n"
    "2,bob@example.com,Bob,,no,,,Acme,decider;user,\n"
    ",cyd@example.com,Cyd,,yes,,,Acme,,41.5\n"
    "3,,Nobody's mail,,,,,Zeta,,\n"
)
ASKED = {"topic": "news", "attributes": {"shoe size": Attribute("shoe_size", "number")}}


def test_the_same_file_twice_changes_nothing(importer: Importer, parts: int) -> None:
    first = importer(PEOPLE, **ASKED)
    before = importer.everything()
    second = importer(PEOPLE, **ASKED)
    assert importer.everything() == before
    assert (
        first.counts["new"],
        second.counts["new"],
        second.counts["changed"],
        second.counts["unchanged"],
    ) == (4, 0, 0, 4)
    assert first.words == {"granted": 1, "withdrawn": 1, "pending": 1}
    assert second.words == {"same": 3}


def test_a_dry_run_counts_all_and_writes_nothing(importer: Importer) -> None:
    before = importer.everything()
    result = importer(PEOPLE, dry=True, **ASKED)
    assert result.counts["new"] == 4
    assert importer.everything() == before
    assert importer.rows(imports, "id") == []


def test_a_change_updates_the_contact_and_says_what(importer: Importer, now: datetime) -> None:
    importer(PEOPLE, **ASKED)
    result = importer(
        "id,email,first name,city,shoe size,hat\n"
        "1,Ada@Example.com,Augusta,London,39,\n"
        "2,robert@example.com,,,,7\n"
        ",cyd@example.com,Cyd,,41.5,\n",
        attributes={"shoe size": Attribute("shoe_size", "number"), "hat": Attribute("hat", "text")},
    )
    assert (result.counts["changed"], result.counts["unchanged"]) == (2, 1)
    ada, bob, cyd = (importer.person(f"{name}@example.com") for name in ("ada", "robert", "cyd"))
    assert (ada["given_name"], ada["city"], ada["phone"], ada["attributes"]) == (
        "Augusta",
        "London",
        "+4915123456789",
        {"shoe_size": 39},
    )
    assert (bob["given_name"], bob["external_id"], bob["attributes"]) == ("Bob", "2", {"hat": "7"})
    assert bob["email_hash"] == listing.address_hash(SECRET, "robert@example.com")
    assert [one["updated_at"] for one in (ada, bob, cyd)] == [now + LATER, now + LATER, now]
    changed = [detail for (detail,) in importer.rows(events, "detail")]
    assert [(one["line"], one["fields"]) for one in changed] == [
        (2, ["given_name", "city", "attributes"]),
        (3, ["email", "attributes"]),
    ]
    facts = importer.rows(attribute_facts, "contact_id", "key", "value", "source")
    assert (ada["id"], "shoe_size", 39, "import") in facts
    assert len(facts) == 4
    assert ("Augusta", "London") in importer.rows(customers, "name", "city")
    shown = {(change.line, change.field, change.old, change.new) for change in result.changes}
    assert (2, "given_name", "Ada", "Augusta") in shown


def test_who_is_meant_external_id_first_then_address(importer: Importer, parts: int) -> None:
    importer("id,email,first name\n1,shared@example.com,Ada\n,lone@example.com,Lone\n")
    result = importer(
        "id,email,first name\n"
        "1,new@example.com,Ada\n"  # known by id: the address changes
        "9,lone@example.com,Lone\n"  # the contact with this address had no id: it gets one
        "8,new@example.com,Eve\n"  # another id at the same address: another person
    )
    assert (result.counts["changed"], result.counts["new"]) == (2, 1)
    people = importer.rows(contacts, "external_id", "email", "given_name")
    assert people == [
        ("1", "new@example.com", "Ada"),
        ("9", "lone@example.com", "Lone"),
        ("8", "new@example.com", "Eve"),
    ]


def test_the_first_line_about_a_contact_stands_and_repeats_are_listed(importer: Importer, parts: int) -> None:
    text = (
        "id,email,first name,consent,consent at,consent source\n"
        "1,ada@example.com,Ada,yes,2026-01-01,shop\n"
        ",bob@example.com,Bob,yes,2026-01-01,shop\n"
        "1,ada2@example.com,Adda,no,,\n"
        ",BOB@example.com,Bobby,no,2025-01-01,\n"
        ",ada@example.com,Adele,,,\n"
        "5,bob@example.com,Robert,,,\n"
    )
    result = importer(text, topic="news")
    assert result.counts["new"] == 2
    assert importer.rows(contacts, "email", "given_name") == [
        ("ada@example.com", "Ada"),
        ("bob@example.com", "Bob"),
    ]
    assert [
        (row["line"], row["effect"]) for row in sorted(importer.refused, key=lambda row: int(row["line"]))
    ] == [(line, "repeat") for line in ("4", "5", "6", "7")]
    assert "line 2" in importer.refused[0]["reason"]
    assert state_of(importer, "ada@example.com") is ConsentState.WITHDRAWN
    assert state_of(importer, "bob@example.com") is ConsentState.GRANTED
    before = importer.everything()
    again = importer(text, topic="news")
    assert (again.counts["unchanged"], again.counts["repeats"]) == (2, 4)
    assert importer.everything() == before


def test_organisations_are_found_or_made_once(importer: Importer, parts: int) -> None:
    with importer.stores.sessions.begin() as session:
        known = {
            "external_id": "K1",
            "kind": "organisation",
            "name": "Known",
            "created_at": importer.now,
            "updated_at": importer.now,
        }
        session.execute(sa.insert(customers).values(known))
    text = (
        "email,customer id,company,role\n"
        "a@example.com,K1,Other name,Champion\n"
        "b@example.com,N1,New,\n"
        "c@example.com,N1,Newer,user|decider\n"
        "d@example.com,,Known,\n"
        "e@example.com,,By name,\n"
        "f@example.com,,By name,\n"
        "g@example.com,,,\n"
    )
    importer(text)
    names = dict(importer.rows(customers, "id", "name"))
    at = {email[0]: names[customer] for email, customer in importer.rows(contacts, "email", "customer_id")}
    assert at == {
        "a": "Known",
        "b": "New",
        "c": "New",
        "d": "Known",
        "e": "By name",
        "f": "By name",
        "g": "g@example.com",
    }
    assert len(names) == 4
    assert sorted(role for (role,) in importer.rows(roles, "role")) == ["champion", "decider", "user"]
    before = importer.everything()
    importer(text)
    assert importer.everything() == before
    moved = importer("email,customer id\ng@example.com,K1\n")
    assert moved.counts["changed"] == 1
    assert names[importer.person("g@example.com")["customer_id"]] == "Known"


def test_a_bad_identity_refuses_the_row_and_another_bad_value_is_left_out(importer: Importer) -> None:
    result = importer(
        "id,email,phone,time zone,birthday,country\n"
        "1,ada@localhost,+4915123456789,,,\n"
        "2,bob@example.com,12,Mars/Olympus,31.02.2000,Atlantis\n"
        ",,+4915123456789,,,\n"
        "3,cyd@example.com,,\n"
        '4,"=cmd()@example.com",,,,\n'
        "5,eve@example.com,,,,,,,\n"
        f"{'6' * 201},,,,,\n"
    )
    assert (
        result.rows,
        result.counts["new"],
        result.counts["refused"],
        result.counts["values left out"],
    ) == (7, 2, 5, 4)
    listed = {(int(row["line"]), row["column"]): row for row in importer.refused}
    assert {line for (line, _), row in listed.items() if row["effect"] == "row refused"} == {2, 4, 5, 6, 8}
    assert {column for line, column in listed if line == 3} == {"phone", "time zone", "birthday", "country"}
    assert listed[3, "time zone"]["value"] == "Mars/Olympus"
    assert "Europe/Berlin" in listed[3, "time zone"]["reason"]
    assert listed[5, ""]["reason"] == "has 4 cells where the header has 6."
    assert listed[6, "email"]["value"] == "'=cmd()@example.com"
    assert importer.person("bob@example.com")["time_zone"] is None


def test_hostile_text_is_stored_as_plain_text(importer: Importer) -> None:
    nasty = "'; DROP TABLE contacts; --"
    importer(
        f'email,first name,last name,city\na@example.com,"{nasty}","x\x07\u202ey\tz\r\nw","\\N \\. \\\\"\n'
    )
    person = importer.person("a@example.com")
    assert (person["given_name"], person["family_name"], person["city"]) == (nasty, "xy z w", "\\N \\. \\\\")


def test_a_row_with_a_nul_is_refused(importer: Importer) -> None:
    result = importer("email,first name\na@example.com,A\0da\nb@example.com,Bob\n")
    assert (result.counts["new"], result.counts["refused"]) == (1, 1)
    assert importer.refused[0]["reason"] == "holds a NUL byte."


YES = "email,consent,consent at,consent source\nada@example.com,{0},{1},{2}\n"
OLD, NEW = "2026-01-01", "2026-06-01"


@pytest.mark.parametrize(
    ("row", "standing", "expected", "word"),
    [
        (("yes", NEW, "shop"), None, "granted", "granted"),
        (("yes", NEW, ""), None, "pending", "pending"),
        (("yes", "", "shop"), None, "pending", "pending"),
        (("yes", "some day", "shop"), None, "pending", "pending"),
        (("yes", "2099-01-01", "shop"), None, "pending", "pending"),
        (("no", "", ""), None, "withdrawn", "withdrawn"),
        (("", NEW, "shop"), None, None, None),
        (("yes", OLD, "shop"), ("withdrawn", "2026-03-01"), "withdrawn", "left: withdrawn since"),
        (("yes", NEW, "shop"), ("withdrawn", "2026-03-01"), "granted", "granted"),
        (("yes", NEW, "shop"), ("withdrawn", NEW), "withdrawn", "left: withdrawn since"),
        (("yes", "", ""), ("withdrawn", OLD), "withdrawn", "left: withdrawn since"),
        (("yes", "", ""), ("granted", OLD), "granted", "same"),
        (("yes", NEW, "shop"), ("pending", OLD), "granted", "granted"),
        (("no", OLD, ""), ("granted", NEW), "granted", "left: a newer word stands"),
        (("no", NEW, ""), ("granted", NEW), "withdrawn", "withdrawn"),
        (("no", "", ""), ("granted", NEW), "withdrawn", "withdrawn"),
        (("no", "", ""), ("withdrawn", NEW), "withdrawn", "same"),
        (("no", "", ""), ("granted", "2027-06-01"), "withdrawn", "withdrawn"),
    ],
)
def test_an_import_never_raises_consent_above_what_the_row_proves(
    importer: Importer,
    row: tuple[str, ...],
    standing: tuple[str, str] | None,
    expected: str | None,
    word: str | None,
) -> None:
    importer("email\nada@example.com\n")
    if standing:
        state, at = standing
        how = Provenance(datetime.fromisoformat(at).replace(tzinfo=UTC), "form")
        contact = ContactId(importer.person("ada@example.com")["id"])
        with importer.stores.sessions.begin() as session:
            topic = consent.topic(session, "news").id
            consent.append(session, contact, topic, ConsentState(state), how, now=importer.now)
    result = importer(YES.format(*row), topic="news")
    assert state_of(importer, "ada@example.com") == expected
    assert result.words == ({word: 1} if word else {})


def test_a_no_without_a_date_is_written_down_beside_what_another_at_the_address_said(
    importer: Importer,
) -> None:
    file = "email,consent\nada@example.com,no\n"
    importer("email\nada@example.com\n")
    said = datetime(2026, 5, 1, tzinfo=UTC)
    how = Provenance(said, "form", proof="said by contact 99 at the same address")
    contact = ContactId(importer.person("ada@example.com")["id"])
    with importer.stores.sessions.begin() as session:
        topic = consent.topic(session, "news")
        consent.append(session, contact, topic.id, ConsentState.WITHDRAWN, how, now=importer.now)
        assert not is_own(session, contact, topic)
    assert importer(file, topic="news").words == {"withdrawn": 1}
    with importer.stores.readers() as session:
        assert is_own(session, contact, topic)
    assert importer(file, topic="news").words == {"same": 1}


def test_a_new_contacts_word_names_its_import_line_and_proof(importer: Importer) -> None:
    with importer.stores.sessions.begin() as session:
        wording = consent.add_wording(session, "footer", "en", "Yes, please.", now=importer.now)
    importer(
        "email,consent,consent at,consent source,consent proof,consent wording\n"
        "ada@example.com,ja,2026-01-02T03:04:05+01:00,shop checkout,order 12,footer:1\n",
        topic="news",
    )
    ((import_id,),) = importer.rows(imports, "id")
    (row,) = importer.rows(consents, "state", "at", "source", "wording_id", "proof", "actor")
    said_at = datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC)
    assert row == (
        "granted",
        said_at,
        "import",
        wording,
        f"import {import_id}, line 2: shop checkout; order 12",
        "ann",
    )


def test_date_and_source_may_be_given_for_the_whole_file(importer: Importer, now: datetime) -> None:
    text = "email,opted in\nada@example.com,yes\nbob@example.com,no\n"
    asked = {
        "chosen": {"opted in": "consent"},
        "topic": "news",
        "consent_source": "fair 2025",
        "consent_at": now - LATER,
    }
    assert importer(text, **asked).words == {"granted": 1, "withdrawn": 1}
    assert importer(text, **asked).words == {"same": 2}


def test_without_a_consent_column_nobody_consents(importer: Importer) -> None:
    importer("email,first name\nada@example.com,Ada\n")
    assert importer.rows(consents, "id") == []


def test_a_suppressed_address_stays_suppressed_and_is_counted(importer: Importer) -> None:
    hashed = listing.address_hash(SECRET, "ada@example.com")
    with importer.stores.sessions.begin() as session:
        listing.add(session, hashed, "complaint", now=importer.now)
    before = importer.rows(suppressions, *suppressions.c.keys())
    result = importer(YES.format("yes", NEW, "shop") + "bob@example.com,yes,2026-01-01,shop\n", topic="news")
    assert result.counts["suppressed"] == 1
    assert importer.rows(suppressions, *suppressions.c.keys()) == before
    with importer.stores.readers() as session:
        assert listing.is_suppressed(session, hashed)
    assert importer.person("ada@example.com")["email_hash"] == hashed


def test_an_import_does_not_revive_who_was_erased(importer: Importer) -> None:
    text = "external id,email,first name\nP1,ada@example.com,Ada\n"
    importer(text)
    with importer.stores.sessions.begin() as session:
        whom = session.scalars(sa.select(contacts.c.id)).one()
        erasing.erase(session, whom, SECRET, actor="ann", now=importer.now)
    result = importer(text)
    assert result.counts["suppressed"] == 1
    with importer.stores.readers() as session:
        erased = session.execute(sa.select(contacts).where(contacts.c.id == whom)).mappings().one()
        assert (erased["email"], erased["external_id"], erased["given_name"]) == (None, None, None)
        stopped = gates.Gates(1, TopicClass.TRANSACTIONAL, None, importer.now).stopping()
        found = sa.select(stopped).select_from(contacts.join(customers)).order_by(contacts.c.id)
        assert list(session.scalars(found)) == ["erased", "suppressed"]


@pytest.mark.parametrize(
    ("text", "asked", "message"),
    [
        ("name,town\nAda,London\n", {}, "neither an address nor an external id"),
        ("email,consent\n", {}, "of which topic is not said"),
        ("email\n", {"topic": "news"}, "no column speaks of consent"),
        ("email,mail\n", {}, "both 'email' and 'mail' would be email"),
        ("email,email\n", {}, "names the column 'email' more than once"),
        ("email\n", {"chosen": {"town": "city"}}, "there is no column 'town'"),
        ("email,town\n", {"chosen": {"town": "village"}}, "there is no field 'village'"),
    ],
)
def test_what_cannot_be_read_as_asked_is_told_before_anything_is_done(
    importer: Importer, text: str, asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadImport, match=message):
        importer(text, **asked)
    assert importer.rows(imports, "id") == []


def test_an_unknown_topic_and_an_attribute_of_another_type_are_refused(importer: Importer) -> None:
    with pytest.raises(NotFound, match="nwes"):
        importer("email,consent\n", topic="nwes")
    importer("email,size\na@example.com,5\n", attributes={"size": Attribute("size", "number")})
    with pytest.raises(BadForm, match="of type number, not text"):
        importer("email,size\na@example.com,5\n", attributes={"size": Attribute("size", "text")})


def test_custom_attributes_keep_their_types(importer: Importer) -> None:
    kinds = ("text", "number", "boolean", "date", "moment", "list")
    asked = {"attributes": {kind: Attribute(kind, kind) for kind in kinds}}
    row = 'a@example.com,"5 "" x",2.50,ja,31.12.2025,2025-01-01T10:00+02:00,red;green|blue'
    importer(f"email,{','.join(kinds)}\n{row}\nb@example.com,,x,maybe,,,\n", **asked)
    expected = {
        "text": '5 " x', "number": 2.5, "boolean": True, "date": "2025-12-31",
        "moment": "2025-01-01T08:00:00+00:00", "list": ["red", "green", "blue"],
    }  # fmt: skip
    assert importer.person("a@example.com")["attributes"] == expected
    assert importer.person("b@example.com")["attributes"] == {}
    assert dict(importer.rows(attribute_facts, "key", "value")) == expected
    assert len(importer.refused) == 2


def test_the_preview_shows_rows_as_they_will_be_read(tmp_path: Path, now: datetime) -> None:
    path = tmp_path / "people.csv"
    path.write_text("E-Mail;Vorname;Schuhe;Land\nADA@example.com; Ada ;38;Atlantis\n")
    shown, found = importing.preview_contacts(importing.prepare_contacts(Asked(path)), now=now)
    assert shown == [
        {"line": 2, "external_id": None, "email": "ada@example.com", "given_name": "Ada", "country": None}
    ]
    assert [complaint.column for complaint in found] == ["Land"]
    assert importing.prepare_contacts(Asked(path)).layout.unmapped == ("Schuhe",)


IDS = st.sampled_from(["", "", "1", "2", "3"])
MAILS = st.sampled_from(["", "a@example.com", "b@example.com", "C@example.com", "bad@"])
WORDS = st.sampled_from(["", "yes", "no"])
DAYS = st.sampled_from(["", "2026-01-01", "2026-02-02", "2099-01-01"])
TABLE = st.lists(
    st.tuples(IDS, MAILS, st.sampled_from(["", "Ann", "Bo"]), WORDS, DAYS, st.sampled_from(["", "shop"])),
    max_size=8,
)


@settings(max_examples=12, deadline=None)
@given(TABLE, TABLE, st.integers(1, 4))
def test_any_file_twice_changes_nothing_and_every_row_is_accounted_for(
    importer: Importer,
    monkeypatch: pytest.MonkeyPatch,
    first: Sequence[Any],
    second: Sequence[Any],
    size: int,
) -> None:
    monkeypatch.setattr(staging, "PART_LINES", size)
    monkeypatch.setattr(staging, "LARGEST_PART", size)
    monkeypatch.setattr(staging, "LEAST_LINES", size)
    importer.forget()
    for table in (first, second):
        head = "id,email,first name,consent,consent at,consent source\n"
        text = head + "".join(",".join(row) + "\n" for row in table)
        importer(text, topic="news")
        before = importer.everything()
        again = importer(text, topic="news")
        assert importer.everything() == before
        counts = again.counts
        assert (counts["new"], counts["changed"]) == (0, 0)
        assert counts["unchanged"] + counts["repeats"] + counts["refused"] == again.rows == len(table)
    ids = [known for (known,) in importer.rows(contacts, "external_id") if known]
    assert len(ids) == len(set(ids))


@pytest.fixture
def by_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small files too be read by a process of its own."""
    monkeypatch.setattr(reading, "PROCESS_FROM", 0)


def test_a_process_that_reads_ahead_gives_the_same_and_lists_the_same(
    importer: Importer, monkeypatch: pytest.MonkeyPatch, parts: int
) -> None:
    bad = "4,nobody at example.com,Bad,12,perhaps,,,,,\n1,ada@example.com,Ada,,no,2026-03-01,,,,\n9,\0,,,,,,,,\n"
    here = importer(PEOPLE + bad, dry=True, **ASKED)
    refused = importer.refused
    assert {row["effect"] for row in refused} == {"row refused", "repeat"}
    monkeypatch.setattr(reading, "PROCESS_FROM", 0)
    assert importer(PEOPLE + bad, **ASKED) == here
    assert sorted(importer.refused, key=str) == sorted(refused, key=str)


@pytest.mark.usefixtures("by_a_process")
def test_a_file_that_a_process_cannot_read_to_its_end_changes_nothing(importer: Importer) -> None:
    before = importer.everything()
    with pytest.raises(BadImport, match="line 2 on: cannot be split into cells") as caught:
        importer('email,city\nada@example.com,"Ulm"x\n')
    assert len(caught.value.problems) == 1
    assert importer.everything() == before


@pytest.mark.usefixtures("by_a_process")
def test_an_import_whose_reading_process_is_lost_changes_nothing(
    importer: Importer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = importer.everything()
    monkeypatch.setattr(reading, "_fill", os._exit)
    with pytest.raises(BrokenExecutor):
        importer(PEOPLE, **ASKED)
    assert importer.everything() == before


def test_lines_may_end_as_on_an_old_mac(importer: Importer, parts: int) -> None:
    text = "email\r" + "".join(f"p{n}@example.com\r" for n in range(7))
    assert importer(text).counts["new"] == 7


KILLED_HALF_WAY = """
import os, sys
from datetime import datetime
from pathlib import Path
from sqlalchemy.orm import Session
from campaigns.flows import erasing, importing
from campaigns.flows.importing import Asked
from campaigns.imports import parts as reading
from campaigns.imports.complaints import Complaints
from campaigns.records.staging import staging
from campaigns.wiring import open_stores

url, path, now = sys.argv[1], Path(sys.argv[2]), datetime.fromisoformat(sys.argv[3])
stores = open_stores(url)
prepared = importing.prepare_contacts(Asked(path, topic="news"))
with stores.sessions.begin() as session:
    made = importing.register(session, "contacts", prepared, actor="ann", now=now)

def die(done, lines):
    if done > lines // 2:
        os.kill(os.getpid(), 9)

with stores.engine.connect() as link, staging(link) as held, Session(link) as session, session.begin():
    importing.import_contacts(
        session, held, prepared, made, secret=b"k", now=now, complaints=Complaints(), progress=die
    )
"""


def test_an_import_that_is_killed_half_way_has_changed_nothing(
    importer: Importer, database_url: str, tmp_path: Path, now: datetime
) -> None:
    importer("email\nold@example.com\n")
    before = importer.everything()
    path = tmp_path / "many.csv"
    rows = (f"p{n}@example.com,Pat,yes,2026-01-01,shop\n" for n in range(120_000))
    path.write_text("email,first name,consent,consent at,consent source\n" + "".join(rows))
    importer.stores.engine.dispose()
    run = [sys.executable, "-c", KILLED_HALF_WAY, database_url, str(path), now.isoformat()]
    ended = subprocess.run(run, check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert importer.everything() == before
    assert importer.rows(imports, "counts", "finished_at")[-1] == ({}, None)
    assert importer("email\nnew@example.com\n").counts["new"] == 1


def test_a_first_load_leaves_the_tables_as_the_migrations_made_them(
    importer: Importer, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "LEAST_ROWS", 10)
    text = "id,email\n" + "".join(f"{n},p{n}@example.com\n" for n in range(30))
    assert importer(text).counts["new"] == 30
    command.check(migration_config(database_url))
    assert importer(text).counts["unchanged"] == 30


def test_a_first_load_does_not_wait_for_those_who_work_there(
    importer: Importer, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database_url.startswith("sqlite"):
        pytest.skip("one writer at a time: there is nothing to wait for")
    monkeypatch.setattr(bulk, "LEAST_ROWS", 10)
    monkeypatch.setattr(bulk, "PATIENCE", "50ms")
    with importer.stores.readers() as session:
        session.execute(sa.select(contacts))  # holds the table until the end
        assert importer("email\n" + "".join(f"p{n}@example.com\n" for n in range(30))).counts["new"] == 30
