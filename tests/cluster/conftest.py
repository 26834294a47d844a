"""A broker for the tests of the cluster, and an installation around it."""

from collections.abc import Iterator
from itertools import count

import pytest

from tests.cluster import rabbit
from tests.cluster.rabbit import Rabbit
from tests.cluster.stage import Stage
from tests.postgres import create_database, drop_database

_numbers = count(1)


@pytest.fixture(scope="session")
def broker() -> Iterator[Rabbit]:
    if not rabbit.installed():
        pytest.skip(rabbit.MISSING)
    with rabbit.running_rabbit() as running:
        yield running


@pytest.fixture
def stage(postgres_server, broker, tmp_path) -> Iterator[Stage]:
    """A store of its own for each test; the broker may still hold numbers of the last one's chunks."""
    name = f"cluster_{next(_numbers)}"
    opened = Stage(tmp_path, create_database(postgres_server, name, template="pattern"), broker.url)
    yield opened
    opened.close()
    drop_database(postgres_server, name)
