"""What every test may ask for: a migrated store on SQLite and on PostgreSQL, and a fixed now."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy.orm import Session

from campaigns.wiring import Stores, migrate, open_stores
from tests import timed
from tests.postgres import create_database, drop_database, running_postgres

#: No example fails for its time, on a machine that may be slow; a store that all share is emptied by each.
settings.register_profile(
    "usual", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
settings.load_profile("usual")
#: CI draws the same examples each time: what it finds is the change's, not the day's. Elsewhere they differ.
settings.register_profile("ci", derandomize=True, print_blob=True, database=None)
if "CI" in os.environ:
    settings.load_profile("ci")

_numbers = count(1)


class CompiledPages(BytecodeCache):
    """What the pages' templates were compiled to, for all the apps that tests make; each would compile anew."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if (code := self._code.get(bucket.key)) is not None:
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = bucket.bytecode_to_string()


Flask.jinja_options = {"bytecode_cache": CompiledPages()}


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    return timed.run(item, nextitem) if item.get_closest_marker("timed") else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    timed.tell(terminalreporter)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with running_postgres(in_memory=True) as url:
        migrate(create_database(url, "pattern"))
        yield url


@pytest.fixture(scope="session")
def sqlite_pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pattern") / "pattern.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty, migrated store of its own for each test, on each database in turn."""
    if request.param == "sqlite":
        path = tmp_path / "store.db"
        shutil.copy(request.getfixturevalue("sqlite_pattern"), path)
        yield f"sqlite:///{path}"
        return
    server = request.getfixturevalue("postgres_server")
    name = f"test_{next(_numbers)}"
    yield create_database(server, name, template="pattern")
    drop_database(server, name)


@pytest.fixture
def stores(database_url: str) -> Iterator[Stores]:
    opened = open_stores(database_url)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def session(stores: Stores) -> Iterator[Session]:
    """A session in a transaction that is rolled back at the end."""
    with stores.sessions() as opened:
        yield opened
        opened.rollback()


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
