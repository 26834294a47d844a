"""Random rules over random people: what the databases answer is what plain Python answers."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from campaigns.segments.compile import compile_rule
from campaigns.segments.fields import FieldType, Spelling, known_fields
from campaigns.segments.leaves import OPERATORS
from campaigns.segments.reading import parse_rule
from campaigns.segments.rules import (
    MAX_DEPTH,
    MAX_LISTED,
    MAX_NODES,
    MAX_VALUES,
    AllOf,
    AnyOf,
    Between,
    Bought,
    Condition,
    ConsentIs,
    Did,
    InSegment,
    Last,
    Not,
    Operator,
    Rule,
    Span,
    Standing,
)
from campaigns.segments.walking import resolve
from campaigns.segments.writing import to_json
from campaigns.values import EventKind
from campaigns.wiring import open_stores
from tests.postgres import create_database, drop_database
from tests.rooms.segments.oracle import Oracle
from tests.rooms.segments.random_rules import SEGMENTS, leaves, nested_rules, rules
from tests.rooms.segments.world import DEFINITIONS, NOW, TAGS, TEXTS, make_world, store_world

WORLD = make_world(seed=7, people=240)
ORACLE = Oracle(WORLD, NOW, SEGMENTS)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def full_session(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Session]:
    """One store with the whole World, filled once and never committed."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("world") / "world.db"
        path.write_bytes(request.getfixturevalue("sqlite_pattern").read_bytes())
        url = f"sqlite:///{path}"
    else:
        server = request.getfixturevalue("postgres_server")
        url = create_database(server, "segments_world", template="pattern")
    stores = open_stores(url)
    with stores.sessions() as session:
        store_world(session, WORLD)
        yield session
        session.rollback()
    stores.engine.dispose()
    if request.param == "postgresql":
        drop_database(server, "segments_world")


def found(session: Session, rule: Rule) -> set[int]:
    dialect = session.get_bind().dialect.name
    ids = list(session.scalars(compile_rule(rule, now=NOW, dialect=dialect, segments=SEGMENTS)))
    assert len(ids) == len(set(ids)), "a contact is a member once"
    return set(ids)


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(rule=st.one_of(leaves, rules))
def test_both_databases_find_whom_plain_python_finds(full_session: Session, rule: Rule) -> None:
    assert parse_rule(to_json(rule), DEFINITIONS) == rule
    assert found(full_session, rule) == ORACLE.members(rule)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(rule=nested_rules)
def test_not_is_exactly_the_complement(full_session: Session, rule: Rule) -> None:
    alive = {person["id"] for person in WORLD.contacts if person["erased_at"] is None}
    inside, outside = found(full_session, rule), found(full_session, Not(rule))
    assert inside | outside == alive
    assert not inside & outside
    assert inside == ORACLE.members(rule)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(rule=rules)
def test_the_select_can_stand_inside_of_another(full_session: Session, rule: Rule) -> None:
    dialect = full_session.get_bind().dialect.name
    ids = compile_rule(rule, now=NOW, dialect=dialect).subquery()
    assert list(ids.c.keys()) == ["id"]
    assert full_session.scalar(select(func.count()).select_from(ids)) == len(ORACLE.members(rule))


def every_question() -> Iterator[Condition]:
    """Give each operator of each field, with several values."""
    chance = random.Random(11)
    values = {
        FieldType.TEXT: [*TEXTS, "de", "EN", "lost", "person", "rep@shop.example", "mail.example", "e", "%"],
        FieldType.LIST: TAGS,
        FieldType.NUMBER: [0, 12, 12.5, -3, 0.1],
        FieldType.BOOLEAN: [True, False],
    }
    days = [NOW.date() - timedelta(days=away) for away in (-1, 0, 1, 7, 30)] + [
        date(1980, 2, 29),
        date(1969, 2, 28),
    ]
    values |= {FieldType.DATE: days, FieldType.MOMENT: [*days, NOW, NOW - timedelta(days=7, microseconds=1)]}
    for field in known_fields(DEFINITIONS).values():
        scalars: list[Any] = [value for value in values[field.type] if value != ""]
        if field.spelling is Spelling.COUNTRY:
            scalars = ["DE", "GR"]
        if field.spelling in (Spelling.ADDRESS, Spelling.DOMAIN):
            scalars = ["shared@example.com", "p7@example.com", "xn--kln-sna.example", "mail.example", "e"]
        for operator in OPERATORS[field.type]:
            if operator in (Operator.EQUAL, Operator.STARTS):
                yield from (Condition(field, operator, scalar) for scalar in scalars)
            else:
                yield from (
                    Condition(field, operator, _value(chance, operator, scalars)) for _round in range(3)
                )


def _value(chance: random.Random, operator: Operator, scalars: list[Any]) -> Any:
    match operator:
        case Operator.SET | Operator.EMPTY:
            return None
        case Operator.IN | Operator.NOT_IN | Operator.ANY_OF | Operator.ALL_OF | Operator.NONE_OF:
            return tuple(chance.sample(scalars, 2))
        case Operator.BETWEEN:
            pair = chance.sample(scalars, 2)
            return Between(*sorted(pair, key=lambda end: f"{end:%F %T}" if isinstance(end, date) else end))
        case Operator.IN_THE_LAST | Operator.NOT_IN_THE_LAST | Operator.IN_THE_NEXT:
            return Span(chance.choice([1, 7, 30]), "days")
        case Operator.ANNIVERSARY:
            return Span(chance.choice([0, 1, 7]), "days")
        case _:
            return chance.choice(scalars)


def test_every_operator_on_every_field_finds_whom_plain_python_finds(full_session: Session) -> None:
    seen = set()
    for question in every_question():
        expected = ORACLE.members(question)
        assert found(full_session, question) == expected, question
        seen.add((question.field.name, 0 < len(expected) < 200))
    told_apart = {name for name, some in seen if some}
    assert told_apart == set(known_fields(DEFINITIONS)), "each field must be met by some and not by others"


def test_a_rule_as_deep_and_wide_as_allowed_still_compiles(full_session: Session) -> None:
    """Groups of sets in groups of sets: the databases' own limits of nesting must not be met first."""
    rule: Rule = Did(EventKind.SENT)
    for level in range(MAX_DEPTH - 2):
        group = AllOf if level % 2 else AnyOf
        rule = group(
            (
                Did(EventKind.CLICKED, within=Last(Span(level + 1, "days"))),
                Not(ConsentIs("news", Standing.GRANTED)) if level % 3 == 0 else Bought(),
                rule,
            )
        )
    assert found(full_session, rule) == ORACLE.members(rule)
    # SQLite has the limits; PostgreSQL only takes long to plan so many sets
    width = MAX_NODES - 1 if full_session.get_bind().dialect.name == "sqlite" else 100
    wide = AnyOf(tuple(Did(EventKind.OPENED, within=Last(Span(n + 1, "hours"))) for n in range(width)))
    assert found(full_session, wide) == ORACLE.members(wide)
    cities = Condition(
        known_fields({})["contact.city"], Operator.IN, tuple(str(number) for number in range(MAX_VALUES))
    )
    listed = AnyOf((*[cities] * (MAX_LISTED // MAX_VALUES), Condition(cities.field, Operator.SET)))
    assert found(full_session, listed) == ORACLE.members(listed)


def test_segments_in_segments_may_be_as_large_as_allowed(full_session: Session) -> None:
    """Each segment asks the next one at several places, and all are written out in one statement."""
    rules: dict[str, Rule] = {
        "s6": AnyOf(tuple(Did(EventKind.OPENED, within=Last(Span(hour, "hours"))) for hour in range(1, 30)))
    }
    for number in range(5, -1, -1):
        inner = InSegment(f"s{number + 1}")
        rules[f"s{number}"] = AllOf(
            (
                AnyOf((inner, Not(AllOf((inner, Bought()))))),
                Not(Did(EventKind.SENT, within=Last(Span(number, "days")))),
            )
        )
    rule = InSegment("s0")
    assert set(resolve(rule, rules.__getitem__)) == set(rules)
    compiled = compile_rule(rule, now=NOW, dialect=full_session.get_bind().dialect.name, segments=rules)
    assert set(full_session.scalars(compiled)) == Oracle(WORLD, NOW, rules).members(rule)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(rule=st.one_of(leaves, rules), few=st.lists(st.integers(1, 260), min_size=1, max_size=6))
def test_asked_about_a_few_contacts_it_finds_the_same_of_them(
    full_session: Session, rule: Rule, few: list[int]
) -> None:
    dialect = full_session.get_bind().dialect.name
    asked = compile_rule(rule, now=NOW, dialect=dialect, segments=SEGMENTS, only=few)
    assert set(full_session.scalars(asked)) == ORACLE.members(rule) & set(few)
