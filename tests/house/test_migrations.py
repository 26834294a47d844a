"""The migrations lead from nothing to exactly the model, and back, on both databases."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from alembic import command
from sqlalchemy import insert, inspect, text

from campaigns.model import metadata
from campaigns.model.lanes import lanes
from campaigns.wiring import Stores, migration_config, open_stores
from tests.postgres import create_database, drop_database


def test_the_migrations_make_exactly_the_model(database_url: str) -> None:
    command.check(migration_config(database_url))


def test_every_migration_can_be_taken_back(database_url: str) -> None:
    config = migration_config(database_url)
    command.downgrade(config, "base")
    stores = open_stores(database_url)
    assert set(inspect(stores.engine).get_table_names()) == {"alembic_version"}
    assert inspect(stores.engine).get_view_names() == []
    stores.engine.dispose()
    command.upgrade(config, "head")
    command.check(config)


def test_a_lane_without_a_cap_has_none_in_older_releases_either(database_url: str) -> None:
    stores, config = open_stores(database_url), migration_config(database_url)
    with stores.sessions.begin() as session:
        values = {"account": "main", "changed_at": datetime(2026, 11, 22, tzinfo=UTC)}
        session.execute(insert(lanes), [{"lane": "google", "per_minute": 0.0, **values}])
        session.execute(insert(lanes), [{"lane": "apple", "per_minute": 60.0, **values}])
    command.downgrade(config, "0017")
    with stores.sessions() as session:
        caps = session.execute(text("SELECT lane, per_minute FROM lanes ORDER BY lane")).all()
    stores.engine.dispose()
    assert [tuple(row) for row in caps] == [("apple", 60.0), ("google", None)]


@pytest.mark.parametrize("table", [table for table in metadata.sorted_tables if "view" not in table.info])
def test_every_nullable_column_says_why(table) -> None:
    silent = [column.name for column in table.columns if column.nullable and not column.comment]
    assert silent == []


def test_views_stand_beside_the_tables(stores: Stores) -> None:
    assert inspect(stores.engine).get_view_names() == ["consent_states"]


def test_processes_that_migrate_at_once_wait_for_each_other(empty_url, tmp_path) -> None:
    env = {**os.environ, "POSTROOM_DATA": str(tmp_path), "POSTROOM_DATABASE_URL": empty_url}
    words = [sys.executable, "-m", "campaigns.cli", "migrate"]
    several = [subprocess.Popen(words, env=env, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    told = [one.communicate(timeout=60)[1] for one in several]
    assert [one.returncode for one in several] == [0, 0, 0], told


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request, tmp_path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/store.db"
        return
    server = request.getfixturevalue("postgres_server")
    yield create_database(server, "migrated_at_once")
    drop_database(server, "migrated_at_once")
