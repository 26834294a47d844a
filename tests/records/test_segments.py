"""Segments in the store: saved, loaded, counted, explained; statistics and indexes."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import delete, event, insert, literal, select, text
from sqlalchemy.orm import Session

from campaigns.cli.segments import count as count_command
from campaigns.cli.segments import explain as explain_command
from campaigns.errors import BadRule, NotFound
from campaigns.model.consent import topics
from campaigns.model.customers import attribute_definitions, contacts, customers
from campaigns.model.events import events
from campaigns.records import segments, statistics
from campaigns.records.surveys import save as save_survey
from campaigns.segments.explain import lines
from campaigns.segments.reading import parse_rule
from campaigns.surveys.form import parse_form
from campaigns.wiring import Stores

IN_BERLIN = {"field": "contact.city", "is": "=", "value": "berlin"}
CLICKED = {"did": "clicked", "within": {"last": {"days": 30}}}


def document(rule: dict[str, Any]) -> dict[str, Any]:
    return {"version": 1, "rule": rule}


@pytest.fixture
def people(session: Session, now: datetime) -> Session:
    """Five contacts: 1 and 2 in Berlin, 3 in Köln, 4 erased in Berlin, 5 nowhere; 1 and 3 clicked."""
    moments = {"created_at": now, "updated_at": now}
    session.execute(insert(customers), [{"id": 1, "kind": "organisation", "name": "Tee & Co", **moments}])
    cities = {1: "Berlin", 2: "BERLIN", 3: "Köln", 4: "Berlin", 5: None}
    rows = [
        {
            "id": number,
            "customer_id": 1,
            "city": city,
            "erased_at": now if number == 4 else None,
            "attributes": {"plan": "Gold", "score": number},
            **moments,
        }
        for number, city in cities.items()
    ]
    session.execute(insert(contacts), rows)
    definitions = [
        {"entity": "contact", "key": key, "type": type_, "created_at": now}
        for key, type_ in [
            ("plan", "text"),
            ("score", "number"),
            ("vip", "boolean"),
            ("tags", "list"),
            ("renewal", "date"),
            ("seen", "moment"),
        ]
    ]
    session.execute(insert(attribute_definitions), definitions)
    clicks = [
        {
            "at": now - timedelta(days=2),
            "kind": "clicked",
            "contact_id": 1,
            "verdict": "human",
            "dedupe": "a",
        },
        {
            "at": now - timedelta(days=2),
            "kind": "clicked",
            "contact_id": 2,
            "verdict": "machine",
            "dedupe": "b",
        },
        {
            "at": now - timedelta(days=3),
            "kind": "clicked",
            "contact_id": 3,
            "verdict": "human",
            "dedupe": "c",
        },
    ]
    session.execute(insert(events), clicks)
    session.execute(
        insert(topics), [{"key": "news", "name": "News", "topic_class": "marketing", "created_at": now}]
    )
    return session


def test_a_saved_segment_is_loaded_as_it_was_and_each_save_is_a_version(
    people: Session, now: datetime
) -> None:
    first = segments.save(people, "berlin", "Berlin", document(IN_BERLIN), author="Ada", now=now)
    second = segments.save(people, "berlin", "Berlin", document({"not": IN_BERLIN}), author="Ada", now=now)
    segment = segments.find(people, "berlin")
    assert segment is not None
    assert segments.newest_version(people, segment) == second
    assert segments.load(people, "berlin") == parse_rule(document({"not": IN_BERLIN}))
    assert list(people.scalars(segments.members_of_version(people, first, now=now))) == [1, 2]
    [row] = segments.listing(people)
    assert (row.key, row.version) == ("berlin", 2)
    assert row.sentence == "Contacts who are not among those whose city is “berlin”."


def test_count_and_members_agree_and_leave_the_erased_out(people: Session, now: datetime) -> None:
    rule = segments.read(people, document({"everyone": True}))
    assert segments.count(people, rule, now) == 4
    assert segments.members(people, rule, now, limit=10) == [1, 2, 3, 5]
    assert segments.members(people, rule, now, limit=2) == [1, 2]


def test_a_segment_in_a_segment_counts_as_its_newest_version(people: Session, now: datetime) -> None:
    segments.save(people, "clicked", "Clicked", document(CLICKED), author="", now=now)
    rule = segments.read(people, document({"all": [IN_BERLIN, {"segment": "clicked"}]}))
    assert segments.members(people, rule, now, 10) == [1]
    segments.save(people, "clicked", "Clicked", document({"not": CLICKED}), author="", now=now)
    assert segments.members(people, rule, now, 10) == [2]


def test_a_circle_of_segments_is_refused_with_its_chain(people: Session, now: datetime) -> None:
    segments.save(people, "a", "A", document(CLICKED), author="", now=now)
    segments.save(people, "b", "B", document({"not": {"segment": "a"}}), author="", now=now)
    with pytest.raises(BadRule, match=r"a → b → a"):
        segments.save(people, "a", "A", document({"any": [CLICKED, {"segment": "b"}]}), author="", now=now)
    with pytest.raises(BadRule, match=r"c → c|not there"):
        segments.save(people, "c", "C", document({"segment": "c"}), author="", now=now)


def test_everything_a_rule_names_must_be_there(people: Session) -> None:
    rules = [
        {"consent": "newss", "is": "granted"},
        {"not": {"segment": "gone"}},
        {"bought": {"sku": "T-1"}},
        {"bought": {"category": "tea"}},
        {"answered": "spring"},
        {"did": "clicked", "campaign": 7},
    ]
    with pytest.raises(BadRule) as caught:
        segments.read(people, document({"all": rules}))
    wheres = [problem.where for problem in caught.value.problems]
    assert wheres == ["rule.all[0]", "rule.all[1].not", *(f"rule.all[{at}]" for at in (2, 3, 4, 5))]
    assert "Did you mean 'news'?" in str(caught.value)


def test_a_question_must_be_one_that_its_survey_asks_or_asked(people: Session, now: datetime) -> None:
    for key in ("colour", "why"):
        question = {"key": key, "type": "text", "text": {"en": "?"}}
        form = parse_form({"version": 1, "title": {"en": "?"}, "questions": [question]})
        save_survey(people, "spring", "Spring", form, author="ada", now=now)
    for asked in ("colour", "why"):
        rule = {"answered": "spring", "question": asked, "is": "contains", "value": "red"}
        segments.read(people, document(rule))
    slip = {"answered": "spring", "question": "color", "is": "contains", "value": "red"}
    with pytest.raises(BadRule) as caught:
        segments.read(people, document({"not": slip}))
    [problem] = caught.value.problems
    assert problem.where == "rule.not"
    assert "'color', which the survey 'spring' never asked" in problem.what
    assert "colour, why" in problem.cure


def test_a_stored_rule_whose_attribute_is_gone_says_so(people: Session, now: datetime) -> None:
    rule = {"field": "contact.attributes.plan", "is": "=", "value": "gold"}
    version = segments.save(people, "gold", "Gold", document(rule), author="", now=now)
    people.execute(delete(attribute_definitions).where(attribute_definitions.c.key == "plan"))
    with pytest.raises(BadRule, match=r"contact\.attributes\.plan"):
        segments.load_version(people, version)
    assert "no longer holds" in segments.listing(people)[0].sentence


def test_unknown_segments_and_contacts_are_not_found(people: Session, now: datetime) -> None:
    with pytest.raises(NotFound, match="no segment 99"):
        segments.newest_version(people, 99)
    with pytest.raises(NotFound, match="no segment version 99"):
        segments.load_version(people, 99)
    with pytest.raises(NotFound, match="no contact 99"):
        segments.explain(people, parse_rule(document(IN_BERLIN)), 99, now)


def test_the_members_can_be_frozen_beside_a_join_of_the_same_tables(people: Session, now: datetime) -> None:
    rule = parse_rule(
        document({"any": [{"all": [IN_BERLIN, {"field": "customer.kind", "is": "set"}]}, CLICKED]})
    )
    members = segments.select_members(people, rule, now)
    joined = select(contacts.c.id, literal("x")).join(customers, customers.c.id == contacts.c.customer_id)
    frozen = joined.where(contacts.c.id.in_(members)).order_by(contacts.c.id)
    people.execute(text("CREATE TEMPORARY TABLE frozen (id BIGINT, mark VARCHAR(1))"))
    people.execute(text("DELETE FROM frozen"))
    target = _table("frozen", "id", "mark")
    people.execute(insert(target).from_select(["id", "mark"], frozen))
    assert sorted(people.scalars(select(target.c.id))) == [1, 2, 3]


def _table(name: str, *columns: str) -> Any:
    from sqlalchemy import Column, MetaData, Table

    return Table(name, MetaData(), *(Column(column) for column in columns))


def test_explain_names_the_leaf_that_decided_and_its_value(people: Session, now: datetime) -> None:
    rule = parse_rule(document({"all": [IN_BERLIN, CLICKED, {"consent": "news", "is": "none"}]}))
    assert list(lines(segments.explain(people, rule, 3, now))) == [
        "not in the segment",
        "✗ all of",
        "  ✗ whose city is “berlin” (found: 'Köln')  ← decided",
        "  ✓ who clicked a link in person in the last 30 days (found: 1 times, last 2026-11-19 09:00:00)",
        "  ✓ who never said anything about “news” (found: nothing)",
    ]
    why = segments.explain(people, rule, 1, now)
    assert why.member
    assert [part.decided for part in why.rule.parts] == [True, True, True]


def test_explain_says_that_an_erased_contact_is_in_no_segment(people: Session, now: datetime) -> None:
    why = segments.explain(people, parse_rule(document(IN_BERLIN)), 4, now)
    assert why.rule.holds
    assert not why.member
    assert "erased" in "\n".join(lines(why))


def test_explain_shows_a_value_of_the_wrong_type_as_it_stands(people: Session, now: datetime) -> None:
    people.execute(contacts.update().where(contacts.c.id == 1).values(attributes={"score": "12"}))
    rule = segments.read(people, document({"field": "contact.attributes.score", "is": ">", "value": 3}))
    why = segments.explain(people, rule, 1, now)
    assert not why.member
    assert why.rule.found == "'12'"


@pytest.mark.parametrize(
    ("key", "value"),
    [("plan", "gold"), ("score", 3), ("renewal", "2026-11-22"), ("seen", "2026-11-22T09:00:00Z")],
)
def test_an_index_on_an_attribute_is_made_once_and_used(
    people: Session, now: datetime, key: str, value: Any
) -> None:
    assert statistics.ensure_index(people, "contact", key)
    assert statistics.ensure_index(people, "contact", key)
    rule = segments.read(people, document({"field": f"contact.attributes.{key}", "is": "=", "value": value}))
    statement = segments.select_members(people, rule, now)
    if people.get_bind().dialect.name == "sqlite":
        plan = _plan(people, "EXPLAIN QUERY PLAN ", statement)
    else:
        people.execute(text("SET LOCAL enable_seqscan = off"))
        plan = _plan(people, "EXPLAIN ", statement)
    assert "ix_contacts_attribute_" in plan


def _plan(session: Session, prefix: str, statement: Any) -> str:
    connection = session.connection()
    event.listen(
        connection,
        "before_cursor_execute",
        lambda _c, _k, sql, values, *_rest: (prefix + sql, values),
        retval=True,
    )
    return "\n".join(str(tuple(row)) for row in connection.execute(statement))


def test_a_long_text_fits_the_index_of_its_attribute(people: Session, now: datetime) -> None:
    statistics.ensure_index(people, "contact", "plan")
    people.execute(contacts.update().where(contacts.c.id == 1).values(attributes={"plan": "x" * 20_000}))
    rule = segments.read(
        people, document({"field": "contact.attributes.plan", "is": "in", "value": ["gold", "x"]})
    )
    assert segments.members(people, rule, now, 10) == [2, 3, 5]


def test_no_index_is_made_where_none_would_help(people: Session) -> None:
    assert not statistics.ensure_index(people, "contact", "tags")
    assert not statistics.ensure_index(people, "contact", "vip")
    with pytest.raises(NotFound, match="'nothing'"):
        statistics.ensure_index(people, "contact", "nothing")


def test_a_connection_that_was_open_before_plans_by_the_new_statistics(stores: Stores, now: datetime) -> None:
    """Knowing nothing, SQLite takes the index on country, where all are alike; the one on email finds one."""
    if stores.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL's connections share their statistics")
    question = "EXPLAIN QUERY PLAN SELECT id FROM contacts WHERE country = 'DE' AND email = 'p7@example.com'"
    reading = stores.engine.execution_options(reading=True)
    with reading.connect() as early, stores.sessions() as writer:
        moments = {"created_at": now, "updated_at": now}
        writer.execute(insert(customers), [{"id": 1, **moments}])
        statistics.analyze(writer)
        writer.commit()
        early.execute(select(contacts.c.id)).all()  # it has read the schema, with the first statistics
        assert "country" in str(early.exec_driver_sql(question).all())
        early.rollback()
        rows = [
            {"customer_id": 1, "country": "DE", "email": f"p{n}@example.com", **moments} for n in range(500)
        ]
        writer.execute(insert(contacts), rows)
        statistics.analyze(writer)
        writer.commit()
        early.execute(select(contacts.c.id).limit(1)).all()
        again = early.exec_driver_sql(f"{question} LIMIT 9")  # another text: the driver keeps statements
        assert "email" in str(again.all())


def test_analyze_tells_postgresql_how_many_rows_there_are(stores: Stores, now: datetime) -> None:
    if stores.engine.dialect.name == "sqlite":
        pytest.skip("SQLite's own test stands above")
    with stores.sessions() as session:
        session.execute(
            insert(customers), [{"id": n, "created_at": now, "updated_at": now} for n in range(1, 301)]
        )
        statistics.analyze(session)
        assert (
            session.execute(text("SELECT reltuples FROM pg_class WHERE relname = 'customers'")).scalar_one()
            == 300
        )


@pytest.fixture
def shell(
    stores: Stores, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> Path:
    monkeypatch.setenv("POSTROOM_DATA", str(tmp_path))
    monkeypatch.setenv("POSTROOM_DATABASE_URL", database_url)
    with stores.sessions() as session:
        moments = {"created_at": now, "updated_at": now}
        session.execute(insert(customers), [{"id": 1, **moments}])
        session.execute(insert(contacts), [{"id": 1, "customer_id": 1, "city": "Berlin", **moments}])
        session.commit()
    return tmp_path / "rule.json"


def test_the_shell_counts_and_explains(shell: Path) -> None:
    shell.write_text(json.dumps(document(IN_BERLIN)))
    counted = CliRunner().invoke(count_command, [str(shell)], catch_exceptions=False)
    assert counted.output == "Contacts whose city is “berlin”.\n1\n"
    fed = CliRunner().invoke(count_command, ["-"], input=shell.read_text(), catch_exceptions=False)
    assert fed.output == counted.output
    explained = CliRunner().invoke(explain_command, [str(shell), "--contact", "1"], catch_exceptions=False)
    assert explained.output.endswith(
        "in the segment\n✓ whose city is “berlin” (found: 'Berlin')  ← decided\n"
    )
    unknown = CliRunner().invoke(explain_command, [str(shell), "--contact", "2"], catch_exceptions=False)
    assert (unknown.exit_code, unknown.output) == (1, "Error: There is no contact 2.\n")


def test_the_shell_tells_every_problem_of_a_rule_with_its_path(shell: Path) -> None:
    shell.write_text('{"version": 1, "rule": {"all": [{"field": "contact.citty", "is": "set"}, {"did": 5}]}}')
    refused = CliRunner().invoke(count_command, [str(shell)], catch_exceptions=False)
    assert refused.exit_code == 1
    assert "rule.json: rule.all[0].field: names 'contact.citty'" in refused.output
    assert "Did you mean 'contact.city'?" in refused.output
    assert "rule.json: rule.all[1].did: is 5, no kind of event." in refused.output
