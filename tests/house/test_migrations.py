"""The migrations lead from nothing to exactly the model, and back, on both databases."""

import pytest
from alembic import command
from sqlalchemy import inspect

from campaigns.model import metadata
from campaigns.wiring import Stores, migration_config, open_stores


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


@pytest.mark.parametrize("table", [table for table in metadata.sorted_tables if "view" not in table.info])
def test_every_nullable_column_says_why(table) -> None:
    silent = [column.name for column in table.columns if column.nullable and not column.comment]
    assert silent == []


def test_views_stand_beside_the_tables(stores: Stores) -> None:
    assert inspect(stores.engine).get_view_names() == ["consent_states"]
