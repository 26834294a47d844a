"""Random rules over random people: what the databases answer is what plain Python answers."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from campaigns.segments.compile import compile_rule
from campaigns.segments.reading import parse_rule
from campaigns.segments.rules import Not, Rule
from campaigns.segments.writing import to_json
from campaigns.wiring import open_stores
from tests.postgres import create_database, drop_database
from tests.rooms.segments.oracle import Oracle
from tests.rooms.segments.random_rules import SEGMENTS, leaves, nested_rules, rules
from tests.rooms.segments.world import DEFINITIONS, NOW, make_world, store_world

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
