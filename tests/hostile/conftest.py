"""The hostile house, built once on each database: its tests only look."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.house import House, a_house
from tests.postgres import create_database, drop_database


@pytest.fixture(scope="package")
def house(sqlite_pattern: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("hostile")
    shutil.copy(sqlite_pattern, folder / "hostile.db")
    with a_house(f"sqlite:///{folder / 'hostile.db'}", folder) as made:
        yield made


@pytest.fixture(scope="package")
def postgres_house(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    url = create_database(postgres_server, "hostile", template="pattern")
    with a_house(url, tmp_path_factory.mktemp("hostile")) as made:
        yield made
    drop_database(postgres_server, "hostile")


@pytest.fixture(params=["house", "postgres_house"])
def either_house(request: pytest.FixtureRequest) -> House:
    """Each in turn, for what reaches the store: the databases refuse different things."""
    made: House = request.getfixturevalue(request.param)
    return made
